# SPDX-License-Identifier: Apache-2.0
"""gRPC: grpc_server.py PORT; a request's message is its number and its microseconds."""
import concurrent.futures
import sys

import grpc
from burning import burn, say


def handle(request, _):
    n, us = map(int, request.split())
    say(b"begin", n)
    burn(n, us)
    say(b"end", n)
    return b"done"


server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    "burn.Burn", {"Burn": grpc.unary_unary_rpc_method_handler(handle)}),))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
