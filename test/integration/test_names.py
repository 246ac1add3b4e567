# SPDX-License-Identifier: Apache-2.0
"""What every process has, whatever it is: the vDSO and the program's entry point have names; and
programs of languages whose names say nothing of themselves."""
import pathlib
import shutil
import subprocess
import time

import pytest
from hosts import ROOT, build, room  # noqa: F401

ADA = ROOT / "test" / "programs" / "ada"

CLOCK = """
#include <time.h>
int main(void)
{
	struct timespec t, begun;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	do
		clock_gettime(CLOCK_MONOTONIC, &t);
	while (t.tv_sec - begun.tv_sec < 2);
	return 0;
}
"""


def run(room, *argv):  # noqa: F811
    started = time.monotonic()
    process = subprocess.Popen(list(map(str, argv)), env=room.environment(SPANPROF_SAMPLE_RATE="250"),
                               cwd=room.dir, text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    result = room.finish(process, started)
    room.settle()
    assert result.returncode == 0, result
    result = room.collect(result)
    assert result.log == "", result
    return result


def samples(result):
    return [s for p in result.profiles for s in p.samples]


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")
def test_the_vdso_and_the_entry_of_a_stripped_program_have_names(room):  # noqa: F811
    (room.dir / "clock.c").write_text(CLOCK)
    subprocess.run(["gcc", "-O2", "-s", "clock.c", "-o", "clock"], cwd=room.dir, check=True)
    result = run(room, room.dir / "clock")
    frames = [f for s in samples(result) for f in s.frames]
    in_vdso = {f.function for f in frames if f.mapping == "[vdso]"}
    print("\nvdso:", in_vdso)
    assert "__vdso_clock_gettime" in in_vdso
    assert not any("!0x" in name and "vdso" in name for name in in_vdso)
    total = sum(s.values[0] for s in samples(result))
    started = sum(s.values[0] for s in samples(result) if s.stack[0] == "_start")
    assert started > 0.9 * total, (started, total)


@pytest.mark.skipif(not shutil.which("gnatmake"), reason="no gnatmake")
@pytest.mark.parametrize("flags", [["-g"], []], ids=["dwarf", "symbols"])
def test_names_of_ada_are_shown_as_they_were_written(room, flags):  # noqa: F811
    subprocess.run(["gnatmake", "-q", "-O2", *flags, f"-I{ADA}", ADA / "spin.adb"], cwd=room.dir,
                   check=True, timeout=120)
    result = run(room, room.dir / "spin")
    names = {f.function: f.system_name for s in samples(result) for f in s.frames}
    assert names["work.mix_it"] == "work__mix_it"
    assert names["work.inner.step"] == "work__inner__step"
    assert names["spin"] == "_ada_spin"
    assert names["main"] == "main"
    files = {pathlib.Path(f.file).name for s in samples(result) for f in s.frames
             if f.function == "work.mix_it"}
    assert ("work.adb" in files) == bool(flags), files
