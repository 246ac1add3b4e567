# SPDX-License-Identifier: Apache-2.0
"""The servers that other tests rely on: our client against both real ones, and the stub against
the real ones, rule by rule."""
import gzip
import os
import subprocess
import sys
import time

import minipprof
import pytest
import servers
from client import CPU, SAMPLES, FlameGraph, QueryError, ingest, push, selector
from stub import PROBE, Stub

SPAN_A, SPAN_B = "00f067aa0ba902b7", "00f067aa0ba902b8"
TRACE_A, TRACE_B = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737"
A = {"span_id": SPAN_A, "trace_id": TRACE_A, "span_name": "GET /a"}
B = {"span_id": SPAN_B, "trace_id": TRACE_B, "span_name": "GET /b"}
SAMPLES_OF_TWO_SPANS = [
    (("main", "handle", "burn"), (3, 30_000_000), A),
    (("main", "handle"), (1, 10_000_000), A),
    (("main", "handle", "burn"), (5, 50_000_000), B),
    (("main", "idle"), (2, 20_000_000), {}),
]
STACKS_A = {("main", "handle", "burn"): 30_000_000, ("main", "handle"): 10_000_000}
STACKS_B = {("main", "handle", "burn"): 50_000_000}


@pytest.fixture(params=["pyroscope_v2", "pyroscope_v1"])
def pyroscope(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["pyroscope_v2", "pyroscope_v1"], scope="module")
def shop(request):
    """A server that holds one profile of two spans; .is_v2 tells which."""
    server = request.getfixturevalue(request.param)
    push(server.url, "shop{env=test}", minipprof.encode(SAMPLES_OF_TWO_SPANS))
    server.is_v2 = request.param == "pyroscope_v2"
    return server


SHOP = selector(service_name="shop")


def test_a_written_profile_reads_back_the_same():
    profile = minipprof.decode(minipprof.encode(SAMPLES_OF_TWO_SPANS, time_nanos=5, period=7))
    assert profile.sample_types == list(minipprof.CPU_TYPES)
    assert (profile.period_type, profile.period) == (minipprof.CPU_PERIOD, 7)
    assert (profile.time_nanos, profile.duration_nanos) == (5, 10_000_000_000)
    assert [(s.stack, tuple(s.values), s.labels) for s in profile.samples] == SAMPLES_OF_TWO_SPANS
    assert profile.total("cpu", span_id=SPAN_A) == 40_000_000
    assert profile.total("samples") == 11


@pytest.mark.parametrize("broken", [b"", b"\x1f\x8b", b"\x0a\x7f", b"\x0b", b"\xff" * 12])
def test_what_is_no_profile_does_not_decode(broken):
    with pytest.raises((ValueError, LookupError, EOFError, OSError)):
        minipprof.decode(broken)


def test_a_flame_graph_is_read_by_position():
    rows = [["0", "10", "0", "0"], ["0", "4", "1", "1", "2", "4", "4", "2"], ["1", "3", "3", "1"]]
    graph = FlameGraph(["total", "f", "g"], [{"values": row} for row in rows])
    assert graph.stacks == {("f",): 1, ("f", "f"): 3, ("g",): 4}
    assert graph.functions == {"f": (4, 4), "g": (4, 4)}
    assert graph.total == 8
    assert not FlameGraph([], [])


def test_profile_types_and_series_are_those_pushed(shop):
    assert {CPU, SAMPLES} <= shop.client.profile_types()
    assert "shop" in shop.client.label_values("service_name")
    names = {"service_name", "span_name", "env", "pyroscope_spy"}
    rows = shop.client.series(SHOP, *sorted(names))
    common = {"service_name": "shop", "env": "test", "pyroscope_spy": "spanprof"}
    expected = [{**common, **extra} for extra in ({}, {"span_name": "GET /a"}, {"span_name": "GET /b"})]
    assert sorted(map(str, map(sorted, map(dict.items, rows)))) == \
        sorted(map(str, map(sorted, map(dict.items, expected))))


def test_span_ids_are_no_labels_and_trace_ids_only_on_the_old_server(shop):
    names = shop.client.label_names(SHOP)
    assert "span_name" in names
    assert "span_id" not in names
    assert ("trace_id" in names) == (not shop.is_v2)


def test_all_stacks_come_back_with_their_values(shop):
    graph = shop.client.merge_stacktraces(SHOP)
    assert graph.stacks == {("main", "handle", "burn"): 80_000_000, ("main", "handle"): 10_000_000,
                            ("main", "idle"): 20_000_000}
    assert graph.functions["handle"] == (10_000_000, 90_000_000)
    assert shop.client.merge_stacktraces(SHOP, SAMPLES).total == 11
    assert shop.client.merge_stacktraces(selector(service_name="shop", span_name="GET /b")).stacks == STACKS_B
    assert not shop.client.merge_stacktraces(selector(service_name="nobody"))


def test_each_span_has_exactly_its_stacks(shop):
    assert shop.client.merge_span_profile([SPAN_A], SHOP).stacks == STACKS_A
    assert shop.client.merge_span_profile([SPAN_B], SHOP).stacks == STACKS_B
    assert not shop.client.merge_span_profile(["00f067aa0ba902b9"], SHOP)
    assert shop.client.merge_span_profile([SPAN_A, SPAN_B], SHOP).total == 90_000_000


def test_traces_and_spans_select_stacks_on_the_new_server(pyroscope_v2):
    push(pyroscope_v2.url, "traced", minipprof.encode(SAMPLES_OF_TWO_SPANS))
    traced, client = selector(service_name="traced"), pyroscope_v2.client
    assert client.merge_stacktraces(traced, trace_ids=[TRACE_A]).stacks == STACKS_A
    assert client.merge_stacktraces(traced, span_ids=[SPAN_B]).stacks == STACKS_B
    values = {}
    for e in client.heatmap(traced):
        key = (e["span_id"], e["trace_id"])
        values[key] = values.get(key, 0) + e["value"]
    assert values == {(SPAN_A, TRACE_A): 40_000_000, (SPAN_B, TRACE_B): 50_000_000}


def test_the_old_server_ignores_trace_selectors_and_has_no_heatmap(pyroscope_v1):
    push(pyroscope_v1.url, "traced", minipprof.encode(SAMPLES_OF_TWO_SPANS))
    traced, client = selector(service_name="traced"), pyroscope_v1.client
    assert client.merge_stacktraces(traced, trace_ids=[TRACE_A]).total == 110_000_000
    with pytest.raises(QueryError) as e:
        client.heatmap(traced)
    assert e.value.status == 501


def test_the_old_server_says_so(pyroscope_v1, pyroscope_v2):
    assert pyroscope_v1.client.buildinfo()["version"] == "1.21.1"
    assert pyroscope_v2.client.buildinfo()["version"] in ("2.2.1", "")


# What is taken and what is refused: (status of 2.2, status of 1.x, stored)


def form(profile, filename="profile.pprof"):
    return {"parts": [("profile", filename, profile)]}


def with_config(config):
    parts = form(minipprof.encode(GOOD))["parts"]
    return {"parts": parts + [("sample_type_config", "sample_type_config.json", config)]}


def many(n):
    return [((f"f{i}",), (1, 1), {}) for i in range(n)]


def wide(n_bytes):
    """About so many bytes, which gzip makes small."""
    return [((f"f{i:05d}" + "x" * 1000,), (1, 1), {}) for i in range(n_bytes // 1013)]


GOOD = SAMPLES_OF_TWO_SPANS
RULES = {
    "form": lambda: (form(minipprof.encode(GOOD)), 200, 200, True),
    "plain_inside": lambda: (form(minipprof.encode(GOOD, compress=False)), 200, 200, True),
    "no_file_name": lambda: (form(minipprof.encode(GOOD), None), 200, 200, False),
    "form_and_format": lambda: ({**form(minipprof.encode(GOOD)), "format": "pprof"}, 422, 422, False),
    "raw": lambda: ({"raw": minipprof.encode(GOOD), "format": "pprof"}, 200, 200, True),
    # The header is ignored: what it announces is neither needed nor undone.
    "encoding_once": lambda: ({"raw": minipprof.encode(GOOD), "format": "pprof",
                               "headers": {"Content-Encoding": "gzip"}}, 200, 200, True),
    "encoding_twice": lambda: ({"raw": gzip.compress(minipprof.encode(GOOD)), "format": "pprof",
                                "headers": {"Content-Encoding": "gzip"}}, 422, 422, False),
    "config": lambda: (with_config(b'{"cpu":{"units":"nanoseconds","display-name":"cpu"}}'),
                       200, 200, True),
    "bad_config": lambda: (with_config(b"{bad"), 422, 422, False),
    "most_samples": lambda: (form(minipprof.encode(many(16000))), 200, 200, True),
    "too_many_samples": lambda: (form(minipprof.encode(many(16001))), 422, 422, False),
    "too_old": lambda: (form(minipprof.encode(GOOD, time_nanos=time.time_ns() - 2 * 3600 * 10**9)),
                        422, 422, False),
    "too_new": lambda: (form(minipprof.encode(GOOD, time_nanos=time.time_ns() + 3600 * 10**9)),
                        422, 422, False),
    "below_the_burst": lambda: (form(minipprof.encode(wide(1_300_000))), 200, 200, True),
    "above_the_burst": lambda: (form(minipprof.encode(wide(2_300_000))), 429, 422, False),
    "garbage": lambda: (form(b"\x1f\x8bgarbage"), 422, 422, False),
    "no_name": lambda: ({**form(minipprof.encode(GOOD)), "name": None}, 400, 400, False),
    "bad_name": lambda: ({**form(minipprof.encode(GOOD)), "name": "a b c"}, 400, 400, False),
    "escaped_name": lambda: ({**form(minipprof.encode(GOOD)), "labels": "{a.b=c/d e}"}, 200, 200, True),
}


def send(url, service, arguments):
    arguments = dict(arguments)
    name = arguments.pop("name", service + arguments.pop("labels", ""))
    return ingest(url, name, **arguments)


@pytest.mark.parametrize("rule", RULES)
def test_real_servers_and_the_stub_agree_on(rule, pyroscope_v2, pyroscope_v1):
    arguments, *statuses, stored = RULES[rule]()
    service = f"rule.{rule}"
    for server, version, status in zip((pyroscope_v2, pyroscope_v1), ("2.2.1", "1.21.1"), statuses):
        got, text = send(server.url, service, arguments)
        found = bool(server.client.merge_stacktraces(selector(service_name=service)))
        assert (got, found) == (status, stored), text
        with Stub(version) as stub:
            got, text = send(stub.url, service, arguments)
            assert (got, bool(stub.stored)) == (status, stored), text


def test_a_profile_without_period_type_is_taken_but_not_found(pyroscope):
    send(pyroscope.url, "no.period", form(minipprof.encode(GOOD, period_type=None)))
    assert not pyroscope.client.merge_stacktraces(selector(service_name="no.period"))


def test_the_stub_fails_on_demand():
    profile = form(minipprof.encode(GOOD))
    with Stub() as stub:
        stub.fail(503, times=1)
        stub.fail(429, times=1)
        stub.slow(0.2, times=1)
        stub.disconnect(times=1)
        assert send(stub.url, "a", profile)[0] == 503
        assert send(stub.url, "a", profile)[0] == 429
        assert send(stub.url, "a", profile)[0] == 200
        with pytest.raises(OSError):
            send(stub.url, "a", profile)
        assert send(stub.url, "a", profile)[0] == 200
        assert len(stub.wait_stored(2)) == 2
        assert stub.stored[0].profile.total("samples") == 11
        stub.fail(404, path=PROBE)
        assert servers.get(stub.url + PROBE)[0] == 404
        stub.hang()


SLEEPER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import servers
with servers.pyroscope_v2(sys.argv[2]) as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


def test_a_server_dies_with_a_killed_test_run(tmp_path):
    try:
        binary = servers.v2_binary()
    except servers.ServerError as e:
        pytest.skip(f"no Pyroscope 2.x: {e}")
    where = os.path.dirname(servers.__file__)
    # Its directory is left to us, as nobody else can remove it after a kill.
    run = subprocess.Popen([sys.executable, "-c", SLEEPER, where, binary], stdout=subprocess.PIPE,
                           text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    url = run.stdout.readline().strip()
    assert servers.get(f"{url}/ready")[0] == 200
    run.kill()
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 10
    while servers.get(f"{url}/ready")[0] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert servers.get(f"{url}/ready")[0] == 0
