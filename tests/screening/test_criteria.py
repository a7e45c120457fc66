"""One place says what molecules are ordered by, and every order there works wherever molecules are ordered."""

from dataclasses import replace

import numpy as np
import pytest

from molscore import cli, rank
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.screening import Scorer, criteria
from molscore.screening.candidate import inspect
from molscore.screening.criteria import DEFAULT, DRAWN, ORDERS, Case, choose_order, criterion, has_tables
from molscore.screening.generate import density_filter, judge
from molscore.screening.reference import DIFFERENCE, ETKDG
from molscore.screening.references import References, degrees_of_freedom, make_references


def test_the_command_line_has_the_orders_there_are() -> None:
    assert sorted(cli._ORDERS) == sorted(ORDERS)
    assert {DEFAULT, DRAWN} <= set(ORDERS)


@pytest.mark.parametrize("by", ORDERS)
def test_every_order_ranks_and_filters(model, library, by) -> None:
    frame = rank(model, library, by=by, sort=True)
    assert frame.attrs["by"] == by
    values = frame[by].tolist()
    assert values == sorted(values, reverse=True) and np.ptp(values) > 0
    drawn = [inspect(molecule, row) for row, molecule in enumerate(library)]
    judged = judge(model, drawn, 0.05, by)
    kept = {c.index for c in density_filter(judged, 0.5) if c.passed}
    dropped = [c for c in density_filter(judged, 0.5) if c.verdict.check == by]
    case = Case(model, library, model.terms(library), 0.05)
    numbers = criterion(case, by)
    passed = [c.index for c in judged if c.passed]
    assert min(numbers[sorted(kept)]) >= max(numbers[sorted(set(passed) - kept)])
    assert len(dropped) == len(passed) - len(kept) > 5
    assert by in dropped[0].columns()


def test_what_the_raw_ones_are(model, library) -> None:
    case = Case(model, library, model.terms(library), 0.05)
    degrees = degrees_of_freedom(library)
    assert degrees.tolist() == [3 * (molecule.n_atoms - 1) for molecule in library]
    fine, coarse = model.log_density(library, 0.05), model.log_density(library, 0.2)
    assert np.allclose(criterion(case, "per_degree") * degrees, fine, rtol=1e-5)
    assert np.allclose(criterion(case, "difference") * degrees, fine - coarse, atol=1e-3)
    known = case._replace(coarse=coarse + 1.0)
    assert np.allclose(criterion(known, "difference"), criterion(case, "difference") - 1 / degrees, atol=1e-4)


def test_the_default_is_chosen_in_one_place(model, monkeypatch) -> None:
    for by in ("difference_percentile", "formula_percentile"):
        monkeypatch.setattr(criteria, "DEFAULT", by)
        assert choose_order(model, None, 0.05) == by
        assert rank(model, ["CCO"]).attrs["by"] == by
    candidate = model.generate(2, steps=2)[0]
    assert candidate.by == DRAWN and DRAWN in candidate.columns()
    assert model.generate(2, steps=2, by="per_degree")[0].by == "per_degree"


def test_what_cannot_be_judged_has_the_column_and_no_number(model) -> None:
    point = inspect(Molecule([8, 1, 1], np.zeros((3, 3))), 0)
    columns = judge(model, [point], 0.05, "per_degree")[0].columns()
    assert columns["per_degree"] is None and columns["percentile"] is None


def test_a_checkpoint_with_fewer_tables_falls_back(model, monkeypatch) -> None:
    monkeypatch.setattr(criteria, "DEFAULT", "difference_percentile")
    extras = {name: table for name, table in model.checkpoint.extras.items() if ".difference." not in name}
    older = type(model)(model.checkpoint._replace(extras=extras), "older")
    assert choose_order(older, None, 0.05) == "percentile"
    assert not has_tables(older, "difference_percentile", 0.05)
    with pytest.raises(InputError, match="older has no reference"):
        Scorer(older, by="difference_percentile")
    with pytest.raises(InputError, match="0.07"):
        Scorer(model, resolution=0.07, by="formula_percentile")
    with pytest.raises(InputError, match="not by 'beauty'"):
        Scorer(model, by="beauty")


def test_difference_percentiles_of_the_reference_are_spread(model, library) -> None:
    tables = make_references(model, library, (0.05,))
    case = Case(model, library, model.terms(library), 0.05)
    found = tables.difference.percentile(criterion(case, "difference"), [m.n_atoms for m in library], 0.05)
    assert np.ptp(found) > 50
    stored = References.from_extras(tables.to_extras("tiny"), model.distribution)
    assert np.allclose(stored.difference.quantiles, tables.difference.quantiles, atol=1e-5)
    assert stored.atoms is not None and stored.formula is not None


def test_made_geometries_have_tables_of_their_own(model) -> None:
    """The difference table of made geometries lies far above: their percentile falls to zero, that of others stays."""
    table = model.references.difference
    moved = replace(table, quantiles=table.quantiles + 100.0)
    both = model.with_extras(moved.to_extras("tiny", ETKDG, DIFFERENCE))
    made = embed("CCO")
    given = [replace(molecule, properties={}) for molecule in made]
    for molecules, expected in ((made, 0.0), (given, None)):
        value = criterion(Case(both, molecules, both.terms(molecules), 0.05), "difference_percentile")[0]
        own = criterion(Case(model, molecules, model.terms(molecules), 0.05), "difference_percentile")[0]
        assert value == (own if expected is None else expected)
