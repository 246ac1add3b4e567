# SPDX-License-Identifier: Apache-2.0
"""Every program of the attribution matrix under one load: what is labelled is labelled right, and what
should be is. The whole matrix is `make attribution`."""
import pathlib
import sys

import pytest
from hosts import build  # noqa: F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "attribution"))

import matrix  # noqa: E402
import program  # noqa: E402
from score import QUICK  # noqa: E402

ENOUGH = 300  # samples in burn functions; fewer would make single ones decide


def parameters():
    for kind in matrix.programs():
        marks = [pytest.mark.xfail(reason=kind.pending, strict=True)] if kind.pending else []
        yield pytest.param(kind, marks=marks, id=kind.name.replace(" ", "-"))


@pytest.mark.parametrize("kind", parameters())
def test_a_label_names_the_request_that_the_stack_names(kind, build):  # noqa: F811
    if why := kind.missing():
        pytest.skip(why)
    outcome = program.run(kind, QUICK, build)
    print(outcome)
    score = outcome.score
    assert outcome.failed == 0
    if not kind.burns:
        assert score.other > ENOUGH * 1e9 / program.RATE and score.outside == 0
        return
    assert score.samples >= ENOUGH
    assert abs(outcome.coverage - 1) < kind.tolerance
    if kind.recall:
        assert score.precision is not None
    assert score.precision is None or score.precision >= kind.precision
    assert score.recall is None or score.recall >= kind.recall
