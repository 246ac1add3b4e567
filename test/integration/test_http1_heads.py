# SPDX-License-Identifier: Apache-2.0
"""Where HTTP/1 heads end: the scanner against llhttp (node's), on streams put together from the parts
of requests, whole and damaged. What both take they must cut alike; where the scanner stops and llhttp
goes on, a request is only missed."""
import pathlib
import random
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
STREAMS = 4000
SOURCES = ["http1", "http1_head", "http1_header", "http1_body", "propagator", "traceparent"]
LENIENT = 1 | 2 | 4  # headers, chunked and length together, keep-alive

METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"M-SEARCH", b"CONNECT", b"get", b"PRI"]
TARGETS = [b"/", b"/a?b=c#d", b"*", b"http://a/b", b"a:80", b"/\xc3\xa9", b""]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b""]
ENDS = [b"\r\n"] * 12 + [b"\n", b"\r", b" \r\n"]
HEADERS = [b"Host: a", b"Content-Length: 3", b"Content-Length: 0", b"Content-Length:5 ", b"content-length: 03",
           b"Content-Length: +3", b"Content-Length : 3", b"Content-Length: 3, 3", b"Content-Length:",
           b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip",
           b"Transfer-Encoding : chunked", b"transfer-encoding:Chunked", b"Transfer-Encoding: xchunked",
           b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade", b"Upgrade: h2c",
           b"traceparent: 00-11111111111111111111111111111111-2222222222222222-01", b" folded", b"X: \ty",
           b"no colon", b": nameless", b"X: a\0b", b"Expect: 100-continue"]
BODIES = [b"", b"", b"abc", b"abcde", b"0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
          b"3\nabc\n0\n\n", b"3 \r\nabc\r\n0\r\n\r\n", b"x\r\n", b"00\r\n\r\n", b"\r\n", b"\r\n\r\n"]


FRAMED = [(b"Host: a", b""), (b"content-length:\t3 ", b"abc"), (b"Content-Length: 0", b""),
          (b"Transfer-Encoding: chunked", b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n"),
          (b"transfer-encoding: gzip, Chunked", b"A\r\n0123456789\r\n000\r\n\r\n")]


def whole_request(pick):
    framing, body = pick.choice(FRAMED)
    lines = [pick.choice([b"POST /a?b HTTP/1.1", b"PUT * HTTP/1.1"]), b"X: \ty", framing, HEADERS[19], b"", b""]
    return b"\r\n".join(lines) + body


def request(pick):
    if pick.random() < 0.5:
        return whole_request(pick)
    line = b" ".join([pick.choice(METHODS[:6] * 4 + METHODS), pick.choice(TARGETS), pick.choice(VERSIONS)])
    lines = [line] + [pick.choice(HEADERS) for _ in range(pick.randrange(5))] + [b""]
    return b"".join(text + pick.choice(ENDS) for text in lines) + pick.choice(BODIES)


def streams():
    pick = random.Random(7)
    out = []
    for _ in range(STREAMS):
        stream = bytearray(b"".join(request(pick) for _ in range(pick.randint(1, 3))))
        for _ in range(pick.choice([0, 0, 0, 1, 2])):
            stream[pick.randrange(len(stream))] = pick.randrange(256)
        out.append(bytes(stream))
    return out


def run(command, cases):
    given = b"".join(b"%d\n%s" % (len(case), case) for case in cases)
    done = subprocess.run([str(word) for word in command], input=given, capture_output=True, timeout=120,
                          check=True)
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    assert len(lines) == len(cases)
    return [([int(end) for end in line[:-1]], line[-1]) for line in lines]


@pytest.mark.parametrize("flags", [0, LENIENT], ids=["strict", "lenient"])
def test_heads_end_where_llhttp_says(tmp_path, flags):
    node = shutil.which("node")
    if not node:
        pytest.skip("no node")
    driver = tmp_path / "http1_heads"
    sources = [ROOT / "shim" / f"{name}.c" for name in SOURCES]
    subprocess.run(["cc", "-std=gnu11", "-O1", "-D_GNU_SOURCE", f"-I{ROOT}", "-o", str(driver),
                    str(HERE / "http1_heads.c"), *map(str, sources)], check=True, timeout=120)
    cases = streams()
    agreed = 0
    for case, (ours, _), (theirs, _) in zip(cases, run([driver], cases),
                                            run([node, HERE / "llhttp_heads.js", flags], cases)):
        common = min(len(ours), len(theirs))
        assert ours[:common] == theirs[:common], repr(case)
        agreed += common
    print(f"{agreed} heads of {STREAMS} streams agreed upon")
    assert agreed > STREAMS / 2
