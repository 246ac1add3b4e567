# SPDX-License-Identifier: Apache-2.0
"""redis-server: a single busy thread beside idle ones, no HTTP anywhere. Its samples arrive, none
has ids, and it works and ends as without."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import minipprof
import nginxhost
import pytest
import servers
from nginxhost import bare, launched, until

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server")

BATCH = 400
BATCHES = 900
START_S = 10


class Redis:
    def __init__(self, start, directory):
        self.service = start.service
        self.port = servers.free_ports(["redis"])["redis"]
        self.log = directory / "redis.log"
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("SPANPROF_", "PYROSCOPE_", "OTEL_", "LD_PRELOAD"))}
        self.process = subprocess.Popen(
            [*start.command, shutil.which("redis-server"), "--port", str(self.port), "--bind",
             "127.0.0.1", "--save", "", "--appendonly", "no", "--logfile", str(self.log)],
            env={**env, **start.env}, cwd=directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=nginxhost.stop_with_parent)

    def is_up(self):
        assert self.process.poll() is None, nginxhost.read(self.log)
        with contextlib.suppress(OSError), self.connect() as s:
            s.sendall(b"PING\r\n")
            return s.recv(16) == b"+PONG\r\n"
        return False

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextlib.contextmanager
def redis(start, directory):
    host = Redis(start, directory)
    try:
        until(host.is_up, START_S, "redis up")
        yield host
    finally:
        host.process.kill()
        host.process.wait()
        for pid in nginxhost.agents(host.service) if host.service else []:
            nginxhost.kill(pid, signal.SIGTERM)
        if host.service:
            until(lambda: not nginxhost.agents(host.service), nginxhost.AGENT_GONE_S, "agent gone")


def answers(stream, n):
    """n replies of kinds that the load gets: a status, a number, a bulk string."""
    for _ in range(n):
        line = stream.readline()
        assert line[:1] in b"+:$", line
        if line[:1] == b"$":
            stream.read(int(line[1:]) + 2)


def load(host):
    """Reads, writes and sorts, in batches; how many commands were answered."""
    one = b"SET key:1 " + b"v" * 100 + b"\r\nGET key:1\r\nINCR n\r\nLPUSH list 1\r\n" \
        b"SORT big LIMIT 0 1 STORE sorted\r\n"
    count = one.count(b"\r\n")
    with host.connect() as s, s.makefile("rb") as stream:
        s.sendall(b"".join(b"SADD big %d\r\n" % (i * 7919 % 10007) for i in range(1000)))
        answers(stream, 1000)
        for _ in range(BATCHES):
            s.sendall(one * (BATCH // 40))
            answers(stream, count * (BATCH // 40))
    return 1000 + BATCHES * count * (BATCH // 40)


def run_once(start, directory):
    """(commands answered, exit status, complaints, CPU in ns)"""
    with redis(start, directory) as host:
        served = load(host)
        cpu = nginxhost.cpu_ns(host.process.pid)
        host.process.send_signal(signal.SIGTERM)
        status = host.process.wait(10)
        text = host.log.read_text()
        # Of the machine's settings redis warns at its start, whoever starts it.
        said = [line for line in text.splitlines() if " # " in line and "WARNING" not in line]
        return served, status, len(said), "bye bye" in text, cpu


def test_samples_have_names_and_no_ids_and_redis_ends_as_without(tmp_path):
    out = tmp_path / "profiles"
    *as_bare, _ = run_once(bare(), tmp_path)
    (tmp_path / "redis.log").unlink()
    *profiled, cpu = run_once(launched(f"redis.{os.getpid()}", output=out), tmp_path)
    assert profiled == as_bare
    assert as_bare[1] == 0 and as_bare[3]

    samples = [s for path in out.glob("*.pb.gz") for s in minipprof.read(path).samples]
    total = sum(s.values[1] for s in samples)
    functions = {name for s in samples for name in s.stack}
    named = sum(s.values[1] for s in samples if "call" in s.stack or "aeMain" in s.stack)
    print(f"{total / 1e9:.2f} s in samples of {cpu / 1e9:.2f} s, {len(functions)} functions, "
          f"with redis's own names {named / total:.0%}")
    assert cpu > 0.5e9, "the load is too small to say anything"
    assert abs(total - cpu) < 0.15 * cpu + 30e6
    assert not any({"trace_id", "span_id"} & set(s.labels) for s in samples)
    assert {"aeMain", "call"} <= functions and named > 0.5 * total
