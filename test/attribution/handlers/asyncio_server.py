# SPDX-License-Identifier: Apache-2.0
"""asyncio: asyncio_server.py PORT streams|sleep|yield|executor|protocol [CERTIFICATE KEY]"""
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
            await work(*wanted(head.decode()))
            writer.write(REPLY)
            await writer.drain()
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


async def main():
    loop = asyncio.get_running_loop()
    if KIND == "protocol":
        server = await loop.create_server(Protocol, "127.0.0.1", PORT, backlog=512)
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=512, ssl=CONTEXT)
    async with server:
        await server.serve_forever()


asyncio.run(main())
