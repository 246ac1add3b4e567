# SPDX-License-Identifier: Apache-2.0
"""scripts/spanprof by itself: what it refuses, what COMMAND gets from it, signals, statuses, and
record's side of the protocol with the agent. A library that only notes which programs load it stands
in for the real one, and COMMAND plays the agent, so nothing needs to be built but that library."""
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest

LAUNCHER = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "spanprof"
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners and capabilities: needs root")

PROBE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void)
{
	const char *log = getenv("PROBE_LOG");
	char exe[512], line[600];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int fd = log && n > 0 ? open(log, O_WRONLY | O_APPEND | O_CREAT, 0666) : -1;

	if (fd < 0)
		return;
	exe[n] = 0;
	n = snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), exe);
	if (write(fd, line, n) < 0)
		_exit(99);
	close(fd);
}
"""


def compile_c(source, out, *flags):
    subprocess.run(["gcc", "-x", "c", "-", "-o", out, *flags], input=source, text=True, check=True)
    return out


@pytest.fixture(scope="session")
def room():
    """A directory that every user can reach, with the library and a static program in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="launcher-test."))
    path.chmod(0o755)
    compile_c(PROBE, path / "libspanprof.so", "-shared", "-fPIC")
    compile_c("int main(void) { return 0; }", path / "static", "-static")
    compile_c("int main(void) { return 0; }", path / "static-pie", "-static-pie")
    shutil.copy(LAUNCHER, path / "spanprof")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def launch(room, tmp_path):
    """launch(ARG...) is a finished spanprof, with text on both outputs."""

    def environment(**more):
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith(("SPANPROF_", "PYROSCOPE_", "OTEL_", "LD_"))}
        return {**kept, "SPANPROF_LIBRARY": str(room / "libspanprof.so"), **more}

    def run(*args, env=None, launcher=LAUNCHER, **options):
        options = {"stdin": subprocess.DEVNULL, "cwd": tmp_path, "timeout": 60, **options}
        return subprocess.run([launcher, *args], env=environment(**(env or {})), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def start(*args, env=None, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "cwd": tmp_path, **options}
        return subprocess.Popen([LAUNCHER, *args], env=environment(**(env or {})), text=True,
                                stderr=subprocess.PIPE, **options)

    run.start = start
    run.environment = environment
    return run


def script(path, text):
    path.write_text(textwrap.dedent(text).lstrip())
    path.chmod(0o755)
    return path


def patched(path, changes, source="/bin/true"):
    """A copy of source with bytes replaced: {offset or old bytes: new bytes}."""
    image = bytearray(pathlib.Path(source).read_bytes())
    for where, new in changes.items():
        at = image.index(where) if isinstance(where, bytes) else where
        image[at:at + len(new)] = new
    path.write_bytes(image)
    path.chmod(0o755)
    return path


def until(condition, what, seconds=60):
    """Who takes longer than this hangs; how long it takes is up to the machine. What it comes to."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return found


def program_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def children_of(parent):
    """{pid: program}"""
    found = subprocess.run(["pgrep", "-P", str(parent)], stdout=subprocess.PIPE, text=True)
    return {int(pid): program_of(pid) for pid in found.stdout.split()}


def one_line(text):
    assert text.count("\n") == 1 and text.startswith("spanprof: "), text
    return text


# --- usage -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, said", [
    ([], "expected run or record"),
    (["frob"], "unknown command frob"),
    (["run"], "missing COMMAND"),
    (["record"], "missing COMMAND"),
    (["run", "--"], "missing COMMAND"),
    (["run", ""], "missing COMMAND"),
    (["run", "--frob", "true"], "unknown option --frob"),
    (["run", "--server"], "--server needs a value"),
    (["run", "--server", "--rate", "9", "true"], "--server needs a value"),
    (["run", "--service=", "true"], "--service needs a value"),
    (["run", "--server", "localhost:4040", "true"], "expected an http:// or https:// address"),
    (["run", "--server", "http://a b", "true"], "no spaces"),
    (["run", "--rate", "0", "true"], "1 to 1000"),
    (["run", "--rate", "1001", "true"], "1 to 1000"),
    (["run", "--rate", "99999999999999999999", "true"], "1 to 1000"),
    (["run", "--rate", "1e2", "true"], "1 to 1000"),
    (["run", "--label", "a", "true"], "expected K=V"),
    (["run", "--label", "=b", "true"], "expected K=V"),
    (["run", "--label", "a=", "true"], "expected K=V"),
    (["run", "--label", "a-b=c", "true"], "letters, digits"),
    (["run", "--label", "__a=c", "true"], "letters, digits"),
    (["run", "--label", "a=b,c", "true"], "no comma"),
    (["run", "--output", "/proc/none/such", "true"], "cannot make the directory"),
])
def test_wrong_usage_is_one_line_and_status_2(launch, args, said):
    done = launch(*args)
    assert done.returncode == 2
    assert said in one_line(done.stderr)
    assert done.stdout == ""


def test_help_and_version(launch):
    assert "Usage: spanprof run" in launch("--help").stdout
    assert launch("run", "--help").returncode == 0
    assert re.fullmatch(r"spanprof \d+\.\d+\.\d+\n", launch("--version").stdout)


def test_a_library_that_cannot_be_read_is_said(launch, tmp_path):
    done = launch("run", "true", env={"SPANPROF_LIBRARY": "/none/such.so"})
    assert done.returncode == 2
    assert "cannot read the library /none/such.so" in one_line(done.stderr)
    (tmp_path / "text.so").write_text("no library")
    done = launch("run", "true", env={"SPANPROF_LIBRARY": "text.so"})
    assert done.returncode == 2
    assert "not a 64-bit library" in one_line(done.stderr)


@pytest.mark.parametrize("name", ["with space", "with:colon"])
def test_a_path_that_ld_preload_cannot_carry_is_said(launch, room, tmp_path, name):
    (tmp_path / name).mkdir()
    shutil.copy(room / "libspanprof.so", tmp_path / name)
    done = launch("run", "true", env={"SPANPROF_LIBRARY": str(tmp_path / name / "libspanprof.so")})
    assert done.returncode == 2
    assert "LD_PRELOAD cannot carry" in one_line(done.stderr)


@pytest.mark.parametrize("here, there", [("scripts", "build"), ("bin", "lib/spanprof"),
                                         ("bin", "lib64/spanprof"), ("bin", "lib/x-gnu/spanprof")])
def test_the_library_is_found_from_the_scripts_real_place(launch, room, tmp_path, here, there):
    for directory in here, there, "elsewhere":
        (tmp_path / directory).mkdir(parents=True)
    shutil.copy(LAUNCHER, tmp_path / here)
    shutil.copy(room / "libspanprof.so", tmp_path / there)
    (tmp_path / "elsewhere" / "prof").symlink_to(tmp_path / here / "spanprof")
    for launcher in tmp_path / here / "spanprof", "elsewhere/prof":
        done = launch("run", "env", env={"SPANPROF_LIBRARY": ""}, launcher=launcher)
        assert f"LD_PRELOAD={tmp_path / there}/libspanprof.so\n" in done.stdout, done.stderr


def test_a_missing_library_is_said(launch, tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(LAUNCHER, tmp_path / "scripts")
    done = launch("run", "true", env={"SPANPROF_LIBRARY": ""}, launcher=tmp_path / "scripts/spanprof")
    assert done.returncode == 2
    assert "libspanprof.so is neither in" in one_line(done.stderr)


# --- COMMAND ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["run", "record"])
def test_not_found_is_127_and_not_executable_126(launch, tmp_path, mode):
    (tmp_path / "text").write_text("x")
    for command, status, said in [("no-such-program", 127, "not found"), ("./nothing", 127, "not found"),
                                  ("./text", 126, "cannot be executed"), ("/", 126, "cannot be executed"),
                                  ("cd", 127, "not found")]:
        done = launch(mode, command)
        assert (done.returncode, said in one_line(done.stderr)) == (status, True), command


@pytest.mark.parametrize("name", ["static", "static-pie"])
@pytest.mark.parametrize("mode", ["run", "record"])
def test_a_static_program_is_refused(launch, room, mode, name):
    done = launch(mode, room / name)
    assert done.returncode == 126
    assert re.search("statically linked.*nothing was started", one_line(done.stderr))


@pytest.mark.parametrize("first_line", ["#!{0}", "#! {0} -x", "#!/usr/bin/env {0}",
                                        "#!/usr/bin/env -S A=1 {0} -x"])
def test_a_script_for_a_static_interpreter_is_refused(launch, room, tmp_path, first_line):
    script(tmp_path / "s", first_line.format(room / "static") + "\n")
    done = launch("run", "./s")
    assert done.returncode == 126
    assert f"{room}/static is statically linked" in one_line(done.stderr)


def test_a_script_of_scripts_is_followed(launch, room, tmp_path):
    script(tmp_path / "inner", f"#!{room / 'static'}\n")
    script(tmp_path / "outer", f"#!{tmp_path / 'inner'}\n")
    assert launch("run", "./outer").returncode == 126


def test_scripts_run(launch, tmp_path):
    script(tmp_path / "sh", "#!/bin/sh\necho $1 $LD_PRELOAD\n")
    script(tmp_path / "env", f"#!/usr/bin/env {sys.executable}\nprint('python')\n")
    script(tmp_path / "plain", "echo plain $1\n")
    assert launch("run", "./sh", "a  b").stdout.startswith("a b /")
    assert launch("run", "./env").stdout == "python\n"
    assert launch("run", "./plain", "x").stdout == "plain x\n"
    assert launch("record", "./plain", "x", env={"SPANPROF_ENABLED": "0"}).stdout == "plain x\n"


def test_other_machines_and_c_libraries_are_refused(launch, tmp_path):
    patched(tmp_path / "bits32", {4: b"\x01"})
    patched(tmp_path / "machine", {18: b"\xf3\x00"})
    patched(tmp_path / "musl", {b"/lib64/ld-linux": b"/lib/ld-musl-x86_64.so.1\0\0\0"})
    for name, said in ("bits32", "32-bit"), ("machine", "different machines"), ("musl", "uses musl"):
        done = launch("run", tmp_path / name)
        assert done.returncode == 126
        assert said in one_line(done.stderr)


def test_the_loader_called_as_a_program_is_no_static_program(launch):
    loader = re.search(r"\S*/ld-linux\S*", subprocess.check_output(["ldd", "/bin/true"], text=True))
    if not loader:
        pytest.skip("another loader than glibc's usual one")
    assert launch("run", loader.group(), "/bin/echo", "x").stdout == "x\n"


@needs_root
@pytest.mark.parametrize("bits, kind", [(0o4755, "setuid"), (0o2755, "setgid")])
def test_a_program_that_gains_rights_is_refused(launch, room, bits, kind):
    program = room / kind
    shutil.copy("/bin/true", program)
    os.chown(program, NOBODY, NOBODY)
    program.chmod(bits)
    done = launch("run", program)
    assert done.returncode == 126
    assert re.search(f"is {kind}: the loader drops LD_PRELOAD.*nothing was started", one_line(done.stderr))


@needs_root
def test_setuid_to_the_user_that_one_is_gains_nothing(launch, room):
    program = room / "own"
    shutil.copy("/bin/true", program)
    program.chmod(0o4755)
    assert launch("run", program).returncode == 0


@needs_root
def test_file_capabilities_are_refused_unless_root(launch, room):
    if not shutil.which("setcap", path="/sbin:/usr/sbin"):
        pytest.skip("no setcap")
    program = room / "capable"
    shutil.copy("/bin/true", program)
    subprocess.run(["setcap", "cap_net_raw+ep", program], check=True,
                   env={"PATH": "/sbin:/usr/sbin:/bin"})
    options = {"launcher": room / "spanprof", "cwd": "/", "env": {"PYROSCOPE_SERVER_ADDRESS": "http://h"}}
    assert launch("run", program, **options).returncode == 0
    done = launch("run", program, user=NOBODY, group=NOBODY, extra_groups=[], **options)
    assert done.returncode == 126
    assert "has file capabilities" in one_line(done.stderr)


def test_a_program_that_can_be_executed_but_not_read_is_run(launch, room):
    if os.geteuid() == 0:
        program = room / "unreadable"
        shutil.copy("/bin/true", program)
        program.chmod(0o711)
        done = launch("run", program, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
                      launcher=room / "spanprof", env={"PYROSCOPE_SERVER_ADDRESS": "http://h"})
    else:
        program = room / "unreadable"
        shutil.copy("/bin/true", program)
        program.chmod(0o111)
        done = launch("run", program)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_is_looked_up_as_exec_does(launch, tmp_path):
    for directory in "directory", "denied", "right":
        (tmp_path / directory).mkdir()
    (tmp_path / "directory" / "tool").mkdir()
    (tmp_path / "denied" / "tool").write_text("#!/bin/sh\necho wrong\n")
    script(tmp_path / "right" / "tool", "#!/bin/sh\necho right\n")
    path = os.environ["PATH"]
    inside = f"{tmp_path}/directory:{tmp_path}/denied:{tmp_path}/right:{path}"
    assert launch("run", "tool", env={"PATH": inside}).stdout == "right\n"
    assert launch("run", "tool", env={"PATH": f"{tmp_path}/denied:{path}"}).returncode == 126
    # An empty part is the current directory.
    script(tmp_path / "here", "#!/bin/sh\necho here\n")
    assert launch("run", "here", env={"PATH": f"{path}:"}).stdout == "here\n"
    script(tmp_path / "--odd", "#!/bin/sh\necho odd\n")
    assert launch("run", "--", "--odd", env={"PATH": f"{path}:{tmp_path}"}).stdout == "odd\n"


# --- what COMMAND gets -----------------------------------------------------------------------------

def environment_of(done):
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def test_options_become_settings(launch, tmp_path):
    got = environment_of(launch(
        "run", "--server", "https://u:p@h:1/x", "--output=out/deep", "--service", "a b", "--rate", "250",
        "--label", "k=v w", "--label", "l=m", "--", "env", "-0",
        env={"PYROSCOPE_LABELS": "z=1", "SPANPROF_SAMPLE_RATE": "7"}))
    assert got["PYROSCOPE_SERVER_ADDRESS"] == "https://u:p@h:1/x"
    assert got["SPANPROF_OUTPUT_DIR"] == f"{tmp_path}/out/deep"
    assert (tmp_path / "out" / "deep").is_dir()
    assert got["PYROSCOPE_APPLICATION_NAME"] == "a b"
    assert got["SPANPROF_SAMPLE_RATE"] == "250"
    assert got["PYROSCOPE_LABELS"] == "z=1,k=v w,l=m"


def test_profiles_go_to_a_directory_here_if_nothing_else_is_said(launch, tmp_path):
    got = environment_of(launch("run", "env", "-0"))
    assert got["SPANPROF_OUTPUT_DIR"] == f"{tmp_path}/spanprof-profiles"
    for said in {"PYROSCOPE_SERVER_ADDRESS": "http://h"}, {"SPANPROF_OUTPUT_DIR": str(tmp_path / "x")}:
        got = environment_of(launch("run", "env", "-0", env=said))
        assert got.get("SPANPROF_OUTPUT_DIR") == said.get("SPANPROF_OUTPUT_DIR")


def test_nothing_else_of_the_environment_changes(launch):
    mine = {"version": "theirs", "path": "theirs", "status": "theirs", "odd": "a\nb c  *"}
    got = environment_of(launch("run", "--server", "http://h", "env", "-0", env=mine))
    wanted = launch.environment(**mine)
    for added in "LD_PRELOAD", "SPANPROF_EAGER_PID", "PYROSCOPE_SERVER_ADDRESS":
        assert got.pop(added)
    # A shell's own notes.
    for name in "PWD", "OLDPWD", "SHLVL", "_":
        got.pop(name, None), wanted.pop(name, None)
    assert got == wanted


@pytest.mark.parametrize("mode", ["run", "record"])
def test_the_library_comes_before_what_is_preloaded_already(launch, room, tmp_path, mode):
    library = str(room / "libspanprof.so")
    other = str(compile_c("int nothing;", tmp_path / "other.so", "-shared", "-fPIC"))
    options = {"SPANPROF_ENABLED": "0"}
    for before, after in [(other, f"{library}:{other}"), (library, library),
                          (f"{library}:{other}", f"{library}:{other}"),
                          (f"{other} {other}", f"{library}:{other} {other}")]:
        got = environment_of(launch(mode, "env", "-0", env={"LD_PRELOAD": before, **options}))
        assert got["LD_PRELOAD"] == after


@pytest.mark.parametrize("mode", ["run", "record"])
def test_nothing_but_command_is_preloaded_and_it_is_the_eager_process(launch, tmp_path, mode):
    log = tmp_path / "log"
    done = launch(mode, "printenv", "SPANPROF_EAGER_PID",
                  env={"PROBE_LOG": str(log), "SPANPROF_ENABLED": "no"})
    loaded = [line.split() for line in log.read_text().splitlines()]
    assert loaded == [[done.stdout.strip(), os.path.realpath(shutil.which("printenv"))]]


def test_run_becomes_command(launch):
    process = launch.start("run", "sh", "-c", "echo $$ $0 $1 \"$2\"; exit 7", "zero", "one", "t  w*o")
    out, err = process.communicate(timeout=30)
    assert out == f"{process.pid} zero one t  w*o\n"
    assert (process.returncode, err) == (7, "")
    process = launch.start("run", "sleep", "60")
    until(lambda: program_of(process.pid) == "sleep", "the launcher is the command")
    process.terminate()
    assert process.wait(timeout=10) == -signal.SIGTERM


# --- record ----------------------------------------------------------------------------------------

AGENT = """
    # Plays the agent of whoever starts it: $1 seconds of work after the start, then $2.
    (
        exec </dev/null >/dev/null 2>&1
        unset LD_PRELOAD
        exec sh -c '
            echo $$ >"$SPANPROF_REPORT.agent.t" && mv "$SPANPROF_REPORT.agent.t" "$SPANPROF_REPORT.agent"
            sleep "$1"
            [ -z "$2" ] || echo "$2" >"$SPANPROF_REPORT.t" && mv "$SPANPROF_REPORT.t" "$SPANPROF_REPORT"
            [ -z "$2" ] || sleep 5' agent "$1" "$2" &
    )
"""
REPORT = "samples=1234 cpu_ns=12345678900 spans=1 files=2 pushed=0 failed=0"


@pytest.fixture
def with_agent(tmp_path):
    """A program that starts an agent with these arguments and then does what the rest says."""

    def make(then, delay="0.1", report=REPORT):
        agent = script(tmp_path / "agent", "#!/bin/sh\n" + textwrap.dedent(AGENT))
        return script(tmp_path / "host", f"#!/bin/sh\n'{agent}' {delay} '{report}'\n{then}\n")

    return make


def left_behind(directory):
    return [p for p in pathlib.Path(directory).iterdir() if p.name.startswith("spanprof.")]


def test_record_tells_what_was_recorded_and_where(launch, with_agent, tmp_path):
    (tmp_path / "tmp").mkdir()
    done = launch("record", "--output", "out", with_agent("cat; exit 5"), input="in\n", stdin=None,
                  env={"TMPDIR": str(tmp_path / "tmp")})
    assert (done.returncode, done.stdout) == (5, "in\n")
    assert done.stderr == f"spanprof: 1234 samples, 12.35 CPU seconds, 1 span: 2 files in {tmp_path}/out\n"
    assert left_behind(tmp_path / "tmp") == []


@pytest.mark.parametrize("report, said", [
    ("samples=1 cpu_ns=10000000 spans=0 files=1 pushed=1 failed=0",
     "1 sample, 0.01 CPU seconds, 0 spans: 1 file in {0}/out, 1 profile pushed to https://h:1/x@y\n"),
    ("samples=9 cpu_ns=90000000 spans=2 files=0 pushed=3 failed=1",
     "9 samples, 0.09 CPU seconds, 2 spans: 3 profiles pushed to https://h:1/x@y, 1 profile lost\n"),
    ("samples=0 cpu_ns=0 spans=0 files=0 pushed=0 failed=0",
     "0 samples, 0.00 CPU seconds, 0 spans: nothing to store\n"),
    ("samples=x cpu_ns= junk $(id) *", "0 samples, 0.00 CPU seconds, 0 spans: nothing to store\n"),
])
def test_the_line_names_every_place_and_no_password(launch, with_agent, tmp_path, report, said):
    done = launch("record", "--output", "out", "--server", "https://user:secret@h:1/x@y",
                  with_agent("", report=report))
    assert done.stderr == "spanprof: " + said.format(tmp_path)


def test_record_waits_until_all_is_delivered(launch, with_agent):
    start = time.monotonic()
    done = launch("record", with_agent("", delay="1.5"))
    assert "1234 samples" in one_line(done.stderr)
    assert time.monotonic() - start >= 1.5


def test_record_returns_128_and_the_signals_number(launch, with_agent):
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSEGV:
        done = launch("record", with_agent(f"ulimit -c 0; sleep 0.2; kill -{number.value} $$"))
        assert done.returncode == 128 + number
        assert "1234 samples" in one_line(done.stderr)


def test_without_an_agent_nothing_was_recorded(launch):
    start = time.monotonic()
    done = launch("record", "sh", "-c", "exit 3")
    assert done.returncode == 3
    assert re.search("nothing was recorded: .* because there is no spanprof-agent beside", one_line(done.stderr))
    assert 3 <= time.monotonic() - start < 40
    done = launch("record", "true", env={"SPANPROF_ENABLED": "False"})
    assert "because SPANPROF_ENABLED is False" in one_line(done.stderr)


def test_an_agent_that_dies_is_not_waited_for(launch, with_agent):
    done = launch("record", with_agent("exit 4", delay="0.5", report=""))
    assert done.returncode == 4
    assert "ended without a report" in one_line(done.stderr)


# The agent and a descendant share a region; the descendant has no environment any more.
SURVIVORS = """
    import mmap, os, sys, time
    region = os.memfd_create("spanprof")
    os.ftruncate(region, 4096)
    mapping = mmap.mmap(region, 4096)
    path = os.environ["SPANPROF_REPORT"]
    null = os.open("/dev/null", os.O_RDWR)
    how = sys.argv[1]

    def process():
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for fd in 0, 1, 2:
                os.dup2(null, fd)
        return pid

    agent = process()
    if agent == 0:
        open(path + ".agent", "w").write("%d\\n" % os.getpid())
        time.sleep(90)
        os._exit(0)
    pid = process()
    if pid == 0:
        if how == "mapping":
            os.execvpe("python3", ["python3", "-c", '''
    import mmap, time, sys
    mapping = mmap.mmap(%d, 4096)
    time.sleep(90)
    '''.replace("    ", "") % region], {"PATH": os.environ["PATH"]})
        os.execvp("sleep", ["sleep", "90"])
    print(agent, pid)
"""


@pytest.mark.parametrize("how", ["mapping", "environment"])
def test_descendants_that_live_on_are_said_and_not_waited_for(launch, tmp_path, how):
    program = tmp_path / "survivors.py"
    program.write_text(textwrap.dedent(SURVIVORS).replace(
        'os.memfd_create("spanprof")', 'os.memfd_create("spanprof", 0)'))
    start = time.monotonic()
    done = launch("record", sys.executable, program, how)
    took = time.monotonic() - start
    agent, pid = done.stdout.split()
    for left in agent, pid:
        os.kill(int(left), signal.SIGKILL)
    said = one_line(done.stderr)
    assert re.search(f"still profiling {os.path.basename(sys.executable)}'s children in the background: {pid}$",
                     said.strip())
    assert done.returncode == 0
    assert 3 <= took < 60


def test_a_signal_ends_the_wait_for_the_report(launch, with_agent, tmp_path):
    (tmp_path / "tmp").mkdir()
    process = launch.start("record", with_agent("exit 6", delay="90"), env={"TMPDIR": str(tmp_path / "tmp")})
    files = until(lambda: list(tmp_path.glob("tmp/*/report.agent")), "an agent")
    agent = int(files[0].read_text())
    # Between two looks at what the agent has written.
    until(lambda: "sleep" in children_of(process.pid).values(), "the launcher waits")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    for pid in *children_of(agent), agent:
        os.kill(pid, signal.SIGKILL)
    assert process.returncode == 6
    assert "not waiting for the last profiles" in one_line(err)


def test_the_service_is_named_after_command_unless_it_has_a_name(launch, tmp_path):
    off = {"SPANPROF_ENABLED": "off"}
    shutil.copy(shutil.which("env"), tmp_path / "my {tool}")
    assert environment_of(launch("record", "./my {tool}", "-0", env=off))[
        "PYROSCOPE_APPLICATION_NAME"] == "my__tool_"
    for named in {"OTEL_SERVICE_NAME": "x"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=x"}:
        got = environment_of(launch("record", "env", "-0", env={**off, **named}))
        assert "PYROSCOPE_APPLICATION_NAME" not in got
    got = environment_of(launch("record", "--service", "y", "env", "-0", env=off))
    assert got["PYROSCOPE_APPLICATION_NAME"] == "y"


def descriptors_and_ignored(launch, **options):
    done = launch("record", "sh", "-c", "ls /proc/self/fd; grep SigIgn /proc/self/status",
                  env={"SPANPROF_ENABLED": "off"}, **options)
    *fds, ignored = done.stdout.split("\n")[:-1]
    return fds, int(ignored.split()[1], 16)


def test_command_gets_the_callers_descriptors_and_signals(launch):
    """ls has one descriptor of its own; Python's subprocess sets SIGPIPE right."""
    fds, ignored = descriptors_and_ignored(launch)
    assert fds[:3] == ["0", "1", "2"] and len(fds) == 4
    assert ignored & 0b110 == 0
    with tempfile.TemporaryFile() as f:
        fds, _ = descriptors_and_ignored(launch, pass_fds=[9],
                                         preexec_fn=lambda: os.dup2(f.fileno(), 9))
    assert "9" in fds and len(fds) == 5
    _, ignored = descriptors_and_ignored(
        launch, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert ignored & 0b110 == 0b010


# Says each signal it gets; ends on USR2 or after a while.
LISTENER = """
    import os, signal, sys, time
    def got(number, frame):
        os.write(1, (signal.Signals(number).name + "\\n").encode())
        if number == signal.SIGUSR2:
            os._exit(8)
    for s in signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2:
        signal.signal(s, got)
    os.write(1, b"ready\\n")
    end = time.monotonic() + 90
    while time.monotonic() < end:
        time.sleep(0.1)
"""
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1]


@pytest.fixture
def listener(tmp_path):
    path = tmp_path / "listener.py"
    path.write_text(textwrap.dedent(LISTENER))
    return [sys.executable, str(path)]


def canary_of(process, before=None):
    """That by which the launcher sees who was sent a signal; another one once a signal has ended it."""
    return until(lambda: [pid for pid, program in children_of(process.pid).items()
                          if program == "tail" and pid != before], "a canary")[0]


def end_listener(process):
    """Tells it to end; what it has said since somebody read."""
    time.sleep(0.5)  # what arrives twice may come late
    [command] = [pid for pid, program in children_of(process.pid).items() if program != "tail"]
    os.kill(command, signal.SIGUSR2)
    rest = process.stdout.read().split()
    assert process.wait(60) == 8
    return rest


@pytest.mark.parametrize("whom", ["launcher", "group"])
def test_every_signal_arrives_once(launch, listener, whom):
    """Sent to the launcher alone it is passed on; sent to the whole group it is not sent again."""
    process = launch.start("record", *listener, env={"SPANPROF_ENABLED": "off"}, start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    canary, heard = canary_of(process), []
    for number in SIGNALS:
        os.kill(process.pid if whom == "launcher" else -process.pid, number)
        heard.append(process.stdout.readline().strip())
        canary = canary_of(process, before=canary if whom == "group" else None)
    assert heard + end_listener(process) == [s.name for s in SIGNALS] + ["SIGUSR2"]


def test_a_terminals_interrupt_arrives_once(launch, listener):
    master, slave = pty.openpty()
    command = ["setsid", "--ctty", "--wait", str(LAUNCHER), "record", *listener]
    process = subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=launch.environment(SPANPROF_ENABLED="off"), text=True)
    os.close(slave)
    assert process.stdout.readline() == "ready\n"
    canary, heard = canary_of(process), []
    for key in b"\x03", b"\x03", b"\x1c":
        os.write(master, key)
        heard.append(process.stdout.readline().strip())
        canary = canary_of(process, before=canary)
    assert heard + end_listener(process) == ["SIGINT", "SIGINT", "SIGQUIT", "SIGUSR2"]
    os.close(master)


def test_nothing_is_left_behind(launch, with_agent, tmp_path):
    (tmp_path / "tmp").mkdir()
    process = launch.start("record", with_agent("exec sleep 30"), env={"TMPDIR": str(tmp_path / "tmp")},
                           start_new_session=True)
    until(lambda: "sleep" in children_of(process.pid).values(), "COMMAND sleeps")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert left_behind(tmp_path / "tmp") == []
    own = subprocess.run(["pgrep", "-g", str(process.pid), "-f", "tail --pid"], stdout=subprocess.PIPE)
    assert own.stdout == b""
