# SPDX-License-Identifier: Apache-2.0
"""What one client can do by varying its requests: a million trace contexts and paths, each its own. The
agent's memory and CPU, the program's memory, the uploads and the server's series stay within what
docs/operations.md states."""
import collections
import contextlib
import os
import signal
import subprocess
import time

import minipprof
import nginxhost
import pytest
import servers
from client import selector

FLOOD = nginxhost.ROOT / "build" / "programs" / "flood"
MILLION = 1_000_000
NAMES_MAX = 200 + 1  # and the method of this client alone
SPANS_MAX = 300
AGENT_MIB = 64
AGENT_SHARE = 0.10  # of the program's CPU time, at ten times the usual rate
HOST_GROWTH_MIB = 4
PART_BYTES = 1 << 20  # compressed

pytestmark = pytest.mark.skipif(not FLOOD.exists(), reason="no build/programs/flood (make programs)")


def memory_kib(pid, field):
    for line in nginxhost.read(f"/proc/{pid}/status").decode().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def is_listening(port):
    return f":{port:04X} 00000000:0000 0A" in nginxhost.read("/proc/net/tcp").decode()


@contextlib.contextmanager
def server(name, log, **rest):
    """A profiled flood server: (process, port)."""
    port = servers.free_ports(["flood"])["flood"]
    start = nginxhost.preloaded(name, SPANPROF_START="eager", SPANPROF_LOG_LEVEL="info",
                                SPANPROF_LOG_FILE=str(log), **rest)
    process = subprocess.Popen([FLOOD, "serve", str(port)], env={**os.environ, **start.env},
                               stdin=subprocess.DEVNULL, preexec_fn=servers.die_with_parent)
    try:
        nginxhost.until(lambda: is_listening(port), nginxhost.START_S, "the server listens")
        yield process, port
    finally:
        process.kill()
        process.wait()
        for pid in nginxhost.agents(name):
            nginxhost.kill(pid, signal.SIGTERM)
        nginxhost.until(lambda: not nginxhost.agents(name), nginxhost.AGENT_GONE_S, "the agent gone")


def ask(port, count, kind, seconds=180):
    done = subprocess.run([FLOOD, "ask", str(port), str(count), kind], timeout=seconds, check=False,
                          capture_output=True, text=True)
    assert done.stdout == f"answered {count}\n", done


def figures(process, agent):
    return {"host KiB": memory_kib(process.pid, "VmRSS"), "agent KiB": memory_kib(agent, "VmHWM"),
            "host s": cpu_s(process.pid), "agent s": cpu_s(agent)}


def cpu_s(pid):
    """Of all its threads."""
    return sum(map(int, nginxhost.stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", ["traces", "both"])
def test_a_million_requests_stay_within_the_bounds(kind, tmp_path):
    name = f"flood.{kind}.{os.getpid()}"
    output = tmp_path / "profiles"
    with server(name, tmp_path / "log", output=output, SPANPROF_SAMPLE_RATE="1000",
                SPANPROF_MAX_SPANS=str(SPANS_MAX), PYROSCOPE_UPLOAD_INTERVAL="5s") as (process, port):
        ask(port, 20_000, kind)
        [agent] = nginxhost.agents(name)
        before, begin = figures(process, agent), time.monotonic()
        ask(port, MILLION, kind)
        after, seconds = figures(process, agent), time.monotonic() - begin
    paths = sorted(output.glob("*.pb.gz"))
    spans, names, cpu = [], collections.Counter(), 0
    for path in paths:
        some = minipprof.read(path).samples
        spans.append(len({s.labels["span_id"] for s in some if "span_id" in s.labels}))
        cpu += sum(s.values[1] for s in some)
        for s in some:
            names[s.labels.get("span_name")] += s.values[1]
    share = (after["agent s"] - before["agent s"]) / (after["host s"] - before["host s"])
    print(f"{kind}: {MILLION / seconds:.0f} requests/s; {before} {after}; agent {share:.3f} of the host's "
          f"CPU; {len(paths)} files of at most {max(p.stat().st_size for p in paths)} bytes; spans "
          f"{spans}; {len(names)} names, {names.most_common(3)}")
    assert max(spans) == SPANS_MAX
    assert len(set(names) - {None}) <= NAMES_MAX * (kind == "both") + (kind == "traces")
    assert names["GET /shop/cart"] >= (0.05 if kind == "both" else 0.5) * cpu
    assert after["agent KiB"] < AGENT_MIB << 10
    assert after["host KiB"] - before["host KiB"] < HOST_GROWTH_MIB << 10
    assert share < AGENT_SHARE
    assert max(p.stat().st_size for p in paths) < PART_BYTES
    log = (tmp_path / "log").read_text()
    assert log.count("SPANPROF_MAX_SPANS (said once)") == 1, log


def test_a_flood_makes_no_more_series_than_there_are_names(pyroscope_v2, tmp_path):
    name = f"flood.series.{os.getpid()}"
    with server(name, tmp_path / "log", server=pyroscope_v2.url, SPANPROF_SAMPLE_RATE="1000",
                PYROSCOPE_UPLOAD_INTERVAL="3s") as (_, port):
        ask(port, 150_000, "both")
    matcher = selector(service_name=name)
    names = pyroscope_v2.client.label_values("span_name", matcher)
    rows = pyroscope_v2.client.series(matcher, "service_name", "__profile_type__", "span_name")
    print(f"{len(names)} names, {len(rows)} series, e.g. {sorted(names)[:3]}")
    assert "GET /shop/cart" in names and "GET" in names
    assert 100 < len(names) <= NAMES_MAX + 10  # and as many as may be replaced
    # Two profile types, and samples without a name.
    assert len(rows) <= 2 * (NAMES_MAX + 10 + 1)
    assert not {"trace_id", "span_id"} & pyroscope_v2.client.label_names(matcher)
