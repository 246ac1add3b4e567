# SPDX-License-Identifier: Apache-2.0
"""Runs small hosts, bare and profiled, each in a room of its own: a directory that their output goes
to and that names, in the environment, everything they start. Nothing outlives its room.

Host programs print what they observed; lines "figure NAME VALUE" are measurements, left out when two
runs are compared.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import minipprof
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = "spanprof-agent"
NOBODY = 65534
# How long these take is up to the machine; who takes longer than this hangs.
RUN_SECONDS = 180  # a run
SETTLE_SECONDS = 60  # an agent that was told to go, to deliver and go
TICK = 0.004  # the kernel's own grain: CPU timers fire at its ticks
OURS = ("SPANPROF_", "PYROSCOPE_", "OTEL_", "LD_PRELOAD")


class HostError(AssertionError):
    pass


class Build:
    """A copy of what was built, which any user can read and no rebuild changes under a test."""

    def __init__(self, to):
        self.dir = pathlib.Path(to)
        built = ROOT / "build"
        for name in ("libspanprof.so", AGENT):
            shutil.copy2(built / name, self.dir / name)
        shutil.copytree(built / "programs", self.dir / "programs",
                        ignore=shutil.ignore_patterns("*.d"))
        self.library = self.dir / "libspanprof.so"

    def program(self, name):
        return str(self.dir / "programs" / name)


def read_bytes(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def processes_with(mark):
    """{pid: command line} of the processes, zombies apart, whose environment holds mark."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and mark in read_bytes(f"/proc/{entry}/environ"):
            found[int(entry)] = read_bytes(f"/proc/{entry}/cmdline").split(b"\0")
    return found


def is_agent(command):
    return os.path.basename(command[0]) == AGENT.encode()


def send(pid, signo):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signo)


class Result:
    def __init__(self, returncode, stdout, stderr, seconds):
        self.returncode, self.stderr, self.seconds = returncode, stderr, seconds
        self.figures, lines = {}, []
        for line in stdout.splitlines():
            if line.startswith("figure "):
                _, name, value = line.split(" ", 2)
                self.figures.setdefault(name, []).append(value)
            else:
                lines.append(line)
        self.stdout = "\n".join(lines)
        self.log, self.profiles = "", []

    def figure(self, name):
        """The sum over all that the run's processes said."""
        return sum(map(float, self.figures[name]))

    @property
    def cpu(self):
        return self.figure("cpu")

    @property
    def sampled(self):
        return sum(profile.total("cpu") for profile in self.profiles) / 1e9

    def sampled_in(self, function):
        """CPU seconds of the stacks that function is in."""
        total = 0
        for profile in self.profiles:
            index = [name for name, _ in profile.sample_types].index("cpu")
            total += sum(s.values[index] for s in profile.samples if function in s.stack)
        return total / 1e9

    @property
    def behaviour(self):
        return self.returncode, self.stdout, self.stderr

    def __repr__(self):
        return (f"<status {self.returncode}, {self.seconds:.2f} s, sampled {self.sampled:.3f} s, "
                f"figures {self.figures}, stdout {self.stdout!r}, stderr {self.stderr!r}, "
                f"log {self.log!r}>")


class Room:
    def __init__(self, build):
        self.build = build
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="spanprof-host-"))
        self.out, self.log = self.dir / "out", self.dir / "log"
        self.out.mkdir()
        # Hosts and agents may be any user.
        for path in (self.dir, self.out):
            path.chmod(0o777)
        self.mark = str(self.dir).encode()

    # Starting

    def environment(self, profiled=True, **settings):
        env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        env["HOST_ROOM"] = str(self.dir)
        if profiled:
            env |= {"LD_PRELOAD": str(self.build.library), "SPANPROF_OUTPUT_DIR": str(self.out),
                    "SPANPROF_LOG_FILE": str(self.log)} | settings
        return {k: v for k, v in env.items() if v is not None}

    def start(self, name, *args, profiled=True, env=None, wrap=(), **popen):
        """wrap: a command that starts the host; it is not profiled itself."""
        argv = [self.build.program(name), *map(str, args)]
        env = self.environment(profiled, **(env or {}))
        if wrap:
            preload = env.pop("LD_PRELOAD", None)
            argv = [*wrap, *(["env", f"LD_PRELOAD={preload}"] if preload else []), *argv]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.dir,
                   "stdin": subprocess.DEVNULL, "text": True, "start_new_session": True}
        return subprocess.Popen(argv, env=env, **options | popen)

    def finish(self, process, started, timeout=RUN_SECONDS):
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            stdout, stderr = process.communicate()
            raise HostError(f"{process.args} hung; it had said {stdout!r} {stderr!r}") from None
        return Result(process.returncode, stdout or "", stderr or "", time.monotonic() - started)

    def run(self, name, *args, timeout=RUN_SECONDS, **how):
        started = time.monotonic()
        return self.finish(self.start(name, *args, **how), started, timeout)

    def bare(self, name, *args, **how):
        """Without the profiler. env is for the profiler, so it is left out."""
        return self.run(name, *args, profiled=False, **{k: v for k, v in how.items() if k != "env"})

    def profiled(self, name, *args, **how):
        result = self.run(name, *args, **how)
        self.settle()
        return self.collect(result)

    # Ending

    def processes(self):
        return processes_with(self.mark)

    def agents(self):
        return [pid for pid, command in self.processes().items() if is_agent(command)]

    def settle(self, seconds=SETTLE_SECONDS, tell=True):
        """Waits until all hosts have ended, then until the agent has delivered and gone; it is told
        to, since of itself it would wait for more hosts. A process is invisible for the moment of its
        exec, so nobody twice in a row is nobody."""
        end, told, empty = time.monotonic() + seconds, set(), 0
        while empty < 3:
            alive = self.processes()
            empty = 0 if alive else empty + 1
            if all(map(is_agent, alive.values())):
                for pid in set(alive) - told if tell else ():
                    send(pid, signal.SIGTERM)
                    told.add(pid)
            if time.monotonic() > end:
                self.kill()
                raise HostError(f"still running after {seconds} s: {alive}")
            time.sleep(0.02)

    def kill(self):
        for _ in range(100):
            alive = self.processes()
            for pid in alive:
                send(pid, signal.SIGKILL)
            if not alive:
                return
            time.sleep(0.02)

    def files(self):
        return sorted(self.out.glob("*.pb.gz"))

    def collect(self, result):
        result.log = read_bytes(self.log).decode()
        result.profiles = [minipprof.read(path) for path in self.files()]
        return result

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


# What tests say about results


def assert_same(bare, profiled):
    assert profiled.behaviour == bare.behaviour, (bare, profiled)


def assert_sampled(result, cpu=None, share=0.1, slack=0.04, log=""):
    """The samples add up to the CPU time that the host says, within share of it and slack seconds.
    What is not sampled is before the library's start and after the last tick."""
    cpu = result.cpu if cpu is None else cpu
    assert result.log == log, result
    assert result.profiles, result
    assert abs(result.sampled - cpu) <= share * cpu + slack, (cpu, result)


def assert_inert(result, why):
    """Nothing was sampled, and one line says why."""
    assert not result.profiles, result
    assert re.fullmatch(rf"spanprof: not profiling any more: {why}\n", result.log), result


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise HostError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


# Fixtures


@pytest.fixture(scope="session")
def build():
    directory = tempfile.mkdtemp(prefix="spanprof-build-")
    os.chmod(directory, 0o755)
    yield Build(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def room(build):
    made = Room(build)
    yield made
    made.close()
