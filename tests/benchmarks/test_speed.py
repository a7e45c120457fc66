"""The ratio of speeds is that of the times, and the network beside ours has EDM's size."""

import pytest

from benchmarks.speed import EGNN, Round, table_of

WORDS = {"n": 2, "evaluations": 1, "weights": "0123456789ab"}


def test_the_ratio_is_that_of_the_times() -> None:
    rounds = [Round(0.2, 0.04), Round(0.4, 0.08), Round(0.2, 0.05)]
    assert [r.ratio(1000) for r in rounds] == pytest.approx([200, 200, 250])
    rows, note = table_of(rounds, 50, 1000, (10**6, 5 * 10**6), WORDS)
    ratio, low, high = (float(x.strip("[],")) for x in rows[2][4].split())
    assert low < ratio < high and 200 < ratio < 250 and "is kept" in note
    rows, note = table_of([Round(0.2, 0.01)], 50, 1000, (1, 1), WORDS)
    assert "is not kept" in note and rows[2][4] == "50"


def test_it_has_as_many_parameters_as_was_published() -> None:
    assert round(sum(p.numel() for p in EGNN().parameters()) / 1e6, 1) == 5.3
    assert round(sum(p.numel() for p in EGNN(layers=8).parameters()) / 1e6, 1) != 5.3
