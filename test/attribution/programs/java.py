# SPDX-License-Identifier: Apache-2.0
"""Java's own HTTP server with a pool of threads; JNI burns."""
import functools
import glob
import pathlib
import shutil
import subprocess
import tempfile

from program import Program

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "handlers" / "Server.java"


@functools.cache
def compiled():
    """The class files, made once."""
    directory = tempfile.mkdtemp(prefix="spanprof-java-")
    try:
        subprocess.run(["javac", "-d", directory, SOURCE], check=True, capture_output=True, timeout=60)
        return {pathlib.Path(path).name: pathlib.Path(path).read_bytes()
                for path in glob.glob(f"{directory}/*.class")}
    finally:
        shutil.rmtree(directory)


class Java(Program):
    name, shape = "Java httpserver", "dispatcher thread and pool of 16"
    needs = ("java", "javac")
    kind, options = "direct", ()

    def prepare(self):
        for name, code in compiled().items():
            (self.dir / name).write_bytes(code)

    def command(self):
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", self.dir, "Server", self.port, self.kind,
                self.dir, *self.options]


class Inner(Java):
    recall, exception = 0, "a busy pool takes jobs off its queue without a call: left unlabelled"
    name, shape, kind = "Java inner pool", "work in another pool's thread, awaited", "inner"


class Then(Java):
    name, shape, kind = "Java CompletableFuture", "work and answer in another pool's thread", "then"


class Tenth(Java):
    recall, exception = 0, "a pool's threads go on to the next job without a call, whether they have " \
        "answered or left that to another thread: detected, and left unlabelled"
    name, shape, kind = "Java CompletableFuture, tenth", \
        "likewise; each tenth answer by a thread beside the pool", "tenth"


class Async(Java):
    recall, exception = Tenth.recall, "likewise where each answer is a job of its own"
    name, shape, kind = "Java CompletableFuture, async", "likewise; each answer is another job of the pool", "async"


class Logs(Java):
    name, shape, options = "Java httpserver, logs", "a line to a file and to stderr around the work", ("access.log",)


class ThenLogs(Then):
    recall, exception = 0.9, "the first requests wait for the JVM amid their work, as threads wait for the next: what " \
        "came before such a wait is left unlabelled"
    name, shape, options = "Java CompletableFuture, logs", "likewise", ("access.log",)


PROGRAMS = [Java, Inner, Then, Tenth, Async, Logs, ThenLogs]
