"""A model in use: both heads in one pass, whatever the molecules come as, in whatever order and company."""

import math

import ase
import numpy as np
import pandas as pd
import pytest
import torch

import molscore
from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import (
    CheckpointError,
    DistributionError,
    ElementError,
    InputError,
    PositionError,
    RadicalError,
    SizeError,
)
from molscore.molecules import Molecule, collate
from molscore.molecules.chem import from_smiles, mol_from_molecule
from molscore.molecules.conformers import embed
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.pyg import to_pyg
from molscore.reporting.report import report
from molscore.screening.explain import explain
from molscore.screening.model import Model, load
from molscore.screening.predictor import element_counts
from molscore.screening.scorer import Scorer
from tests import tiny


def close(a, b) -> bool:
    return np.allclose(a, b, rtol=1e-4, atol=2e-4)


def test_one_pass_gives_what_the_network_gives(model, library) -> None:
    estimate = model.estimate(library, sigma=0.1)
    assert estimate.score.shape == (len(library), 14, 3)
    for row, molecule in enumerate(library[:6]):
        batch = collate([molecule], model.network.elements)
        with torch.no_grad():
            alone = model.network(*batch, torch.tensor([0.1]), model.context.at(batch.sizes))
        n = molecule.n_atoms
        assert close(estimate.score[row, :n], alone.score[0])
        assert close(estimate.log_density[row], alone.log_density[0])
        assert not estimate.score[row, n:].any()
    assert not estimate.score.requires_grad
    assert estimate.score.sum(1).abs().max() < 1e-3 * estimate.score.abs().max() > 0, "they sum to zero over atoms"
    for padded, one in zip(estimate.score.numpy(), model.scores(library, resolution=0.1), strict=True):
        assert close(padded[: len(one)], one)


def test_a_log_likelihood_is_the_sum_of_its_parts(model, library) -> None:
    counts = element_counts(library, tiny.ELEMENTS)
    composition, density = model.composition.log_prob(counts), model.log_density(library, resolution=0.1)
    permutations = np.array([sum(math.lgamma(n + 1) for n in row) for row in counts])
    assert np.allclose(model.log_likelihood(library, resolution=0.1), composition + density + permutations, atol=1e-9)
    assert (composition < 0).all() and (permutations >= 0).all() and permutations.any()
    assert element_counts([Molecule([8, 1, 1], np.eye(3))], ("C", "H", "O")).tolist() == [[0, 2, 1]]


def test_the_order_of_atoms_does_not_matter_but_which_stands_where_does(model, library, rng) -> None:
    orders = [rng.permutation(molecule.n_atoms) for molecule in library]
    shuffled = [Molecule(m.numbers[order], m.positions[order]) for m, order in zip(library, orders, strict=True)]
    assert close(model.log_likelihood(shuffled), model.log_likelihood(library))
    swapped = [Molecule(m.numbers[::-1], m.positions) for m in library]
    assert not close(model.log_likelihood(swapped), model.log_likelihood(library))


def test_rotation_and_translation_do_not_matter_but_stretching_does(model, library, rng) -> None:
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    moved = [Molecule(m.numbers, m.positions @ rotation.T + [5.0, -3.0, 9.0]) for m in library]
    assert close(model.log_likelihood(moved), model.log_likelihood(library))
    stretched = [Molecule(m.numbers, 1.5 * m.positions) for m in library]
    assert not close(model.log_likelihood(stretched), model.log_likelihood(library))


def test_every_kind_of_molecule_is_accepted(model) -> None:
    molecule = embed("CCO")[0]
    kinds = [
        "CCO", from_smiles("CCO"), mol_from_molecule(molecule), to_pyg(molecule, torch.float64),
        ase.Atoms(molecule.numbers, molecule.positions), molecule,
    ]  # fmt: skip
    values = model.log_likelihood(kinds)
    assert close(values, values[0])
    assert close(model.log_likelihood("CCO"), values[:1])


@pytest.mark.parametrize(
    ("bad", "error", "word"),
    [
        ("CS", ElementError, "S"),
        ("CCCCCC", SizeError, "20 atoms"),
        (Molecule([8], [[0.0, 0.0, 0.0]]), SizeError, "single atom"),
        (Molecule([8, 1], np.zeros((2, 3))), PositionError, "one point"),
        (Molecule([8, 8], [[0.0, 0, 0], [1.2, 0, 0]], unpaired=2), RadicalError, "unpaired"),
        (Molecule([8, 1], [[0.0, 0.0, 0.0], [1e7, 0.0, 0.0]]), PositionError, "Å"),
    ],
)
def test_what_cannot_be_judged_is_named_by_its_place(model, bad, error, word) -> None:
    for judge in (model.estimate, model.log_likelihood, model.percentile, model.atom_contributions):
        with pytest.raises(error, match=rf"molecules\[1\]: .*{word}"):
            judge(["CCO", bad])


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf"), 1e-5, "wide"])
def test_a_resolution_that_is_none_is_refused(model, sigma) -> None:
    with pytest.raises(InputError, match="resolution"):
        model.estimate(["CCO"], sigma)
    with pytest.raises(InputError, match="no molecules"):
        model.estimate([])


def test_saved_and_loaded_is_the_same_model(model, folder, library) -> None:
    again = load(folder)
    assert again.name == "tiny"
    assert len(again.weights) == 64
    assert np.array_equal(again.log_likelihood(library), model.log_likelihood(library))
    assert np.allclose(again.percentile(library), model.percentile(library))


def test_each_distribution_has_its_own_token(library) -> None:
    checkpoint = tiny.checkpoint("first", "second")
    first, second = (Model(checkpoint, "two", name) for name in ("first", "second"))
    assert Model(checkpoint).distribution.name == "first"
    assert not close(first.log_density(library), second.log_density(library))
    with pytest.raises(DistributionError, match="third.*first, second"):
        Model(checkpoint, "two", "third")


def test_a_folder_that_is_no_model_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="nothing"):
        load(tmp_path / "nothing")


def test_the_front_door_leads_to_everything() -> None:
    for name in molscore.__all__:
        assert getattr(molscore, name) is not None
    assert set(molscore.__all__) <= set(dir(molscore))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = molscore.nonsense


def test_molecules_in_a_table_are_its_rows(model) -> None:
    table = pd.DataFrame({"id": [1, 2], "smiles": ["CCO", "CC"]})
    assert close(model.log_likelihood(table), model.log_likelihood(["CCO", "CC"]))
    assert len(model.given(table).like) == 2
    for wrong in ({"smiles": ["CCO"]}, pd.DataFrame({"id": [1]})):
        for use in (model.log_likelihood, model.given, model.rank):
            with pytest.raises(InputError, match="dict is not|no column of SMILES"):
                use(wrong)
    with pytest.raises(InputError, match=r"molecules\[1\]: a str is not a Molecule"):
        molscore.evaluate([embed("CCO")[0], "CCO"])


@pytest.mark.parametrize("wish", [{"n": 0}, {"n": 1.5}, {"n": "3"}, {"n": 1, "seed": -1}, {"n": 1, "seed": 0.5}])
def test_what_is_drawn_is_counted_in_whole_numbers(model, wish) -> None:
    with pytest.raises(InputError, match="must be a whole number"):
        model.generate(**wish)


def test_what_a_prompt_shows_of_an_object_is_a_line(model, library) -> None:
    shown = {
        "MoleculeSet": MoleculeSet.from_molecules(library[:3], {"smiles": ["O"] * 3}),
        "Estimate": model.estimate(library[:3]),
        "Model": model.given(library[:2]),
        "Distribution": model.distribution,
        "Checkpoint": model.checkpoint,
        "TrainingIndex": TrainingIndex.make(["CCO", "CC"]),
        "Results": Scorer(model).judge(["CCO", "C1CC"]),
        "Explanation": explain(model, library[0]),
        "Report": report(library[:1], None),
        "References": model.references,
    }
    for name, thing in shown.items():
        assert repr(thing).startswith(f"{name}(") and len(repr(thing)) < 130 and "\n" not in repr(thing), repr(thing)
    assert "given 2 references" in repr(shown["Model"]) and "3 molecules" in repr(shown["MoleculeSet"])
