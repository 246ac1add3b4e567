# SPDX-License-Identifier: Apache-2.0
"""Are the stacks right? Real programs under load with SPANPROF_VERIFY_STACKS: every stack that a handler
walked is walked again by libunwind, over a copy, and compared frame by frame; and every stack ends at
its thread's root. Prints a line for each program, and what was not so with its reason."""
import contextlib
import itertools
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import hosts
import nginxhost
import pytest
import servers
from hosts import build, room  # noqa: F401 (fixtures)

PROGRAMS = hosts.ROOT / "test" / "programs"
SECONDS = 10  # of CPU time, for each program
WALL_SECONDS = 25  # the longest a server is under load for that
LEAST = 3  # seconds of CPU time, however long they take
RATE = "1000"  # what the kernel's jiffy makes of it: one signal each, HZ a CPU second
ENOUGH = 500  # samples; an idle machine takes thousands, but this one may be busy
SHARE = 0.995
POSTGRES_USER = "nobody"
# LuaJIT's traces keep no frame pointer and describe themselves to nobody but libgcc: where a sample falls
# into one, or into what it calls, the stack is cut there, and says so.
LUAJIT_TRACES = 0.75

COUNTS = re.compile(r"agent: (?:stacks|stack ends): ((?:\w+=\d+ ?)+)$", re.M)
PLACE = re.compile(r"agent: stacks: (\w+) (\d+) at (.*)$", re.M)
STEP = re.compile(r"agent: (process \d+: a? ?stacks? of .*|  (?:both|handler|libunwind) \d+: .*)$", re.M)


class Verified:
    """What all the agents of a room said."""

    def __init__(self, log):
        self.counts, self.places = {}, {}
        for agent in self.last_words(log):
            for key, value in agent.items():
                self.counts[key] = self.counts.get(key, 0) + value
        for what, n, place in PLACE.findall(log):
            self.places[what, place] = self.places.get((what, place), 0) + int(n)
        self.steps = STEP.findall(log)

    @staticmethod
    def last_words(log):
        """Figures are said with each report, and grow; what an agent said last counts."""
        said = COUNTS.findall(log)
        for stacks, ends in zip(said[::2], said[1::2]):
            yield {f"{kind}.{pair.split('=')[0]}": int(pair.split("=")[1])
                   for kind, text in (("stacks", stacks), ("ends", ends)) for pair in text.split()}

    @property
    def samples(self):
        return sum(n for key, n in self.counts.items() if key.startswith("ends."))

    @property
    def checked(self):
        return self.counts.get("stacks.checked", 0)

    @property
    def rooted(self):
        return (self.counts["ends.root"] + self.counts["ends.entry"]) / self.samples

    @property
    def agreeing(self):
        return sum(self.counts[f"stacks.{k}"] for k in ("agree", "guessed", "frameless")) / self.checked

    def reasons(self):
        """Of what is not as it should be: kind and number."""
        kinds = ["stacks.disagree", "stacks.slice", "stacks.stopped", "ends.zero", "ends.limit",
                 "ends.slice", "ends.no_code", "ends.lost"]
        return ", ".join(f"{k} {self.counts[k]}" for k in kinds if self.counts.get(k)) or "-"

    def show(self, name):
        print(f"\n| {name} | {self.samples} | {self.rooted:.2%} | {self.checked} | "
              f"{self.agreeing:.2%} | {self.counts['stacks.guessed']} | {self.counts['stacks.frameless']} | {self.reasons()} |")
        for (what, place), n in sorted(self.places.items(), key=lambda item: -item[1]):
            print(f"    {n} {what} at {place}")
        for line in self.steps:
            print("    " + line)


def check(room, name, rooted=SHARE, walked=0.95):
    """walked: by the tables. They serve nearly all, or else agreement would say little."""
    room.settle()
    log = hosts.read_bytes(room.log).decode(errors="replace")
    assert COUNTS.search(log), log
    seen = Verified(log)
    seen.show(name)
    assert seen.samples >= ENOUGH
    assert seen.checked >= walked * seen.samples, seen.counts
    assert seen.rooted >= rooted, seen.counts
    assert seen.agreeing >= SHARE, seen.counts


def environment(room, **more):
    return room.environment(SPANPROF_VERIFY_STACKS="1", SPANPROF_SAMPLE_RATE=RATE,
                            SPANPROF_LOG_LEVEL="info", PYROSCOPE_UPLOAD_INTERVAL="10m", **more)


def tool(*command, **how):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=hosts.RUN_SECONDS,
                          stdin=subprocess.DEVNULL, **how)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def run(room, name, *command):
    done = subprocess.run([str(c) for c in command], env=environment(room), cwd=room.dir,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=hosts.RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    check(room, name)
    return done.stdout


@contextlib.contextmanager
def server(room, *command, **how):
    process = subprocess.Popen([str(c) for c in command], env=environment(room), cwd=room.dir,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True, **how)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(hosts.SETTLE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def cpu_seconds(pid):
    """Of a process, its descendants, and those it has waited for."""
    used, parents = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        fields = hosts.read_bytes(f"/proc/{entry}/stat").rpartition(b")")[2].split()
        if fields:
            parents[int(entry)] = int(fields[1])
            used[int(entry)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    tree = {pid}
    while more := {p for p, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(used.get(p, 0) for p in tree)


def busy(process):
    """While it has not had its share: all of it, or as much as it gets in the time, but enough."""
    begun, before, used = time.monotonic(), cpu_seconds(process.pid), 0
    while used < LEAST or (used < SECONDS and time.monotonic() - begun < WALL_SECONDS):
        assert time.monotonic() - begun < hosts.RUN_SECONDS, f"{used} s used"
        yield
        used = cpu_seconds(process.pid) - before


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}")


# nginx

NGINX = """
daemon off;
user root;
worker_processes 2;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {dir}/access.log;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    gzip on;
    gzip_comp_level 9;
    gzip_min_length 1;
    gzip_types *;
    map $uri $kind {{ ~^/(a+)+b page; ~*\\.(html|txt)$ text; default other; }}
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {dir}/cert.pem;
        ssl_certificate_key {dir}/key.pem;
        root {dir}/www;
        add_header X-Kind $kind;
        location /ssi/ {{ ssi on; sub_filter word other; sub_filter_once off; }}
        location /list/ {{ autoindex on; alias {dir}/www/; }}
        location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/; }}
        location ~ ^/re/([a-z]+)/([0-9]*)$ {{ rewrite ^/re/(.*)/(.*)$ /page.html?$2-$1 last; }}
    }}
}}
"""
NGINX_PATHS = ["/page.html", "/ssi/page.shtml", "/list/", "/proxy/page.html", "/re/abc/123", "/none"]


def nginx_files(room):
    www = room.dir / "www"
    (www / "ssi").mkdir(parents=True)
    (www / "page.html").write_text("".join(f"<p>word {i * 7919 % 1009}</p>\n" for i in range(8000)))
    parts = "".join(f'<!--#if expr="$arg_n = {i}" -->word<!--#else -->other<!--#endif -->'
                    f'<!--#set var="v{i}" value="word" --><!--#echo var="v{i}" -->\n' for i in range(200))
    (www / "ssi" / "page.shtml").write_text('<!--#include virtual="/page.html" -->' + parts)
    for i in range(50):
        (www / f"file{i}.txt").write_text("x")
    tool("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", room.dir / "key.pem", "-out", room.dir / "cert.pem", "-days", "2",
         "-subj", "/CN=localhost")


def ask(port, done, tls):
    """Requests on kept connections, over TLS on a new one now and then."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while not done.is_set():
        with socket.create_connection(("127.0.0.1", port), 10) as plain, \
                (context.wrap_socket(plain) if tls else contextlib.nullcontext(plain)) as s:
            for path in NGINX_PATHS * (1 if tls else 20):
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n".encode())
                answer = b""
                while not (answer.endswith(b"0\r\n\r\n") or
                           (b"\r\n\r\n" in answer and b"Transfer-Encoding" not in answer)):
                    more = s.recv(1 << 16)
                    assert more, answer[:200]
                    answer += more


@needs("nginx", "openssl")
def test_nginx(room):  # noqa: F811
    ports = servers.free_ports(["plain", "tls"])
    nginx_files(room)
    (room.dir / "nginx.conf").write_text(
        NGINX.format(dir=room.dir, port=ports["plain"], tls=ports["tls"]))
    with server(room, shutil.which("nginx"), "-c", room.dir / "nginx.conf", "-p", room.dir) as nginx:
        hosts.wait_until(lambda: answers(ports["tls"]), 60, "nginx up")
        done = threading.Event()
        clients = [threading.Thread(target=ask, args=(ports[which], done, which == "tls"))
                   for which in ("plain", "plain", "tls")]
        for c in clients:
            c.start()
        for _ in busy(nginx):
            time.sleep(0.1)
        done.set()
        for c in clients:
            c.join()
    check(room, "nginx")


LUA = """
daemon off;
user root;
worker_processes 2;
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    init_by_lua_block {{
        if "{jit}" == "off" then jit.off() end
        local function less(a, b) return a < b end
        local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        function work(seconds)
            local stop, s = os.clock() + seconds, 0
            while os.clock() < stop do
                local t = {{}}
                for i = 1, 300 do t[i] = (i * 7919) % 1009 end
                table.sort(t, less)
                for i = 1, 300 do s = s + t[i] % 7 end
                s = s + fib(12) + #string.rep("ab", 50):gsub("a", function(c) return c .. c end)
                local ok, e = pcall(function() error("x" .. s) end)
                s = s + #ngx.md5(e)
            end
            return s
        end
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ content_by_lua_block {{ ngx.say(work({seconds})) }} }}
    }}
}}
"""


@needs("nginx")
@pytest.mark.parametrize("jit, rooted", [("off", SHARE), ("on", LUAJIT_TRACES)])
@pytest.mark.skipif(not pathlib.Path(nginxhost.MODULES, "ngx_http_lua_module.so").exists(),
                    reason="no Lua module")
def test_luajit(room, jit, rooted):  # noqa: F811
    port = servers.free_ports(["lua"])["lua"]
    (room.dir / "nginx.conf").write_text(LUA.format(
        dir=room.dir, port=port, modules=nginxhost.MODULES, jit=jit, seconds=0.5))
    with server(room, shutil.which("nginx"), "-c", room.dir / "nginx.conf", "-p", room.dir) as nginx:
        hosts.wait_until(lambda: answers(port), 60, "nginx up")
        for _ in busy(nginx):
            for client in [subprocess.Popen(["curl", "-s", "-m", "20", f"http://127.0.0.1:{port}/"],
                                            stdout=subprocess.DEVNULL) for _ in range(2)]:
                assert client.wait(25) == 0
    check(room, f"nginx, LuaJIT {jit}", rooted, min(rooted, 0.95))


# redis

REDIS_LUA = """
local t, s = {}, 0
for i = 1, 300 do t[i] = (i * 7919) % 1009 end
table.sort(t, function(a, b) return a < b end)
for i, v in ipairs(t) do s = s + v; redis.call('ZADD', KEYS[1], v, 'm' .. i) end
local ok, e = pcall(function() error({code = s}) end)
return cjson.encode({sum = s, text = string.rep('x', 100):gsub('x', 'yz'), ok = ok})
"""
REDIS_LOADS = [
    ["-t", "set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,zpopmin,lrange,mset", "-n", "10000"],
    ["-n", "3000", "eval", REDIS_LUA, "1", "sorted:__rand_int__"],
    ["-n", "200", "sort", "mylist", "limit", "0", "10", "alpha"],
    ["-n", "20000", "zrangebyscore", "sorted:1", "-inf", "+inf", "withscores"],
]


@needs("redis-server", "redis-benchmark", "redis-cli")
def test_redis(room):  # noqa: F811
    port = servers.free_ports(["redis"])["redis"]
    with server(room, shutil.which("redis-server"), "--port", port, "--bind", "127.0.0.1",
                "--save", "", "--dir", room.dir, "--io-threads", "2", "--io-threads-do-reads", "yes") as redis:
        hosts.wait_until(lambda: answers(port), 60, "redis up")
        for load in itertools.takewhile(lambda _, more=busy(redis): next(more, 0) is None,
                                        itertools.cycle(REDIS_LOADS)):
            tool("redis-benchmark", "-p", port, "-q", "-P", "16", "-c", "20", "-r", "1000", *load)
        tool("redis-cli", "-p", port, "save")
    check(room, "redis-server")


# PostgreSQL

POSTGRES_LOAD = """
\\set n random(1, 100000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :n;
SELECT sum(abalance), count(DISTINCT bid) FROM pgbench_accounts WHERE aid BETWEEN :n AND :n + 500;
SELECT b.bid, max(a.filler) FROM pgbench_accounts a JOIN pgbench_branches b USING (bid)
    WHERE a.aid % 97 = 3 AND a.aid < 5000 GROUP BY 1 ORDER BY 2;
SELECT jsonb_agg(to_jsonb(a)) #>> '{3,filler}' FROM pgbench_accounts a WHERE aid BETWEEN :n AND :n + 40;
SELECT regexp_replace(repeat('aaaab', 20), '(a+)+b', '\\1', 'g'), md5(:n::text), walk(5);
WITH RECURSIVE r(i, t) AS (SELECT 1, '1' UNION ALL SELECT i + 1, t || i FROM r WHERE i < 60)
    SELECT max(length(t)), string_agg(t, ',' ORDER BY i DESC) FROM r;
SAVEPOINT s;
SELECT fails(:n);
END;
"""
POSTGRES_FUNCTIONS = """
CREATE FUNCTION walk(n int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN RETURN CASE WHEN n > 0 THEN walk(n - 1) + (SELECT count(*) FROM pgbench_tellers) ELSE 1 END; END $$;
CREATE FUNCTION fails(n int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN PERFORM 1 / (n - n); RETURN 0; EXCEPTION WHEN division_by_zero THEN RETURN 1; END $$;
"""


def postgres_binaries():
    """Each build on the machine once, with the initdb that belongs to it."""
    found = {}
    for directory in [*sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin")),
                      *map(pathlib.Path, os.environ["PATH"].split(":"))]:
        binary, initdb = directory / "postgres", directory / "initdb"
        if binary.exists() and initdb.exists():
            found.setdefault(binary.resolve(), (binary, initdb))
    return list(found.values())


@needs("psql", "pgbench")
@pytest.mark.parametrize("postgres, initdb", postgres_binaries(), ids=str)
def test_postgres(room, postgres, initdb):  # noqa: F811
    port = str(servers.free_ports(["postgres"])["postgres"])
    data, load = room.dir / "data", room.dir / "load.sql"
    data.mkdir()
    shutil.chown(data, POSTGRES_USER)
    load.write_text(POSTGRES_LOAD)
    as_user = {"user": POSTGRES_USER, "extra_groups": [], "cwd": room.dir}
    try:
        tool(initdb, "-D", data, "-A", "trust", "-U", "bench", "--no-sync", **as_user)
    except AssertionError as e:
        pytest.skip(f"{initdb} does not work here: {str(e)[-200:]}")
    client = ["-h", "127.0.0.1", "-p", port, "-U", "bench"]
    with server(room, postgres, "-D", data, "-p", port, "-k", data, "-c", "listen_addresses=127.0.0.1",
                "-c", "fsync=off", "-c", "jit=off", user=POSTGRES_USER, extra_groups=[]) as server_process:
        hosts.wait_until(lambda: not subprocess.run(
            ["psql", *client, "-c", "select 1", "postgres"], capture_output=True).returncode,
            20, "postgres up")
        tool("pgbench", *client, "-i", "-q", "-s", "1", "postgres")
        tool("psql", *client, "-c", POSTGRES_FUNCTIONS, "postgres")
        for _ in busy(server_process):
            tool("pgbench", *client, "-n", "-c", "3", "-T", 2, "-f", load, "postgres")
    check(room, f"postgres ({postgres})")


# Interpreters, run-time compilers


def pythons():
    found = [pathlib.Path("/usr/bin/python3")]
    newest = sorted(pathlib.Path.home().glob(".pyenv/versions/3.*/bin/python3"),
                    key=lambda p: [int(n) for n in re.findall(r"\d+", p.parts[-3])])
    return [p for p in found + newest[-1:] if p.exists()]


@pytest.mark.parametrize("python", pythons(), ids=str)
def test_python(room, python):  # noqa: F811
    run(room, f"python3 ({python})", python, PROGRAMS / "stacks.py", SECONDS)


CHAIN = """
function leaf(x) { return (x * 31 + 7) | 0; }
function middle(x) { return leaf(x) + leaf(x + 1) | 0; }
function upper(x) { let s = 0; for (let i = 0; i < 1000; i++) s = (s + middle(i ^ x)) | 0; return s; }
function used() { const cpu = process.cpuUsage(); return (cpu.user + cpu.system) / 1e6; }
let sum = 0;
while (used() < %d) for (let i = 0; i < 1000; i++) sum += upper(sum & 255);
"""


def callers(profiles, callee):
    """{direct caller: samples} of the JavaScript function that execution was in."""
    found = {}
    for profile in profiles:
        for s in profile.samples:
            names = [name.removeprefix("JS:").lstrip("*^~+").split(" ")[0] for name in s.stack[-2:]]
            if names[-1:] == [callee]:
                found[names[0]] = found.get(names[0], 0) + s.values[0]
    return found


@needs("node")
def test_short_functions_have_their_callers(room):  # noqa: F811
    """Of code that nobody describes libunwind knows nothing, but V8 tells the names. Functions as short
    as these spend half their time before their frame is there or after it is gone."""
    (room.dir / "chain.js").write_text(CHAIN % (SECONDS // 2))
    before = set(pathlib.Path("/tmp").glob("perf-*.map"))
    try:
        done = subprocess.run(
            [shutil.which("node"), "--perf-basic-prof", "--no-turbo-inlining", room.dir / "chain.js"],
            env=environment(room), cwd=room.dir, stdin=subprocess.DEVNULL, timeout=hosts.RUN_SECONDS)
        assert done.returncode == 0
        room.settle()
    finally:
        for path in set(pathlib.Path("/tmp").glob("perf-*.map")) - before:
            if "chain.js" in path.read_text(errors="replace"):
                path.unlink()
    profiles = [hosts.minipprof.read(path) for path in room.files()]
    for callee, caller in (("leaf", "middle"), ("middle", "upper")):
        found = callers(profiles, callee)
        print(f"\n{callee}: {found}")
        assert sum(found.values()) > 200
        assert found[caller] >= 0.99 * sum(found.values())


@needs("node")
@pytest.mark.parametrize("options", [[], ["--perf-basic-prof"]], ids=lambda o: " ".join(o) or "plain")
def test_node(room, options):  # noqa: F811
    """V8 writes its map beside those of all other processes; it goes with the test."""
    before = set(pathlib.Path("/tmp").glob("perf-*.map"))
    try:
        run(room, " ".join(["node", *options]), shutil.which("node"), *options, PROGRAMS / "stacks.js",
            SECONDS)
    finally:
        for path in set(pathlib.Path("/tmp").glob("perf-*.map")) - before:
            if "JSON" in path.read_text(errors="replace"):
                path.unlink()


# Exceptions and panics


@needs("g++")
def test_cpp_exceptions_through_three_libraries(room):  # noqa: F811
    options = ["g++", "-std=c++17", "-O2", f"-L{room.dir}", "-Wl,-rpath,$ORIGIN"]
    needed = []
    for part in ("inner", "middle", "outer"):
        tool(*options, "-fPIC", "-shared", PROGRAMS / f"throws_{part}.cc", "-o",
             room.dir / f"libthrows_{part}.so", *needed)
        needed.insert(0, f"-lthrows_{part}")
    tool(*options, PROGRAMS / "throws.cc", "-o", room.dir / "throws", *needed, "-pthread")
    assert run(room, "C++ exceptions", room.dir / "throws", SECONDS).startswith("caught ")


@pytest.mark.skipif(not pathlib.Path("/usr/bin/rustc").exists(), reason="no rustc of the system's")
def test_rust_panics(room):  # noqa: F811
    tool("/usr/bin/rustc", "-O", "-o", room.dir / "panics", PROGRAMS / "panics.rs")
    assert run(room, "Rust panics", room.dir / "panics", SECONDS).startswith("caught ")
