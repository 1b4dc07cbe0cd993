"""Python's requests: one session, kept connections; a thread for each request in flight."""
from concurrent.futures import ThreadPoolExecutor

import requests
import requests.adapters

from support import run


def start(peer):
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.headers.update(peer.headers)
    session.verify = peer.ca_file
    adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=peer.connections, pool_block=True)
    session.mount("https://", adapter)
    threads = ThreadPoolExecutor(peer.in_flight)

    def send(_):
        answer = session.post(peer.url, data=peer.body)
        answer.raise_for_status()
        return answer.json()["messages"][0]["id"]

    def work(count):
        if peer.in_flight == 1:
            for i in range(count):
                send(i)
        else:
            for _ in threads.map(send, range(count)):
                pass

    return work


run(start)
