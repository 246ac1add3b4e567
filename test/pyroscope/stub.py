# SPDX-License-Identifier: Apache-2.0
"""An ingest server for the faults that a real one does not produce on demand.

Without faults it takes and refuses what the real ones do: the rules below were compared with both
by test/integration/test_servers.py, which holds it to them.

    with Stub() as stub:
        stub.fail(503, times=2)         # then as usual; also fail(429), fail(503, path=PROBE)
        stub.slow(3.0); stub.hang(); stub.disconnect()
        stub.stored                     # [Stored(...)]
"""
import email.parser
import email.policy
import gzip
import http.server
import json
import re
import threading
import time
import urllib.parse
import zlib
from dataclasses import dataclass

import minipprof

INGEST = "/ingest"
PROBE = "/api/v1/status/buildinfo"
FOREVER = 1 << 30
SAMPLES_MAX = 16_000
PROFILE_BYTES_MAX = 4 << 20
BURST_BYTES = 2 << 20
OLDEST_NS = 3600 * 10**9
NEWEST_NS = 600 * 10**9
NAME = re.compile(r"\s*[a-zA-Z0-9_.\-/]+\s*(\{.*)?$", re.DOTALL)


@dataclass
class Stored:
    name: str
    query: dict
    headers: dict
    raw: bytes
    profile: minipprof.Profile
    config: dict


@dataclass
class Fault:
    path: str
    kind: str
    value: object
    times: int


class Refused(Exception):
    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code = status, code


def unprocessable(text):
    return Refused(422, "unknown", text)


def read_form(headers, body):
    """{name: bytes} of the parts with a file name: the others are not files, and ignored."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    if not form.is_multipart() or form.defects:
        raise unprocessable("multipart: NextPart: EOF")
    return {part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True)
            for part in form.iter_parts() if part.get_filename()}


def read_config(data):
    try:
        return json.loads(data)
    except ValueError as e:
        raise unprocessable(f"sample_type_config: {e}") from None


def decode(raw):
    try:
        plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        profile = minipprof.Decoder(plain).profile()  # unzips only once, as the servers do
    except (ValueError, LookupError, EOFError, OSError, zlib.error) as e:
        raise unprocessable(f"invalid profile: {e}") from None
    return plain, profile


def check_limits(plain, profile, old):
    if len(plain) > PROFILE_BYTES_MAX:
        raise unprocessable("profile size limit exceeded")
    if len(profile.samples) > SAMPLES_MAX:
        raise unprocessable("the profile exceeds the samples count limit")
    if any(len(s.values) != len(profile.sample_types) for s in profile.samples):
        raise unprocessable("sample values do not match the sample types")
    now = time.time_ns()
    if profile.time_nanos and not now - OLDEST_NS <= profile.time_nanos <= now + NEWEST_NS:
        raise unprocessable("profile is outside of ingestion window")
    if len(plain) > BURST_BYTES:
        raise Refused(422 if old else 429, "resource_exhausted",
                      "resource_exhausted: push rate limit (4.0 MiB) exceeded")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def refuse(self, status, code, text):
        self.answer(status, json.dumps({"code": code, "message": text}))

    def handle_request(self, usual):
        stub = self.server.stub
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = stub.begin(url.path)
        if fault and fault.kind == "disconnect":
            self.close_connection = True
            return
        if fault and fault.kind == "hang":
            stub.closing.wait()
            self.close_connection = True
            return
        if fault and fault.kind == "slow":
            stub.closing.wait(fault.value)
        if fault and fault.kind == "status":
            self.refuse(fault.value, "unknown", "a fault of the stub")
            return
        try:
            usual(url, body)
        except Refused as e:
            self.refuse(e.status, e.code, str(e))

    def do_GET(self):
        self.handle_request(self.usual_get)

    def do_POST(self):
        self.handle_request(self.usual_post)

    def usual_get(self, url, _):
        version = self.server.stub.version
        if url.path == INGEST:
            raise Refused(405, "unknown", "method not allowed")
        if url.path != PROBE or version is None:
            raise Refused(404, "not_found", "404 page not found")
        self.answer(200, json.dumps({"status": "success", "data": {"version": version}}))

    def usual_post(self, url, body):
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path != INGEST:
            raise Refused(404, "not_found", "404 page not found")
        if not NAME.match(query.get("name", "")):
            raise Refused(400, "invalid_argument", "bad or missing name")
        # A format outweighs the content type: then the whole body is the profile. Without either the
        # servers read lines of text, and store or refuse as chance has it; the stub always refuses.
        if query.get("format") == "pprof":
            files = {"profile": body}
        else:
            files = read_form(self.headers, body)
        stub = self.server.stub
        # Nothing to store is a success, as a real server has it.
        if files.get("profile"):
            plain, profile = decode(files["profile"])
            check_limits(plain, profile, stub.is_old())
            config = read_config(files.get("sample_type_config") or b"{}")
            stub.store(Stored(query["name"], query, dict(self.headers), files["profile"], profile,
                              config))
        self.answer(200)


class HTTPServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # clients of a fault go away as they please


class Stub:
    """version None: a gateway that knows no build information."""

    def __init__(self, version="2.2.1", port=0):
        self.version = version
        self.requests = []  # (monotonic seconds, path) of everything that arrived
        self.closing = threading.Event()
        self._stored, self._faults, self._lock = [], [], threading.Lock()
        self._server = HTTPServer(("127.0.0.1", port), Handler)
        self._server.stub = self
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # Faults: the first that matches a path is used up first.

    def fault(self, kind, value=None, path=INGEST, times=FOREVER):
        with self._lock:
            self._faults.append(Fault(path, kind, value, times))

    def fail(self, status, **where):
        self.fault("status", status, **where)

    def slow(self, seconds, **where):
        self.fault("slow", seconds, **where)

    def hang(self, **where):
        self.fault("hang", **where)

    def disconnect(self, **where):
        self.fault("disconnect", **where)

    def heal(self):
        with self._lock:
            self._faults.clear()

    # Used by the handler

    def is_old(self):
        """Servers before 2.2 answer 422 to what is over a rate limit."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version or "")
        return bool(numbers) and tuple(map(int, numbers.groups())) < (2, 2)

    def begin(self, path):
        with self._lock:
            self.requests.append((time.monotonic(), path))
            for fault in self._faults:
                if fault.path == path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def store(self, stored):
        with self._lock:
            self._stored.append(stored)

    @property
    def stored(self):
        with self._lock:
            return list(self._stored)

    def wait_stored(self, n, timeout=10.0):
        """The first n or more, or fewer after timeout seconds."""
        deadline = time.monotonic() + timeout
        while len(self.stored) < n and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.stored
