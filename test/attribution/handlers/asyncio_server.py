# SPDX-License-Identifier: Apache-2.0
"""asyncio: asyncio_server.py PORT streams|sleep|yield|executor|protocol|tasks|queue|tail [CERTIFICATE KEY]"""
import asyncio
import ssl
import sys

from burning import burn, wanted

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n"
PORT, KIND = int(sys.argv[1]), sys.argv[2]
CONTEXT = None
if len(sys.argv) > 3:
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(sys.argv[3], sys.argv[4])


async def work(n, us):
    if KIND == "executor":
        await asyncio.get_running_loop().run_in_executor(None, burn, n, us)
    elif KIND in ("sleep", "yield"):
        for _ in range(4):
            burn(n, us // 4)
            await asyncio.sleep(0.003 if KIND == "sleep" else 0)
    else:
        burn(n, us)


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            n, us = wanted(head.decode())
            await work(n, us // 2 if KIND == "tail" else us)
            writer.write(REPLY)
            await writer.drain()
            if KIND == "tail":
                await asyncio.sleep(0.003)
                burn(n, us // 2)
            if b"Connection: close" in head:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


class Protocol(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.head = transport, b""

    def data_received(self, data):
        self.head += data
        if not self.head.endswith(b"\r\n\r\n"):
            return
        burn(*wanted(self.head.decode()))
        self.transport.write(REPLY)
        if b"Connection: close" in self.head:
            self.transport.close()
        self.head = b""


class Tasks(Protocol):
    """A task for each request: half of the work is done after the answer, which the client may have
    followed by its next request then. Or a queue, and tasks that work for whoever comes."""
    queue, background = None, set()

    def data_received(self, data):
        self.head += data
        if not self.head.endswith(b"\r\n\r\n"):
            return
        if KIND == "tasks":
            task = asyncio.ensure_future(self.respond(self.head))
            self.background.add(task)
            task.add_done_callback(self.background.discard)
        else:
            self.queue.put_nowait((self, self.head))
        self.head = b""

    async def respond(self, head):
        n, us = wanted(head.decode())
        burn(n, us // 4)
        await asyncio.sleep(0.003)
        burn(n, us // 4)
        self.transport.write(REPLY)
        burn(n, us // 4)
        await asyncio.sleep(0.003)
        burn(n, us // 4)
        if b"Connection: close" in head:
            self.transport.close()

    @classmethod
    async def consume(cls):
        while True:
            self, head = await cls.queue.get()
            n, us = wanted(head.decode())
            for _ in range(4):
                burn(n, us // 4)
                await asyncio.sleep(0.003)
            self.transport.write(REPLY)
            if b"Connection: close" in head:
                self.transport.close()


async def main():
    loop = asyncio.get_running_loop()
    if KIND == "queue":
        Tasks.queue = asyncio.Queue()
        Tasks.background = {asyncio.ensure_future(Tasks.consume()) for _ in range(8)}
    if KIND in ("protocol", "tasks", "queue"):
        server = await loop.create_server(Protocol if KIND == "protocol" else Tasks, "127.0.0.1", PORT, backlog=512)
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=512, ssl=CONTEXT)
    async with server:
        await server.serve_forever()


asyncio.run(main())
