"""Percentiles of draws from the reference are uniform, within every size, flexibility and formula."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from molscore import rank
from molscore.errors import CheckpointError, InputError
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import Record
from molscore.molecules.neighbours import topology
from molscore.screening.rank.merge import Summary
from molscore.screening.reference import (
    LEAST_OF_FORMULA,
    MMFF,
    PRIOR,
    AtomShares,
    FormulaPercentiles,
    Percentiles,
    References,
)
from molscore.screening.scorer import Scorer
from molscore.screening.tables import make_references, with_tables
from tests import tiny

SIZES = np.arange(2, 13)
COMMON, RARE = (6, 2, 0, 1, 0), (4, 2, 1, 1, 0)


def draws(rng: np.random.Generator, n_atoms: np.ndarray, rotatable: np.ndarray) -> np.ndarray:
    """Log-likelihoods that rise by 7 nats an atom, fall by 3 a rotatable bond and spread by 5."""
    return 7.0 * n_atoms - 3.0 * rotatable - 20.0 + 5.0 * rng.standard_normal(len(n_atoms))


@pytest.fixture
def percentiles(rng) -> Percentiles:
    """Hundreds of molecules of sizes 5 to 10, one of size 3, none of 2, 4, 11 and 12; 0 to 3 rotatable bonds."""
    n_atoms = np.concatenate([np.repeat(np.arange(5, 11), 1500), [3]])
    rotatable = np.append(np.tile(np.arange(4), 2250), 0)
    return Percentiles.of(draws(rng, n_atoms, rotatable)[None], n_atoms, rotatable, [0.05], SIZES)


def off_uniform(found: np.ndarray) -> float:
    """Largest distance from the distribution function of percentiles as they should be."""
    return float(np.abs(np.sort(found) / 100 - (np.arange(len(found)) + 0.5) / len(found)).max())


@pytest.mark.parametrize("rotatable", [0, 3])
@pytest.mark.parametrize("size", [2, 3, 5, 8, 10, 12])
def test_percentiles_are_uniform_within_size_and_flexibility(percentiles, rng, size, rotatable) -> None:
    n_atoms, turns = np.full(2000, size), np.full(2000, rotatable)
    values = draws(rng, n_atoms, turns)
    found = percentiles.percentile(values, n_atoms, turns, 0.05)
    assert found.min() >= 0 and found.max() <= 100
    assert off_uniform(found) < 0.08
    typical = percentiles.value_at(30.0, n_atoms[:1], turns[:1], 0.05)
    assert percentiles.percentile(typical, n_atoms[:1], turns[:1], 0.05) == pytest.approx(30.0)
    # like is compared with like: of another size or flexibility they are not
    assert off_uniform(percentiles.percentile(values, n_atoms + (3 if size < 8 else -3), turns, 0.05)) > 0.5
    assert off_uniform(percentiles.percentile(values, n_atoms, 3 - turns, 0.05)) > 0.3


def test_percentiles_of_small_molecules_are_theirs_where_they_do_not_follow_the_large(rng) -> None:
    """Thirty molecules of size 4 stand 40 nats below the line of the others, the tenth smallest is of that size."""
    n_atoms = np.concatenate([np.full(30, 4), np.repeat(np.arange(8, 11), 1500)])
    values = draws(rng, n_atoms, np.zeros_like(n_atoms)) - 40.0 * (n_atoms == 4)
    found = Percentiles.of(values[None], n_atoms, np.zeros_like(n_atoms), [0.05], SIZES)
    four = np.full(2000, 4)
    below = draws(rng, four, 0 * four) - 40.0
    assert abs(np.median(found.percentile(below, four, 0 * four, 0.05)) - 50) < 15
    assert np.median(found.percentile(below + 40.0, four, 0 * four, 0.05)) > 99  # those on the line are too good
    assert abs(np.median(found.percentile(below + 68.0, four + 4, 0 * four, 0.05)) - 50) < 5  # size 8 is untouched


def test_percentiles_rise_with_the_number_and_end_at_0_and_100(percentiles) -> None:
    values, seven, none = np.linspace(-1000, 1000, 5001), np.full(5001, 7), np.zeros(5001, dtype=int)
    found = percentiles.percentile(values, seven, none, 0.05)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] < 1e-9 and found[-1] == 100.0
    assert percentiles.percentile([-np.inf], [7], [0], 0.05) == 0.0
    # beyond all reference molecules bad still differs from worse
    ends = found[(found > 0) & (found < 0.5)]
    assert len(ends) > 10 and len(np.unique(ends)) == len(ends)


def test_percentiles_within_a_formula_lean_on_the_size_where_little_is_known(rng) -> None:
    n, few = 2000, LEAST_OF_FORMULA - 1
    numbers = np.concatenate([rng.standard_normal(n), np.zeros(few)])
    table = FormulaPercentiles.of(numbers[None], np.array([COMMON] * n + [RARE] * few), [0.05])
    common = np.array([COMMON] * 2000)
    assert off_uniform(table.percentile(rng.standard_normal(2000), common, np.full(2000, 50.0), 0.05)) < 0.05
    assert table.percentile(rng.standard_normal(2000) - 2, common, np.full(2000, 50.0), 0.05).mean() < 15
    rare, sizes = np.array([RARE] * 2), np.array([3.0, 97.0])
    assert table.percentile(np.array([-9.0, 9.0]), rare, sizes, 0.05).tolist() == sizes.tolist()
    small = FormulaPercentiles.of(rng.standard_normal((1, LEAST_OF_FORMULA)), common[:LEAST_OF_FORMULA], [0.05])
    found = small.percentile(np.array([100.0]), common[:1], np.array([0.0]), 0.05)
    assert found[0] == pytest.approx(100 * LEAST_OF_FORMULA / (LEAST_OF_FORMULA + PRIOR))


def test_a_kind_of_atom_has_its_own_mean() -> None:
    """Hydrogens differ from carbons, carbons with four neighbours from others, where there are enough of them."""
    methane, carbon = embed("C")[0], Molecule([6, 6], [[0.0, 0, 0], [1.2, 0, 0]])
    shares = [np.array([5.0, 1, 1, 1, 1])] * 60 + [np.array([-3.0, -3.0])] * 60
    table = AtomShares.of([shares], [methane] * 60 + [carbon] * 60, [0.05])
    assert table.at(methane, 0.05)[0].tolist() == [5.0, 1, 1, 1, 1]
    assert table.at(carbon, 0.05)[0].tolist() == [-3.0, -3.0]
    for molecule, resolution, reason in ((carbon, 0.07, "0.07"), (embed("O")[0], 0.05, "holds O")):
        with pytest.raises(InputError, match=reason):
            table.at(molecule, resolution)


def test_resolutions_that_are_not_stored_and_models_without_tables_say_so(model) -> None:
    with pytest.raises(InputError, match=r"0\.07.*0\.02, 0\.05, 0\.1, 0\.2"):
        model.percentile(["CCO"], resolution=0.07)
    assert model.percentile(["CCO"], resolution=0.1).shape == (1,)
    bare = type(model)(model.checkpoint._replace(extras={}), "bare")
    assert bare.resolutions == []
    with pytest.raises(InputError, match="bare has no reference"):
        bare.percentile(["CCO"])
    with pytest.raises(InputError, match="no molecules"):
        make_references(model, {"dft": []})


def test_tables_survive_the_checkpoint_and_are_of_one_distribution(model, library) -> None:
    made = make_references(model, {"dft": library, MMFF: library[:9]}, (0.05,))
    extras = made.to_extras()
    again = References.from_extras(extras, model.distribution)
    assert list(again.tables) == ["dft", MMFF] and again.own == "dft"
    assert again.support.rings == made.support.rings == 1
    for kind, tables in made.tables.items():
        for mine, theirs in zip(tables, again.tables[kind], strict=True):
            assert all(np.allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-5) for name in vars(mine))
    assert References.from_extras(extras, tiny.distribution("other")) is None


@pytest.mark.parametrize("name", ["dft.size.quantiles", "dft.difference.expected", "dft.atoms.mean", "support.rings"])
def test_tables_that_do_not_fit_are_refused(model, name) -> None:
    extras, name = model.references.to_extras(), f"reference.tiny.{name}"
    for spoilt in (extras[name][None], extras[name] * torch.nan):
        with pytest.raises(CheckpointError, match="reference"):
            References.from_extras(extras | {name: spoilt}, model.distribution)
    del extras[name]
    with pytest.raises(CheckpointError, match=name):
        References.from_extras(extras, model.distribution)


def test_reference_molecules_have_the_percentiles_of_their_ranks(model, library) -> None:
    tables = make_references(model, {"dft": library}, (0.05,)).of("dft")
    turns = [topology(molecule).rotatable for molecule in library]
    found = tables.size.percentile(model.log_likelihood(library), [m.n_atoms for m in library], turns, 0.05)
    assert np.ptp(found) > 50 and abs(found.mean() - 50) < 10


@pytest.fixture
def both(model):
    """Tables of made geometries that lie 1e5 nats below: the kind of geometry decides which is read."""
    references = model.references
    size = references.of("dft").size
    moved = references.of("dft")._replace(size=replace(size, expected=size.expected - 1e5))
    return model.with_extras(replace(references, tables={"dft": references.of("dft"), MMFF: moved}).to_extras())


def test_like_is_compared_with_like(both, model, library) -> None:
    minima = [Molecule(m.numbers, m.positions) for m in library if m.n_atoms > 3]  # the force field is not told
    longer = [Molecule(m.numbers, 1.02 * m.positions) for m in minima]
    for given in (minima, ["CCO", "CC"], embed("CCO")):
        assert set(both.percentile(given)) == {100.0} != set(model.percentile(given))
    assert np.allclose(both.percentile(longer), model.percentile(longer))
    frame = rank(both, [*minima, *longer, "CCO"])
    n = len(minima)
    assert frame["reference"].tolist() == [MMFF] * n + ["dft"] * n + [MMFF]
    assert set(frame["percentile"][:n]) == {100.0}
    # an option overrules what the geometry says, for those that are given
    told = rank(both, [*minima, "CCO"], geometry="dft")
    assert told["reference"].tolist() == ["dft"] * n + [MMFF]
    assert rank(both, longer, geometry=MMFF)["percentile"].tolist() == [100.0] * n
    tagged = Scorer(both)([Record(0, longer[0], None, {"geometry": "etkdg"})])[0]  # as `rank` writes it
    assert tagged.columns["reference"] == MMFF
    for kind, of in (("pm7", both), (MMFF, model)):
        with pytest.raises(InputError, match=f"dft.*, not of {kind}"):
            Scorer(of, geometry=kind)


def test_tables_are_made_from_smiles_too(model, library) -> None:
    made = with_tables(model, library[:9], held_out_smiles=["CCO", "C1CC", "CC"], resolutions=(0.05,))
    assert list(made.references.tables) == ["dft", MMFF]
    assert 0 < made.percentile("CCO")[0] <= 100
    force_field_data = with_tables(model, library[:9], resolutions=(0.05,), kind=MMFF).references
    assert MMFF in force_field_data.tables


def test_what_lies_outside_the_data_is_told_and_has_no_percentile(model) -> None:
    """Benzene has the most heavy atoms of the tiny data, six, and no molecule there has two rings."""
    reasons = {"CCO": "", "CC(C)C": "", "C1CCCCCC1": "too_large", "C=CC=CC=CC=C": "too_large", "C1C2CC12": "2 rings",
               "C#CC#CC#CC": "7 heavy atoms", "FC(F)F": "3 atoms of F", "O=C(O)C(=O)O": "4 atoms of O"}  # fmt: skip
    frame = rank(model, list(reasons))
    for status, error, reason in zip(frame["status"], frame["error"], reasons.values(), strict=True):
        assert status == ("outside" if " " in reason else reason or "ok")
        assert reason in error or status == "too_large"
    outside = frame[frame["status"] == "outside"]
    assert outside["percentile"].isna().all() and outside["log_likelihood"].notna().all()
    assert np.isnan(model.percentile(["CCO", "FC(F)F"])).tolist() == [False, True]


def test_the_summary_tells_of_what_matters() -> None:
    found = Summary(Counter(ok=3, outside=1), Counter({MMFF: 2, "dft": 1}))
    lines = found.lines("percentile", 0.05, tells_kinds=True)
    assert "1 outside the data" in lines[0] and "not judged" not in lines[0]
    assert lines[1].startswith("2 given geometries") and "its minima; --geometry" in lines[1]
    assert "minima" not in "".join(found.lines("percentile", 0.05)), "somebody said so, or there are no others"
    (one, _) = Summary(Counter(ok=1)).lines("percentile", 0.05)
    assert one == "1 row, 1 judged at a resolution of 0.05 Å"
    assert len(Summary(Counter(ok=3), Counter(dft=3)).lines("percentile", 0.05)) == 2
