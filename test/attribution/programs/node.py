# SPDX-License-Identifier: Apache-2.0
"""Node's http server: one thread, callbacks that come in later turns of its loop."""
import pathlib
import shutil

from program import Program

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


class Pool(Node):
    name, shape, kind = "Node crypto", "work before and after a job of the thread pool", "pool"


class Timer(Node):
    pending = "requests that interleave"
    name, shape, kind = "Node timers", "requests that interleave by timers", "timer"


class Immediate(Node):
    pending = "requests that interleave"
    name, shape, kind = "Node setImmediate", "requests that interleave between calls", "immediate"


PROGRAMS = [Node, File, Pool, Timer, Immediate]
