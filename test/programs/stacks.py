# SPDX-License-Identifier: Apache-2.0
"""stacks.py SECONDS: until it has used so much CPU time, or twelve times as much has gone by: what Python programs' stacks are made of: the interpreter in itself, calls from C
back into it, generators, exceptions, and the libraries that extensions bring. Two processes."""
import hashlib
import json
import os
import random
import re
import sys
import time
import zlib


class Ordered:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return self.value < other.value


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def through_c(n):
    return sorted([n, n - 1], key=lambda x: through_c(n - 1) if n > 0 and x == n else x)[0] if n else 0


def generated(n):
    if n:
        yield from generated(n - 1)
    yield sum(i * i for i in range(50))


def raises(n):
    try:
        if n == 0:
            raise ValueError(n)
        raises(n - 1)
    finally:
        fib(4)


def queries():
    try:
        import sqlite3
    except ImportError:
        return
    c = sqlite3.connect(":memory:")
    c.create_function("fib", 1, fib)
    c.execute("create table t(a, b)")
    c.executemany("insert into t values(?, ?)", ((i, i % 7) for i in range(1000)))
    c.execute("select b, sum(a), fib(b) from t group by b order by 2").fetchall()


def work():
    fib(14)
    through_c(6)
    list(generated(20))
    json.loads(json.dumps([{"a": i, "b": [1, 2, {"c": str(i)}]} for i in range(200)]))
    re.sub(r"(a+)+b", lambda m: m.group(0) * 2, "aaaab" * 100)
    zlib.compress(b"abc" * 20000)
    sorted(Ordered(random.random()) for _ in range(300))
    for _ in range(5):
        hashlib.sha256(b"x" * 20000).digest()
    try:
        raises(10)
    except ValueError:
        pass
    queries()


def main():
    seconds = float(sys.argv[1])
    end = time.monotonic() + 12 * seconds
    child = os.fork()
    while time.process_time() < seconds / 2 and time.monotonic() < end:
        work()
    if child:
        os.waitpid(child, 0)


main()
