# SPDX-License-Identifier: Apache-2.0
"""One program of the matrix: how it is started, asked and ended, in a room of its own."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import hosts
import nginxhost
import servers
from score import Load, Score, score

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "attribution"
START_S = 90  # says that it hangs; how long it takes is the machine's affair
START_TRIES = 2  # a port found free may be taken before the server binds it
STOP_S = 8
REST_S = 20  # the longest that work after the answers is waited for
REST_SHARE = 0.02  # of a processor: timers and the like
LAUNCHED_AS = 0o755
RATE = 250  # the kernel's own; more would only weigh more


class Program:
    """Subclasses say what differs."""
    name = ""
    shape = ""
    protocol = "http"     # as the client's -p has it
    streams = 1           # slots of one connection
    path = "/burn"
    needs = ()            # files, or commands
    most = 256            # slots that it serves at a time
    burns = True          # in burn functions; else all of its time is nobody's
    one_load = False      # not all of the matrix's loads
    factor = 1            # of what a request costs
    tolerance = 0.25      # of the CPU time asked for and that in the profile
    tail = 0.2            # seconds without work after which there is none left to do
    quit = signal.SIGTERM
    user = None           # a name; else ours
    exception = ""        # why it is below what others must reach, which precision and recall then say
    pending = ""          # what is still missing; the test is expected to fail
    precision, recall = 0.995, 0.99
    wrong = 0.005         # where recall is 0: of all work, what may be labelled as another's
    env = {}

    def __init__(self, room, slots):
        self.room, self.slots = room, slots
        self.dir = room.dir
        self.port = servers.free_ports(["http"])["http"]
        self.upstream = 0  # the port of another that prepare() started
        self.processes = []
        for built in BUILT.iterdir():
            if built.suffix != ".d" and built.is_file():
                shutil.copy2(built, self.dir / built.name)

    # What subclasses write

    def command(self):
        raise NotImplementedError

    def prepare(self):
        """Before command()."""

    # What there is

    @classmethod
    def missing(cls):
        """Why it cannot run here, or None."""
        absent = [need for need in cls.needs
                  if not (os.path.exists(need) if "/" in need else shutil.which(need))]
        return f"no {', '.join(absent)}" if absent else None

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        path.chmod(LAUNCHED_AS)
        return path

    def spawn(self, argv, profiled=True, env=None, user=None):
        variables = self.room.environment(
            profiled, SPANPROF_SAMPLE_RATE=str(RATE), PYROSCOPE_UPLOAD_INTERVAL="1s",
            PYROSCOPE_APPLICATION_NAME=self.room.dir.name, **self.env) | (env or {})
        with (self.dir / "output").open("ab") as output:
            process = subprocess.Popen(list(map(str, argv)), env=variables, cwd=self.dir,
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True, user=user or self.user)
        self.processes.append(process)
        return process

    def listens(self, port):
        for process in self.processes:
            if process.poll() is not None:
                raise hosts.HostError(f"{self.name} ended with {process.returncode}: {self.said()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    def said(self):
        return (self.dir / "output").read_text(errors="replace")[-2000:]

    # Life

    def start(self):
        self.prepare()
        if self.upstream:
            self.await_port(self.upstream)
        self.spawn(self.command())
        self.await_port(self.port)

    def await_port(self, port):
        try:
            hosts.wait_until(lambda: self.listens(port), START_S, f"{self.name} up")
        except hosts.HostError as error:
            raise hosts.HostError(f"{error}: {self.said()}") from None

    def alive(self):
        """All of its processes, those that it started itself included."""
        sessions = {b"%d" % process.pid for process in self.processes}
        return [pid for pid, stat in ((pid, nginxhost.stat(pid)) for pid in nginxhost.processes())
                if sessions & set(stat[3:4]) and stat[0] not in (b"Z", b"X")]

    def used_ns(self):
        """CPU time of its processes; None while a thread of them runs or waits for a processor."""
        used = 0
        for pid in self.alive():
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    directory = f"/proc/{pid}/task/{thread}"
                    if nginxhost.read(directory + "/stat").rpartition(b")")[2].split()[:1] == [b"R"]:
                        return None
                    used += nginxhost.cpu_ns(directory)
        return used

    def rest(self):
        """Until it is done with what goes on after its last answers."""
        end, before = time.monotonic() + REST_S, None
        while time.monotonic() < end:
            now = self.used_ns()
            if None not in (before, now) and abs(now - before) < REST_SHARE * self.tail * 1e9:
                return
            before = now
            time.sleep(self.tail)

    def stop(self):
        """In good order, else not; the last started first."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.quit)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
        for _ in range(100):
            left = self.alive()
            if not left:
                break
            for pid in left:
                hosts.send(pid, signal.SIGKILL)
            time.sleep(0.02)
        for process in self.processes:
            process.wait()


class Outcome:
    """One cell of the matrix."""

    def __init__(self, load, said, profiles, log):
        self.load, self.log = load, log
        words = said.split()
        figures = dict(zip(words[::2], map(float, words[1::2])))
        self.answered, self.failed = int(figures["answered"]), int(figures["failed"])
        self.seconds = figures["seconds"]
        self.asked = (figures["traced_us"] + figures["untraced_us"]) * 1e3
        self.score: Score = score(profiles, load)

    @property
    def coverage(self):
        """Of the CPU time asked for, what the profile has."""
        return self.score.burnt / self.asked if self.asked else 0

    def __str__(self):
        s = self.score
        return (f"{self.load}: precision {percent(s.precision)}, recall {percent(s.recall)}, "
                f"untraced labelled {percent(s.stray_share)}; {s.samples} samples, "
                f"right {s.right / 1e9:.2f} s, wrong {s.wrong / 1e9:.2f}, missing {s.missing / 1e9:.2f}, "
                f"stray {s.stray / 1e9:.2f}, clean {s.clean / 1e9:.2f}; not burning: labelled "
                f"{s.outside / 1e9:.2f}, not {s.other / 1e9:.2f}; {self.answered} answered, "
                f"{self.failed} failed, {self.seconds:.1f} s, {self.coverage:.0%} of the time asked for")


def percent(share):
    return "-" if share is None else f"{100 * share:.1f} %"


def ask(program, load):
    """The load's last line."""
    streams = min(program.streams, load.slots)
    command = [BUILT / "load", "-p", program.protocol, "-c", load.slots, "-m", streams, "-t", load.mode,
               "-k", load.close, "-s", load.seconds, "-x", program.factor, "-b", load.cpu_ms,
               program.port, program.path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          timeout=hosts.RUN_SECONDS, check=False)
    if not re.match(r"answered \d+", done.stdout):
        raise hosts.HostError(f"load: {done.returncode} {done.stdout} {done.stderr}")
    if done.stderr:
        print(done.stderr.strip())
    return done.stdout


def started(kind, load, build):
    """A program that serves, in its room."""
    for left in reversed(range(START_TRIES)):
        room = hosts.Room(build)
        server = kind(room, load.slots)
        try:
            server.start()
            return server
        except BaseException as error:
            server.stop()
            room.close()
            if not left or not isinstance(error, hosts.HostError):
                raise
    return None


def run(kind, load: Load, build):
    """One cell: kind is a subclass of Program."""
    server = started(kind, load, build)
    room = server.room
    try:
        try:
            said = ask(server, load)
            server.rest()
        finally:
            server.stop()
        room.settle()
        result = room.collect(hosts.Result(0, "", "", 0))
        outcome = Outcome(load, said, result.profiles, result.log)
        if outcome.failed:
            print(f"{kind.name}: {server.said()[-600:]}")
        return outcome
    finally:
        room.close()
