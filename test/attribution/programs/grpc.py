# SPDX-License-Identifier: Apache-2.0
"""gRPC's C++ library; its Python is among Python's."""
from program import BUILT, Program


class Grpc(Program):
    protocol, streams, path = "grpc", 4, "/burn.Burn/Burn"
    api = ""

    @classmethod
    def missing(cls):
        return None if (BUILT / "grpc_server").exists() else "grpc_server was not built"

    def command(self):
        return [self.dir / "grpc_server", self.api, self.port]


CARRIED = "when two threads want a connection at a time the core hands the answer to a thread of its own, and the " \
    "one that worked takes up the next request without a call: what had begun before is left unlabelled; a few are labelled " \
    "as the next one before the process has shown that it does so"


class Sync(Grpc):
    precision, recall = 0.85, 0
    exception = "a thread that has read one request's head may take up another's, which a thread that read it has " \
        "put into the library's queue without a call: some are labelled as the one that was read last"
    name, shape, api = "gRPC in C++", "the library's threads read, and work if nobody else reads", "sync"
    factor, tolerance = 4, 0.5  # threads that come and go


class Async(Grpc):
    precision, recall, exception = 0.98, 0.75, CARRIED
    name, shape, api = "gRPC in C++, async", "two threads of the program's poll two completion queues", "async"


class Callback(Grpc):
    precision, recall, exception = 0.98, 0.75, CARRIED
    name, shape, api = "gRPC in C++, callback", "the library's threads call back", "callback"


PROGRAMS = [Sync, Async, Callback]
