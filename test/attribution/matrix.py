#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The attribution matrix: runs every program under every load, prints each cell, and writes the table
between the marks of docs/attribution.md.

    matrix.py [--write] [NAME...]   programs whose name holds one of NAMEs; --write: the document, in
                                    which other programs keep the rows of earlier runs
    ATTRIBUTION=quick               one load for each program instead of all
    ATTRIBUTION_JOBS=N              cells at a time (default: one for each processor)
"""
import concurrent.futures
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "test" / "integration"), str(ROOT / "test" / "pyroscope")]

import hosts  # noqa: E402
import program  # noqa: E402
from score import FULL, QUICK, Load, Score  # noqa: E402

FAMILIES = sorted(path.stem for path in (HERE / "programs").glob("*.py") if path.stem != "__init__")
DOCUMENT = ROOT / "docs" / "attribution.md"
STORE = program.BUILT.parent / "attribution.json"
MARKS = ("<!-- attribution matrix: begin -->", "<!-- attribution matrix: end -->")


def programs():
    return [kind for family in FAMILIES
            for kind in importlib.import_module(f"programs.{family}").PROGRAMS]


def loads(kind, quick):
    wanted = [QUICK] if quick or kind.one_load else FULL
    return [load for load in wanted if load.slots <= kind.most]


def build():
    """A copy of what was built; remove .dir when done."""
    directory = tempfile.mkdtemp(prefix="spanprof-build-")
    os.chmod(directory, 0o755)
    return hosts.Build(directory)


# What was measured: by program, a list of cells, or why there are none


class Cell:
    def __init__(self, load, score, commit):
        self.load, self.score, self.commit = load, score, commit

    def saved(self):
        return {"load": asdict(self.load), "score": asdict(self.score), "commit": self.commit}

    @classmethod
    def restored(cls, saved):
        return cls(Load(**saved["load"]), Score(**saved["score"]), saved["commit"])


def restore():
    if not STORE.exists():
        return {}
    return {name: cells if isinstance(cells, str) else list(map(Cell.restored, cells))
            for name, cells in json.loads(STORE.read_text()).items()}


def save(measured):
    STORE.write_text(json.dumps({name: cells if isinstance(cells, str) else [c.saved() for c in cells]
                                 for name, cells in measured.items()}, indent=1))


def commit():
    return subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"],
                          capture_output=True, text=True, check=False).stdout.strip()


# The table


def worst(values):
    known = [value for value in values if value is not None]
    return min(known, default=None)


def column(cells):
    """The worst precision and recall of these."""
    if not cells:
        return "not run"
    precision = worst(c.score.precision for c in cells)
    recall = worst(c.score.recall for c in cells)
    if not any(c.score.samples for c in cells):
        return f"{sum(c.score.outside for c in cells) / 1e9:.2f} s labelled"
    if precision is None and recall is None:
        return "0 labelled"
    return " / ".join("-" if v is None else f"{100 * v:.1f}" for v in (precision, recall))


def rows(measured, sizes):
    for kind in programs():
        if kind.name not in measured:
            continue
        cells = measured[kind.name]
        columns = [kind.name, f"{kind.shape} ({kind.protocol})"]
        if isinstance(cells, str):
            yield columns + [cells] + [""] * len(sizes)
            continue
        columns += [column([c for c in cells if c.load.slots == slots and c.load.mode != "none"])
                    for slots in sizes]
        strays = [c.score.stray_share for c in cells if c.score.stray_share is not None]
        columns.append(f"{100 * max(strays):.2f}" if strays else "-")
        yield columns


def table(measured):
    cells = [c for of_program in measured.values() if not isinstance(of_program, str) for c in of_program]
    sizes = sorted({c.load.slots for c in cells})
    head = ["program", "shape (protocol)", *(f"{size} at a time" for size in sizes),
            "untraced work labelled"]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows(measured, sizes)]]
    lines += ["", f"{len(cells)} cells, measured at " + ", ".join(sorted({c.commit for c in cells}))]
    short = [f"- {kind.name}: {kind.exception}" for kind in programs()
             if kind.exception and kind.name in measured]
    if short:
        lines += ["", "Below the mark, and why:", "", *short]
    return "\n".join(lines)


def write_document(measured):
    text = DOCUMENT.read_text()
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT} has no marks")
    DOCUMENT.write_text(f"{before}{begin}\n{table(measured)}\n{end}{after}")


# The run


def jobs():
    return int(os.environ.get("ATTRIBUTION_JOBS", len(os.sched_getaffinity(0))))


def measure(kind, load, built):
    """None if it could not be done."""
    try:
        outcome = program.run(kind, load, built)
    except (hosts.HostError, OSError) as error:
        print(f"{kind.name}: {load}: {error}", flush=True)
        return None
    log = f"\n    log: {outcome.log.strip()}" if outcome.log else ""
    print(f"{kind.name}: {outcome}{log}", flush=True)
    return outcome


def run(chosen, quick, built):
    """By program, its cells."""
    at = commit()
    with concurrent.futures.ThreadPoolExecutor(jobs()) as pool:
        started = {kind: kind.missing() or [pool.submit(measure, kind, load, built)
                                            for load in loads(kind, quick)] for kind in chosen}
        for kind, cells in started.items():
            if isinstance(cells, str):
                yield kind.name, f"skipped: {cells}"
                continue
            outcomes = [future.result() for future in cells]
            yield kind.name, [Cell(o.load, o.score, at) for o in outcomes if o]


def main(arguments):
    write, names = "--write" in arguments, [name for name in arguments if name != "--write"]
    quick = os.environ.get("ATTRIBUTION", "full") == "quick"
    chosen = [kind for kind in programs()
              if not names or any(name.lower() in kind.name.lower() for name in names)]
    built, begin = build(), time.monotonic()
    measured = restore() if names else {}
    try:
        for name, cells in run(chosen, quick, built):
            measured[name] = cells
            save(measured)
    finally:
        shutil.rmtree(built.dir, ignore_errors=True)
    print(f"\n{table(measured)}\n\n{time.monotonic() - begin:.0f} s")
    if write:
        write_document(measured)


if __name__ == "__main__":
    main(sys.argv[1:])
