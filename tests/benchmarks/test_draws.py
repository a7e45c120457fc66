"""Molecules drawn once, and the likely share of them."""

import numpy as np
import pytest

from benchmarks.draws import Draw, Setting, best_share, draw
from benchmarks.generation import JUDGED, kept_row
from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from molscore.screening import generate
from tests import tiny

SETTING = Setting("ode", 1.0, 0.0, 3)


def sample(values: list[float]) -> MoleculeSet:
    """One molecule of the library for each codimension."""
    nothing = [np.nan] * len(values)
    columns = {"codimension_excess": values, "codimension": nothing, "log_likelihood": [0.0] * len(values)}
    columns["percentile"] = nothing
    return MoleculeSet.from_molecules(tiny.geometries()[: len(values)], columns)


def test_what_was_drawn_is_read_again(tmp_path, monkeypatch) -> None:
    model = tiny.model()
    first = draw(model, SETTING, 3, 1, tmp_path)
    monkeypatch.setattr(generate, "draw", lambda *_, **__: pytest.fail("drawn twice"))
    again = draw(model, SETTING, 3, 1, tmp_path)
    assert (again.molecules.positions == first.molecules.positions).all()
    assert again.molecules.metadata == first.molecules.metadata
    assert len(best_share(again.molecules, 0.65)) == 2
    (path,) = tmp_path.iterdir()
    other = MoleculeSet(*[getattr(first.molecules, name) for name in ("numbers", "positions", "sizes", "columns")])
    other.save(path)
    with pytest.raises(InputError, match="another folder"):
        draw(model, SETTING, 3, 1, tmp_path)
    with pytest.raises(pytest.fail.Exception):
        draw(model, SETTING, 3, 2, tmp_path)  # another seed is another sample


def test_the_likeliest_are_kept_whatever_the_order() -> None:
    values = [30.0, np.nan, 90.0, 10.0, 60.0]
    kept = best_share(sample(values), 0.6)
    assert sorted(kept.columns["codimension_excess"].tolist()) == [30.0, 60.0, 90.0]
    assert len(best_share(sample(values), 1.0)) == 5


def test_what_is_turned_down_is_paid_for() -> None:
    row = kept_row(SETTING, [Draw(sample([1.0, 2.0, 3.0, 4.0]), 2.0)], None, 0.5)
    assert row[0] == "ode, kept 50% by codimension_excess"
    assert float(row[3]) == 2 * (SETTING.evaluations + JUDGED)
    assert float(row[-1]) == 1.0  # two kept in two seconds, not four


def test_settings_have_names_of_their_own() -> None:
    texts = ["sde,0.6,3,50", "sde,0.6,3,5", "sde,0.65,3,50", "ode,0.6,3,50"]
    assert len({Setting.of(text).words for text in texts}) == len(texts)
