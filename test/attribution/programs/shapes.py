# SPDX-License-Identifier: Apache-2.0
"""Small servers in C, each a shape of its own: shapes/*.c."""
from program import BUILT, Program
from programs.nginx import certificate


class Shape(Program):
    argv = ()

    @classmethod
    def missing(cls):
        return None if (BUILT / cls.argv[0]).exists() else f"{cls.argv[0]} was not built"

    def command(self):
        return [self.dir / self.argv[0], self.port, *self.argv[1:]]


class GnuTls(Shape):
    name, shape, protocol = "GnuTLS", "a thread a connection, GnuTLS", "https"
    argv = ("shape_gnutls",)
    mode = ()

    def prepare(self):
        certificate(self.dir)

    def command(self):
        return [*super().command(), self.dir / "cert.pem", self.dir / "key.pem", *self.mode]


class OpenSsl(GnuTls):
    name, shape = "OpenSSL", "a thread a connection, OpenSSL"
    argv = ("shape_openssl",)


def openssl(name, shape, way, **more):
    return type("OpenSslWay", (OpenSsl,), {"name": f"OpenSSL {name}", "shape": shape, "mode": (way,), **more})


def shape(name, what, *argv, **more):
    return type("Shape", (Shape,), {"name": name, "shape": what, "argv": argv, **more})


READERS = ("readv", "recvmsg", "recvmmsg", "recvfrom", "peek", "bytes", "stdio")
WRITERS = ("writev", "sendmsg", "sendmmsg", "sendto", "sendfile", "splice", "stdio", "dprintf")
INSIDE = "libc's own calls pass no symbol; an answer that is not seen leaves the next request unlabelled"
UNSEEN = {"stdio": {"recall": 0, "exception": INSIDE}}
WAYS = {"thread": "a thread", "fork": "a forked process", "spawn": "posix_spawn of a shell",
        "system": "system()", "popen": "popen()"}

QUEUE = {"recall": 0, "exception": "a pool takes jobs off its queue without a call: left unlabelled"}
OTHERS_ANSWER = {"recall": 0, "exception": "a pool's threads go on to the next request without a call, whether they "
                 "have answered or left that to the loop: detected, and left unlabelled"}

PROGRAMS = [
    shape("pool of connections", "the loop hands out connections; workers read, work, write",
          "shape_pool", "connections"),
    shape("pool of jobs", "the loop reads, workers work and write", "shape_pool", "jobs"),
    shape("pool, returned", "the loop reads and writes, workers only work", "shape_pool", "returned", **QUEUE),
    shape("pool, each tenth returned", "as pool of jobs, but the loop writes each tenth answer", "shape_pool",
          "tenth", **OTHERS_ANSWER),
    shape("pool of connections, logs", "the same; a line to a file and to a pipe around the work",
          "shape_pool", "connections", "access.log"),
    shape("pool of jobs, logs", "likewise", "shape_pool", "jobs", "access.log"),
    shape("pool, returned, logs", "likewise", "shape_pool", "returned", "access.log", **QUEUE),
    shape("pool, each tenth returned, logs", "likewise", "shape_pool", "tenth", "access.log", **OTHERS_ANSWER),
    shape("passed descriptors", "accepted in one process, passed by SCM_RIGHTS", "shape_passed"),
    shape("coroutines", "swapcontext where a call would block", "shape_coroutines", "calls"),
    shape("coroutines, anywhere", "swapcontext also amid work", "shape_coroutines", "anywhere",
          recall=0, exception="swapcontext makes no call, so requests that interleave between calls are "
          "left unlabelled (spanprof.h says them: below)"),
    shape("coroutines, said", "the same, naming each switch's request by spanprof.h",
          "shape_coroutines", "said"),
    *(shape(f"in a request: {name}", f"half of the work by {what}", "shape_children", name, factor=10,
            tolerance=0.5) for name, what in WAYS.items()),
    shape("outlives its connection", "answered and closed before most of the work", "shape_outlives",
          factor=3, tail=2),
    *(shape(f"reads by {name}", "a thread a connection", "shape_calls", name, "sendto", one_load=True,
            **UNSEEN.get(name, {})) for name in READERS),
    *(shape(f"writes by {name}", "a thread a connection", "shape_calls", "recvfrom", name, one_load=True,
            **UNSEEN.get(name, {})) for name in WRITERS),
    GnuTls,
    OpenSsl,
    openssl("in memory", "the same; the program moves the ciphertext", "memory"),
    openssl("by a BIO pair", "the same; the program moves the ciphertext", "pair"),
    openssl("by a BIO of its own", "the same; the program's functions read and write within SSL_read and "
            "SSL_write", "own"),
    openssl("peeking", "the same; SSL_peek and the _ex calls", "peek"),
    openssl("by dlsym", "the same; the program asks dlsym for the calls that move plaintext", "dlsym",
            recall=0, exception="what dlsym gives of a library's own handle is not the profiler's wrapper"),
    shape("io_uring", "every read and write by io_uring", "shape_uring", recall=0,
          exception="io_uring makes no call that could be seen, so nothing is labelled"),
    shape("libnghttp2 upgrade", "a thread a connection, which begins as HTTP/1, one stream at a time",
          "shape_h2", "upgrade", protocol="h2upgrade", factor=3),
    shape("libnghttp2", "a thread a connection, 4 streams worked on in turn", "shape_h2",
          protocol="h2c", streams=4, recall=0,
          exception="all streams of a read are worked on before any is answered: left unlabelled"),
]
