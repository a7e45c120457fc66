"""The whole audit of a tiny model: every part gives tables and verdicts, and what is written can be read."""

import json
from pathlib import Path

import numpy as np
import pytest

from molscore.audit import PARTS, Options, audit, run
from molscore.audit.edm import SIGMA_0, edm
from molscore.audit.normalisation import _formulas, normalisation
from molscore.audit.options import chosen
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from tests import tiny


@pytest.fixture
def held_out() -> MoleculeSet:
    return MoleculeSet.from_molecules(tiny.geometries())


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """An audit of few levels and particles."""
    few = {"SPACING": 2.0, "FINE": 2.0, "PARTICLES": 4, "FEWER": 3, "REPEATS": 2, "SMALL": 1, "COMMON": 1, "TYPICAL": 1}
    for name, value in few.items():
        monkeypatch.setattr(f"molscore.audit.normalisation.{name}", value)
    return Options(n=8, referee=0, resolution=0.1, sigma_min=0.05, sigma_max=10.0, output=tmp_path)


def test_the_normalisation_has_both_estimates(held_out: MoleculeSet, quick: Options) -> None:
    part = normalisation(tiny.model(), held_out, quick)
    data, particles = part.tables
    assert data.rows[0][0] == "0.05"
    assert [row[0] for row in particles.rows][0] == "H2O"
    assert all(np.isfinite(row[1:]).all() for row in [*data.rows, *particles.rows])
    assert len(part.verdicts) == 6


def test_formulas_are_small_ones_then_small_ones_that_are_not_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SMALL": 1, "COMMON": 1, "TYPICAL": 1, "MEMBERS": 3}.items():
        monkeypatch.setattr(f"molscore.audit.normalisation.{name}", value)
    water, methane, ethane = (next(m for m in tiny.geometries() if m.formula == f) for f in ("H2O", "CH4", "C2H6"))
    rows = list(_formulas(MoleculeSet.from_molecules([ethane, *[methane] * 3, water, ethane, ethane, ethane, ethane])))
    assert rows == [(4, 1), (1, 3), (0, 5)]


def test_edms_convention_is_the_sum_of_its_terms(held_out: MoleculeSet, quick: Options) -> None:
    model = tiny.model()
    rows = edm(model, held_out, quick).tables[0].rows
    assert rows[4][1] == pytest.approx(-sum(row[1] for row in rows[:4]))
    assert [row[1] for row in rows[5:]] == [-59.7, -94.7, -92.5, -110.7]
    assert abs(SIGMA_0 - 0.00316) < 1e-5
    alone = chosen(held_out, quick.n, quick.seed)
    assert rows[0][1] == pytest.approx(model.terms(list(alone), 0.1).log_composition.mean())


def test_parts_can_be_chosen_and_results_add_up(held_out: MoleculeSet, quick: Options, tmp_path: Path) -> None:
    held_out.save(tmp_path / "data.parquet")
    options = quick.but(data=tmp_path / "data.parquet")
    for name in ("time_score", "edm"):
        found, line = run(tiny.model(), options.but(only=(name,)))
        assert [part.name for part in found.parts] == [name]
        assert "audit.json" in line
    result = json.loads((tmp_path / "audit.json").read_text())
    assert [part["name"] for part in result["parts"]] == ["time_score", "edm"]
    run(tiny.model(), options.but(only=("edm",), resolution=0.2))  # of other figures nothing is kept
    assert [part["name"] for part in json.loads((tmp_path / "audit.json").read_text())["parts"]] == ["edm"]


def test_names_of_parts_are_those_of_the_functions(held_out: MoleculeSet) -> None:
    names = [part.__name__ for part in PARTS]
    assert len(set(names)) == len(names)
    with pytest.raises(InputError, match="no part 'nonsense'"):
        audit(tiny.model(), held_out, Options(only=("nonsense",)))


@pytest.mark.parametrize(
    "fields", [{"n": 1}, {"share": (3, 2)}, {"share": (0, 2)}, {"resolution": 60.0}, {"resolution": 0.002}]
)
def test_bad_options_are_refused(fields: dict) -> None:
    with pytest.raises(InputError):
        Options(**fields)


@pytest.mark.parametrize("text", ["1", "1/2/3", "a/b", "-1/2"])
def test_bad_shares_are_refused(text: str) -> None:
    assert Options.share_of("2/3") == (2, 3)
    with pytest.raises(InputError):
        Options.share_of(text)


def test_chosen_molecules_do_not_repeat(held_out: MoleculeSet) -> None:
    assert len(chosen(held_out, 10, 0)) == 10
    assert len(chosen(held_out, 1000, 0)) == len(held_out)
    one, other = (tuple(chosen(held_out, 10, seed).sizes) for seed in (0, 1))
    assert one == tuple(chosen(held_out, 10, 0).sizes)
    assert one != other
