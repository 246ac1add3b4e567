# SPDX-License-Identifier: Apache-2.0
"""Where an object keeps its unwind data: without a table to search, for debuggers only, compressed, or in
a separate file. No frame pointers: whatever is not found costs the stack."""
import os
import subprocess

import pytest
from hosts import ROOT, assert_sampled, build, room  # noqa: F401

CUT = "[truncated stack]"
FLAGS = ["-O2", "-g", "-fomit-frame-pointer", "-D_GNU_SOURCE", f"-I{ROOT}/test/programs"]
DEBUG_ONLY = ["-fno-asynchronous-unwind-tables", "-fno-exceptions"]

# Three objects' worth of callers: main, a recursion, and libc's qsort in between.
SOURCE = r"""
#include "host.h"

static double seconds;

__attribute__((noinline, noclone)) static int descend(int levels)
{
	volatile char room[40] = {(char)levels};

	if (levels)
		return descend(levels - 1) + room[0];
	host_burn(seconds);
	return room[0];
}

__attribute__((noinline, noclone)) static int compare(const void *a, const void *b)
{
	static int once;

	if (!once++)
		host_sink = (unsigned long)descend(10);
	return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv)
{
	int numbers[] = {3, 1, 2};

	seconds = atof(argv[1]);
	qsort(numbers, 3, sizeof(int), compare);
	printf("%d %d %d\n", numbers[0], numbers[1], numbers[2]);
	host_say_cpu();
	return 0;
}
"""


def compiled(room, *flags):  # noqa: F811
    source, program = room.dir / "host.c", room.dir / "shapes"
    source.write_text(SOURCE)
    subprocess.run([os.environ.get("CC", "gcc"), *FLAGS, *flags, "-o", program, source], check=True)
    return program


def sections(program):
    return subprocess.run(["readelf", "-SlW", program], check=True, capture_output=True,
                          text=True).stdout


def assert_walked(room, program, **settings):  # noqa: F811
    result = room.profiled(str(program), 0.4, env={"SPANPROF_SAMPLE_RATE": "1000", **settings})
    assert_sampled(result, slack=0.1)
    whole = total = 0
    for profile in result.profiles:
        for s in profile.samples:
            if "host_burn" in s.stack:
                total += s.values[0]
                whole += s.values[0] * (s.stack.count("descend") == 11 and s.stack[0] == "_start" and
                                        "main" in s.stack and "compare" in s.stack)
    assert whole >= 0.95 * total > 0, (whole, total, [s.stack for s in profile.samples][:3])
    assert result.log == ""


def test_no_search_table(room):  # noqa: F811
    program = compiled(room, "-Wl,--no-eh-frame-hdr")
    assert "GNU_EH_FRAME" not in sections(program)
    assert_walked(room, program)


@pytest.mark.parametrize("flags", [(), ("-Wa,--gdwarf-cie-version=3",), ("-Wa,--gdwarf-cie-version=4",),
                                   ("-gz=zlib",), ("-no-pie",), ("-Wl,--no-eh-frame-hdr",)],
                         ids=lambda flags: " ".join(flags) or "plain")
def test_unwind_data_for_debuggers_only(room, flags):  # noqa: F811
    program = compiled(room, *DEBUG_ONLY, *flags)
    assert ".debug_frame" in sections(program)
    assert_walked(room, program)


@pytest.mark.parametrize("compress", [False, True])
def test_unwind_data_in_a_separate_file(room, compress):  # noqa: F811
    program = compiled(room, *DEBUG_ONLY, "-Wl,--build-id=sha1")
    note = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True).stdout
    ident = note.split("Build ID: ")[1].split()[0]
    place = room.dir / "debug" / ".build-id" / ident[:2]
    place.mkdir(parents=True)
    how = ["--compress-debug-sections=zlib"] if compress else []
    subprocess.run(["objcopy", "--only-keep-debug", *how, program, place / f"{ident[2:]}.debug"], check=True)
    subprocess.run(["strip", program], check=True)
    assert ".debug_frame" not in sections(program)
    assert_walked(room, program, SPANPROF_DEBUG_PATH=str(room.dir / "debug"))
