"""What things cost: ratios and exponents are those of the times measured, and the EGNN beside ours has EDM's size."""

import pytest

from benchmarks.pages import cell
from benchmarks.scaling import AT_ATOMS, AT_BATCH, draw, exponent, note_of, point
from benchmarks.speed import EGNN, Round, table_of


def rows(power: float) -> list[list]:
    sweep = [(atoms, AT_BATCH) for atoms in (5, 50, 100)] + [(AT_ATOMS, batch) for batch in (1, 64)]
    return [
        [what, atoms, batch, f"{atoms**power * batch:.6g}", "1", f"{atoms * batch}", "400"]
        for what in ("pass", "training step") for atoms, batch in sweep
    ]  # fmt: skip


def test_exponents_are_those_of_the_rows() -> None:
    assert exponent(rows(2.0), "pass", "atoms", "ms") == pytest.approx(2, abs=0.01)
    assert exponent(rows(1.5), "pass", "atoms", "ms") == pytest.approx(1.5, abs=0.01)
    assert exponent(rows(2.0), "pass", "batch", "MiB above the idle process") == pytest.approx(1)
    assert exponent(rows(2.0)[:1], "pass", "atoms", "ms") is None


def test_a_point_that_did_not_survive_is_a_row_of_dashes(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    given = [*rows(2.0), ["training step", 75, AT_BATCH, None, None, None, None]]
    assert "pass by atoms: time 2.0" in note_of(given, "M")
    assert [cell(value) for value in given[-1]] == ["training step", "75", "16", *"––––"]
    assert draw(given, tmp_path).stat().st_size < 100_000


@pytest.mark.parametrize("what", ["pass", "training step"])
def test_a_point_is_measured(what) -> None:
    found = point(what, 4, 2, "S", 1)
    assert found["seconds"] > 0 and found["peak"] >= found["idle"] > 10


WORDS = {"n": 2, "evaluations": 1, "weights": "0123456789ab"}


def test_the_ratio_is_that_of_the_times() -> None:
    rounds = [Round(0.2, 0.04), Round(0.4, 0.08), Round(0.2, 0.05)]
    assert [r.ratio(1000) for r in rounds] == pytest.approx([200, 200, 250])
    rows, note = table_of(rounds, 50, 1000, (10**6, 5 * 10**6), WORDS)
    ratio, low, high = (float(x.strip("[],")) for x in rows[2][4].split())
    assert low < ratio < high and 200 < ratio < 250 and "is kept" in note
    rows, note = table_of([Round(0.2, 0.01)], 50, 1000, (1, 1), WORDS)
    assert "is not kept" in note and rows[2][4] == "50"


def test_the_network_beside_ours_has_as_many_parameters_as_was_published() -> None:
    assert round(sum(p.numel() for p in EGNN().parameters()) / 1e6, 1) == 5.3
    assert round(sum(p.numel() for p in EGNN(layers=8).parameters()) / 1e6, 1) != 5.3
