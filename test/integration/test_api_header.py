# SPDX-License-Identifier: Apache-2.0
"""spanprof.h: programs in C and C++ build with it alone and behave the same without the library."""
import pathlib
import subprocess

import hosts
import pytest
from hosts import build  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = r"""
#include <errno.h>
#include <stdio.h>
#include <spanprof.h>

int main(void)
{
	struct spanprof_context context;

	errno = 77;
	fprintf(stderr, "%d", spanprof_enter("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
	fprintf(stderr, " %d", spanprof_capture(&context));
	fprintf(stderr, " %d", spanprof_resume(&context));
	spanprof_leave();
	spanprof_leave();
	spanprof_leave();
	fprintf(stderr, " %d", spanprof_capture(&context));
	printf("%d\n", errno);
	return 0;
}
"""
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
NOT_PRELOADED, NOTHING_KNOWN = 38, 2  # ENOSYS, ENOENT


@pytest.mark.parametrize("compiler, suffix", [("gcc -std=c99", "c"), ("gcc -std=gnu11", "c"),
                                              ("g++ -std=c++11", "cc"), ("g++ -std=c++20", "cc")])
def test_a_program_builds_with_the_installed_header_and_runs_with_and_without(
        compiler, suffix, build, tmp_path):  # noqa: F811
    subprocess.run(["make", "-s", "-C", ROOT, "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"],
                   check=True, timeout=300, stdout=subprocess.DEVNULL)
    source, program = tmp_path / f"said.{suffix}", tmp_path / "said"
    source.write_text(SOURCE)
    subprocess.run([*compiler.split(), *WARNINGS, "-I", tmp_path / "usr/include", "-o", program, source],
                   check=True, timeout=60)
    room = hosts.Room(build)
    try:
        said = [subprocess.run([program], capture_output=True, text=True, timeout=20, check=True, env=env)
                for env in ({}, room.environment(True))]
    finally:
        room.close()
    assert [one.stdout for one in said] == ["77\n"] * 2
    assert list(map(int, said[0].stderr.split())) == [NOT_PRELOADED] * 4
    assert list(map(int, said[1].stderr.split())) == [0, 0, 0, NOTHING_KNOWN]
