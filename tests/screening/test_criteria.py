"""One place says what molecules are ordered by, and every order there works wherever molecules are ordered."""

import numpy as np
import pytest

from molscore import rank
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.screening import criteria
from molscore.screening.checks import density_filter, inspect
from molscore.screening.columns import DEFAULT, DRAWN, ORDERS, WITH_REFERENCES
from molscore.screening.criteria import Case, choose_order, criterion, has_tables
from molscore.screening.generate import Request, generate, judge
from molscore.screening.predictor import degrees_of_freedom
from molscore.screening.sample import Sampling
from molscore.screening.scorer import Scorer


@pytest.mark.parametrize("by", ORDERS)
def test_every_order_ranks_and_filters(model, library, by) -> None:
    like = ["CO", "CCO"] if by in WITH_REFERENCES else None
    given = None if like is None else model.given(like)
    frame = rank(model, library, by=by, sort=True, like=like)
    assert frame.attrs["by"] == by
    values = frame[by].tolist()
    assert values == sorted(values, reverse=True) and np.ptp(values) > 0
    drawn = [inspect(molecule, row) for row, molecule in enumerate(library)]
    judged = judge(given or model, drawn, 0.05, by)
    kept = {c.index for c in density_filter(judged, 0.5) if c.passed}
    dropped = [c for c in density_filter(judged, 0.5) if c.verdict.check == by]
    case = Case(model, library, model.terms(library), 0.05, given=given)
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


def test_the_default_is_chosen_in_one_place(model, monkeypatch, impatient) -> None:
    for by in ("difference_percentile", "formula_percentile"):
        monkeypatch.setattr(criteria, "DEFAULT", by)
        assert choose_order(model, None, 0.05) == by
        assert rank(model, ["CCO"]).attrs["by"] == by
    few = Sampling(steps=2)
    assert generate(model, Request(2, sampling=few))[0].by == "formula_percentile"
    candidate = generate(model, Request(2, by="per_degree", sampling=few))[0]
    assert candidate.by == "per_degree" and {"per_degree", DRAWN} <= candidate.columns().keys()
    point = inspect(Molecule([8, 1, 1], np.zeros((3, 3))), 0)  # what cannot be judged has the column and no number
    columns = judge(model, [point], 0.05, "per_degree")[0].columns()
    assert columns["per_degree"] is None and columns["percentile"] is None


def test_orders_that_a_model_does_not_have_are_refused(model) -> None:
    bare = type(model)(model.checkpoint._replace(extras={}), "bare")
    assert choose_order(bare, None, 0.05) == "log_likelihood" and choose_order(model, None, 0.05) == DEFAULT
    assert rank(bare, ["CCO"])["percentile"].isna().all()
    assert rank(model, ["CCO"], resolution=0.07, by="log_likelihood")["percentile"].isna().all()
    assert not has_tables(bare, "difference_percentile", 0.05)
    with pytest.raises(InputError, match="bare has no reference"):
        Scorer(bare, by="difference_percentile")
    with pytest.raises(InputError, match="0.07"):
        Scorer(model, resolution=0.07, by="formula_percentile")
    with pytest.raises(InputError, match="not by 'beauty'"):
        Scorer(model, by="beauty")
