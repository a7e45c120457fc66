"""Percentiles of draws from the reference are uniform, within every size, well stocked or not."""

import numpy as np
import pytest
import torch

from molscore import rank
from molscore.errors import CheckpointError, InputError
from molscore.molecules import Molecule
from molscore.screening import Reference, make_references
from molscore.screening.reference import ETKDG, LEVELS, quantile_table
from molscore.screening.tables import with_tables

SIZES = np.arange(2, 13)


def draws(rng: np.random.Generator, n_atoms: np.ndarray) -> np.ndarray:
    """Log-likelihoods that rise by 7 nats an atom and spread by 5."""
    return 7.0 * n_atoms - 20.0 + 5.0 * rng.standard_normal(len(n_atoms))


@pytest.fixture
def reference(rng) -> Reference:
    """Hundreds of molecules of sizes 5 to 10, one of size 3, none of 2, 4, 11 and 12."""
    n_atoms = np.concatenate([np.repeat(np.arange(5, 11), 1500), [3]])
    table = quantile_table(draws(rng, n_atoms), n_atoms, SIZES)
    return Reference(np.array([0.05]), SIZES, table[None])


@pytest.mark.parametrize("size", [2, 3, 5, 8, 10, 12])
def test_percentiles_are_uniform_within_a_size(reference, rng, size) -> None:
    n_atoms = np.full(2000, size)
    found = reference.percentile(draws(rng, n_atoms), n_atoms, 0.05)
    assert found.min() >= 0 and found.max() <= 100
    uniform = np.sort(found) / 100 - (np.arange(2000) + 0.5) / 2000
    assert np.abs(uniform).max() < 0.08
    # of another size they are not: like is compared with like
    other = reference.percentile(draws(rng, n_atoms), n_atoms + (3 if size < 8 else -3), 0.05)
    assert np.abs(np.sort(other) / 100 - (np.arange(2000) + 0.5) / 2000).max() > 0.5


def test_percentiles_rise_with_the_log_likelihood_and_end_at_0_and_100(reference) -> None:
    values = np.linspace(-1000, 1000, 5001)
    found = reference.percentile(values, np.full(5001, 7), 0.05)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] < 1e-9 and found[-1] == 100.0
    assert reference.percentile([-np.inf], [7], 0.05) == 0.0


def test_beyond_all_reference_molecules_bad_still_differs_from_worse(reference) -> None:
    """Linear interpolation would call everything below the least one 0, and leave the order to chance."""
    row = reference.quantiles[0, 7 - 2]
    steps = np.arange(1, 5) * 3.0
    below, above = (reference.percentile(ends, np.full(4, 7), 0.05) for ends in (row[0] - steps, row[-1] + steps))
    assert (np.diff(below) < 0).all() and below[-1] > 0 and below[0] < 0.5
    assert (np.diff(above) > 0).all() and above[-1] < 100 and above[0] > 99.5
    near = reference.percentile([row[1] - 1e-9, row[1] + 1e-9, row[-2] - 1e-9, row[-2] + 1e-9], [7] * 4, 0.05)
    assert np.allclose(near, [0.5, 0.5, 99.5, 99.5], atol=1e-6)


def test_a_resolution_that_is_not_stored_is_refused_with_a_list(model) -> None:
    with pytest.raises(InputError, match=r"0\.07.*0\.02, 0\.05, 0\.1, 0\.2"):
        model.percentile(["CCO"], resolution=0.07)
    assert model.percentile(["CCO"], resolution=0.1).shape == (1,)


def test_a_model_without_reference_says_so(model) -> None:
    bare = type(model)(model.checkpoint._replace(extras={}), "bare")
    assert bare.resolutions == []
    with pytest.raises(InputError, match="bare has no reference"):
        bare.percentile(["CCO"])


def test_tables_survive_the_checkpoint(reference) -> None:
    again = Reference.from_extras(reference.to_extras("tiny"), "tiny")
    assert np.allclose(again.quantiles, reference.quantiles, atol=1e-4)
    assert Reference.from_extras(reference.to_extras("tiny"), "other") is None


def test_tables_that_do_not_fit_are_refused(reference) -> None:
    extras = reference.to_extras("tiny")
    name = "reference.tiny.given.quantiles"
    for spoilt in ({**extras, name: extras[name][:, :3]}, {**extras, name: extras[name] * torch.nan}):
        with pytest.raises(CheckpointError, match="reference"):
            Reference.from_extras(spoilt, "tiny")
    del extras[name]
    with pytest.raises(CheckpointError, match="quantiles"):
        Reference.from_extras(extras, "tiny")


def test_reference_molecules_have_the_percentiles_of_their_ranks(model, library) -> None:
    reference = make_references(model, library, (0.05,)).size
    found = reference.percentile(model.log_likelihood(library), [m.n_atoms for m in library], 0.05)
    assert np.ptp(found) > 50
    assert reference.quantiles.shape == (1, 13, len(LEVELS))


def test_a_reference_needs_molecules(model) -> None:
    with pytest.raises(InputError, match="no molecules"):
        make_references(model, [])


def test_made_geometries_are_compared_with_made_ones(model, library) -> None:
    """Two tables that differ by 1e5 nats: the kind of geometry decides which is read."""
    reference = model.reference
    moved = Reference(reference.resolutions, reference.sizes, reference.quantiles - 1e5)
    both = model.with_extras(moved.to_extras("tiny", ETKDG))
    given = [Molecule(m.numbers, m.positions) for m in library]
    assert np.allclose(both.percentile(given), model.percentile(given))
    assert set(both.percentile(library)) == {100.0}
    smiles = ["CCO", "CC"]
    assert set(both.percentile(smiles)) == {100.0} != set(model.percentile(smiles))
    assert set(rank(both, smiles)["percentile"]) == {100.0}
    assert rank(both, given)["percentile"].tolist() == rank(model, given)["percentile"].tolist()


def test_tables_are_made_from_smiles_too(model, library) -> None:
    made = with_tables(model, library[:9], held_out_smiles=["CCO", "C1CC", "CC"], resolutions=(0.05,))
    assert made.references_etkdg.size is not made.references.size
    assert 0 < made.percentile("CCO")[0] <= 100
    assert model.references_etkdg.size is model.references.size
