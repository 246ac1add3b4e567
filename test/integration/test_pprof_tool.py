# SPDX-License-Identifier: Apache-2.0
"""The files are what pprof's own tool reads: the same totals, labels and functions that our tests'
decoder sees."""
import collections
import os
import re
import shutil
import subprocess

import minipprof
import nginxhost
import pytest
from nginxhost import FUNCTION, Trace, launched

pytestmark = [
    pytest.mark.skipif(nginxhost.missing() is not None, reason=str(nginxhost.missing())),
    pytest.mark.skipif(shutil.which("go") is None, reason="no go, whose pprof reads the files"),
]
SECONDS = {"s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "mins": 60, "": 1}
QUANTITY = re.compile(r"([0-9.]+)([a-zµ]*)$")
TRACES = {Trace(0x71): "md5", Trace(0x72): "sha1"}


def seconds(text):
    number, unit = QUANTITY.match(text).groups()
    return float(number) * SECONDS[unit]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The largest file of a short run, with its decoded content."""
    out = tmp_path_factory.mktemp("pprof")
    start = launched(f"pprof.{os.getpid()}", output=out, PYROSCOPE_UPLOAD_INTERVAL="10m")
    nginxhost.clear_of_an_interval()  # all is in one file
    with nginxhost.run(start, workers=1) as nginx:
        for trace, what in TRACES.items():
            nginx.burn(what, 300, trace)
        nginx.burn("md5", 200)
        nginx.stop()
        nginxhost.until(lambda: list(out.glob("*.pb.gz")), nginxhost.START_S, "a file")
    path = max(out.glob("*.pb.gz"), key=os.path.getsize)
    return path, minipprof.read(path)


def pprof(path, option, *more):
    # Of this machine's own settings nothing: the tool looks for binaries and symbols otherwise.
    env = {**os.environ, "PPROF_BINARY_PATH": str(path.parent), "PPROF_TMPDIR": str(path.parent)}
    done = subprocess.run(["go", "tool", "pprof", "-symbolize=none", option, *more, str(path)],
                          capture_output=True, text=True, timeout=120, env=env)
    if "no such tool" in done.stderr:
        pytest.skip("this go has no pprof tool")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_top_gives_the_totals_and_the_functions(written):
    path, profile = written
    text = pprof(path, "-top", "-nodecount=1000", "-nodefraction=0")
    total = seconds(re.search(r"of (\S+) total", text).group(1))
    assert total == pytest.approx(profile.total("cpu") / 1e9, rel=0.01)
    assert "Type: cpu" in text
    rows = {row[5]: seconds(row[3]) for row in map(str.split, text.splitlines())
            if len(row) >= 6 and row[1].endswith("%")}
    cumulative = collections.Counter()
    for sample in profile.samples:
        for name in set(sample.stack):
            cumulative[name] += sample.values[1] / 1e9
    for name in map(FUNCTION.get, TRACES.values()):
        assert rows[name] == pytest.approx(cumulative[name], rel=0.01), name


def test_tags_gives_each_id_with_its_total(written):
    path, profile = written
    text = pprof(path, "-tags")
    for trace in TRACES:
        for key, value in (("span_id", trace.span_id), ("trace_id", trace.trace_id)):
            assert f"{key}: Total" in text
            row = next(line for line in text.splitlines() if line.endswith(value))
            wanted = profile.total("cpu", **{key: value}) / 1e9
            assert wanted > 0.25
            assert seconds(row.split()[0]) == pytest.approx(wanted, rel=0.01)


def test_raw_gives_every_sample(written):
    path, profile = written
    text = pprof(path, "-raw")
    assert "samples/count cpu/nanoseconds" in text
    assert f"Period: {profile.period}" in text
    values = collections.Counter(
        tuple(map(int, found)) for found in
        re.findall(r"^\s*(\d+)\s+(\d+): [0-9 ]+$", text, re.MULTILINE))
    assert values == collections.Counter(tuple(s.values) for s in profile.samples)
    names = set(re.findall(r"^\s*\d+: 0x\w+ M=\d+ (\S+)", text, re.MULTILINE))
    assert set(map(FUNCTION.get, TRACES.values())) <= names
