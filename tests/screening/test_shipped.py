"""The shipped model: one number for one molecule, whatever its orientation, company and padding."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem

from molscore.errors import DistributionError, MolscoreError, SizeError
from molscore.molecules import Molecule
from molscore.molecules.chem import bond_array
from molscore.molecules.conformers import embed
from molscore.screening.explain import explain
from molscore.screening.generate import Request, generate
from molscore.screening.info import facts
from molscore.screening.model import Model, load
from molscore.screening.sample import Sampling
from tests.house.sources import ROOT
from tests.mixtures import random_rotations

SYMMETRIC = ("C=C=C", "FC(F)(F)F", "O=C=O", "C", "C1CC12CC2", "C#C", "c1ccccc1", "C12C3C4C1C5C2C3C45")


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load("qm9")


def orientations(molecule: Molecule) -> list[Molecule]:
    """The molecule turned forty ways, and moved by a ten-millionth of an Å."""
    rng = np.random.default_rng(0)
    turns = random_rotations(40, torch.Generator().manual_seed(0)).numpy()
    return [
        Molecule(molecule.numbers, molecule.positions @ R.T + 1e-7 * rng.standard_normal((molecule.n_atoms, 3)))
        for R in turns
    ]


def spread(model: Model, molecule: Molecule) -> float:
    """Nats between the largest and the smallest log-density, alone and beside larger molecules."""
    turned = orientations(molecule)
    together = model.log_density([*turned, embed("CCCCCCCC")[0]])[:-1]
    alone = [model.log_density(each)[0] for each in turned[:3]]
    return float(np.ptp([*together, *alone]))


@pytest.mark.parametrize("smiles", SYMMETRIC)
def test_symmetric_molecules_have_one_number(shipped: Model, smiles: str) -> None:
    assert spread(shipped, embed(smiles)[0]) < 1e-3


def test_a_normalisation_that_lifts_what_symmetry_makes_zero_has_many(shipped, monkeypatch) -> None:
    def lifting(v: torch.Tensor) -> torch.Tensor:
        return v * torch.rsqrt(v.square().sum(-2, keepdim=True).mean(-1, keepdim=True) + 1e-8)

    monkeypatch.setattr("molscore.nn.backbone.shrink", lifting)
    assert max(spread(shipped, embed(smiles)[0]) for smiles in SYMMETRIC[:4]) > 0.1


def test_every_distribution_judges_what_it_learnt() -> None:
    """A drug-like molecule is beyond QM9 and within leads; each name stands for the one model and that distribution."""
    drug = "CC(=O)Nc1ccc(S(=O)(=O)N2CCOCC2)cc1"
    for name in ("leads", "ligands"):
        model = load(name)
        assert model.name == load("qm9").name and model.distribution.name == name
        assert np.isfinite(model.log_likelihood(drug)).all()
    with pytest.raises(MolscoreError, match="29"):
        load("qm9").log_likelihood(drug)
    with pytest.raises(DistributionError, match="'leads' means .* organic, and not 'qm9'"):
        load("leads", "qm9")
    assert load("leads", "leads").distribution.name == load("organic", "leads").distribution.name == "leads"
    assert load().distribution.name == load("organic").distribution.name == "qm9"
    assert load(distribution="ligands").distribution.name == "ligands"


@pytest.mark.parametrize("name", ["qm9", "leads", "ligands"])
def test_which_sizes_have_percentiles_is_said_everywhere(name, impatient) -> None:
    """By the model itself, its facts, the pages, and the reason that a smaller molecule gets."""
    model = load(name)
    fewest, most = model.atoms_with_percentile
    assert facts(name)["atoms_with_percentile"] == [fewest, most] and facts(name)["atoms"] == [2, most]
    row = re.compile(rf"^\| `{name}` .*\| 2 to {most}, percentiles from {fewest} \|$", re.MULTILINE)
    for page in ("README.md", "docs/distributions.md", "molscore/models/organic/README.md"):
        assert row.search((ROOT / page).read_text(encoding="utf-8")), page
    small = Molecule([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]])
    assert f"{fewest} to {most}" in model.references.outside(small)
    assert model.references.outside(small) in explain(model, small).to_text()
    smaller = Request(1, n_atoms=fewest - 1, sampling=Sampling(steps=2))
    with pytest.raises(SizeError, match=f"{fewest} to {most}.*min-percentile 0"):
        generate(model, smaller)
    assert generate(model, replace(smaller, min_percentile=0.0))


@pytest.mark.parametrize("smiles", ["CC(=O)OC", "c1ccccc1", "C#CC1CC1", "NC(=O)c1ccco1", "N#CC=C"])
def test_the_network_sees_the_bonds_of_a_molecule(shipped: Model, smiles: str) -> None:
    molecule = embed(smiles)[0]
    expected = bond_array(Chem.AddHs(Chem.MolFromSmiles(smiles)))
    (seen,) = shipped.bonds(molecule)
    assert as_set(seen) == as_set(expected)
    stretched = Molecule(molecule.numbers, 1.6 * molecule.positions)
    assert as_set(shipped.bonds(stretched)[0]) != as_set(expected)


def as_set(bonds: np.ndarray) -> set[tuple[int, int, int]]:
    return {(min(i, j), max(i, j), order) for i, j, order in np.asarray(bonds).tolist()}
