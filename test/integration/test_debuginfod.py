# SPDX-License-Identifier: Apache-2.0
"""Debug files from a real debuginfod on the loopback: they come while the program runs, without
anything waiting for them, and only if that was asked for."""
import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
from hosts import RUN_SECONDS, build, room, wait_until  # noqa: F401

SECONDS = 6
INTERVAL = 1
SOURCE = """
#include <time.h>
#include <unistd.h>
static inline __attribute__((always_inline)) unsigned inlined_mix(unsigned x)
{
	for (int i = 0; i < 1000; i++)
		x = x * 1664525u + 1013904223u + (x >> 7);
	return x;
}
static __attribute__((noinline)) unsigned outer_work(unsigned x)
{
	return inlined_mix(x) ^ 1;
}
int main(int argc, char **argv)
{
	struct timespec t, begun;
	unsigned x = 1;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		for (int i = 0; i < 1000; i++)
			x = outer_work(x);
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (t.tv_sec - begun.tv_sec < %d || (argc > 1 && access(argv[1], F_OK) != 0));
	return x == 7;
}
""" % SECONDS

pytestmark = [pytest.mark.skipif(shutil.which("debuginfod") is None, reason="no debuginfod"),
              pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")]


def tool(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """(the stripped program, the directory with its debug file, its build-id)"""
    directory = tmp_path_factory.mktemp("debuginfod")
    source, path, files = directory / "work.c", directory / "work", directory / "files"
    files.mkdir()
    source.write_text(SOURCE)
    tool("gcc", "-O2", "-g", "-Wl,--build-id", source, "-o", path)
    tool("objcopy", "--only-keep-debug", path, files / "work.debug")
    tool("strip", path)
    return path, files, re.search(r"Build ID: (\w+)", tool("readelf", "-n", path)).group(1)


@contextlib.contextmanager
def listener(port=0):
    with socket.create_server(("127.0.0.1", port)) as server:
        yield server


def free_port():
    with listener() as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    _, files, build_id = program
    port, scratch = free_port(), tmp_path_factory.mktemp("server")
    with open(scratch / "log", "wb") as log:
        process = subprocess.Popen(
            ["debuginfod", "-p", str(port), "-d", str(scratch / "db"), "-F", str(files)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=scratch,
            env={"PATH": "/usr/bin:/bin", "HOME": str(scratch)})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"{url}/buildid/{build_id}/debuginfo", timeout=2) as r:
                    if r.status == 200:
                        break
            assert time.monotonic() < end, (scratch / "log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def run(room, program, url, enough=None, **more):  # noqa: F811
    """enough: waits for what the program is not to end before."""
    env = room.environment(DEBUGINFOD_URLS=url, DEBUGINFOD_CACHE_PATH=str(room.dir / "cache"),
                           PYROSCOPE_UPLOAD_INTERVAL=f"{INTERVAL}s", **more)
    started = time.monotonic()
    stop = room.dir / "enough"
    process = subprocess.Popen([str(program[0]), *([str(stop)] if enough else [])], env=env, cwd=room.dir, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    if enough:
        enough()
        stop.touch()
    result = room.finish(process, started)
    room.settle()
    assert result.returncode == 0, result
    return room.collect(result)


def stacks(profile):
    return [tuple((f.function, pathlib.Path(f.file).name, f.line) for f in s.frames)
            for s in profile.samples]


def frames(result):
    return [f for p in result.profiles for s in p.samples for f in s.frames]


def assert_on_time(result):
    """One file for each interval of the run, but for its rims."""
    assert len(result.profiles) >= SECONDS / INTERVAL - 1, result


def test_names_lines_and_inlined_callers_arrive_while_the_program_runs(room, program, server):  # noqa: F811
    fetched = room.dir / "cache" / program[2] / "debuginfo"

    def enough():
        wait_until(fetched.exists, RUN_SECONDS, "a debug file")
        files = len(room.files())
        wait_until(lambda: len(room.files()) >= files + 3, RUN_SECONDS, "profiles that it is there for")

    result = run(room, program, server, enough, SPANPROF_DEBUGINFOD="1")
    assert result.log == "", result
    assert fetched.stat().st_size > 0
    assert_on_time(result)
    last = [f for s in result.profiles[-1].samples for f in s.frames]
    inlined = [f for f in last if f.function == "inlined_mix"]
    assert inlined and all(f.file.endswith("work.c") and 4 <= f.line <= 8 for f in inlined), last
    # The last piece is short: what was settled without a stack when threads ended may be half of it.
    stacks = [s for s in result.profiles[-1].samples if "[ended between ticks]" not in s.stack]
    named = sum(any(f.function == "inlined_mix" for f in s.frames) and "outer_work" in s.stack
                for s in stacks)
    assert named >= 0.8 * len(stacks) > 0


def test_what_was_fetched_once_comes_from_the_cache(room, program, server):  # noqa: F811
    run(room, program, server, SPANPROF_DEBUGINFOD="1")
    for path in room.files():
        path.unlink()
    result = run(room, program, f"http://127.0.0.1:{free_port()}", SPANPROF_DEBUGINFOD="1")
    assert any(f.function == "inlined_mix" for f in frames(result)), result


def test_a_server_that_has_nothing_is_no_trouble(room, tmp_path, program):  # noqa: F811
    url_port, empty = free_port(), tmp_path / "none"
    empty.mkdir()
    process = subprocess.Popen(["debuginfod", "-p", str(url_port), "-d", ":memory:", "-F", str(empty)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd=tmp_path,
                               env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    try:
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(urllib.error.HTTPError, OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{url_port}/metrics", timeout=2).close()
                break
            assert time.monotonic() < end
            time.sleep(0.1)
        result = run(room, program, f"http://127.0.0.1:{url_port}", SPANPROF_DEBUGINFOD="1")
    finally:
        process.terminate()
        process.wait(10)
    assert result.log == "", result
    assert_on_time(result)
    assert not any(f.function == "inlined_mix" for f in frames(result))


@contextlib.contextmanager
def silent_server():
    """Takes connections and says nothing; yields its address and the list of them."""
    taken, stop = [], threading.Event()
    with listener() as server:
        server.settimeout(0.1)

        def take():
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", taken
        finally:
            stop.set()
            thread.join()
            for connection in taken:
                connection.close()


def test_a_server_that_hangs_delays_nothing(room, program):  # noqa: F811
    """Whoever waited for it would do so for longer than the program runs, or the agent may take to end."""
    with silent_server() as (url, taken):
        result = run(room, program, url, SPANPROF_DEBUGINFOD="1", DEBUGINFOD_TIMEOUT="90")
    assert taken
    assert_on_time(result)
    ends = [int(re.search(r"-(\d+)\.pb\.gz$", p.name).group(1)) / 1000 for p in room.files()]
    late = max(p.stat().st_mtime - end for p, end in zip(room.files(), ends))
    print(f"\nfiles of {INTERVAL} s intervals came at most {late:.3f} s after their end")
    assert late < 45


def test_a_server_that_hangs_is_said_once(room, program):  # noqa: F811
    with silent_server() as (url, taken):
        result = run(room, program, url, SPANPROF_DEBUGINFOD="1", DEBUGINFOD_TIMEOUT="2")
    assert taken
    lines = result.log.splitlines()
    assert len(lines) == 1 and "cannot fetch debug files" in lines[0], result
    assert_on_time(result)


def test_without_being_asked_nothing_is_requested(room, program):  # noqa: F811
    with silent_server() as (url, taken):
        result = run(room, program, url)
    assert result.log == "" and not taken, result
    assert not (room.dir / "cache").exists()
    assert_on_time(result)


def test_asked_for_without_a_server_one_line_says_so(room, program):  # noqa: F811
    result = run(room, program, "", SPANPROF_DEBUGINFOD="1")
    assert re.fullmatch(r"spanprof: agent: SPANPROF_DEBUGINFOD is set, but .*\n", result.log), result
