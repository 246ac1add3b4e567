#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The attribution matrix: runs every program under every load, prints each cell, and writes the table
between the marks of docs/attribution.md.

    matrix.py [--write] [NAME...]   programs whose name holds one of NAMEs; --write: the document
    ATTRIBUTION=quick               one load for each program instead of all
"""
import importlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "test" / "integration"), str(ROOT / "test" / "pyroscope")]

import hosts  # noqa: E402
import program  # noqa: E402
from score import FULL, QUICK  # noqa: E402

FAMILIES = sorted(path.stem for path in (HERE / "programs").glob("*.py") if path.stem != "__init__")
DOCUMENT = ROOT / "docs" / "attribution.md"
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


# The table


def worst(values):
    known = [value for value in values if value is not None]
    return min(known, default=None)


def cell(outcomes):
    """The worst precision and recall of these."""
    if not outcomes:
        return "not run"
    precision = worst(o.score.precision for o in outcomes)
    recall = worst(o.score.recall for o in outcomes)
    if not any(o.score.samples for o in outcomes):
        return f"{sum(o.score.outside for o in outcomes) / 1e9:.2f} s labelled"
    if precision is None and recall is None:
        return "0 labelled"
    return " / ".join("-" if v is None else f"{100 * v:.1f}" for v in (precision, recall))


def rows(results, sizes):
    for kind, outcomes in results:
        columns = [kind.name, f"{kind.shape} ({kind.protocol})"]
        if isinstance(outcomes, str):
            yield columns + [outcomes] + [""] * len(sizes)
            continue
        for slots in sizes:
            columns.append(cell([o for o in outcomes if o.load.slots == slots
                                 and o.load.mode != "none"]))
        strays = [o.score.stray_share for o in outcomes if o.score.stray_share is not None]
        columns.append(f"{100 * max(strays):.2f}" if strays else "-")
        yield columns


def table(results):
    sizes = sorted({o.load.slots for _, outcomes in results if not isinstance(outcomes, str)
                    for o in outcomes})
    head = ["program", "shape (protocol)", *(f"{size} at a time" for size in sizes),
            "untraced work labelled"]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows(results, sizes)]]
    short = [f"- {kind.name}: {kind.exception}" for kind, _ in results if kind.exception]
    if short:
        lines += ["", "Below the mark, and why:", "", *short]
    return "\n".join(lines)


def write_document(results):
    text = DOCUMENT.read_text()
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT} has no marks")
    DOCUMENT.write_text(f"{before}{begin}\n{table(results)}\n{end}{after}")


def save(results, path):
    """For whoever wants all cells."""
    out = [{"program": kind.name, "load": str(o.load), **vars(o.score), "answered": o.answered,
            "failed": o.failed, "asked": o.asked}
           for kind, outcomes in results if not isinstance(outcomes, str) for o in outcomes]
    path.write_text(json.dumps(out, indent=1))


# The run


def measure(kind, quick, built):
    if why := kind.missing():
        print(f"{kind.name}: skipped: {why}", flush=True)
        return f"skipped: {why}"
    outcomes = []
    for load in loads(kind, quick):
        try:
            outcomes.append(program.run(kind, load, built))
        except (hosts.HostError, OSError) as error:
            print(f"{kind.name}: {load}: {error}", flush=True)
            continue
        print(f"{kind.name}: {outcomes[-1]}", flush=True)
        if outcomes[-1].log:
            print(f"    log: {outcomes[-1].log.strip()}")
    return outcomes


def main(arguments):
    write, names = "--write" in arguments, [name for name in arguments if name != "--write"]
    quick = os.environ.get("ATTRIBUTION", "full") == "quick"
    chosen = [kind for kind in programs()
              if not names or any(name.lower() in kind.name.lower() for name in names)]
    built, begin = build(), time.monotonic()
    try:
        results = [(kind, measure(kind, quick, built)) for kind in chosen]
    finally:
        shutil.rmtree(built.dir, ignore_errors=True)
    save(results, program.BUILT.parent / "attribution.json")
    print(f"\n{table(results)}\n\n{time.monotonic() - begin:.0f} s")
    if write:
        write_document(results)


if __name__ == "__main__":
    main(sys.argv[1:])
