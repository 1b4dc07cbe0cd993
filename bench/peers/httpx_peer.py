"""Python's httpx under asyncio, with HTTP/2 where it is asked for."""
import ssl

import httpx

from support import run_async


def start(peer):
    limits = httpx.Limits(max_connections=peer.connections, max_keepalive_connections=peer.connections)
    client = httpx.AsyncClient(verify=ssl.create_default_context(cafile=peer.ca_file), http2=peer.http2,
                               limits=limits, timeout=30, headers=peer.headers)

    async def send():
        answer = await client.post(peer.url, content=peer.body)
        answer.raise_for_status()
        return answer.json()["messages"][0]["id"]

    return send, client.aclose


run_async(start)
