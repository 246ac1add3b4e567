# SPDX-License-Identifier: Apache-2.0
"""Python's own servers, and those that run WSGI applications."""
import pathlib
import shutil

import servers
from program import BUILT, Program
from programs.nginx import certificate

PYTHON = "/usr/bin/python3"
UNSEEN_TASKS = "the interpreter is in the executable, so its switch between tasks cannot be seen, and tasks " \
    "that interleave are left unlabelled (seen where libpython is a shared library: below)"
HANDLERS = pathlib.Path(__file__).resolve().parents[1] / "handlers"


class Python(Program):
    needs = (PYTHON,)
    script = ""
    options = ()
    env = {"PYTHONDONTWRITEBYTECODE": "1"}

    def prepare(self):
        for name in HANDLERS.glob("*.py"):
            shutil.copy2(name, self.dir)

    def command(self):
        return [PYTHON, self.dir / self.script, self.port, *self.options]


class Threads(Python):
    name, shape = "Python http.server", "a thread a connection"
    script = "threads.py"


class ThreadsTls(Threads):
    name, shape, protocol = "Python http.server https", "a thread a connection, TLS", "https"

    def prepare(self):
        super().prepare()
        certificate(self.dir)
        self.options = (self.dir / "cert.pem", self.dir / "key.pem")


class ThreadsProxy(Threads):
    name, shape = "Python http.server proxy", \
        "work before and after a blocking request to another, which works too"
    tolerance = 0.4  # each of those is a thread of a few milliseconds

    def prepare(self):
        super().prepare()
        self.upstream = servers.free_ports(["upstream"])["upstream"]
        self.spawn([PYTHON, self.dir / self.script, self.upstream])
        self.options = (self.upstream,)


class Streams(Python):
    name, shape = "asyncio streams", "event loop, work in a later turn than the read"
    script, options = "asyncio_server.py", ("streams",)


class StreamsTls(Streams):
    name, shape, protocol = "asyncio https", "event loop, TLS over memory buffers", "https"

    def prepare(self):
        super().prepare()
        certificate(self.dir)
        self.options = ("streams", self.dir / "cert.pem", self.dir / "key.pem")


class Protocol(Streams):
    name, shape, options = "asyncio Protocol", "event loop, work in the read's turn", ("protocol",)


class Sleep(Streams):
    recall, exception = 0, UNSEEN_TASKS
    name, shape, options = "asyncio sleep", "tasks that sleep and so interleave", ("sleep",)


class Yield(Streams):
    recall, exception = 0, UNSEEN_TASKS
    name, shape, options = "asyncio sleep(0)", "tasks that interleave between calls", ("yield",)


class Shared(Streams):
    """With the interpreter in a shared library."""
    name, shape = "asyncio streams, libpython", "as above; the interpreter is a shared library"

    @classmethod
    def missing(cls):
        return None if (BUILT / "python_shared").exists() else "python_shared was not built"

    def command(self):
        return [self.dir / "python_shared", *super().command()[1:]]


class SharedTls(Shared, StreamsTls):
    name, shape = "asyncio https, libpython", "TLS over memory buffers; a shared library likewise"


class SharedSleep(Shared):
    name, shape, options = "asyncio sleep, libpython", "tasks that sleep; likewise", ("sleep",)


class SharedYield(Shared):
    name, shape, options = "asyncio sleep(0), libpython", "tasks that interleave; likewise", ("yield",)


class SharedJobs(Shared):
    name, shape = "asyncio tasks, libpython", "a task a request, that burns on after its answer; likewise"
    options = ("tasks",)


class SharedTail(Shared):
    recall = 0
    exception = "a task goes on after its answer while its connection's next request is there: where one " \
        "work ends and the other begins is not seen, and neither is labelled"
    name, shape = "asyncio tail, libpython", "half of the work after the answer, in the connection's task; " \
        "likewise"
    options = ("tail",)


class SharedQueue(Shared):
    name, shape = "asyncio queue, libpython", "eight tasks that take requests off a queue; likewise"
    options = ("queue",)


class Executor(Streams):
    recall, exception = 0, "a pool takes jobs off its queue without a call: left unlabelled"
    name, shape, options = "asyncio executor", "work in a pool's thread", ("executor",)


class Gunicorn(Python):
    name, shape = "gunicorn sync", "two processes, one request at a time"
    needs = ("/usr/bin/gunicorn",)
    options = ("--worker-class", "sync")

    def command(self):
        return [PYTHON, "/usr/bin/gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "2",
                "--worker-tmp-dir", self.dir, "--backlog", "512", "--graceful-timeout", "2",
                "--chdir", self.dir, *self.options, "burning:application"]


class GunicornThreads(Gunicorn):
    name, shape = "gunicorn gthread", "two processes, acceptor and pool of threads"
    options = ("--worker-class", "gthread", "--threads", "16", "--keep-alive", "5")


class GunicornLogs(GunicornThreads):
    name, shape = "gunicorn gthread, logs", "a line to a file and to stderr around the work"
    env = Python.env | {"LOG": "access.log"}


class Uwsgi(Python):
    name, shape = "uWSGI", "two processes, http-socket"
    needs = ("/usr/bin/uwsgi", "/usr/lib/uwsgi/plugins/python3_plugin.so")
    options = ("--http-socket",)
    plugins, threads = "python3", 1

    def command(self):
        return ["uwsgi", "--plugin", self.plugins, "--die-on-term", "--master", "--processes", "2",
                "--threads", str(self.threads), "--listen", "100", "--disable-logging",
                "--enable-threads", "--chdir", self.dir, "--pythonpath", self.dir, "--module",
                "burning:application", *self.options, f"127.0.0.1:{self.port}"]


class UwsgiRouter(Uwsgi):
    name, shape = "uWSGI router", "an HTTP router process before workers of four threads"
    options, plugins, threads = ("--http",), "python3,http", 4


class Grpc(Python):
    name, shape, protocol = "gRPC in Python", "the core's threads read, a pool's thread works", "grpc"
    streams, path = 4, "/burn.Burn/Burn"
    needs = ("/usr/lib/python3/dist-packages/grpc",)
    script = "grpc_server.py"
    recall = 0.94
    exception = "when two threads want a connection at a time the core hands the answer of one to the other, and the " \
        "one that worked idles, or takes its next job, without another call: which of the answers that go out in the " \
        "next two milliseconds was its, no call tells, so that work, up to three per cent, is left unlabelled"


class GrpcLogs(Grpc):
    recall = 0.3
    exception = Grpc.exception + "; where a worker's waits look like a pool's that leaves answers to others, nothing " \
        "is labelled for a while"
    name, shape = "gRPC in Python, logs", "a line to a file and to stderr around the work"
    env = Python.env | {"LOG": "access.log"}


class GrpcProxy(Grpc):
    name, shape = "gRPC proxy in Python", "work before and after another gRPC server's answer, which works too"
    passes = "passes"
    recall = 0
    exception = "a thread that waits for its call reads and writes for all others meanwhile, requests of clients " \
        "too, and who waits for a contended lock of Python's looks like a pool's thread between two requests: what " \
        "either was doing is left unlabelled"

    def prepare(self):
        super().prepare()
        self.upstream = servers.free_ports(["upstream"])["upstream"]
        self.spawn([PYTHON, self.dir / self.script, self.upstream])
        self.options = (self.upstream, self.passes)


class GrpcProxyUntold(GrpcProxy):
    name, shape = "gRPC proxy in Python, untold", "the same; the other gets no trace context and only waits"
    passes = "drops"
    recall = 0
    exception = "likewise; and a head without context, which any thread may write, is nobody's, so the work before " \
        "it is unlabelled; with 256 in flight hardly any is labelled, in one run 2 samples of 14 wrongly"


PROGRAMS = [Threads, ThreadsTls, ThreadsProxy, Streams, StreamsTls, Protocol, Sleep, Yield, Shared,
            SharedTls, SharedSleep, SharedYield, SharedJobs,
            SharedQueue, SharedTail, Executor,
            Gunicorn, GunicornThreads, GunicornLogs, Uwsgi, UwsgiRouter, Grpc, GrpcLogs, GrpcProxy, GrpcProxyUntold]
