# SPDX-License-Identifier: Apache-2.0
"""Hosts that break profilers: each is run bare and profiled, must behave the same, and its CPU time
must be in the profiles, or one line must say why not."""
import math
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest
from hosts import (NOBODY, RUN_SECONDS, Room, assert_inert, assert_same, assert_sampled, build, room,  # noqa: F401
                   send, wait_until)

AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
FAST = {"SPANPROF_SAMPLE_RATE": "1000"}
# A failed attach is tried again after 1, 2, 3 and 4 seconds before the host is given up.
GIVE_UP_SECONDS = 11.5
# An agent that is silent for 10 s is replaced when the host looks after it next, about once a second.
REPLACED_SECONDS = 14
TAKE_OVER_SECONDS = 40
TAKE_OVER_TEST = "test_an_agent_that_is_killed_is_replaced"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module", autouse=True)
def orphaned(request, build):  # noqa: F811
    """A host whose agent is killed, left to itself while the other tests run; when that was, in seconds
    since the start."""
    if not any(item.name == TAKE_OVER_TEST for item in request.session.items):
        yield None
        return
    lonely = Room(build)
    try:
        started = time.monotonic()
        process = lonely.start("part_time", TAKE_OVER_SECONDS)
        wait_until(lonely.agents, RUN_SECONDS, "an agent")
        time.sleep(1)
        (agent,) = lonely.agents()
        os.kill(agent, signal.SIGKILL)
        yield lonely, process, started, time.monotonic() - started
    finally:
        lonely.close()


def both(room, *args, **how):  # noqa: F811
    """Runs bare and profiled; the behaviour is the same. Returns the two results."""
    bare, profiled = room.bare(*args, **how), room.profiled(*args, **how)
    assert_same(bare, profiled)
    return bare, profiled


# Descriptors, limits and memory


@pytest.mark.parametrize("host", ["closefrom", "fd_table_full", "memory_limit"])
def test_a_host_at_its_limits_is_sampled(room, host):  # noqa: F811
    assert_sampled(both(room, host)[1])


def test_the_host_has_no_descriptor_thread_or_child_of_ours_and_one_library(room):  # noqa: F811
    bare, profiled = both(room, "descriptors")
    assert_sampled(profiled)
    extra = set(profiled.figures["map"]) - set(bare.figures["map"])
    assert extra == {str(room.build.library), "/memfd:spanprof (deleted)"}


def test_a_soft_limit_of_file_sizes_does_not_matter(room):  # noqa: F811
    assert_sampled(both(room, "file_size_limit", "soft", 0.5)[1])


def test_a_hard_limit_of_file_sizes_ends_in_a_line_if_there_is_room_for_it(build, room):  # noqa: F811
    how = {"SPANPROF_LOG_FILE": None}
    other = Room(build)
    try:
        started = time.monotonic()
        to_file = other.start("file_size_limit", "hard", GIVE_UP_SECONDS)
        to_stderr = room.run("file_size_limit", "hard", GIVE_UP_SECONDS, env=how)
        to_file = other.finish(to_file, started)
        room.settle()
        other.settle()
        room.collect(to_stderr)
        other.collect(to_file)
    finally:
        other.close()
    assert (to_file.returncode, to_file.stdout, to_file.stderr, to_file.log) == (0, "alive", "", "")
    assert (to_stderr.returncode, to_stderr.stdout) == (0, "alive")
    to_stderr.log = to_stderr.stderr
    assert_inert(to_stderr, "no shared memory: File too large")
    assert not to_file.profiles


@pytest.mark.parametrize("user", [{}, pytest.param(AS_NOBODY, marks=needs_root)],
                         ids=["unlimited", "limited"])
def test_locked_memory_does_not_grow(room, user):  # noqa: F811
    def limit():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 << 20, 8 << 20))

    bare, profiled = both(room, "mlocked", preexec_fn=limit, **user)
    assert_sampled(profiled)
    assert profiled.figure("rss_growth_kb") < bare.figure("rss_growth_kb") + 2048
    assert profiled.figure("locked_growth_kb") < bare.figure("locked_growth_kb") + 2048


def blocks_of_core(directory):
    files = [path for path in directory.iterdir() if path.name.startswith("core")]
    assert len(files) == 1
    return files[0].stat().st_blocks * 512


def test_the_region_is_not_in_a_core_file(room):  # noqa: F811
    places = [room.dir / "bare", room.dir / "profiled"]
    for place in places:
        place.mkdir()
    bare = room.bare("core_dump", cwd=places[0])
    profiled = room.profiled("core_dump", cwd=places[1])
    assert_same(bare, profiled)
    assert bare.returncode == -signal.SIGABRT
    assert_sampled(profiled)
    assert profiled.figure("regions") >= 1
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith("core") and resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
        assert blocks_of_core(places[1]) < blocks_of_core(places[0]) + (1 << 20)


@needs_root
def test_without_a_process_to_spare_the_host_is_left_alone(room):  # noqa: F811
    bare = room.bare("process_limit", 0.1, **AS_NOBODY)
    profiled = room.profiled("process_limit", GIVE_UP_SECONDS, **AS_NOBODY)
    assert_same(bare, profiled)
    assert_inert(profiled, "no process could be cloned: Resource temporarily unavailable")


@needs_root
def test_it_attaches_when_there_is_a_process_to_spare_again(room):  # noqa: F811
    _, profiled = both(room, "process_limit", 2, "later", **AS_NOBODY)
    assert profiled.log == ""
    assert 0.3 < profiled.sampled < profiled.cpu


# Processes


def test_a_subreaper_that_waits_for_all_finds_its_own_children_only(room):  # noqa: F811
    assert_sampled(both(room, "wait_all", "subreaper")[1])


@needs_root
def test_pid_1_waits_for_its_own_children_only_and_keeps_its_profile(room):  # noqa: F811
    assert_sampled(both(room, "wait_all", wrap=("unshare", "-pf", "--mount-proc"))[1])


@pytest.mark.parametrize("how", ["handler", "ignore", "waitpid", "waitid"])
def test_a_host_without_children_sees_none(room, how):  # noqa: F811
    assert_sampled(both(room, "no_children", how)[1])


def test_a_pipe_does_not_wait_for_the_agent_which_goes_by_itself(room):  # noqa: F811
    result = room.run("burn", "0.3")
    assert room.agents()
    room.settle(tell=False)
    assert_sampled(room.collect(result), cpu=float(result.stdout))


def test_a_host_that_ends_after_its_first_tick_has_names(room):  # noqa: F811
    results = [room.run("brief") for _ in range(10)]
    room.settle()
    last = room.collect(results[-1])
    assert all(r.behaviour == (3, "", "") for r in results)
    # Some ticks may be in the loader's part of the life.
    assert last.sampled_in("burn_briefly") >= 0.8 * last.sampled > 0.1
    assert last.sampled_in("[unknown]") == 0
    assert last.log == ""


@pytest.mark.parametrize("how", ["libc", "raw"])
def test_every_child_of_a_fork_storm_is_in_the_profile(room, how):  # noqa: F811
    _, profiled = both(room, "fork_storm", how, env=FAST)
    # Timers fire at the kernel's ticks only: a child on a busy machine, whose turns end between ticks,
    # may lose several milliseconds at its end.
    assert_sampled(profiled, share=0.2)
    for n in range(6):
        assert 0.03 < profiled.sampled_in(f"child_{n}") < 0.12


@pytest.mark.parametrize("how", ["vfork", "spawn", "system"])
def test_programs_start_between_ticks(room, how):  # noqa: F811
    _, profiled = both(room, "spawn_loop", how, env=FAST)
    # The programs started are profiled as well, and say nothing.
    assert profiled.log == ""
    assert profiled.sampled_in("host_burn") == pytest.approx(0.4, rel=0.2)


def test_a_program_replaces_itself_between_ticks(room):  # noqa: F811
    _, profiled = both(room, "exec_loop", 200, env=FAST)
    assert profiled.log == ""
    # Timers fire at the kernel's ticks, 4 ms apart: what comes after each image's last one is lost.
    assert 0.4 < profiled.sampled_in("host_burn") < 1.2


@pytest.mark.parametrize("attached", [[], ["attached"]], ids=["before", "after"])
def test_a_daemon_is_sampled(room, attached):  # noqa: F811
    said = room.dir / "said"
    bare = room.bare("daemonize", room.dir / "bare", *attached)
    profiled = room.profiled("daemonize", said, *attached)
    assert_same(bare, profiled)
    wait_until(said.exists, RUN_SECONDS, "the daemon's word")
    cpu = float(said.read_text().split()[2])
    assert profiled.log == ""
    assert profiled.sampled_in("daemon_work") == pytest.approx(cpu, rel=0.15)


def test_the_last_samples_of_a_killed_host_are_there(room):  # noqa: F811
    _, profiled = both(room, "killed")
    assert profiled.returncode == -signal.SIGKILL
    assert_sampled(profiled)
    assert 0.05 < profiled.sampled_in("last_work") < 0.12


# Confinement and privileges


@needs_root
@pytest.mark.parametrize("how", ["wrapper", "syscall"])
def test_it_attaches_before_a_pid_namespace_is_unshared(room, how):  # noqa: F811
    _, profiled = both(room, "unshared_pids", how, env={"SPANPROF_LOG_LEVEL": "debug"})
    assert_sampled(profiled, log=profiled.log)
    # The child is number 1 where it lives; the agent must neither lose it nor watch the real one.
    assert profiled.sampled_in("child_work") == pytest.approx(0.3, abs=0.06)
    assert len(re.findall("process .* is a client", profiled.log)) == 2, profiled
    assert len(re.findall("process .* is gone", profiled.log)) == 2, profiled


@needs_root
def test_after_an_unshare_that_nobody_saw_the_host_is_left_alone(room):  # noqa: F811
    _, profiled = both(room, "unshared_pids", "raw")
    assert_inert(profiled, "a pid namespace was unshared before the first sample")


@needs_root
def test_it_attaches_before_a_chroot(room):  # noqa: F811
    (room.dir / "empty").mkdir()
    assert_sampled(both(room, "chrooted", room.dir / "empty")[1])


@needs_root
def test_a_host_that_drops_its_user_is_sampled(room):  # noqa: F811
    assert_sampled(both(room, "drop_user")[1])


@pytest.mark.parametrize("how", ["cold", "warm", "direct"])
def test_no_tick_comes_under_a_seccomp_filter(room, how):  # noqa: F811
    _, profiled = both(room, "sandboxed", how, env=FAST | {"SPANPROF_LOG_LEVEL": "info"})
    own = [line for line in profiled.log.splitlines() if "agent:" not in line]
    assert own == ["spanprof: not profiling any more: the process confines itself (seccomp)"]
    if how == "cold":
        assert not profiled.profiles
    else:
        assert profiled.sampled == pytest.approx(profiled.cpu, abs=0.03)


@needs_root
def test_a_realtime_host_on_one_processor_is_sampled(room):  # noqa: F811
    bare, result = room.bare("realtime"), room.run("realtime")
    (agent,) = room.agents()
    assert os.sched_getscheduler(agent) == os.SCHED_OTHER
    assert os.sched_getaffinity(agent) == os.sched_getaffinity(0)
    room.settle()
    assert_same(bare, result)
    assert_sampled(room.collect(result))


# Threads and signals


def test_a_hundred_threads_reach_their_first_tick_at_once(room):  # noqa: F811
    # A thread that ends between two ticks of the kernel loses what came since the first.
    assert_sampled(both(room, "many_threads")[1], share=0.2)


def test_threads_with_the_smallest_stacks_are_sampled(room):  # noqa: F811
    assert_sampled(both(room, "small_stacks", env=FAST)[1])


@pytest.mark.parametrize("how", ["small", "tight", pytest.param("jump", marks=pytest.mark.xfail(
    reason="siglongjmp lets a pending tick in before it leaves the alternate stack", strict=False))])
def test_alternate_stacks_are_not_ours(room, how):  # noqa: F811
    assert_sampled(both(room, "alternate_stack", how, env=FAST)[1])


def test_no_thread_leaves_a_timer(room):  # noqa: F811
    bare, profiled = both(room, "thread_ends", env=FAST)
    if bare.figure("timers") < 0:
        pytest.skip("no /proc/self/timers in this kernel")
    assert (bare.figure("timers"), profiled.figure("timers")) == (0, 1)
    assert profiled.log == ""
    # Most of these threads end between two ticks; what they used is settled when they end.
    assert profiled.sampled == pytest.approx(profiled.cpu, abs=0.01 * 4 * (profiled.cpu / 0.01) ** 0.5)


def test_threads_that_block_every_signal_are_sampled(room):  # noqa: F811
    assert_sampled(both(room, "blocks_all")[1])


@pytest.mark.parametrize("how", ["sigaction", "signal", "late"])
def test_a_host_that_owns_sigprof_sees_its_own_ticks_only(room, how):  # noqa: F811
    bare, profiled = both(room, "own_sigprof", how)
    assert_sampled(profiled)
    for result in bare, profiled:
        assert result.figure("ticks") == pytest.approx(result.figure("due"), rel=0.05)


@pytest.mark.parametrize("how", ["one", "all"])
def test_a_host_that_waits_for_sigprof_gets_it(room, how):  # noqa: F811
    profiled = both(room, "waits_sigprof", how)[1]
    # Threads that block everything block the real-time signal, too, that the timers have moved to.
    if how == "one":
        assert_sampled(profiled)


def test_handlers_of_sigprof_call_each_other(room):  # noqa: F811
    assert_sampled(both(room, "chained_handlers")[1])


@pytest.mark.parametrize("before", [0, 0.2])
def test_sigprof_without_a_handler_ends_the_host(room, before):  # noqa: F811
    bare, profiled = both(room, "raise_sigprof", before)
    assert profiled.returncode == -signal.SIGPROF
    if before:
        assert_sampled(profiled)


@pytest.mark.parametrize("args", [[0], [0.2], [0.1, "exec"]])
def test_sigprof_that_the_parent_ignored_stays_ignored(room, args):  # noqa: F811
    def ignore():
        signal.signal(signal.SIGPROF, signal.SIG_IGN)

    bare, profiled = both(room, "raise_sigprof", *args, preexec_fn=ignore)
    assert bare.stdout == "disposition ignore\nsurvived"
    if args[0]:
        assert_sampled(profiled)


def test_errno_is_kept(room):  # noqa: F811
    assert_sampled(both(room, "errno_kept", env=FAST)[1])


def test_a_host_without_standard_descriptors_is_sampled(room):  # noqa: F811
    closing = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    bare, profiled = room.dir / "bare", room.dir / "profiled"
    assert_same(room.bare("closed_stdio", bare, wrap=closing),
                result := room.profiled("closed_stdio", profiled, wrap=closing))
    observed, figure = profiled.read_text().splitlines()
    assert observed == bare.read_text().splitlines()[0] == "first 0 second 1 third 2"
    assert_sampled(result, cpu=float(figure.split()[2]))


def test_threads_without_timers_run(room):  # noqa: F811
    _, profiled = both(room, "no_timers")
    # The main thread has one; the figure is its CPU time.
    assert_sampled(profiled, log="spanprof: agent: threads without a timer: the system gave none "
                                 "(4 so far; said once)\n")


def test_a_host_without_any_timer_runs(room):  # noqa: F811
    def limit():
        resource.setrlimit(resource.RLIMIT_SIGPENDING, (0, 0))

    _, profiled = both(room, "no_timers", preexec_fn=limit)
    assert (profiled.profiles, profiled.log) == ([], "")


@needs_root
def test_a_line_to_a_pipe_that_nobody_reads_does_not_kill(room):  # noqa: F811
    reader, writer = os.pipe()
    process = room.start("unshared_pids", "raw", env={"SPANPROF_LOG_FILE": None}, stderr=writer)
    os.close(reader)
    os.close(writer)
    assert room.finish(process, time.monotonic()).returncode == 0
    room.settle()


# Agents that end


def cpu_seconds(pid):
    """Of a process with one thread."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_an_agent_that_is_told_to_go_at_its_start_still_delivers(room):  # noqa: F811
    started = time.monotonic()
    process = room.start("burn", 0.3)
    while not (agents := room.agents()) and time.monotonic() < started + RUN_SECONDS:
        pass
    send(agents[0], signal.SIGTERM)
    result = room.finish(process, started)
    room.settle()
    assert_sampled(room.collect(result), cpu=float(result.stdout))


def test_an_agent_that_is_told_to_go_is_replaced(room):  # noqa: F811
    started = time.monotonic()
    enough = room.dir / "enough"
    process = room.start("part_time", RUN_SECONDS, enough)
    wait_until(room.agents, RUN_SECONDS, "an agent")
    time.sleep(1)
    (first,) = room.agents()
    send(first, signal.SIGTERM)
    wait_until(lambda: first not in room.agents(), RUN_SECONDS, "the first agent's end")
    assert room.files()
    wait_until(lambda: room.agents() or process.poll() is not None, RUN_SECONDS, "another agent")
    assert process.poll() is None
    used = cpu_seconds(process.pid)
    wait_until(lambda: cpu_seconds(process.pid) > used + 0.8, RUN_SECONDS, "work for the other agent")
    enough.touch()
    result = room.finish(process, started)
    room.settle()
    room.collect(result)
    assert result.behaviour == (0, "done", "")
    assert result.cpu - 0.4 < result.sampled < result.cpu + 0.05


def test_an_agent_that_is_killed_is_replaced(orphaned):
    lonely, process, started, killed = orphaned
    result = lonely.finish(process, started)
    lonely.settle()
    lonely.collect(result)
    assert result.behaviour == (0, "done", "")
    assert result.log == ""
    # What the first agent had not written is lost, and so is what came while there was none.
    late = result.cpu - float(result.figures["cpu_at"][math.ceil(killed) + REPLACED_SECONDS - 1])
    assert late > 1
    assert late * 0.9 < result.sampled < result.cpu


# The bare minimum of what these tests rest on


def test_nothing_outlives_a_room(build):  # noqa: F811
    made = Room(build)
    process = made.start("burn", "100")
    wait_until(made.agents, RUN_SECONDS, "an agent")
    made.close()
    assert process.wait(10) == -signal.SIGKILL
    assert not made.processes()
    assert not made.dir.exists()


def test_a_command_substitution_does_not_wait(room):  # noqa: F811
    host = room.build.program("burn")
    command = f'said=$(LD_PRELOAD={room.build.library} "{host}" 0.3); echo "$said"'
    subprocess.run(["sh", "-c", command], env=room.environment(LD_PRELOAD=None),
                   stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS, check=True)
    # It lives on for a few seconds; had the shell waited for it, it would not.
    assert room.agents()
    room.settle()
