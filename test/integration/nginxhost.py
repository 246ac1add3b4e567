# SPDX-License-Identifier: Apache-2.0
"""nginx as a host under test: its own configuration, port and directory, bare or profiled, and
always reaped: master, workers, the masters that an upgrade made, and the agent.

    with nginxhost.run(launched("shop", output=directory)) as nginx:
        nginx.burn("md5", 100, nginxhost.Trace(1))     # 100 ms of CPU; says what it really took
"""
import contextlib
import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "scripts" / "spanprof"
LIBRARY = os.environ.get("SPANPROF_LIBRARY", str(ROOT / "build" / "libspanprof.so"))
MODULES = pathlib.Path("/usr/share/nginx/modules")
NEEDED = ["ndk_http_module.so", "ngx_http_lua_module.so"]
WORKER_USER = "www-data"
START_S = 60  # these say that something hangs; how long it takes is the machine's affair
STOP_S = 60
AGENT_GONE_S = 60  # the same of an agent, which lingers 10 s at most
POLL_S = 0.02

# Each request burns in one C function and answers the CPU that it took by the thread's own clock.
CONFIG = """
{modules}
daemon {daemon};
{user}
{env}
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log {dir}/access.log;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 100000;
    large_client_header_buffers 8 32k;
    init_by_lua_block {{
        local ffi = require "ffi"
        ffi.cdef[[
            struct burn_time {{ long s, ns; }};
            int clock_gettime(int, struct burn_time *);
        ]]
        local time = ffi.new("struct burn_time")
        local function cpu()
            ffi.C.clock_gettime(3, time)
            return tonumber(time.s) * 1e9 + tonumber(time.ns)
        end
        local text = string.rep("x", 16384)
        function burn(hash)
            local start, ms = cpu(), tonumber(ngx.var.arg_ms) * 1e6
            ngx.req.read_body()
            while cpu() - start < ms do
                for i = 1, 10 do hash(text) end
            end
            ngx.say(string.format("%d %d", ngx.worker.pid(), cpu() - start))
        end
    }}
    server {{
        listen 127.0.0.1:{port} {listen};
        location = /md5 {{ content_by_lua_block {{ burn(ngx.md5) }} }}
        location = /sha1 {{ content_by_lua_block {{ burn(ngx.sha1_bin) }} }}
        location = /base64 {{ content_by_lua_block {{ burn(ngx.encode_base64) }} }}
        location = /pid {{ content_by_lua_block {{ ngx.say(ngx.worker.pid()) }} }}
        location / {{ root {dir}/www; }}
    }}
}}
"""
# Where the burning shows.
FUNCTION = {"md5": "ngx_md5_update", "sha1": "ngx_sha1_update",
            "base64": "ngx_http_lua_ffi_encode_base64"}


def missing():
    """Why nginx cannot be tested here, or None."""
    if not shutil.which("nginx"):
        return "no nginx"
    absent = [name for name in NEEDED if not (MODULES / name).exists()]
    return f"nginx has no {', '.join(absent)} (libnginx-mod-http-lua)" if absent else None


@dataclass(frozen=True)
class Trace:
    """A trace with one span; number makes both ids."""
    number: int
    flags: str = "01"

    @property
    def trace_id(self):
        return f"4bf92f3577b34da6a3ce929d{self.number:08x}"

    @property
    def span_id(self):
        return f"00f067aa{self.number:08x}"

    @property
    def header(self):
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


# How it is started


@dataclass
class Start:
    command: list = field(default_factory=list)
    env: dict = field(default_factory=dict)
    service: str = ""  # names the agent; tests take each name once


def bare():
    return Start()


def settings(service, server=None, output=None, **env):
    out = {"PYROSCOPE_APPLICATION_NAME": service, "PYROSCOPE_UPLOAD_INTERVAL": "1s",
           "SPANPROF_LIBRARY": LIBRARY, **env}
    if server:
        out["PYROSCOPE_SERVER_ADDRESS"] = server
    if output:
        out["SPANPROF_OUTPUT_DIR"] = str(output)
    return out


def launched(service, **rest):
    """Through scripts/spanprof: attached from the start, so that all workers share one agent."""
    return Start([str(LAUNCHER), "run"], settings(service, **rest), service)


def preloaded(service, **rest):
    """The environment alone: each worker attaches on its own, as the user it became."""
    return Start([], {"LD_PRELOAD": LIBRARY, **settings(service, **rest)}, service)


# Processes, as /proc has them


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def processes():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def stat(pid):
    """The fields after the name: state, parent, group, session, ...; [] if it is gone."""
    return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def alive(pid):
    fields = stat(pid)
    return bool(fields) and fields[0] not in (b"Z", b"X")


def children(pid):
    return [p for p in processes() if alive(p) and stat(p)[1:2] == [b"%d" % pid]]


def cpu_ns(pid):
    """Of one thread, by its number, a process's first one, or by its directory in /proc."""
    return int((read(pathlib.Path("/proc") / str(pid) / "schedstat").split() or [0])[0])


def agents(service):
    marker = b"PYROSCOPE_APPLICATION_NAME=" + service.encode()
    return [p for p in processes() if read(f"/proc/{p}/comm").strip() == b"spanprof-agent"
            and alive(p) and marker in read(f"/proc/{p}/environ").split(b"\0")]


def clear_of_an_interval():
    """Waits, now and then, so that the next minute, in which a busy machine does what others do in five
    seconds, holds no end of an upload interval of ten minutes."""
    left = 600 - time.time() % 600
    if left < 60:
        time.sleep(left + 0.1)


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(POLL_S)


# A client


class Connection(http.client.HTTPConnection):
    """Kept alive; each request answers (worker, CPU in ns)."""

    def ask(self, path, trace=None, body=None, headers=None):
        headers = dict(headers or {})
        if trace:
            headers["traceparent"] = trace.header
        self.request("POST" if body else "GET", path, body, headers)
        reply = self.getresponse()
        text = reply.read()
        assert reply.status == 200, (reply.status, text)
        return text

    def burn(self, what, ms, trace=None, **more):
        pid, ns = self.ask(f"/{what}?ms={ms}", trace, **more).split()
        return int(pid), int(ns)


class Nginx:
    def __init__(self, start, directory, workers, listen, daemon):
        self.start = start
        self.daemon = daemon
        self.directory = directory
        self.workers_wanted = workers
        self.port = servers.free_ports(["http"])["http"]
        self.error_log = directory / "error.log"
        self.access_log = directory / "access.log"
        self.pid_file = directory / "nginx.pid"
        self.process = None
        self.master = 0
        self._sessions = set()
        self._write_config(listen)

    def _write_config(self, listen):
        (self.directory / "www").mkdir()
        (self.directory / "www" / "file").write_bytes(b"x" * 1024)
        # A new binary gets no variable but those that are named.
        env = "".join(f"env {name};" for name in ("LD_PRELOAD", *self.start.env))
        user = f"user {WORKER_USER};" if os.geteuid() == 0 else ""
        modules = "".join(f"load_module {MODULES / name};" for name in NEEDED)
        text = CONFIG.format(dir=self.directory, port=self.port, workers=self.workers_wanted,
                             listen=listen, user=user, modules=modules,
                             daemon="on" if self.daemon else "off",
                             env=env)
        (self.directory / "nginx.conf").write_text(text)

    def launch(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("SPANPROF_", "PYROSCOPE_", "OTEL_", "LD_PRELOAD"))}
        self.process = subprocess.Popen(
            [*self.start.command, shutil.which("nginx"), "-c", str(self.directory / "nginx.conf"),
             "-e", str(self.error_log)],
            env={**env, **self.start.env}, cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=(self.directory / "stderr").open("wb"),
            start_new_session=True, preexec_fn=stop_with_parent)
        if self.daemon:
            assert self.process.wait(START_S) == 0
        until(self._is_up, START_S, f"nginx up; its log: {read(self.error_log)!r}")

    def _is_up(self):
        if not self.daemon and self.process.poll() is not None:
            raise AssertionError(f"nginx exited with {self.process.returncode}: "
                                 f"{read(self.error_log)!r} {read(self.directory / 'stderr')!r}")
        # Not our child if it is a daemon, or behind a launcher that stays.
        self.master = self.pid_in_file()
        return (len(self.workers()) == self.workers_wanted
                and servers.get(f"http://127.0.0.1:{self.port}/pid")[0] == 200)

    # What there is

    def pid_in_file(self):
        """0 while there is none."""
        text = read(self.pid_file).strip()
        return int(text) if text.isdigit() else 0

    def workers(self, master=None):
        if not (master := master or self.master):
            return []
        return [p for p in children(master)
                if read(f"/proc/{p}/cmdline").startswith(b"nginx: worker process\0")
                or read(f"/proc/{p}/cmdline").rstrip(b"\0 ") == b"nginx: worker process"]

    def processes(self):
        """All of the sessions of our masters, whose titles keep the command line."""
        mark = str(self.directory).encode()
        for pid in processes():
            if mark in read(f"/proc/{pid}/cmdline"):
                self._sessions |= set(stat(pid)[3:4])
        self._sessions.add(b"%d" % self.process.pid)
        self._sessions.discard(b"%d" % os.getsid(0))
        return [p for p in processes() if alive(p) and self._sessions & set(stat(p)[3:4])]

    def agents(self):
        return agents(self.start.service) if self.start.service else []

    def complaints(self):
        """Lines of the error log that tell of trouble."""
        return [line for line in self.error_log.read_text().splitlines()
                if any(f"[{level}]" in line for level in ("emerg", "alert", "crit", "error"))]

    # Requests

    def connect(self):
        return Connection("127.0.0.1", self.port, timeout=30)

    def burn(self, what, ms, trace=None, **more):
        with contextlib.closing(self.connect()) as connection:
            return connection.burn(what, ms, trace, **more)

    def connection_to_each_worker(self):
        """{worker: connection}; which one accepts is chance (reuseport makes it an even one)."""
        found = {}
        for _ in range(100):
            connection = self.connect()
            pid = int(connection.ask("/pid"))
            if pid in found:
                connection.close()
            found.setdefault(pid, connection)
            if len(found) == self.workers_wanted:
                return found
        raise AssertionError(f"only {list(found)} of the workers answer")

    # Life

    def tell(self, signum):
        os.kill(self.master, signum)

    def reload(self):
        """Returns when the old workers are gone, whose title changes while they finish, and the new ones
        are there."""
        old = set(self.workers())
        self.tell(signal.SIGHUP)
        until(lambda: not any(map(alive, old)) and len(self.workers()) == self.workers_wanted,
              STOP_S, "new workers after a reload")

    def upgrade(self):
        """A new master by USR2 takes over; the old one's workers go, then it. A master that is not
        orphaned (a daemon is) ignores the first signal."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        until(lambda: self.pid_in_file() not in (0, old)
              and len(self.workers(self.pid_in_file())) == self.workers_wanted,
              STOP_S, "a new master with its workers")
        self.master = self.pid_in_file()
        os.kill(old, signal.SIGWINCH)
        until(lambda: not self.workers(old), STOP_S, "the old workers gone")
        os.kill(old, signal.SIGQUIT)
        until(lambda: not alive(old), STOP_S, "the old master gone")

    def stop(self, signum=signal.SIGQUIT):
        """The exit status; None for a daemon, which is not our child."""
        self.tell(signum)
        status = None
        if not self.daemon:
            status = self.process.wait(STOP_S)
        else:
            until(lambda: not alive(self.master), STOP_S, "the master gone")
        until(lambda: not self.processes(), STOP_S, "all nginx processes gone")
        return status

    def timed_stop(self):
        """(exit status, seconds)"""
        begin = time.monotonic()
        status = self.stop()
        return status, time.monotonic() - begin

    def wait_agent_gone(self):
        """How long it took."""
        start = time.monotonic()
        until(lambda: not self.agents(), AGENT_GONE_S, "the agent gone")
        return time.monotonic() - start

    def reap(self):
        if not self.process:
            return
        # Again and again: one that is just being born is seen late.
        until(lambda: not [kill(pid, signal.SIGKILL) for pid in self.processes()], STOP_S,
              "killed nginx gone")
        self.process.wait()
        for pid in self.agents():
            kill(pid, signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            until(lambda: not self.agents(), 5, "the agent gone after SIGTERM")
        for pid in self.agents():
            kill(pid, signal.SIGKILL)


def kill(pid, signum):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def stop_with_parent():
    ctypes.CDLL(None).prctl(servers.PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def run(start, workers=2, listen="", daemon=False):
    # Not pytest's directory: only the owner may enter that, and workers become another user.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="spanprof-nginx-"))
    directory.chmod(0o755)
    host = Nginx(start, directory, workers, listen, daemon)
    try:
        host.launch()
        yield host
    finally:
        host.reap()
        shutil.rmtree(directory, ignore_errors=True)
