# SPDX-License-Identifier: Apache-2.0
"""A client for Pyroscope's query API (plain JSON over HTTP) and its /ingest, for tests.

Every query covers the last hour and the next minute unless told otherwise: a server of a test
holds nothing else. Times are milliseconds, as the API has them.
"""
import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request

CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
SAMPLES = "process_cpu:samples:count:cpu:nanoseconds"
MAX_NODES = 16384
TIMEOUT_S = 30


class QueryError(Exception):
    def __init__(self, status, text):
        super().__init__(f"HTTP {status}: {text}")
        self.status = status
        self.text = text


class FlameGraph:
    """levels: rows of (gap to the previous node, total, self, index into names)."""

    def __init__(self, names, levels):
        self._stacks = {}
        above = []  # (begin, end, stack) of the level above
        for level in levels:
            values = [int(v) for v in level.get("values", [])]
            at, row = 0, []
            for gap, total, own, name in zip(*[iter(values)] * 4):
                at += gap
                parent = next((stack for begin, end, stack in above if begin <= at < end), None)
                # The root row is an artificial "total".
                stack = () if parent is None else parent + (names[name],)
                row.append((at, at + total, stack))
                if own and stack:
                    self._stacks[stack] = self._stacks.get(stack, 0) + own
                at += total
            above = row

    @property
    def stacks(self):
        """{(root, ..., leaf): value}"""
        return dict(self._stacks)

    @property
    def functions(self):
        """{function: (self, total)}; a recursive function's total counts a stack once."""
        out = {}
        for stack, value in self._stacks.items():
            for name in set(stack):
                own, total = out.get(name, (0, 0))
                out[name] = (own + (value if stack[-1] == name else 0), total + value)
        return out

    @property
    def total(self):
        return sum(self._stacks.values())

    def __bool__(self):
        return bool(self._stacks)


def selector(**labels):
    """selector(service_name="shop") -> {service_name="shop"}"""
    return "{" + ",".join(f"{k}={json.dumps(v)}" for k, v in labels.items()) + "}"


class Client:
    def __init__(self, url, span_ms=3_600_000):
        self.url = url.rstrip("/")
        self.span_ms = span_ms

    def call(self, method, **body):
        now = int(time.time() * 1000)
        body = {"start": now - self.span_ms, "end": now + 60_000, **body}
        request = urllib.request.Request(
            f"{self.url}/querier.v1.QuerierService/{method}",
            json.dumps({k: v for k, v in body.items() if v is not None}).encode(),
            {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as e:
            raise QueryError(e.code, e.read().decode(errors="replace")) from None

    def buildinfo(self):
        with urllib.request.urlopen(f"{self.url}/api/v1/status/buildinfo", timeout=TIMEOUT_S) as r:
            return json.load(r)["data"]

    def profile_types(self):
        return {t["ID"] for t in self.call("ProfileTypes").get("profileTypes", [])}

    def label_names(self, matcher="{}"):
        return set(self.call("LabelNames", matchers=[matcher]).get("names", []))

    def label_values(self, name, matcher="{}"):
        return set(self.call("LabelValues", name=name, matchers=[matcher]).get("names", []))

    def series(self, matcher="{}", *names):
        """Label sets as dicts, each once."""
        reply = self.call("Series", matchers=[matcher], labelNames=list(names))
        rows = [{p["name"]: p["value"] for p in s.get("labels", [])}
                for s in reply.get("labelsSet", [])]
        return [row for i, row in enumerate(rows) if row not in rows[:i]]

    def _graph(self, method, **body):
        graph = self.call(method, maxNodes=MAX_NODES, **body).get("flamegraph") or {}
        return FlameGraph(graph.get("names", []), graph.get("levels", []))

    def merge_stacktraces(self, matcher, profile_type=CPU, trace_ids=None, span_ids=None):
        """traceIdSelector and spanSelector are known to servers from 2.2 on; 1.x ignores them."""
        return self._graph("SelectMergeStacktraces", profileTypeID=profile_type,
                           labelSelector=matcher, traceIdSelector=trace_ids, spanSelector=span_ids)

    def merge_span_profile(self, span_ids, matcher, profile_type=CPU):
        return self._graph("SelectMergeSpanProfile", profileTypeID=profile_type,
                           labelSelector=matcher, spanSelector=list(span_ids))

    def heatmap(self, matcher, profile_type=CPU, step=15.0):
        """Span exemplars: dicts with span_id, trace_id, value, labels. Servers from 2.x only."""
        reply = self.call("SelectHeatmap", profileTypeID=profile_type, labelSelector=matcher,
                          step=step, queryType="HEATMAP_QUERY_TYPE_SPAN",
                          exemplarType="EXEMPLAR_TYPE_SPAN")
        return [{"span_id": e.get("spanId", ""), "trace_id": e.get("traceId", ""),
                 "value": int(e.get("value", 0)),
                 "labels": {p["name"]: p["value"] for p in e.get("labels", [])}}
                for s in reply.get("series", []) for slot in s.get("slots", [])
                for e in slot.get("exemplars", [])]


# Pushing, with every mistake possible


def form(parts, boundary="spanprof-test-boundary"):
    """parts: (name, file name or None, bytes). Returns body and content type."""
    body = b""
    for name, filename, data in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        body += data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def post(url, body, headers, user=None, password=""):
    """(status, text), whatever the status; connection errors are raised."""
    if user is not None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {**headers, "Authorization": f"Basic {token}"}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            return reply.status, reply.read().decode(errors="replace")
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(errors="replace")


def ingest(url, name, parts=None, raw=None, headers=None, **query):
    """POST /ingest with form parts or a raw body; name None leaves it out."""
    if parts is not None:
        body, content_type = form(parts)
    else:
        body, content_type = raw, "application/octet-stream"
    if name is not None:
        query["name"] = name
    target = f"{url.rstrip('/')}/ingest?{urllib.parse.urlencode(query)}"
    return post(target, body, {"Content-Type": content_type, **(headers or {})})


def push(url, name, profile):
    """Pushes as spanprof does."""
    now = time.time_ns()
    status, text = ingest(url, name, [("profile", "profile.pprof", profile)], spyName="spanprof",
                          **{"from": now - 10_000_000_000, "until": now})
    if status != 200:
        raise QueryError(status, text)
