# SPDX-License-Identifier: Apache-2.0
"""What Python servers of the matrix do for a request, in slices with the interpreter's lock held."""
import ctypes
import os
import re

LIBRARY = ctypes.PyDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), "libburn.so"))
QUERY = re.compile(r"n=(\d+)&us=(\d+)")
SLICE_US = 250
LOG = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if "LOG" in os.environ else -1


def burn(n, us):
    while us > 0:
        LIBRARY.burn(n, min(us, SLICE_US))
        us -= SLICE_US


def say(what, n):
    """With a LOG, a line to it and to stderr."""
    if LOG >= 0:
        for fd in LOG, 2:
            os.write(fd, b"%s %d\n" % (what, n))


def wanted(text):
    """(n, us) of a path or query."""
    found = QUERY.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def application(environ, start_response):
    """WSGI."""
    n, us = wanted(environ["QUERY_STRING"])
    say(b"begin", n)
    burn(n, us)
    say(b"end", n)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"done\n"]
