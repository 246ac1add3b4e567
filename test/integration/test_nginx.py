# SPDX-License-Identifier: Apache-2.0
"""The main job on a real nginx: each trace finds its own work in Pyroscope, nothing else changes.

The burn locations measure their own CPU by the thread's clock: what they say is the truth that
profiles are compared with. They burn in C functions of nginx that differ, so work under a wrong
label is seen by its name."""
import collections
import concurrent.futures
import contextlib
import os
import signal
import socket
import threading
import time

import minipprof
import nginxhost
import pytest
import servers
from client import selector
from nginxhost import FUNCTION, Trace, bare, launched, preloaded

pytestmark = pytest.mark.skipif(nginxhost.missing() is not None, reason=str(nginxhost.missing()))

NEAR = 0.10         # the share by which a measured total may differ
SETTLE_S = 60       # an interval, a push, a segment flush; how long they take is up to the machine
SERVER_S = 10       # the agent waits so long for an answer; who waited for the agent would, too
TICK_NS = 10_000_000
HEAVY, LIGHT = Trace(0x11), Trace(0x12)


def service(name):
    return f"nginx.{name}.{os.getpid()}"


def near(got, wanted, share=NEAR, slack_ns=0):
    return abs(got - wanted) <= share * wanted + slack_ns


def profiles(directory):
    return [minipprof.read(path) for path in sorted(directory.glob("*.pb.gz"))]


def samples(directory):
    return [s for profile in profiles(directory) for s in profile.samples]


def cpu_by(some, key):
    """{key(sample): CPU in ns}"""
    out = collections.Counter()
    for sample in some:
        out[key(sample)] += sample.values[1]
    return out


def burnt(sample):
    """md5, sha1, or "" for all that is not burning."""
    return next((what for what, name in FUNCTION.items() if name in sample.stack), "")


def by_span_and_function(some):
    return cpu_by(some, lambda s: (s.labels.get("span_id"), burnt(s)))


def finish(nginx):
    """Ends nginx and then the agent, with all delivered. The exit status."""
    status = nginx.stop()
    finish_agent(nginx)
    return status


def finish_agent(nginx):
    """It would linger otherwise."""
    for pid in nginx.agents():
        nginxhost.kill(pid, signal.SIGTERM)
    nginx.wait_agent_gone()


def has_only(graph, mine, other):
    names = graph.functions
    assert FUNCTION[mine] in names, sorted(names)
    assert FUNCTION[other] not in names, sorted(names)


# Two traces, against the real server


@pytest.fixture(scope="module")
def two_traces(pyroscope_v2):
    """HEAVY burns sha1 and LIGHT a third of it in md5, both on each worker at once, request by
    request on connections kept alive. {trace: CPU that its requests measured}, service's name.

    One upload at the end: of several profiles a heatmap of the server shows only some."""
    name = service("two")
    truth, lock = collections.Counter(), threading.Lock()

    def client(connection, what, ms, trace):
        for _ in range(12):
            _, ns = connection.burn(what, ms, trace)
            with lock:
                truth[trace] += ns
        connection.close()

    nginxhost.clear_of_an_interval()
    start = launched(name, server=pyroscope_v2.url, PYROSCOPE_UPLOAD_INTERVAL="10m")
    with nginxhost.run(start, listen="reuseport") as nginx:
        jobs = [(connection, *job) for job in (("sha1", 150, HEAVY), ("md5", 50, LIGHT))
                for connection in nginx.connection_to_each_worker().values()]
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(lambda job: client(*job), jobs))
        assert finish(nginx) == 0
    return dict(truth), name


def check_totals(got, truth):
    print({t.span_id: (got[t] / 1e9, truth[t] / 1e9) for t in truth},
          "ratio", got[HEAVY] / got[LIGHT], truth[HEAVY] / truth[LIGHT])
    for trace, ns in truth.items():
        assert near(got[trace], ns), (trace, got[trace], ns)
    assert near(got[HEAVY] / got[LIGHT], truth[HEAVY] / truth[LIGHT])


def test_a_span_selector_finds_each_spans_own_work(two_traces, pyroscope_v2):
    truth, name = two_traces
    graphs = {t: pyroscope_v2.client.merge_span_profile([t.span_id], selector(service_name=name))
              for t in truth}
    has_only(graphs[HEAVY], "sha1", "md5")
    has_only(graphs[LIGHT], "md5", "sha1")
    check_totals({t: g.total for t, g in graphs.items()}, truth)


def test_a_trace_selector_finds_each_traces_own_work(two_traces, pyroscope_v2):
    truth, name = two_traces
    graphs = {t: pyroscope_v2.client.merge_stacktraces(selector(service_name=name),
                                                       trace_ids=[t.trace_id]) for t in truth}
    has_only(graphs[HEAVY], "sha1", "md5")
    has_only(graphs[LIGHT], "md5", "sha1")
    check_totals({t: g.total for t, g in graphs.items()}, truth)


def test_a_heatmap_has_each_span_with_its_trace(two_traces, pyroscope_v2):
    truth, name = two_traces
    got = collections.Counter()
    for e in pyroscope_v2.client.heatmap(selector(service_name=name)):
        got[e["span_id"], e["trace_id"]] += e["value"]
    assert set(got) == {(t.span_id, t.trace_id) for t in truth}
    check_totals({t: got[t.span_id, t.trace_id] for t in truth}, truth)


def test_a_span_name_finds_its_own_work(two_traces, pyroscope_v2):
    """A series label, as the language SDKs have it."""
    truth, name = two_traces
    client = pyroscope_v2.client
    assert {"GET /sha1", "GET /md5"} <= client.label_values("span_name", selector(service_name=name))
    graphs = {t: client.merge_stacktraces(selector(service_name=name, span_name=f"GET /{what}"))
              for t, what in ((HEAVY, "sha1"), (LIGHT, "md5"))}
    has_only(graphs[HEAVY], "sha1", "md5")
    has_only(graphs[LIGHT], "md5", "sha1")
    check_totals({t: g.total for t, g in graphs.items()}, truth)
    both = client.merge_stacktraces(selector(service_name=name, span_name="GET /md5"),
                                    trace_ids=[LIGHT.trace_id])
    assert near(both.total, truth[LIGHT])


def test_ids_are_no_series_labels(two_traces, pyroscope_v2):
    _, name = two_traces
    names = pyroscope_v2.client.label_names(selector(service_name=name))
    assert "service_name" in names
    assert not {"trace_id", "span_id"} & names


# Which requests get a label, from written files


@pytest.fixture
def recorded(tmp_path, request):
    """An nginx that writes files; .finish() ends it and returns the samples."""
    name = service(request.node.name[:40].replace("[", ".").replace("]", ""))
    with nginxhost.run(launched(name, output=tmp_path), workers=1) as nginx:
        nginx.finish = lambda: (finish(nginx), samples(tmp_path))[1]
        yield nginx


@pytest.mark.parametrize("other", [None, Trace(0x22, flags="00")], ids=["untraced", "unsampled"])
def test_a_request_that_is_not_sampled_gets_no_ids(recorded, other):
    traced, truth = Trace(0x21), collections.Counter()
    with contextlib.closing(recorded.connect()) as connection:
        for _ in range(10):
            truth["md5"] += connection.burn("md5", 80, traced)[1]
            truth["sha1"] += connection.burn("sha1", 80, other)[1]
    got = by_span_and_function(recorded.finish())
    print(got, truth)
    assert {(span, what) for span, what in got if what} == {(traced.span_id, "md5"), (None, "sha1")}
    assert near(got[traced.span_id, "md5"], truth["md5"])
    assert near(got[None, "sha1"], truth["sha1"])


def head(what, ms, trace, *lines, method="GET"):
    rows = [f"{method} /{what}?ms={ms} HTTP/1.1", "Host: nginx", *lines]
    if trace:
        rows.append(f"traceparent: {trace.header}")
    return ("\r\n".join(rows) + "\r\n\r\n").encode()


def answer(stream):
    """CPU in ns that one response tells."""
    assert stream.readline().startswith(b"HTTP/1.1 200"), "status"
    length = None
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"transfer-encoding":
            length = -1
    assert length == -1, "a chunked answer"
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return int(body.split()[1])


def raw_ask(port, *pieces, answers=1, pause=0.05):
    """Sends the pieces, each a segment of its own, on one connection; the answers' CPU."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i, piece in enumerate(pieces):
            if i:
                time.sleep(pause)
            s.sendall(piece)
        with s.makefile("rb") as stream:
            return [answer(stream) for _ in range(answers)]


def split_head(trace, ms):
    whole = head("md5", ms, trace)
    cut = whole.index(b"traceparent") + 20
    return [whole[:cut], whole[cut:]]


def other_case(trace, ms):
    return [head("md5", ms, None, f"TraceParent: {trace.header}")]


def long_head(trace, ms):
    return [head("md5", ms, trace, *(f"X-Filler-{i}: {'y' * 1000}" for i in range(20)))]


def body_with_a_header_line(trace, ms):
    body = b"\r\n\r\ntraceparent: " + Trace(0x99).header.encode() + b"\r\n\r\n"
    return [head("md5", ms, trace, f"Content-Length: {len(body)}", method="POST") + body]


def body_apart(trace, ms):
    body = b"traceparent: " + Trace(0x99).header.encode() + b"\r\n\r\n"
    return [head("md5", ms, trace, f"Content-Length: {len(body)}", method="POST"), body]


SHAPES = [split_head, other_case, long_head, body_with_a_header_line, body_apart]


def test_a_head_is_understood_however_it_comes(recorded):
    """Of each shape several, every one followed by an untraced request on another connection."""
    truth = collections.Counter()
    traces = {shape: Trace(0x31 + i) for i, shape in enumerate(SHAPES)}
    for _ in range(5):
        for shape, trace in traces.items():
            truth[trace.span_id, "md5"] += sum(raw_ask(recorded.port, *shape(trace, 80)))
            truth[None, "sha1"] += sum(raw_ask(recorded.port, head("sha1", 20, None)))
    got = by_span_and_function(recorded.finish())
    print({shape.__name__: (got[t.span_id, "md5"] / 1e9, truth[t.span_id, "md5"] / 1e9)
           for shape, t in traces.items()})
    assert {key for key in got if key[1]} == set(truth)
    for key, ns in truth.items():
        assert near(got[key], ns, slack_ns=3 * TICK_NS), (key, got[key], ns)


def test_pipelined_requests_are_nobodys_rather_than_each_others(recorded):
    """No call tells where the work for one ends and that for the next begins, nor which of them an
    answer is for: the first, alone when it was read, is given up too, and so is what comes later on
    that connection. On a fresh connection a request has its label."""
    first, second, later, alone = Trace(0x41), Trace(0x42), Trace(0x43), Trace(0x44)
    truth = collections.Counter()
    for _ in range(6):
        three = head("md5", 20, None) + head("sha1", 60, first) + head("sha1", 60, second)
        untraced, *pipelined, last = raw_ask(recorded.port, three, head("sha1", 40, later),
                                             answers=4, pause=0.5)
        truth[None, "md5"] += untraced
        truth[None, "sha1"] += sum(pipelined) + last
        truth[alone.span_id, "md5"] += sum(raw_ask(recorded.port, head("md5", 60, alone)))
    got = by_span_and_function(recorded.finish())
    print(got, truth)
    assert {span for span, _ in got} == {None, alone.span_id}
    for key, ns in truth.items():
        assert near(got[key], ns, slack_ns=3 * TICK_NS), (key, got[key], ns)
    assert not got[alone.span_id, "sha1"]


# The older server


def profile_two(server, name, **env):
    """Each trace burns once in a function of its own. {trace: (function, CPU)}"""
    with nginxhost.run(launched(name, server=server.url, **env)) as nginx:
        truth = {HEAVY: ("sha1", nginx.burn("sha1", 900, HEAVY)[1]),
                 LIGHT: ("md5", nginx.burn("md5", 400, LIGHT)[1])}
        assert finish(nginx) == 0
    return truth


def check_spans(client, name, truth):
    for trace, (what, ns) in truth.items():
        graph = client.merge_span_profile([trace.span_id], selector(service_name=name))
        has_only(graph, what, "md5" if what == "sha1" else "sha1")
        assert near(graph.total, ns, slack_ns=3 * TICK_NS), (what, graph.total, ns)


def id_labels(server, name):
    return {"trace_id", "span_id"} & server.client.label_names(selector(service_name=name))


def test_the_old_server_has_spans_and_no_id_labels(pyroscope_v1):
    name = service("old")
    check_spans(pyroscope_v1.client, name, profile_two(pyroscope_v1, name))
    assert not id_labels(pyroscope_v1, name)


def test_trace_ids_forced_on_the_old_server_become_series_labels(pyroscope_v1):
    """What "auto" is there to avoid."""
    name = service("old.forced")
    truth = profile_two(pyroscope_v1, name, SPANPROF_TRACE_ID_LABEL="on")
    assert id_labels(pyroscope_v1, name) == {"trace_id"}
    check_spans(pyroscope_v1.client, name, truth)


def test_trace_ids_can_be_left_out(pyroscope_v2):
    name = service("no.trace.ids")
    truth = profile_two(pyroscope_v2, name, SPANPROF_TRACE_ID_LABEL="off")
    check_spans(pyroscope_v2.client, name, truth)
    matcher = selector(service_name=name)
    assert {e["trace_id"] for e in pyroscope_v2.client.heatmap(matcher)} == {""}
    assert not pyroscope_v2.client.merge_stacktraces(matcher, trace_ids=[HEAVY.trace_id])


# Life


@contextlib.contextmanager
def watched_agents(nginx):
    """Yields a set of what was there at once, at any look: {(pids), ...}"""
    seen, over = set(), threading.Event()

    def watch():
        while not over.wait(0.02):
            seen.add(tuple(sorted(nginx.agents())))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def small_load(nginx):
    """Two clients, a connection for each request; yields the list of what went wrong."""
    wrong, served, over = [], [], threading.Event()

    def client():
        while not over.wait(0.005):
            try:
                served.append(nginx.burn("md5", 1)[0])
            except (OSError, AssertionError, ValueError) as e:
                wrong.append(repr(e))

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
        assert served
    finally:
        over.set()
        for thread in threads:
            thread.join()


def check_stop(as_bare, stop):
    """It waited for nobody: what it takes, a bare one takes on this machine now, which may be slow."""
    assert as_bare[0] == stop[0] == 0
    assert stop[1] < 2 + 3 * as_bare[1]


STARTS = {"bare": lambda tmp_path: bare(),
          "launched": lambda tmp_path: launched(service("life"), output=tmp_path),
          "preloaded": lambda tmp_path: preloaded(service("life.preloaded"), server=NOWHERE)}
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize("start", STARTS)
def test_reloads_and_stops_are_as_without(start, tmp_path):
    with nginxhost.run(bare()) as other, nginxhost.run(STARTS[start](tmp_path)) as nginx:
        with small_load(nginx) as wrong:
            for _ in range(3):
                nginx.reload()
                assert sorted(nginxhost.children(nginx.master)) == sorted(nginx.workers())
        assert not wrong
        as_bare, stop = other.timed_stop(), nginx.timed_stop()
        print("stops", as_bare, stop)
        check_stop(as_bare, stop)
        assert not nginx.complaints()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_fast_stops_are_as_without(signum, tmp_path):
    """A stop in the middle of a request cuts it short, exits with 0 and loses no sample."""
    def cut_short(nginx):
        def cpu_ns():
            return sum(map(nginxhost.cpu_ns, nginx.workers()))

        with contextlib.closing(nginx.connect()) as connection:
            before = cpu_ns()
            connection.request("GET", "/md5?ms=400", headers={"traceparent": HEAVY.header})
            nginxhost.until(lambda: cpu_ns() > before + 50e6, nginxhost.STOP_S, "work on the request")
            status = nginx.stop(signum)
        return status, nginx.complaints()

    with nginxhost.run(bare()) as nginx:
        as_bare = cut_short(nginx)
    with nginxhost.run(launched(service(f"fast.{signum}"), output=tmp_path)) as nginx:
        assert cut_short(nginx) == as_bare
        finish_agent(nginx)
    assert near(by_span_and_function(samples(tmp_path))[HEAVY.span_id, "md5"], 400e6,
                slack_ns=3 * TICK_NS)


def test_one_agent_serves_through_reload_and_upgrade_and_then_goes(tmp_path):
    """SPANPROF_START: or the workers of the new master, which does nothing that a tick would see
    before it forks them, would attach as the user they become and have an agent of that user's."""
    start = launched(service("upgrade"), output=tmp_path, SPANPROF_START="eager")
    with nginxhost.run(start, daemon=True) as nginx:
        truth = {}
        with watched_agents(nginx) as seen:
            truth[Trace(0x51)] = nginx.burn("md5", 200, Trace(0x51))[1]
            nginx.reload()
            truth[Trace(0x52)] = nginx.burn("md5", 200, Trace(0x52))[1]
            with small_load(nginx) as wrong:
                nginx.upgrade()
            assert not wrong
            assert sorted(nginxhost.children(nginx.master)) == sorted(nginx.workers())
            truth[Trace(0x53)] = nginx.burn("md5", 200, Trace(0x53))[1]
            nginx.stop()
        print("agents", seen, "gone after", nginx.wait_agent_gone(), "s")
        assert len(set().union(*seen)) == 1, seen
        assert not nginx.complaints()
    got = by_span_and_function(samples(tmp_path))
    for trace, ns in truth.items():
        assert near(got[trace.span_id, "md5"], ns, slack_ns=3 * TICK_NS), (trace, got, ns)


def test_killed_workers_leave_their_last_samples_and_have_successors(pyroscope_v2):
    name = service("killed")
    with nginxhost.run(launched(name, server=pyroscope_v2.url), listen="reuseport") as nginx, \
            watched_agents(nginx) as seen:
        victims = nginx.connection_to_each_worker()
        before = {pid: nginxhost.cpu_ns(pid) for pid in victims}
        for connection in victims.values():
            connection.request("GET", "/sha1?ms=20000", headers={"traceparent": HEAVY.header})
        time.sleep(1.5)
        # The master may be slow to be told: none of them is respawned before all are dead.
        os.kill(nginx.master, signal.SIGSTOP)
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        truth = {HEAVY: ("sha1", sum(nginxhost.cpu_ns(pid) - before[pid] for pid in victims))}
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        os.kill(nginx.master, signal.SIGCONT)
        nginxhost.until(lambda: len(set(nginx.workers()) - set(victims)) == 2,
                        nginxhost.START_S, "new workers")
        truth[LIGHT] = ("md5", nginx.burn("md5", 400, LIGHT)[1])
        client, matcher = pyroscope_v2.client, selector(service_name=name)
        # Delivered while nginx lives on.
        nginxhost.until(lambda: client.merge_span_profile([LIGHT.span_id], matcher).total >= 0.9 *
                        truth[LIGHT][1], SETTLE_S, "the new worker's samples at the server")
        check_spans(client, name, truth)
        print({t.span_id: (client.merge_span_profile([t.span_id], matcher).total / 1e9, ns / 1e9)
               for t, (_, ns) in truth.items()})
        assert len(set().union(*seen)) == 1, seen
        assert finish(nginx) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="workers change user only under root")
def test_the_environment_alone_does_for_workers_of_another_user(pyroscope_v2):
    name = service("preloaded")
    with nginxhost.run(preloaded(name, server=pyroscope_v2.url), listen="reuseport") as nginx:
        connections, truth = nginx.connection_to_each_worker(), 0
        for pid, connection in connections.items():
            assert os.stat(f"/proc/{pid}").st_uid != 0
            truth += connection.burn("sha1", 500, HEAVY)[1]
            connection.close()
        print("agents of users", [os.stat(f"/proc/{p}").st_uid for p in nginx.agents()])
        assert finish(nginx) == 0
        assert not nginx.complaints()
    check_spans(pyroscope_v2.client, name, {HEAVY: ("sha1", truth)})


# Servers in trouble


def agent_log(tmp_path):
    path = tmp_path / "agent.log"
    return path, {"SPANPROF_LOG_FILE": str(path)}


def test_a_server_that_recovers_gets_everything(ingest_stub, tmp_path):
    """What is written to files is what the server has in the end, sample by sample."""
    path, env = agent_log(tmp_path)
    ingest_stub.fail(503, times=2)
    with nginxhost.run(launched(service("recovers"), server=ingest_stub.url, output=tmp_path,
                                **env)) as nginx:
        truth = sum(nginx.burn("md5", 300, HEAVY)[1] for _ in range(4))
        nginxhost.until(lambda: ingest_stub.stored, SETTLE_S, "a push that the server took")
        truth += nginx.burn("sha1", 300, LIGHT)[1]
        assert finish(nginx) == 0
    pushed = [s for stored in ingest_stub.stored for s in stored.profile.samples]
    assert by_span_and_function(pushed) == by_span_and_function(samples(tmp_path))
    assert near(cpu_by(pushed, lambda s: bool(burnt(s)))[True], truth)
    lines = path.read_text().splitlines()
    print(lines)
    assert [("cannot upload" in line, "work again" in line) for line in lines] == \
        [(True, False), (False, True)]


def test_a_server_that_hangs_is_not_noticed_by_clients(ingest_stub, tmp_path):
    path, env = agent_log(tmp_path)

    ingest_stub.hang()
    start = launched(service("hangs"), server=ingest_stub.url, **env)
    with nginxhost.run(bare()) as other, nginxhost.run(start) as nginx:
        nginx.burn("md5", 300, HEAVY)
        other.burn("md5", 300, HEAVY)
        nginxhost.until(lambda: any(p == "/ingest" for _, p in ingest_stub.requests), SETTLE_S,
                        "an upload under way")
        waits = {other: [], nginx: []}
        for _ in range(150):
            # In turn, so that the machine's moods meet both.
            for which, taken in waits.items():
                begin = time.monotonic()
                which.burn("md5", 2, HEAVY)
                taken.append(time.monotonic() - begin)
        as_bare, profiled = (sorted(taken) for taken in waits.values())
        stops = other.timed_stop(), nginx.timed_stop()
        complaints = other.complaints(), nginx.complaints()
    for taken, (_, stop) in zip((as_bare, profiled), stops):
        print(f"median {taken[75] * 1e3:.2f} ms, worst {taken[-1] * 1e3:.2f} ms, stop {stop:.2f} s")
    check_stop(*stops)
    assert complaints == ([], [])
    # No request can have waited for the server, which never answers; noise of a machine aside.
    assert profiled[75] < 1.5 * as_bare[75] + 0.002
    assert profiled[-1] < SERVER_S / 2 + as_bare[-1]


def test_a_server_that_is_down_is_said_once(tmp_path):
    """On nginx's standard error, which it soon makes its error log: the agent's lines go there
    unless told otherwise."""
    down = f"http://127.0.0.1:{servers.free_ports(['http'])['http']}"
    with nginxhost.run(launched(service("down"), server=down)) as nginx:
        for _ in range(4):
            nginx.burn("md5", 200, HEAVY)
            time.sleep(0.8)
        assert nginx.stop() == 0
        assert not nginx.complaints()
        took = nginx.wait_agent_gone()
        text = (nginx.directory / "stderr").read_text() + nginx.error_log.read_text()
        ours = [line for line in text.splitlines() if "spanprof" in line]
        print(f"agent gone after {took:.1f} s", ours)
        assert len(ours) == 1 and "cannot upload" in ours[0] and down in ours[0], ours
