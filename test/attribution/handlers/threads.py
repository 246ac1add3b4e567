# SPDX-License-Identifier: Apache-2.0
"""http.server with a thread for each connection: threads.py PORT [CERTIFICATE KEY | UPSTREAM]; with an
upstream, work is done before and after its answer."""
import http.client
import http.server
import ssl
import sys

from burning import burn, wanted


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: no wait for an acknowledgement

    def do_GET(self):
        n, us = wanted(self.path)
        if UPSTREAM:
            burn(n, us * 3 // 10)
            self.ask_upstream(n, us * 4 // 10)
            burn(n, us * 3 // 10)
        else:
            burn(n, us)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"done\n")

    def ask_upstream(self, n, us):
        context = self.headers["traceparent"]
        connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM)
        path = f"/burn?n={n}&us={us}"
        connection.request("GET", path, headers={"traceparent": context} if context else {})
        connection.getresponse().read()
        connection.close()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def finish_request(self, request, client_address):
        if len(sys.argv) > 3:  # the handshake in the connection's own thread
            request = CONTEXT.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


UPSTREAM = int(sys.argv[2]) if len(sys.argv) == 3 else 0
if len(sys.argv) > 3:
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(sys.argv[2], sys.argv[3])
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
