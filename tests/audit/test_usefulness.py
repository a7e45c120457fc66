"""The table of criteria: what is put in comes out, and a control stays out of the mean."""

from pathlib import Path

import numpy as np
import pytest

from molscore.audit import Options
from molscore.audit import usefulness as part
from molscore.audit.measures import measures
from molscore.audit.outside import outside
from molscore.audit.usefulness import Contrast, contrasts, usefulness
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from molscore.screening.criteria import DRAWN, ORDERS
from tests import tiny


@pytest.fixture
def held_out() -> MoleculeSet:
    return MoleculeSet.from_molecules(tiny.geometries())


def test_the_table_holds_every_criterion(held_out, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(part, "LEAST", 5)
    found = usefulness(tiny.model(), held_out, Options(n=24, drawn=0, resolution=0.1, output=tmp_path))
    table = found.tables[0]
    assert tuple(table.columns[1:]) == ORDERS
    assert [row[0] for row in table.rows][:4] == [f"shaken by {width:g} Å" for width in (0.02, 0.05, 0.1, 0.2)]
    assert len(found.tables) == 3 and found.verdicts[0].passed is not None
    size = next(row for row in table.rows if str(row[0]).startswith("control"))
    assert len(size) == len(table.columns)


def test_the_mean_leaves_controls_out(monkeypatch) -> None:
    """A criterion that is the number of atoms tells large from small, and nothing else."""
    monkeypatch.setattr(part, "available", lambda model, resolution: ("atoms",))
    sizes = lambda model, molecules, *rest: {"atoms": np.array([float(m.n_atoms) for m in molecules])}  # noqa: E731
    monkeypatch.setattr(part, "measures", sizes)
    small, large = [list(tiny.geometries()[first::9]) for first in (0, 8)]
    groups = [Contrast("same", small, small), Contrast("size", large, small, control=True)]
    table, areas = part._table(None, groups, 0.1, 0)
    assert areas[0] == {"atoms": pytest.approx(0.5)}
    assert areas[1] == {"atoms": pytest.approx(float(table.rows[1][1].split()[0]), abs=1e-3)}
    assert areas[1]["atoms"] > 0.7
    assert table.rows[-1][1] == "0.500"


def test_an_order_is_held_against_the_best() -> None:
    areas = [{"good": 0.9, "fair": 0.895, "bad": 0.5}, {"good": 0.7, "fair": 0.695, "bad": 0.7}]
    found = {by: part._against_best("order", by, areas) for by in areas[0]}
    assert [found[by].passed for by in ("good", "fair", "bad")] == [True, True, False]
    assert found["bad"].value == pytest.approx(-0.2) and found["bad"].what.endswith("bad, less that of the best, good")


def test_draws_have_a_verdict_of_their_own(held_out, tmp_path, monkeypatch) -> None:
    """Half of the molecules that are drawn are torn apart."""
    monkeypatch.setattr(part, "LEAST", 5)
    torn = [Molecule(m.numbers, m.positions * 1.4) for m in held_out]
    monkeypatch.setattr(part, "drawn", lambda *given: [*held_out, *torn])
    found = usefulness(tiny.model(), held_out, Options(n=8, drawn=16, resolution=0.1, output=tmp_path))
    assert [DRAWN in verdict.what for verdict in found.verdicts] == [False, True]
    assert all(verdict.passed is not None for verdict in found.verdicts)


def test_parents_lend_their_probability_of_size_and_formula() -> None:
    """Hydroxyl has an odd electron and no probability; with water as its parent it has water's."""
    model, water = tiny.model(), tiny.geometries()[0]
    hydroxyl = Molecule(water.numbers[:2], water.positions[:2])
    alone = measures(model, [hydroxyl], 0.1)["log_likelihood"]
    lent = measures(model, [hydroxyl], 0.1, [water])["log_likelihood"]
    assert alone[0] == -np.inf
    expected = model.terms([water], 0.1).log_composition + model.log_density([hydroxyl], 0.1)
    assert lent == pytest.approx(expected, abs=1e-4)


def test_contrasts_differ_by_seed_and_not_otherwise(held_out) -> None:
    options = Options(n=8, drawn=0)
    first, again = (next(contrasts(tiny.model(), held_out, options)).bad for _ in range(2))
    other = next(contrasts(tiny.model(), held_out, options.but(seed=1))).bad
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].positions, other[0].positions)


def test_outside_leaves_out_what_the_model_knows(held_out, tmp_path: Path) -> None:
    model, path = tiny.model(), tmp_path / "others.xyz"
    known, new, large = embed("O")[0], embed("CC(=O)N")[0], embed("CCCCCCC")[0]
    radical = Molecule(known.numbers[:2], known.positions[:2], "hydroxyl")
    write(path, [known, new, large, radical])
    options = Options(n=8, drawn=0)
    assert [molecule.formula for molecule in outside(path, model, held_out, options)] == ["C2H5NO"]
    write(path, [known, large])
    with pytest.raises(InputError, match="no molecule from outside"):
        outside(path, model, held_out, options)
