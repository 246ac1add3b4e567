# SPDX-License-Identifier: Apache-2.0
"""Every program of the attribution matrix under one load: what is labelled is labelled right, and what
should be is. The whole matrix is `make attribution`."""
import concurrent.futures
import pathlib
import sys

import pytest
from hosts import build  # noqa: F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "attribution"))

import matrix  # noqa: E402
import minipprof  # noqa: E402
import program  # noqa: E402
from score import PREFIX, QUICK, Load, score  # noqa: E402

ENOUGH = 300  # samples in burn functions; fewer would make single ones decide


def label(number, turn, span_turn=None):
    """Of request number turn of a burn function."""
    span_turn = turn if span_turn is None else span_turn
    return {"trace_id": f"{PREFIX}{number:04x}{0xa77:012x}{turn:08x}",
            "span_id": f"b{number:03x}{span_turn:012x}"}


def test_the_measure_counts_each_kind_of_sample_once():
    """Of slots 0 and 1 with two functions each, the first carries contexts."""
    samples = [(("main", "burn_000"), (1, 1), label(0, 6)),                # right
               (("main", "burn_001", "clock"), (1, 2), label(1, 7)),       # right
               (("main", "burn_000"), (1, 4), label(1, 7)),                # wrong
               (("main", "burn_000"), (1, 8), label(0, 6, span_turn=7)),   # wrong: another's span
               (("main", "burn_001"), (1, 16), {}),                        # missing
               (("main", "burn_002"), (1, 32), label(0, 6)),               # stray
               (("main", "burn_003"), (1, 64), {}),                        # clean
               (("main", "write"), (1, 128), label(0, 6)),                 # outside
               (("main", "[ended between ticks]"), (1, 256), {})]          # other
    got = score([minipprof.decode(minipprof.encode(samples))], Load(2, "half"))
    assert (got.right, got.wrong, got.missing, got.stray, got.clean, got.outside, got.other) == \
        (3, 12, 16, 32, 64, 128, 256)
    assert got.samples == 7
    assert (got.precision, got.recall, got.stray_share) == (3 / 47, 3 / 31, 32 / 96)


def parameters():
    for kind in matrix.programs():
        marks = [pytest.mark.xfail(reason=kind.pending, strict=True)] if kind.pending else []
        yield pytest.param(kind, marks=marks, id=kind.name.replace(" ", "-"))


@pytest.fixture(scope="module")
def outcomes(request, build):  # noqa: F811
    """By program, what its run will give: they run several at a time, ahead of their tests."""
    kinds = [item.callspec.params["kind"] for item in request.session.items
             if item.originalname == test_a_label_names_the_request_that_the_stack_names.__name__]
    pool = concurrent.futures.ThreadPoolExecutor(matrix.jobs())
    yield {kind: pool.submit(program.run, kind, QUICK, build) for kind in kinds if not kind.missing()}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("kind", list(parameters()))
def test_a_label_names_the_request_that_the_stack_names(kind, outcomes):
    if why := kind.missing():
        pytest.skip(why)
    outcome = outcomes[kind].result()
    print(outcome)
    score = outcome.score
    assert outcome.failed == 0
    if not kind.burns:
        assert score.other > ENOUGH * 1e9 / program.RATE and score.outside == 0
        return
    assert score.samples >= ENOUGH
    assert abs(outcome.coverage - 1) < kind.tolerance
    if kind.recall:
        assert score.precision is not None and score.precision >= kind.precision
    else:
        # Of what is left unlabelled, a sample or two say nothing; of all work, hardly any is wrong.
        assert score.wrong + score.stray <= kind.wrong * score.burnt
    assert score.recall is None or score.recall >= kind.recall
