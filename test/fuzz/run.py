#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Runs fuzz targets, for `make fuzz`, `make fuzz-replay` and `make fuzz-keep`.

fuzz    each target for so many seconds of CPU (a busy machine makes a run longer, not worse), on its
        corpus of earlier runs beside the binary and the one in test/fuzz/corpus; prints a table
replay  each target once on every file of test/fuzz/corpus
keep    adds to test/fuzz/corpus the files that reach code which those in it do not, up to a bound
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEPT = Path(__file__).resolve().parent / "corpus"
# What libFuzzer found, which has a hash for a name; seeds are not counted.
KEPT_FILES = 100
KEPT_BYTES = 64 << 10
KEPT_FILE_BYTES = 8 << 10
LIMITS = ["-timeout=25", "-report_slow_units=25", "-rss_limit_mb=2048", "-detect_leaks=1"]
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def environment():
    return {**os.environ, **OPTIONS}


def corpora(target):
    """The one that grows, and, where there is one, the kept one."""
    grown = target.parent / f"corpus-{target.name}"
    grown.mkdir(exist_ok=True)
    kept = KEPT / target.name
    return [grown] + ([kept] if kept.is_dir() else [])


def fuzz_one(target, seconds, extra):
    """Returns (CPU seconds, exit status, path of the log)."""
    log = target.parent / f"{target.name}.log"
    # The target's own clock is for the case that this script is killed.
    command = [target, *LIMITS, "-print_final_stats=1", f"-max_total_time={int(seconds * 20 + 60)}",
               f"-artifact_prefix={target.parent}/found-{target.name}-", *extra, *corpora(target)]
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, env=environment())
        asked = False
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            # On this signal libFuzzer ends the run as if its time were over.
            if not asked and cpu_seconds(child.pid) >= seconds:
                os.kill(child.pid, signal.SIGUSR1)
                asked = True
            time.sleep(0.1)
        child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, child.returncode, log


def numbers(log):
    """Of the last line with coverage in it, and of the final statistics."""
    text = log.read_text(errors="replace")
    coverage = re.findall(r"cov: (\d+) ft: (\d+)(?: corp: (\d+))?", text)
    executions = re.search(r"stat::number_of_executed_units:\s+(\d+)", text)
    cov, ft, corpus = coverage[-1] if coverage else ("0", "0", "0")
    return int(executions.group(1)) if executions else 0, int(cov), int(ft), int(corpus or 0)


def fuzz(targets, seconds, extra):
    failed = []
    print("| target | CPU s | executions | coverage | features | inputs | findings |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | --- |", flush=True)
    for target in targets:
        before = set(target.parent.glob(f"found-{target.name}-*"))
        cpu, status, log = fuzz_one(target, seconds, extra)
        found = sorted(path.name for path in set(target.parent.glob(f"found-{target.name}-*")) - before)
        executions, cov, ft, inputs = numbers(log)
        print(f"| {target.name} | {cpu:.0f} | {executions} | {cov} | {ft} | {inputs} | "
              f"{', '.join(found) or ('none' if not status else f'status {status}')} |", flush=True)
        if status or found:
            failed.append(target.name)
            print("".join(log.read_text(errors="replace").splitlines(True)[-40:]), file=sys.stderr)
    return failed


def replay(targets):
    failed = []
    for target in targets:
        files = len(list((KEPT / target.name).glob("*")))
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run([target, *LIMITS, "-runs=0", f"-artifact_prefix={target.parent}/replay-", empty,
                                   KEPT / target.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=environment(), timeout=300, check=False)
        ran = re.search(rb"Done (\d+) runs", done.stdout)
        if done.returncode or not files or not ran or int(ran.group(1)) < files:
            failed.append(target.name)
            print(done.stdout.decode(errors="replace"), file=sys.stderr)
        print(f"== {target.name}: {files} inputs", flush=True)
    return failed


def gains(target, first, second):
    """How much code each file reaches that those of the first directory and smaller ones do not. How often
    is not counted."""
    with tempfile.TemporaryDirectory() as scratch:
        control = Path(scratch) / "control"
        (Path(scratch) / "merged").mkdir()
        subprocess.run([target, *LIMITS, "-merge=1", "-use_counters=0", f"-merge_control_file={control}",
                        Path(scratch) / "merged", first, second], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env=environment(), timeout=1800, check=True)
        lines = control.read_text().splitlines()
    names = lines[2:2 + int(lines[0])]
    return {Path(names[int(words[1])]): len(words) - 2
            for words in map(str.split, lines[2 + len(names):]) if words[0] == "FT" and len(words) > 2}


def keep(targets):
    for target in targets:
        kept = KEPT / target.name
        kept.mkdir(parents=True, exist_ok=True)
        grown = corpora(target)[0]
        before = [path for path in kept.iterdir() if re.fullmatch("[0-9a-f]{40}", path.name)]
        room = KEPT_BYTES - sum(path.stat().st_size for path in before)
        found = gains(target, kept, grown)
        # Most for what they take of both bounds.
        new = sorted((path for path in found if path.parent == grown),
                     key=lambda path: -found[path] / (path.stat().st_size + KEPT_BYTES / KEPT_FILES))
        added = 0
        for path in new:
            size = path.stat().st_size
            if size <= min(room, KEPT_FILE_BYTES) and len(before) + added < KEPT_FILES:
                shutil.copy(path, kept)
                room -= size
                added += 1
        print(f"== {target.name}: {len(before)} found inputs were kept, {added} of {len(new)} new ones are added",
              flush=True)
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fuzz", "replay", "keep"])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--extra", action="append", default=[], help="an option of libFuzzer's")
    parser.add_argument("targets", nargs="+", type=Path)
    args = parser.parse_args()
    targets = [path.resolve() for path in args.targets]
    if args.what == "fuzz":
        failed = fuzz(targets, args.seconds, args.extra)
    else:
        failed = (replay if args.what == "replay" else keep)(targets)
    if failed:
        sys.exit(f"{args.what}: failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
