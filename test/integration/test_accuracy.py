# SPDX-License-Identifier: Apache-2.0
"""The figures themselves: samples times period are the CPU time that the process used, on one thread
and on many; and a loop that makes no call is delivered while it runs.

SPANPROF_TEST_SECONDS: CPU seconds of each run, 30 by default.
"""
import os
import time

import pytest
from hosts import RUN_SECONDS, build, room, wait_until  # noqa: F401

SECONDS = float(os.environ.get("SPANPROF_TEST_SECONDS", "30"))
THREADS = [1, 2, 16]
WITHIN = 0.02


@pytest.mark.parametrize("threads", THREADS)
def test_samples_times_period_are_the_cpu_time(room, threads):  # noqa: F811
    # burn burns a little before, to learn how fast it is, and says the whole.
    bare = room.bare("burn", "0.1", threads)
    result = room.profiled("burn", SECONDS / threads, threads, timeout=30 * SECONDS + 60)
    cpu = float(result.stdout)
    assert (result.returncode, result.stderr, result.log) == (0, bare.stderr, "")
    print(f"{threads} threads: {cpu:.3f} s used, {result.sampled:.3f} s sampled "
          f"({100 * (result.sampled / cpu - 1):+.2f} %)")
    # A thread's first and last period are each half seen on average.
    assert result.sampled == pytest.approx(cpu, rel=WITHIN, abs=0.01 * threads), result
    assert result.sampled_in("burn_in_a_loop") == pytest.approx(cpu, rel=WITHIN + 0.01, abs=0.05)
    for profile in result.profiles:
        assert profile.period == 10_000_000
        assert profile.total("samples") * profile.period == profile.total("cpu")


def test_a_loop_without_calls_is_delivered_while_it_runs(room):  # noqa: F811
    started, begun = time.monotonic(), time.time_ns()
    process = room.start("burn", 6, env={"PYROSCOPE_UPLOAD_INTERVAL": "1s"})
    wait_until(lambda: len(room.files()) >= 3 or process.poll() is not None, RUN_SECONDS, "three profiles")
    assert process.poll() is None
    result = room.finish(process, started)
    room.settle()
    room.collect(result)
    # Intervals are cut at whole seconds of the wall clock. What an agent without a processor has not
    # drained by then is in the next one, and in none before it was used.
    for before, after in zip(result.profiles, result.profiles[1:]):
        assert before.time_nanos + before.duration_nanos <= after.time_nanos + 1_000_000
    for n, profile in enumerate(result.profiles, 1):
        assert sum(p.total("cpu") for p in result.profiles[:n]) <= \
            profile.time_nanos + profile.duration_nanos - begun + 50_000_000, (n, result)
    assert result.sampled == pytest.approx(float(result.stdout), rel=WITHIN)


def test_threads_that_end_between_two_ticks_are_accounted_for(room):  # noqa: F811
    result = room.profiled("short_threads")
    cpu = result.cpu
    print(f"{cpu:.3f} s used, {result.sampled:.3f} s sampled, "
          f"{result.sampled_in('[ended between ticks]'):.3f} s of it settled at threads' ends")
    # About 45 periods, each thread's hit or missed at random: four standard deviations.
    assert result.sampled == pytest.approx(cpu, abs=0.01 * 4 * (cpu / 0.01) ** 0.5), result
    assert result.sampled_in("[ended between ticks]") > 0
