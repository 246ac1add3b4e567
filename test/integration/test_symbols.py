# SPDX-License-Identifier: Apache-2.0
"""The symbolizer against llvm-symbolizer: function as linked, file, line and inlined callers of
thousands of addresses, from full debug information wherever that lies; and the other sources."""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER = ROOT / "build" / "unit" / "symbol_driver"
SOURCE = ROOT / "test" / "programs" / "templates.cc"
LLVM = shutil.which("llvm-symbolizer") or shutil.which("llvm-symbolizer-14")
ADDRESSES = 10000
AGREE = 0.995

pytestmark = [
    pytest.mark.skipif(LLVM is None, reason="no llvm-symbolizer to compare with"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++"),
]


def tool(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def driver():
    tool("make", "-C", ROOT, "build/unit/symbol_driver")
    return DRIVER


@pytest.fixture(scope="module", params=["g++", "clang++"])
def program(request, tmp_path_factory):
    """A C++ program with everything inlined that can be."""
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param}")
    path = tmp_path_factory.mktemp("symbols") / "templates"
    tool(request.param, "-std=c++17", "-O2", "-g", "-Wl,--build-id", SOURCE, "-o", path)
    return path


def section(path, name):
    """Address and size."""
    found = re.search(rf"\] {re.escape(name)}\s+\S+\s+(\S+) \S+ (\S+)", tool("readelf", "-SW", path))
    return (int(found.group(1), 16), int(found.group(2), 16)) if found else None


def sample(path, name=".text", n=ADDRESSES):
    start, size = section(path, name)
    return sorted(random.Random(1).sample(range(start, start + size), min(n, size)))


def ours(driver, path, addresses, *directories, **environment):
    done = subprocess.run([driver, path, *directories], capture_output=True, text=True, timeout=300,
                          input="".join(f"{a:x}\n" for a in addresses),
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    stacks = [[line.split("\t") for line in block.splitlines()]
              for block in done.stdout.split("\n\n")[:-1]]
    assert len(stacks) == len(addresses)
    return stacks, json.loads(done.stderr.splitlines()[-1])


def theirs(path, addresses):
    measure = ["time", "-f", "%M"] if shutil.which("time") else []
    start = time.monotonic()
    done = subprocess.run([*measure, LLVM, f"--obj={path}", "--no-demangle", "--inlines"],
                          capture_output=True, text=True, timeout=300,
                          input="".join(f"0x{a:x}\n" for a in addresses))
    seconds = time.monotonic() - start
    stacks = []
    for block in done.stdout.split("\n\n")[:-1]:
        lines = block.splitlines()
        stacks.append([(name, *place.rsplit(":", 2)[:2])
                       for name, place in zip(lines[::2], lines[1::2])])
    assert len(stacks) == len(addresses)
    return stacks, {"seconds": round(seconds, 3), "peak_kb": done.stderr.strip() or None}


def aliases(path):
    """A linker's names of one address, which constructors and folded functions have, mean one."""
    rows = (line.split() for line in tool("nm", path).splitlines())
    return {row[2]: row[0] for row in rows if len(row) == 3}


def comparable(stack, alias):
    def function(name):
        return "??" if "!0x" in name or name == "_start" else alias.get(name, name)

    return [(function(name), (os.path.normpath(file), line) if line != "0" else None)
            for name, file, line in stack]


def compare(driver, path, reference, *directories):
    addresses = sample(path)
    mine, cost = ours(driver, path, addresses, *directories)
    wanted, llvm_cost = theirs(reference, addresses)
    alias = aliases(reference)
    mine = [comparable([f[1:4] for f in stack], alias) for stack in mine]
    wanted = [comparable(stack, alias) for stack in wanted]
    differ = [(hex(a), m, w) for a, m, w in zip(addresses, mine, wanted) if m != w]
    print(f"\n{path.name}: {1 - len(differ) / len(addresses):.4%} of {len(addresses)} equal;",
          f"inlined: {sum(len(w) > 1 for w in wanted)}; ours {cost}; llvm {llvm_cost}")
    for d in differ[:5]:
        print("differs:", *d, sep="\n  ")
    assert len(differ) <= len(addresses) * (1 - AGREE)
    assert cost["cache"] + cost["sources"] <= 64 << 20
    return mine


def test_full_debug_information_gives_what_llvm_says(driver, program):
    stacks = compare(driver, program, program)
    assert max(map(len, stacks)) > 4


def test_our_own_agent_too(driver):
    tool("make", "-C", ROOT, "build/spanprof-agent")
    compare(driver, ROOT / "build" / "spanprof-agent", ROOT / "build" / "spanprof-agent")


def stripped(program, tmp_path):
    path = tmp_path / "stripped"
    tool("strip", "-o", path, program)
    return path


def test_a_separate_file_named_by_the_object_serves_as_well(driver, program, tmp_path):
    path = stripped(program, tmp_path)
    tool("objcopy", "--only-keep-debug", program, tmp_path / "stripped.debug")
    tool("objcopy", f"--add-gnu-debuglink={tmp_path / 'stripped.debug'}", path)
    compare(driver, path, program)


def test_a_separate_file_with_the_wrong_contents_does_not(driver, program, tmp_path):
    path = stripped(program, tmp_path)
    tool("objcopy", "--remove-section=.note.gnu.build-id", path)
    debug = tmp_path / "stripped.debug"
    tool("objcopy", "--only-keep-debug", "--remove-section=.note.gnu.build-id", program, debug)
    tool("objcopy", f"--add-gnu-debuglink={debug}", path)
    addresses = sample(path, n=100)
    assert any(f[0][3] != "0" for f in ours(driver, path, addresses)[0])
    with open(debug, "ab") as f:
        f.write(b"x")
    assert all(f[0][3] == "0" for f in ours(driver, path, addresses)[0])


def build_id_file(directory, path):
    found = re.search(r"Build ID: (\w\w)(\w+)", tool("readelf", "-n", path))
    target = directory / ".build-id" / found.group(1) / f"{found.group(2)}.debug"
    target.parent.mkdir(parents=True)
    return target


def test_a_file_named_by_build_id_is_found_below_a_configured_directory(driver, program, tmp_path):
    path = stripped(program, tmp_path)
    tool("objcopy", "--only-keep-debug", program, build_id_file(tmp_path / "debug", path))
    compare(driver, path, program, f"relative:/nowhere:{tmp_path / 'debug'}")


@pytest.mark.skipif(shutil.which("dwz") is None, reason="no dwz")
def test_what_dwz_moved_to_a_common_file_is_read_there(driver, program, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for path in first, second:
        shutil.copy(program, path)
    common = tmp_path / "common.debug"
    if subprocess.run(["dwz", "-m", common, "-M", common, first, second]).returncode or \
            not common.exists():
        pytest.skip("this dwz does not take what this compiler makes")
    compare(driver, first, program)


@pytest.mark.parametrize("flags", [["-gz"], ["-gdwarf-4"], ["-gdwarf-4", "-fdebug-types-section"],
                                   ["-O0"], ["-O3", "-flto"]],
                         ids=["compressed", "dwarf4", "types", "O0", "lto"])
def test_other_forms_of_debug_information(driver, tmp_path, flags):
    path = tmp_path / "form"
    tool("g++", "-std=c++17", "-O2", "-g", *flags, SOURCE, "-o", path)
    compare(driver, path, path)


def test_the_xz_table_of_a_stripped_object_names_its_functions(driver, program, tmp_path):
    path, mini = stripped(program, tmp_path), tmp_path / "mini"
    tool("objcopy", "--strip-debug", program, mini)
    tool("xz", mini)
    tool("objcopy", f"--add-section=.gnu_debugdata={mini}.xz", path)
    stacks, _ = ours(driver, path, sample(path, n=1000))
    assert sum("!0x" in s[0][0] for s in stacks) < 50
    assert any(s[0][0].startswith("std::") and s[0][1].startswith("_ZNSt") for s in stacks)


def test_stubs_and_the_entry_point_of_a_stripped_program_have_names(driver, program, tmp_path):
    path = stripped(program, tmp_path)
    entry = int(re.search(r"Entry point address:\s+(\S+)", tool("readelf", "-h", path)).group(1), 16)
    assert ours(driver, path, [entry, entry + 20])[0] == [[["_start", "_start", "??", "0", "0"]]] * 2
    name = ".plt.sec" if section(path, ".plt.sec") else ".plt"
    start, size = section(path, name)
    stubs, _ = ours(driver, path, range(start + 16, start + size, 16))
    assert all(s[0][1].endswith("@plt") for s in stubs)
    assert any(s[0][1] == "puts@plt" for s in stubs)


def test_templates_are_shortened_when_asked(driver, program):
    addresses = sample(program, n=1000)
    names = [f[0] for s in ours(driver, program, addresses, SPANPROF_SHORTEN_TEMPLATES="1")[0] for f in s]
    assert any("<...>" in n for n in names)
    assert not any("std::allocator<char>" in n.split("(")[0] for n in names)
