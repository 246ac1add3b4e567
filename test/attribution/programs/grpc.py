# SPDX-License-Identifier: Apache-2.0
"""gRPC's C++ library; its Python is among Python's."""
from program import BUILT, Program


class Grpc(Program):
    protocol, streams, path = "grpc", 4, "/burn.Burn/Burn"
    api, options = "", ()

    @classmethod
    def missing(cls):
        return None if (BUILT / "grpc_server").exists() else "grpc_server was not built"

    def command(self):
        return [self.dir / "grpc_server", self.api, self.port, *self.options]


QUEUE = "its threads read requests, put them into the library's queue and take others' off it, without a call, and " \
    "answers are handed to whichever thread writes anyway: detected, and left unlabelled"


class Sync(Grpc):
    name, shape, api = "gRPC in C++", "the library's threads read, and work if nobody else reads", "sync"
    recall, exception = 0, QUEUE
    factor, tolerance = 4, 0.5  # threads that come and go


class Async(Grpc):
    name, shape, api = "gRPC in C++, async", "two threads of the program's poll two completion queues", "async"
    recall, exception = 0, QUEUE


class Callback(Grpc):
    name, shape, api = "gRPC in C++, callback", "the library's threads call back", "callback"
    recall, exception = 0, QUEUE


class Logs:
    shape = "a line to a file and to stderr around the work"
    options = ("access.log",)


class SyncLogs(Logs, Sync):
    name = "gRPC in C++, logs"
    exception = QUEUE + "; one run in some tens has a few samples, 0.02 s, of another request than their label says: " \
        "why is not known"


class AsyncLogs(Logs, Async):
    name = "gRPC in C++, async, logs"


class CallbackLogs(Logs, Callback):
    name = "gRPC in C++, callback, logs"


PROGRAMS = [Sync, Async, Callback, SyncLogs, AsyncLogs, CallbackLogs]
