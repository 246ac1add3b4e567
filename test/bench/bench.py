#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What spanprof costs, each figure as a ratio or difference within one run, with the command that
made it. Variants take turns, so that the machine's moods meet all of them; figures are medians.
Throughput on a small virtual machine varies by several percent from run to run: a ratio within the
spread printed beside it shows no cost, nor that there is none. For that see ns per sample x rate.

usage: bench.py [--quick]
"""
import argparse
import contextlib
import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "integration"), str(ROOT / "test" / "pyroscope")]

import nginxhost  # noqa: E402
import servers  # noqa: E402
from stub import Stub  # noqa: E402

SERVICE = f"bench.{os.getpid()}"
PEER = next(iter(sorted(glob.glob("/usr/lib/*/libprofiler.so.*"))), None)
PEER_NAME = "gperftools"
HOST_CPU, CLIENT_CPU = "0", "1"


class Absent(Exception):
    """What this machine has not."""


def say(text=""):
    print(text, flush=True)


def title(text, command):
    say(f"\n{text}\n  $ {command}")


def variants(server, scratch):
    """{name: environment}"""
    inert = {"LD_PRELOAD": nginxhost.LIBRARY}
    out = {"bare": {}, "inert": inert,
           "100 Hz": {**inert, **nginxhost.settings(SERVICE, server=server)}}
    if PEER:
        out[PEER_NAME] = {"LD_PRELOAD": PEER, "CPUPROFILE": f"{scratch}/peer.prof",
                          "CPUPROFILE_FREQUENCY": "100"}
    else:
        say(f"skipped everywhere: {PEER_NAME} (no libprofiler: package libgoogle-perftools4)")
    return out


def clean_environment():
    return {k: v for k, v in os.environ.items()
            if not k.startswith(("SPANPROF_", "PYROSCOPE_", "OTEL_", "LD_PRELOAD", "CPUPROFILE"))}


def output_of(command, env=None, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=300, check=False, **more,
                          env={**clean_environment(), **(env or {})})
    if done.returncode:
        raise RuntimeError(f"{command}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def compiled(name, scratch):
    binary = scratch / name
    output_of(["cc", "-O2", "-D_GNU_SOURCE", "-o", binary, ROOT / "test" / "bench" / f"{name}.c"])
    return binary


def need(program):
    if not shutil.which(program):
        raise Absent(f"no {program}")


# The parts


def exec_cost(rounds, envs, _):
    bench = ROOT / "build" / "programs" / "spawnbench"
    if not bench.exists():
        raise Absent("no build/programs/spawnbench (make programs)")
    title("exec of /bin/true", f"spawnbench {rounds} /bin/true, environments in turn")
    ours = {name: env for name, env in envs.items() if name != PEER_NAME}
    # The peer apart: what it leaves behind would slow down the others.
    for group in [ours] + ([{"bare": {}, PEER_NAME: envs[PEER_NAME]}] if PEER else []):
        command = [bench, rounds, "/bin/true"]
        for env in group.values():
            command += ["--env", *(f"{k}={v}" for k, v in env.items())]
        medians = dict(zip(group, (int(line.split()[0]) / 1e6
                                    for line in output_of(command).splitlines())))
        for name, ms in medians.items():
            more = "" if name == "bare" else f"  {ms - medians['bare']:+.3f} ms"
            say(f"  {name:10} {ms:.3f} ms{more}")


def handler_cost(rounds, envs, scratch):
    bench = compiled("handlerbench", scratch)
    title("one sample", f"handlerbench {rounds} DEPTH: the timer's own signal, timed; delivery "
          "alone is what an empty handler takes")
    for depth in (5, 25):
        got = [tuple(map(int, output_of([bench, rounds, depth], envs["100 Hz"]).split()))
               for _ in range(3)]
        with_it, empty = (statistics.median(column) for column in zip(*got))
        own = with_it - empty
        say(f"  {depth:2} frames  {with_it:.0f} ns, of which delivery {empty:.0f} ns, ours "
            f"{own:.0f} ns; at 100 Hz {with_it * 100 / 1e9:.4%} of a busy CPU")


def walk_cost(rounds, envs, scratch):
    bench = ROOT / "build" / "bench" / "unwind_bench"
    if not bench.exists():
        raise Absent(f"no {bench}: run make bench")
    title("one walk in a handler, by compiled tables and by libunwind's unw_step", f"unwind_bench, "
          f"{rounds} processes")
    runs = [output_of([bench], envs["bare"]).splitlines() for _ in range(rounds)]
    for lines in zip(*runs):
        say("  " + sorted(lines)[len(lines) // 2])


def symbol_cost(_, envs, scratch):
    bench = ROOT / "build" / "bench" / "symbol_bench"
    if not bench.exists():
        raise Absent(f"no {bench}: run make bench")
    title("names of addresses all over the code, of an object that nobody asked about yet and again",
          "symbol_bench OBJECT 20000")
    objects = [ROOT / "build" / "spanprof-agent"]
    if shutil.which("g++"):
        objects.append(scratch / "templates")
        output_of(["g++", "-std=c++17", "-O2", "-g", ROOT / "test" / "programs" / "templates.cc",
                   "-o", objects[-1]])
    for pattern in ("/usr/lib/*/libc.so.6", "/usr/lib/*/libLLVM-*.so.1", "/usr/bin/node"):
        objects += map(pathlib.Path, sorted(glob.glob(pattern))[-1:])
    for path in objects:
        say(f"  {path.name}: " + output_of([bench, path, 20000], envs["bare"]).strip())


def head_cost(rounds, envs, scratch):
    bench = ROOT / "build" / "bench" / "head_bench"
    if not bench.exists():
        raise Absent(f"no {bench}: run make bench")
    title("following one request on a connection", f"head_bench {rounds}")
    for line in output_of([bench, rounds], envs["bare"]).splitlines():
        say("  " + line)


def http2_cost(rounds, envs, scratch):
    bench = ROOT / "build" / "bench" / "hpack_bench"
    if not bench.exists():
        raise Absent(f"no {bench}: run make bench")
    title("one HTTP/2 request's frame, decoded, entered and ended", f"hpack_bench, {rounds} processes")
    runs = [output_of(["taskset", "-c", HOST_CPU, bench], envs["bare"]).splitlines()
            for _ in range(rounds)]
    for lines in zip(*runs):
        say("  " + sorted(lines)[len(lines) // 2])


def read_cost(rounds, envs, scratch):
    bench = compiled("readbench", scratch)
    title("read() of one byte from a pipe", f"readbench {rounds}, 7 runs of each in turn")
    got = {name: [] for name in envs}
    for _ in range(7):
        for name, env in envs.items():
            got[name].append(float(output_of(["taskset", "-c", HOST_CPU, bench, rounds], env)))
    bare = statistics.median(got["bare"])
    for name, each in got.items():
        ns = statistics.median(each)
        say(f"  {name:10} {ns:.1f} ns" + ("" if name == "bare" else f"  {ns - bare:+.1f} ns"))


def in_turn(rounds, measure, hosts):
    """Requests per second of each host, in turn; printed as ratios to bare's of the same round."""
    got = {name: [] for name in hosts}
    for turn in range(rounds):
        names = list(hosts)
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            got[name].append(measure(hosts[name]))
    for name, each in got.items():
        ratios = sorted(a / b for a, b in zip(each, got["bare"]))
        spread = statistics.pstdev(each) / statistics.mean(each)
        line = f"  {name:10} {statistics.median(each):8.0f} requests/s, spread {spread:.1%}"
        if name != "bare":
            line += (f", ratio {statistics.median(ratios):.3f}"
                     f" ({ratios[0]:.3f} to {ratios[-1]:.3f})")
        say(line)


def pinned(pid):
    subprocess.run(["taskset", "-a", "-c", "-p", HOST_CPU, str(pid)], check=True,
                   stdout=subprocess.DEVNULL)


def nginx_cost(rounds, envs, _):
    need("wrk")
    if nginxhost.missing():
        raise Absent(nginxhost.missing())
    command = ["taskset", "-c", CLIENT_CPU, "wrk", "-t1", "-c32", "-d2s"]
    title("nginx, a static file of 1 KiB, one worker on a CPU of its own",
          " ".join(command) + f" http://.../file, {rounds} rounds in turn")
    if PEER:
        say(f"  skipped: {PEER_NAME} (samples nothing in forked workers)")

    def measure(nginx):
        text = output_of([*command, f"http://127.0.0.1:{nginx.port}/file"])
        return float(re.search(r"Requests/sec:\s+([0-9.]+)", text).group(1))

    with contextlib.ExitStack() as stack:
        hosts = {name: stack.enter_context(nginxhost.run(nginxhost.Start([], env), workers=1))
                 for name, env in envs.items() if name != PEER_NAME}
        for nginx in hosts.values():
            pinned(nginx.workers()[0])
        in_turn(rounds, measure, hosts)


@contextlib.contextmanager
def redis(env, scratch):
    port = servers.free_ports(["redis"])["redis"]
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1",
                                "--save", "", "--appendonly", "no"],
                               env={**clean_environment(), **env}, cwd=scratch,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL,
                               preexec_fn=nginxhost.stop_with_parent)
    try:
        nginxhost.until(lambda: accepts(port), 10, "redis up")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def ask_redis(command, port):
    return float(re.search(r'"GET","([0-9.]+)"', output_of([*command, "-p", port])).group(1))


def redis_cost(rounds, envs, scratch):
    need("redis-server")
    need("redis-benchmark")
    command = ["taskset", "-c", CLIENT_CPU, "redis-benchmark", "-t", "get", "-n", "100000",
               "-c", "50", "--csv"]
    title("redis GET, the server on a CPU of its own",
          " ".join(command) + f", {rounds} rounds in turn")
    with contextlib.ExitStack() as stack:
        hosts = {}
        for name, env in envs.items():
            port, pid = stack.enter_context(redis(env, scratch))
            pinned(pid)
            hosts[name] = port
        in_turn(rounds, lambda port: ask_redis(command, port), hosts)


def memory_kib(pid):
    """(RSS, PSS, PSS of what is ours: the library, the region)"""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    whole = [int(re.search(rf"^{key}:\s+(\d+)", rollup, re.MULTILINE).group(1))
             for key in ("Rss", "Pss")]
    ours = 0
    mine = False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            mine = "libspanprof" in line or "memfd:spanprof" in line
        elif mine and line.startswith("Pss:"):
            ours += int(line.split()[1])
    return (*whole, ours)


def memory_cost(_, envs, scratch):
    need("redis-server")
    need("redis-benchmark")
    title("memory, redis after 200 000 requests", "/proc/PID/smaps_rollup and smaps")
    load = ["redis-benchmark", "-t", "get", "-n", "200000", "-c", "50", "--csv"]
    got = {}
    for name in ("bare", "inert", "100 Hz"):
        with redis(envs[name], scratch) as (port, pid):
            ask_redis(load, port)
            time.sleep(1.5)
            got[name] = memory_kib(pid)
            agents = [memory_kib(agent)[:2] for agent in nginxhost.agents(SERVICE)]
        rss, pss, ours = got[name]
        more = "" if name == "bare" else f", library and region {ours} KiB of it, " \
            f"{pss - got['bare'][1]:+d} KiB to bare"
        say(f"  redis {name:8} PSS {pss} KiB{more}")
        if name == "100 Hz":
            for rss, pss in agents:
                say(f"  agent          RSS {rss} KiB, PSS {pss} KiB")


def main():
    parser = argparse.ArgumentParser(description="What spanprof costs, as ratios within one run.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs")
    quick = parser.parse_args().quick
    parts = [(exec_cost, 50 if quick else 500), (handler_cost, 160 if quick else 480),
             (walk_cost, 3 if quick else 7), (symbol_cost, 1), (head_cost, 50 if quick else 200),
             (http2_cost, 3 if quick else 7),
             (read_cost, 20 if quick else 200), (nginx_cost, 2 if quick else 7),
             (redis_cost, 2 if quick else 7), (memory_cost, 1)]
    if not os.path.exists(nginxhost.LIBRARY):
        sys.exit(f"bench: no {nginxhost.LIBRARY}: run make")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="spanprof-bench-"))
    say(f"{os.cpu_count()} CPUs, Linux {os.uname().release}, load {os.getloadavg()[0]:.2f}")
    try:
        with Stub() as server:
            envs = variants(server.url, scratch)
            for part, rounds in parts:
                try:
                    part(rounds, envs, scratch)
                except Absent as e:
                    say(f"\nskipped: {part.__name__} ({e})")
    finally:
        for pid in nginxhost.agents(SERVICE):
            nginxhost.kill(pid, signal.SIGTERM)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
