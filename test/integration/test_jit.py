# SPDX-License-Identifier: Apache-2.0
"""Code made at run time, by the runtimes that make it: its functions are named in the profile and its
stacks reach the program's root. Perf maps are written to /tmp whatever TMPDIR says; each test takes
away those of the processes it started."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from hosts import build, room, wait_until  # noqa: F401

RATE = {"SPANPROF_SAMPLE_RATE": "250"}
SECONDS = 3  # of CPU time

SCRIPT = """
function jitFib(n) { return n < 2 ? n : jitFib(n - 1) + jitFib(n - 2); }
function jitSort(n) {
  const a = [];
  for (let i = 0; i < n; i++) a.push((i * 7919) % n);
  a.sort((x, y) => x - y);
  return a[3];
}
function cpuSeconds() {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
}
function jitMain(seconds) {
  const end = cpuSeconds() + seconds;
  let x = 0;
  while (cpuSeconds() < end) x += jitFib(20) + jitSort(2000);
  return x;
}
"""
SPIN = SCRIPT + f"jitMain({SECONDS});\n"
CLUSTER = SCRIPT + f"""
const {{ fork }} = require('child_process');
if (process.argv[2]) jitMain({SECONDS});
else for (let i = 0; i < 2; i++) console.log('pid ' + fork(__filename, ['child']).pid);
"""
# V8 hands over a dump in pieces of 2 MiB; this fills one.
FILLER = "for (let i = 0; i < 3000; i++) new Function('x', 'return x + ' + i + ';'.repeat(9))(i);\n"

# With a file's name: says that it runs, and when the file is there, goes on for longer than until then.
JAVA = f"""
import java.lang.management.ManagementFactory;
import java.nio.file.*;
public class Spin {{
  static int jitFib(int n) {{ return n < 2 ? n : jitFib(n - 1) + jitFib(n - 2); }}
  static double cpu() {{ return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() / 1e9; }}
  public static void main(String[] args) throws Exception {{
    int x = jitFib(20);
    if (args.length > 0) {{
      Files.createFile(Path.of("running"));
      while (!Files.exists(Path.of(args[0]))) x += jitFib(20);
    }}
    double end = 2 * cpu() + {SECONDS};
    while (cpu() < end) x += jitFib(20);
    System.out.println("done");
  }}
}}
"""


PYTHON = f"""
import time
def py_inner(n):
    x = 1
    for i in range(n):
        x = (x * 1664525 + i) & 0xffffffff
    return x
def py_outer(end):
    while time.process_time() < end:
        py_inner(1000)
py_outer(time.process_time() + {SECONDS})
"""


def pythons():
    """3.12 or newer, by version: older ones cannot name their functions."""
    home = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    paths = [shutil.which(f"python3.{minor}", path="/usr/bin:/usr/local/bin") for minor in range(12, 20)]
    found = {}
    for path in filter(None, [*paths, *map(str, sorted(home.glob("3.1[2-9]*/bin/python3")))]):
        answer = subprocess.run([path, "-X", "perf", "-c", "import sys; print(sys.version_info[1] if "
                                 "sys.is_stack_trampoline_active() else '')"], capture_output=True,
                                text=True, check=False)
        if answer.stdout.strip():
            found.setdefault(f"3.{answer.stdout.strip()}", path)
    return found


PYTHONS = pythons()


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    return pytest.mark.skipif(bool(missing), reason=f"no {' '.join(missing)}")


def start(room, *argv, **env):  # noqa: F811
    return subprocess.Popen(argv, env=room.environment(**RATE | env), cwd=room.dir, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True)


def finish(room, process):  # noqa: F811
    pids = [process.pid]
    try:
        result = room.finish(process, time.monotonic())
        pids += map(int, re.findall(r"pid (\d+)", result.stdout))
        room.settle()
    finally:
        for pid in pids:
            pathlib.Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)
    assert result.returncode == 0, result
    return room.collect(result)


def node(room, script, *flags, **env):  # noqa: F811
    path = room.dir / "spin.js"
    path.write_text(script)
    return finish(room, start(room, "node", *flags, str(path), **env))


def share(result, wanted):
    """Of the samples: the share for whose stack (function names, root first) wanted is true."""
    total = hits = 0
    for profile in result.profiles:
        for sample in profile.samples:
            total += sample.values[0]
            hits += sample.values[0] * bool(wanted(sample.stack))
    assert total > 50, result
    return hits / total


def has(part):
    return lambda stack: any(part in name for name in stack)


def is_truncated(stack):
    return stack[0] in ("[truncated stack]", "[unknown]")


@needs("node")
@pytest.mark.parametrize("flags", [[], ["--interpreted-frames-native-stack"]],
                         ids=["compiled", "all"])
def test_javascript_is_named_and_reaches_the_root(room, flags):  # noqa: F811
    result = node(room, SPIN, "--perf-basic-prof", *flags, TMPDIR=str(room.dir))
    assert result.log == "", result
    assert share(result, has("jitFib")) > 0.05
    assert share(result, has("jitSort")) > 0.05
    assert share(result, has("[anon]")) < 0.05
    assert share(result, is_truncated) < 0.05
    assert share(result, lambda stack: stack[0] == "_start") > 0.9
    if flags:
        assert share(result, has("jitMain")) > 0.8


@needs("node")
def test_what_says_nothing_is_anonymous_and_reaches_the_root_all_the_same(room):  # noqa: F811
    result = node(room, SPIN)
    assert share(result, has("[anon]")) > 0.5
    assert share(result, has("jit")) == 0
    assert share(result, is_truncated) < 0.05


@needs("node")
def test_processes_of_one_service_share_names_not_addresses(room):  # noqa: F811
    result = node(room, CLUSTER, "--perf-basic-prof")
    assert share(result, has("jitFib")) > 0.05
    for profile in result.profiles:
        for sample in profile.samples:
            assert not [f for f in sample.frames if "JS:" in f.function and (f.address or f.mapping)]


@needs("node")
def test_a_jitdump_is_found_in_the_map_and_read(room):  # noqa: F811
    script = SCRIPT + "jitMain(0.5);\n" + FILLER + f"jitMain({SECONDS});\n"
    result = node(room, script, "--perf-prof", "--interpreted-frames-native-stack")
    assert list(room.dir.glob("jit-*.dump")), result
    # What is in the last, unfinished piece comes only at the end; which tier of which function has
    # its lines by then is up to V8 and the load of the machine.
    assert share(result, has("jitMain")) > 0.1
    files = {f.file for p in result.profiles for s in p.samples for f in s.frames
             if "jit" in f.function}
    assert any("spin.js" in file for file in files), files


@needs("java", "javac", "jcmd")
def test_a_jvm_that_was_asked_for_a_perf_map_is_named_from_then_on(room):  # noqa: F811
    (room.dir / "Spin.java").write_text(JAVA)
    subprocess.run(["javac", "Spin.java"], cwd=room.dir, check=True, capture_output=True)
    process = start(room, "java", "-XX:+PreserveFramePointer", "-cp", str(room.dir), "Spin", "asked")
    wait_until((room.dir / "running").exists, 60, "the JVM up")
    asked = subprocess.run(["jcmd", str(process.pid), "Compiler.perfmap"], capture_output=True,
                           text=True)
    (room.dir / "asked").touch()
    result = finish(room, process)
    if asked.returncode != 0:
        pytest.skip(f"no Compiler.perfmap: {asked.stdout}")
    assert share(result, has("int Spin.jitFib(int)")) > 0.3
    assert share(result, is_truncated) < 0.05


@needs("java", "javac")
def test_a_perf_map_that_a_jvm_writes_at_its_end_comes_too_late_but_harms_nothing(room):  # noqa: F811
    (room.dir / "Spin.java").write_text(JAVA)
    subprocess.run(["javac", "Spin.java"], cwd=room.dir, check=True, capture_output=True)
    result = finish(room, start(room, "java", "-XX:+UnlockDiagnosticVMOptions", "-XX:+DumpPerfMapAtExit",
                                "-XX:+PreserveFramePointer", "-cp", str(room.dir), "Spin"))
    assert result.log == "", result
    assert share(result, is_truncated) < 0.05


@pytest.mark.skipif(not PYTHONS, reason="no Python 3.12 or newer with -X perf")
@pytest.mark.parametrize("version", sorted(PYTHONS))
def test_python_functions_are_named_and_reach_the_root(room, version):  # noqa: F811
    """Though the interpreter and its trampolines keep no frame pointer."""
    path = room.dir / "spin.py"
    path.write_text(PYTHON)
    result = finish(room, start(room, PYTHONS[version], "-X", "perf", str(path)))
    assert result.log == "", result
    inner, outer, module = (f"py::{name}:{path}" for name in ("py_inner", "py_outer", "<module>"))

    def in_order(stack):
        return (inner in stack and outer in stack and module in stack and
                stack.index(module) < stack.index(outer) < stack.index(inner))

    named, cut = share(result, in_order), share(result, is_truncated)
    print(f"\nPython {version}: {named:.1%} of the samples below {inner.split(':')[2]}, {cut:.1%} truncated")
    assert named > 0.8
    assert cut < 0.05
    assert share(result, lambda stack: stack[0] == "_start") > 0.9
