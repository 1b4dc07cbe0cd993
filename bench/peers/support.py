"""What the Python peers share: the arguments, and the measuring of CPU and wall time after a warm-up."""
import asyncio
import sys
import time


class Peer:
    def __init__(self, arguments):
        self.url, self.ca_file, body, in_flight, warm_up, messages, protocol, connections = arguments[:8]
        self.body = body.encode()
        self.in_flight, self.warm_up, self.messages = int(in_flight), int(warm_up), int(messages)
        self.connections = int(connections)
        self.http2 = protocol == "HTTP/2"
        self.headers = dict(line.split(": ", 1) for line in arguments[8:])


def report(cpu, wall):
    print("%.6f %.6f" % (cpu, wall))


def run(start):
    peer = Peer(sys.argv[1:])
    work = start(peer)
    work(peer.warm_up)
    cpu, wall = time.process_time(), time.perf_counter()
    work(peer.messages)
    report(time.process_time() - cpu, time.perf_counter() - wall)


async def work_async(peer, send, count):
    left = iter(range(count))

    async def worker():
        for _ in left:
            await send()

    await asyncio.gather(*(worker() for _ in range(peer.in_flight)))


def run_async(start):
    peer = Peer(sys.argv[1:])

    async def main():
        send, close = start(peer)
        await work_async(peer, send, peer.warm_up)
        cpu, wall = time.process_time(), time.perf_counter()
        await work_async(peer, send, peer.messages)
        report(time.process_time() - cpu, time.perf_counter() - wall)
        await close()

    asyncio.run(main())
