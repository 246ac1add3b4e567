# SPDX-License-Identifier: Apache-2.0
"""Node's http server: one thread, callbacks that come in later turns of its loop."""
import pathlib
import shutil

import servers
from program import Program
from programs.nginx import burning_back, certificate

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "handlers" / "server.js"


class Node(Program):
    needs = ("node",)
    kind = "direct"
    name, shape = "Node", "event loop, work in the request's handler"

    def command(self):
        shutil.copy2(SCRIPT, self.dir)
        return [shutil.which("node"), self.dir / "server.js", self.port, self.kind]


class File(Node):
    name, shape, kind = "Node fs", "work in the callback of a file read", "file"


class FileLogs(Node):
    recall, exception = 0, "a line in a file behind an answer may be that one's or the next one's: what came between is " \
        "left unlabelled, and with it what came before the first"
    name, shape, kind = "Node fs, logs", "the same; a line to a file behind the work", "filelog"


class Pool(Node):
    name, shape, kind = "Node crypto", "work before and after a job of the thread pool", "pool"


class Timer(Node):
    recall, exception = 0, "requests take turns without a call: detected, and left unlabelled"
    name, shape, kind = "Node timers", "requests that interleave by timers", "timer"


class Immediate(Node):
    recall, exception = 0, "requests take turns without a call: detected, and left unlabelled"
    name, shape, kind = "Node setImmediate", "requests that interleave between calls", "immediate"


class Proxy(Node):
    name, shape, kind = "Node proxy", "work before and after another Node's answer, which works too", "proxy"

    def prepare(self):
        shutil.copy2(SCRIPT, self.dir)
        self.upstream = servers.free_ports(["upstream"])["upstream"]
        self.spawn([shutil.which("node"), self.dir / "server.js", self.upstream, "upstream"])

    def command(self):
        return [*super().command(), self.upstream]


class ProxyH2(Proxy):
    recall = 0.98
    exception = "a new process reads 16 heads before calls that go out together are believed to be for the last one " \
        "read: until then the work before them, some samples of the first half second, is unlabelled"
    name, shape = "Node proxy h2", "work before and after an nginx that works too, all over one HTTP/2 connection"
    needs, kind = (*Node.needs, "nginx"), "proxyh2"

    def prepare(self):
        burning_back(self, 0.4)


class Https(Node):
    name, shape = "Node https", "event loop, OpenSSL linked into the program"
    kind = protocol = "https"
    recall = 0
    exception = "OpenSSL's functions are the executable's own: calls of them cannot be taken"

    def prepare(self):
        certificate(self.dir)


class H2c(Node):
    name, shape, kind, protocol = "Node h2c", "event loop, 4 streams a connection", "h2c", "h2c"
    streams = 4
    recall, exception = 0, "the answers of several streams go out in one write: left unlabelled"


PROGRAMS = [Node, File, FileLogs, Pool, Timer, Immediate, Proxy, ProxyH2, Https, H2c]
