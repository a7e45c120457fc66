"""The ratio of speeds is that of the times, with an interval that covers it."""

import numpy as np
import pytest
import torch

from benchmarks.edm_speed import Round, egnn, ours, result_of
from benchmarks.egnn import EGNN
from benchmarks.readme import table
from tests import tiny

WORDS = {"n": 2, "evaluations": 1, "weights": "0123456789ab", "command": "command"}


def test_the_ratio_is_that_of_the_times() -> None:
    rounds = [Round(0.2, 0.04), Round(0.4, 0.08), Round(0.2, 0.05)]
    assert [r.ratio(1000) for r in rounds] == pytest.approx([200, 200, 250])
    result = result_of(rounds, 50, 1000, (10**6, 5 * 10**6), WORDS)
    ratio, low, high = (float(x.strip("[],")) for x in result["rows"][2][4].split())
    assert low < ratio < high and 200 < ratio < 250
    assert "is kept" in result["note"] and table(result)
    slow = result_of([Round(0.2, 0.01)], 50, 1000, (1, 1), WORDS)
    assert "is not kept" in slow["note"] and slow["rows"][2][4] == "50"


def test_both_are_timed_for_each_molecule(generator: torch.Generator) -> None:
    counts = np.array([[4, 1, 0, 0, 0], [6, 2, 0, 1, 0]])
    assert 0 < ours(tiny.model(), counts, 0, 2) < 30
    assert 0 < egnn(EGNN(features=8, layers=2), counts.sum(1), generator, 2) < 30
