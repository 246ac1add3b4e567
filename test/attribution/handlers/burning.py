# SPDX-License-Identifier: Apache-2.0
"""What Python servers of the matrix do for a request, in slices with the interpreter's lock held."""
import ctypes
import os
import re

LIBRARY = ctypes.PyDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), "libburn.so"))
QUERY = re.compile(r"n=(\d+)&us=(\d+)")
SLICE_US = 250


def burn(n, us):
    while us > 0:
        LIBRARY.burn(n, min(us, SLICE_US))
        us -= SLICE_US


def wanted(text):
    """(n, us) of a path or query."""
    found = QUERY.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def application(environ, start_response):
    """WSGI."""
    burn(*wanted(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"done\n"]
