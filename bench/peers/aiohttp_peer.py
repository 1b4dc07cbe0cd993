"""Python's aiohttp under asyncio."""
import ssl

import aiohttp

from support import run_async


def start(peer):
    connector = aiohttp.TCPConnector(limit=peer.connections, ssl=ssl.create_default_context(cafile=peer.ca_file))
    session = aiohttp.ClientSession(connector=connector, headers=peer.headers)

    async def send():
        async with session.post(peer.url, data=peer.body) as answer:
            answer.raise_for_status()
            return (await answer.json(content_type=None))["messages"][0]["id"]

    return send, session.close


run_async(start)
