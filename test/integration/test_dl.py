# SPDX-License-Identifier: Apache-2.0
"""Objects that come and go while samples are taken: every name is that of the object that was there,
nothing hangs, nothing is lost and nothing piles up. The hosts are such as end profilers that unwind by
libunwind in their signal handlers; libpeer.so is one, and shows it."""
import contextlib
import os
import re
import subprocess
import threading

import pytest
from hosts import (ROOT, SETTLE_SECONDS, Build, Room, assert_sampled, build, read_bytes, room,  # noqa: F401
                   wait_until)

FAST = {"SPANPROF_SAMPLE_RATE": "1000"}
LIBRARIES = [f"burn_{i}" for i in range(8)]
SANITIZED = ROOT / "build-address-undefined" / "spanprof-agent"
PEER_SECONDS = 9
# Libraries opened and closed. What an agent learns once, of all objects of the host, is some 6 MiB that
# a run may miss: a fraction of what leaks of KIB_EACH a dlclose make of the difference.
FEW, MANY = 1000, 9000
KIB_EACH = 2
FDS_SLACK = 16  # files that are open for a moment, or of objects that only one run met


def stacks(result):
    """(stack, CPU seconds), root first."""
    for profile in result.profiles:
        index = [name for name, _ in profile.sample_types].index("cpu")
        for sample in profile.samples:
            yield sample.stack, sample.values[index] / 1e9


def burners(stack):
    return [name for name in stack if name.startswith("burn_")]


def assert_no_lie(result, callers):
    """A burner is below its own caller, or the stack says that it is not whole."""
    for stack, seconds in stacks(result):
        for name in burners(stack):
            caller = stack[stack.index(name) - 1]
            assert caller == callers[name] or "[truncated stack]" in stack, (stack, seconds)


# One address, two objects


def sampled_in_phase(result, phase, condition):
    """CPU seconds of the host's phase, whose burner fulfils condition."""
    return sum(seconds for stack, seconds in stacks(result) if phase in stack and condition(stack))


def same_address(room, cycles, seconds, first, second, *how):  # noqa: F811
    result = room.profiled("same_address", cycles, *seconds, first, second, *how, env=FAST)
    assert (result.returncode, result.stdout) == (0, "moved 0 times"), result
    assert_sampled(result)
    assert_no_lie(result, {first: "call_first", second: "call_second"})
    return result


@pytest.mark.parametrize("seconds", [(0.004, 0.002), (0.15, 0.1)], ids=["short", "long"])
@pytest.mark.parametrize("files", [[], ["unlink"]], ids=["files", "deleted"])
def test_what_came_to_lie_at_an_address_never_names_what_went(room, seconds, files):  # noqa: F811
    result = same_address(room, round(1.2 / sum(seconds)), seconds, "burn_0", "burn_1", *files)
    missing = {"run_unseen": 0, "run_seen": 0}
    for name, figure in (("burn_0", "first"), ("burn_1", "second")):
        for phase, figure in (("run_unseen", figure), ("run_seen", figure + "_seen")):
            used, named = result.figure(figure), sampled_in_phase(result, phase, lambda s: name in s)
            print(f"{phase}: {named:.3f} of {used:.3f} s are named {name}")
            missing[phase] += used - named
            # The kernel's ticks are as long as these turns, and may fall into the ones or the others.
            assert named <= used * 1.2 + 0.08
            # Deleted at once and closed before anybody looked, it has no name.
            assert named >= used * 0.8 - 0.08 or (files and phase == "run_unseen")
    assert abs(missing["run_seen"]) < 0.08, missing


def test_an_object_without_a_build_id_is_nobodys_rather_than_anothers(room):  # noqa: F811
    result = same_address(room, 75, (0.004, 0.004), "burn_anonymous", "burn_3")
    first, second = (result.figure(f) + result.figure(f + "_seen") for f in ("first", "second"))
    phases = [(stack, s) for stack, s in stacks(result) if {"run_unseen", "run_seen"} & set(stack)]
    assert sum(s for stack, s in phases if "burn_3" in stack) == pytest.approx(second, rel=0.2)
    unknown = sum(s for stack, s in stacks(result) if stack[-1] in ("[unknown]", "burn_anonymous"))
    assert unknown == pytest.approx(first, rel=0.2)


# Stress


class AgentWatch(threading.Thread):
    """The most descriptors of a room's agent, looked at every 0.1 s, and its most memory in KiB."""

    def __init__(self, where):
        super().__init__(daemon=True)
        self.room, self.ended, self.agent, self.fds, self.rss = where, threading.Event(), None, 0, 0

    def look(self):
        self.agent = self.agent or self.room.agents()[0]
        self.fds = max(self.fds, len(os.listdir(f"/proc/{self.agent}/fd")))
        with open(f"/proc/{self.agent}/status", encoding="ascii") as f:
            self.rss = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

    def run(self):
        while not self.ended.wait(0.1):
            with contextlib.suppress(OSError, IndexError, StopIteration):
                self.look()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.join()


def stress(room, cycles, seconds, env):  # noqa: F811
    """The result, and the watch that was kept of the agent."""
    with AgentWatch(room) as watch:
        result = room.run("dl_stress", 8, cycles, seconds,
                          env=FAST | {"SPANPROF_LOG_LEVEL": "debug",
                                      "PYROSCOPE_UPLOAD_INTERVAL": "1s"} | env)
        wait_until(lambda: b"agent: all delivered\n" in read_bytes(room.log), SETTLE_SECONDS, "all delivered")
        watch.look()  # it lingers
    room.settle()
    room.collect(result)
    assert (result.returncode, result.stdout) == (0, f"{cycles} cycles"), result
    assert_sampled(result, log=result.log)
    assert_no_lie(result, dict.fromkeys(LIBRARIES, "cycle"))
    return result, watch


def assert_named(result):
    for name in LIBRARIES:
        assert result.sampled_in(name) == pytest.approx(result.figure(name), rel=0.25), result


def test_a_thousand_dlcloses_on_eight_threads_lose_nothing(room):  # noqa: F811
    result, _ = stress(room, 1000, 0.008, {})
    assert_named(result)
    # What the threads did while the process got its agent is counted as well.
    drops = re.findall(r"\d+ (?:samples dropped: .*|dlcloses that .*)", result.log)
    assert not drops, drops


def test_what_the_agent_holds_does_not_grow_with_the_number_of_dlcloses(build):  # noqa: F811
    """An agent grows whenever an object is sampled for the first time, and that of the loader or of our
    library is at no moment that a test could wait for. So two agents are compared: whatever is kept of
    each dlclose, the one with many more of them has more of, whenever it came."""
    watches = []
    for cycles in FEW, MANY:
        own = Room(build)
        try:
            watches.append(stress(own, cycles, 0.001, {})[1])
        finally:
            own.close()
    few, many = watches
    fds, rss = many.fds - few.fds, many.rss - few.rss
    print(f"\n{MANY - FEW} dlcloses more: {fds} descriptors more than {few.fds}, {rss} KiB more than {few.rss}")
    assert fds <= FDS_SLACK
    assert rss <= KIB_EACH * (MANY - FEW)


def test_the_stress_under_sanitizers(tmp_path):
    if not SANITIZED.exists():
        pytest.skip("no build of the agent with sanitizers: make SAN=address,undefined all")
    sanitized = Build(tmp_path)
    (tmp_path / "spanprof-agent").unlink()
    (tmp_path / "spanprof-agent").write_bytes(SANITIZED.read_bytes())
    for path in (tmp_path, tmp_path / "spanprof-agent"):
        path.chmod(0o755)
    own = Room(sanitized)
    try:
        options = f"log_path={own.dir}/sanitizer"
        result, _ = stress(own, 1000, 0.008,
                           {"ASAN_OPTIONS": options,
                            "UBSAN_OPTIONS": options + ":print_stacktrace=1"})
        assert_named(result)
        reports = [path.read_text() for path in own.dir.glob("sanitizer*")]
        assert not reports, reports
    finally:
        own.close()


# What ends others


def peer(build, name, *args, **env):  # noqa: F811
    """Exit status and output of a host under the peer; None if it hung."""
    try:
        done = subprocess.run([build.program(name), *map(str, args)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PEER_SECONDS, check=False,
                              env=os.environ | {"LD_PRELOAD": build.program("libpeer.so")} | env)
    except subprocess.TimeoutExpired:
        return None
    return done.returncode, done.stdout


@pytest.mark.parametrize("step", [{}, {"PEER_BACKTRACE": "1"}], ids=["unw_step", "unw_backtrace"])
def test_the_loaders_lock_and_the_hosts_own_hang_a_peer(build, step):  # noqa: F811
    assert peer(build, "dl_lock", 4, **step) is None


def test_the_loaders_lock_and_the_hosts_own_do_not_hang_ours(room):  # noqa: F811
    bare = room.bare("dl_lock", 3)
    result = room.profiled("dl_lock", 3, env=FAST)
    assert result.behaviour == bare.behaviour == (0, "all went on", ""), (bare, result)
    assert_sampled(result)
    for name in ("visit", "hold", "burn_2"):
        assert result.sampled_in(name) > 0, result


INTACT = "\n".join(f"channel {i}: intact" for i in range(4))


def test_a_peers_pipe_takes_the_hosts_bytes(build):  # noqa: F811
    found = peer(build, "fd_theft", 2)
    assert found is None or "altered" in found[1], found


def test_no_byte_of_a_host_that_closed_all_descriptors_is_touched(room):  # noqa: F811
    bare = room.bare("fd_theft", 2)
    result = room.profiled("fd_theft", 2, env=FAST)
    assert result.behaviour == bare.behaviour == (0, INTACT, ""), (bare, result)
    assert_sampled(result)
