# SPDX-License-Identifier: Apache-2.0
"""What preloading costs a program that does nothing: the figure that a short-lived process pays.
Relative costs under load are printed by test/bench/bench.py and judged by nobody."""
import contextlib
import os
import signal
import subprocess

import nginxhost
import pytest

ROUNDS = 500
ARMED_MAX_MS = 0.2
SPAWNBENCH = nginxhost.ROOT / "build" / "programs" / "spawnbench"


def go_first():
    """Where we may say so, nothing else runs meanwhile on that processor: what does costs CPU time, too,
    by what it leaves of the caches."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def figures(*environments):
    """Of each environment: CPU time in ms, and how often the program waits."""
    command = [SPAWNBENCH, str(ROUNDS), "/bin/true"]
    for environment in environments:
        command += ["--env", *(f"{k}={v}" for k, v in environment.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True,
                          preexec_fn=go_first)
    return [(int(cpu) / 1e6, int(waits)) for _, cpu, waits in map(str.split, done.stdout.splitlines())]


@pytest.mark.skipif(not SPAWNBENCH.exists(), reason="no build/programs/spawnbench (make programs)")
def test_a_program_that_does_nothing_pays_at_most_a_fifth_of_a_millisecond():
    assert os.path.exists(nginxhost.LIBRARY)  # without it the loader only complains, and is fast
    name = f"cost.{os.getpid()}"
    preloaded = {"LD_PRELOAD": nginxhost.LIBRARY}
    profiled = {**preloaded, "PYROSCOPE_SERVER_ADDRESS": "http://127.0.0.1:9",
                "PYROSCOPE_APPLICATION_NAME": name, "SPANPROF_LOG_LEVEL": "none"}
    try:
        (bare, waits), (inert, inert_waits), (armed, armed_waits) = figures({}, preloaded, profiled)
    finally:
        # A random first tick meets a few of the processes, which then start an agent.
        for pid in nginxhost.agents(name):
            nginxhost.kill(pid, signal.SIGTERM)
    print(f"bare {bare:.3f} ms, inert +{inert - bare:.3f} ms, armed +{armed - bare:.3f} ms")
    assert armed - bare <= ARMED_MAX_MS
    assert (inert_waits, armed_waits) == (waits, waits)
