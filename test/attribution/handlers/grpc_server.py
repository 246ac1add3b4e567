# SPDX-License-Identifier: Apache-2.0
"""gRPC: grpc_server.py PORT [UPSTREAM passes|drops]; a request's message is its number and its microseconds. With
an upstream, work is done before and after its answer. passes: the upstream gets the caller's trace context and
works too; drops: it only waits."""
import concurrent.futures
import sys
import time

import grpc
from burning import burn, say


def handle(request, context):
    n, us = map(int, request.split())
    if UPSTREAM:
        passes = sys.argv[3] == "passes"
        metadata = [item for item in context.invocation_metadata() if item[0] == "traceparent"]
        burn(n, us * 3 // 10 if passes else us // 2)
        UPSTREAM(b"%d %d" % (n, us * 4 // 10 if passes else 0), metadata=metadata if passes else None)
        burn(n, us * 3 // 10 if passes else us // 2)
    elif us:
        say(b"begin", n)
        burn(n, us)
        say(b"end", n)
    else:
        time.sleep(0.004)
    return b"done"


UPSTREAM = None
if len(sys.argv) > 2:
    UPSTREAM = grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}").unary_unary("/burn.Burn/Burn")
server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    "burn.Burn", {"Burn": grpc.unary_unary_rpc_method_handler(handle)}),))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
