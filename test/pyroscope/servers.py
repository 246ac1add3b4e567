# SPDX-License-Identifier: Apache-2.0
"""Starts real Pyroscope servers for tests: loopback only, free ports, all data in a directory that
goes with them. A server dies with its context, and with this process even if that is killed.

    with servers.pyroscope_v2(os.environ["PYROSCOPE_BIN"]) as server:
        server.url, server.client, server.log
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from client import Client

READY_S = 60
START_TRIES = 3  # a port found free may be taken before the server binds it
BUILD_S = 1800
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

COMMON = """
-target=all -self-profiling.disable-push=true -usage-stats.enabled=false -tracing.enabled=false
-server.http-listen-address=127.0.0.1 -server.http-listen-port={http}
-server.grpc-listen-address=127.0.0.1 -server.grpc-listen-port={grpc}
-memberlist.bind-addr=127.0.0.1 -memberlist.bind-port={gossip} -memberlist.advertise-addr=127.0.0.1
-distributor.ring.instance-addr=127.0.0.1 -overrides-exporter.ring.instance-addr=127.0.0.1
-query-frontend.instance-addr=127.0.0.1
"""
V2 = COMMON + """
-architecture.storage=v2 -segment-writer.lifecycler.addr=127.0.0.1
-storage.backend=filesystem -storage.filesystem.dir={dir}/shared
-metastore.data-dir={dir}/ms -metastore.raft.dir={dir}/raft -metastore.raft.snapshots-dir={dir}/snap
-metastore.address=127.0.0.1:{grpc} -query-backend.address=127.0.0.1:{grpc}
-metastore.raft.server-id=127.0.0.1:{raft} -metastore.raft.bind-address=127.0.0.1:{raft}
-metastore.raft.advertise-address=127.0.0.1:{raft}
-metastore.min-ready-duration=0 -segment-writer.min-ready-duration=0
"""
V1 = COMMON + """
-ingester.lifecycler.addr=127.0.0.1 -query-scheduler.ring.instance-addr=127.0.0.1
-store-gateway.sharding-ring.instance-addr=127.0.0.1 -compactor.ring.instance-addr=127.0.0.1
-pyroscopedb.data-path={dir}/v1 -ingester.min-ready-duration=0
"""


class ServerError(Exception):
    pass


class Server:
    def __init__(self, url, log):
        self.url = url
        self.log = log
        self.client = Client(url)


def free_ports(names):
    """Distinct, as all are held until the last is found."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for name in names:
            s = stack.enter_context(socket.socket())
            s.bind(("127.0.0.1", 0))
            ports[name] = s.getsockname()[1]
        return ports


def get(url):
    """(status, text); status 0 if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status, reply.read().decode(errors="replace")
    except urllib.error.HTTPError as e:
        return e.code, ""
    except OSError:
        return 0, ""


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_ready(url, version):
    if get(f"{url}/ready")[0] != 200:
        return False
    return version == 1 or "ACTIVE" in get(f"{url}/ring-segment-writer")[1]


def wait_ready(process, url, version, log):
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"exited with {process.returncode}: {tail(log)}")
        if is_ready(url, version):
            return
        time.sleep(0.1)
    raise ServerError(f"not ready after {READY_S} s: {tail(log)}")


def tail(path, size=2000):
    return path.read_text(errors="replace")[-size:]


def reap(process):
    # Its data goes anyway: nothing to shut down in order.
    process.kill()
    process.wait()


def launch(binary, flags, version, directory):
    ports = free_ports(["http", "grpc", "gossip", "raft"])
    log = directory / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen([binary, *flags.format(dir=directory, **ports).split()],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=directory,
                                   start_new_session=True, preexec_fn=die_with_parent)
    url = f"http://127.0.0.1:{ports['http']}"
    try:
        wait_ready(process, url, version, log)
    except BaseException:
        reap(process)
        raise
    return process, Server(url, log)


@contextlib.contextmanager
def run(binary, flags, version):
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"spanprof-pyroscope-v{version}-"))
    process = None
    try:
        for attempt in range(START_TRIES):
            try:
                process, server = launch(binary, flags, version, directory)
                break
            except ServerError as e:
                if attempt + 1 == START_TRIES or "address already in use" not in str(e):
                    raise
        yield server
    finally:
        if process:
            reap(process)
        shutil.rmtree(directory, ignore_errors=True)


def pyroscope_v2(binary):
    return run(binary, V2, 2)


def pyroscope_v1(binary):
    return run(binary, V1, 1)


def build_v1():
    """The path of the old server, built now if need be (minutes); ServerError says why not."""
    script = pathlib.Path(__file__).with_name("build-v1")
    try:
        done = subprocess.run([script], capture_output=True, text=True, timeout=BUILD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ServerError(str(e)) from None
    if done.returncode:
        raise ServerError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return done.stdout.strip()


def v2_binary():
    """PYROSCOPE_BIN, checked; ServerError says what is wrong with it."""
    binary = os.environ.get("PYROSCOPE_BIN")
    if not binary:
        raise ServerError("PYROSCOPE_BIN is unset")
    if not os.access(binary, os.X_OK):
        raise ServerError(f"PYROSCOPE_BIN={binary} is no executable")
    return os.path.abspath(binary)
