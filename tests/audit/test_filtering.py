"""What a filter saves: exact for one that knows the answer, nothing for one that guesses."""

import numpy as np
import pytest

from molscore.audit import Options, filtering
from molscore.audit import drawn as drawing
from molscore.audit.drawn import drawn
from molscore.audit.filtering import _at_best, _by_chance, _figures, _ranked, saved, stable_share
from molscore.audit.filtering import filtering as measure
from molscore.datasets.store import MoleculeSet
from molscore.molecules import Molecule
from tests import tiny


def test_a_filter_that_knows_saves_all_there_is(rng) -> None:
    stable = rng.random(4000) < 0.7
    p = stable.mean()
    gain, fewer = _figures(stable.astype(float), stable)
    assert fewer == pytest.approx(_at_best(stable)) == pytest.approx(100 * (1 - p))
    assert gain == pytest.approx(100 * (1 - p))
    gain, fewer = _figures(rng.random(4000), stable)
    assert abs(gain) < 2.5 and abs(fewer) < 4
    assert _figures(-stable.astype(float), stable)[0] < -10


def test_chance_gains_nothing_and_varies_as_it_must(rng) -> None:
    """Against 2,000 choices at random, and the variance of a draw without replacement."""
    stable = np.arange(1000) < 700
    before, after, gain, _, _ = _by_chance(stable, 0)
    assert before == after == "70.0"
    low, high = (float(text) for text in gain.split("[")[1].rstrip("]").split(","))
    deviation = 100 * np.sqrt(0.7 * 0.3 / 650 * 350 / 999)
    assert low == pytest.approx(-1.96 * deviation, abs=0.25) and high == pytest.approx(1.96 * deviation, abs=0.25)
    gains = np.array([_figures(rng.random(1000), stable)[0] for _ in range(2000)])
    assert 0.92 < ((gains >= low) & (gains <= high)).mean() < 0.98
    assert _figures(rng.random(1000) + stable, stable)[0] > high


def test_the_share_that_is_kept(rng) -> None:
    stable, values = np.array([True, False, True, False]), np.array([4.0, 3.0, 2.0, 1.0])
    assert [stable_share(values, stable, keep) for keep in (1.0, 0.75, 0.5, 0.25)] == [0.5, 2 / 3, 0.5, 1.0]
    assert saved(0.5, 1.0) == 50.0 and saved(0.5, 0.5) == 0.0
    level = _ranked(np.array([1.0, 1.0, 0.0]), np.array([5.0, 7.0, 9.0]))
    assert level.tolist() == [1.0, 2.0, 0.0]


def test_what_is_drawn_is_kept(monkeypatch, tmp_path) -> None:
    model, options = tiny.model(), Options(drawn=4, output=tmp_path / "new")
    monkeypatch.setattr(drawing, "STEPS", 3)
    first = drawn(model, options, 1.0)
    assert 0 < len(first) <= 4
    monkeypatch.setattr(drawing, "draw_positions", lambda *given, **more: pytest.fail("drawn again"))
    again = drawn(model, options, 1.0)
    assert all(np.allclose(a.positions, b.positions, atol=1e-5) for a, b in zip(first, again, strict=True))
    with pytest.raises(pytest.fail.Exception):
        drawn(model, options.but(seed=1), 1.0)


def test_the_part_has_a_row_for_each_criterion(monkeypatch, tmp_path, rng) -> None:
    """Half of the molecules are torn apart; the table says how many are stable."""
    whole = list(tiny.geometries())[:12]
    torn = [Molecule(m.numbers, m.positions * 1.4) for m in whole]
    monkeypatch.setattr(filtering, "drawn", lambda *given: whole + torn)
    monkeypatch.setattr(filtering, "RESAMPLES", 20)
    held = MoleculeSet.from_molecules(whole)
    found = measure(tiny.model(), held, Options(drawn=24, resolution=0.1, output=tmp_path))
    table = found.tables[0]
    rows = [row for row in table.rows if row[0] == 1.0 and row[1] == "all"]
    assert {"chance", "percentile", "codimension"} <= {row[3] for row in rows}
    assert all(float(row[4]) <= 50 for row in rows)
    assert len(found.plots) == 2 and len(found.verdicts) == 4
