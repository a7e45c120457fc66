"""The codimension by known densities: one for an isolated shape that may turn, less where blur leads to others."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.screening.criteria import BONDS, Case, criterion
from molscore.screening.model import load
from molscore.screening.reference import EXCESS_AT, ExpectedDensity
from tests.mixtures import GaussianMixture, SymmetrisedMixture

ELEMENTS = (1, 6, 7, 8, 9, 17)


def codimension(mixture: GaussianMixture, positions: torch.Tensor) -> float:
    """That of one geometry, by the density itself."""

    def log_density(molecules: list[Molecule], sigma: float) -> np.ndarray:
        x = torch.tensor(np.stack([molecule.positions for molecule in molecules]))
        return mixture.log_density(x - x.mean(1, keepdim=True), sigma).numpy()

    molecule = Molecule(ELEMENTS[: len(positions)], positions.numpy())
    case = Case(SimpleNamespace(log_density=log_density), [molecule], None, 0.05)
    return float(criterion(case, "codimension")[0])


def isolated(*shapes: torch.Tensor, width: float = 0.02) -> SymmetrisedMixture:
    """Shapes that turn freely, of like weight; no two atoms are exchanged."""
    variances = torch.full((len(shapes),), width**2)
    return SymmetrisedMixture(torch.ones(len(shapes)), torch.stack(shapes), variances, ELEMENTS[: len(shapes[0])])


def shape(n: int, scale: float, seed: int = 0) -> torch.Tensor:
    return scale * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_an_isolated_shape_that_turns_has_all_of_it(n) -> None:
    """3N - 6, and of two atoms 3N - 5; no more than a hundredth is lost to the curvature of the orbit at 100 Å."""
    x = shape(n, 100.0)
    assert codimension(isolated(x), x) == pytest.approx(1.0, abs=0.01)


def test_what_blurs_into_another_shape_has_less() -> None:
    """One bond of half a dozen that may as well be longer takes about one degree of freedom of twelve."""
    x = shape(6, 30.0)
    other = x.clone()
    other[0, 0] += 0.8
    near, far = codimension(isolated(x, other), x), codimension(isolated(x, other + shape(6, 5.0, 1)), x)
    assert far == pytest.approx(1.0, abs=0.01)
    assert 0.85 < near < 0.97


def test_what_is_wide_already_has_none() -> None:
    """A Gaussian of 40 Å hardly notices half an ångström; and one of the blur's own width loses half."""
    x = torch.zeros(4, 3, dtype=torch.float64)
    for width, degrees in ((40.0, 0.0), (float(np.sqrt(np.prod(BONDS))), 4.5)):
        wide = GaussianMixture(torch.ones(1), torch.zeros(1, 4, 3), torch.tensor([width**2]))
        assert codimension(wide, x) * 6 == pytest.approx(degrees, abs=0.01)


def test_the_shipped_model_sees_a_bond_undone() -> None:
    """Of each molecule one hydrogen is drawn away by 0.8 Å, as bonds of bad draws are; shaken by 0.01 Å all stay."""
    model, rng = load("qm9"), np.random.default_rng(0)
    whole = [embed(smiles)[0] for smiles in ("CCO", "CC(C)=O", "C1CC1", "NC=O", "OCC#N", "c1cc[nH]c1")]
    shaken = [Molecule(m.numbers, m.positions + 0.01 * rng.standard_normal(m.positions.shape)) for m in whole]
    torn = []
    for molecule in whole:
        hydrogen = int(np.flatnonzero(molecule.numbers == 1)[0])
        outward = molecule.positions[hydrogen] / np.linalg.norm(molecule.positions[hydrogen])
        moved = molecule.positions + 0.8 * np.outer(np.arange(molecule.n_atoms) == hydrogen, outward)
        torn.append(Molecule(molecule.numbers, moved))
    of = [criterion(Case(model, group, None, 0.05), "codimension") for group in (whole, shaken, torn)]
    assert of[0].min() > 0.9 and np.abs(of[1] - of[0]).max() < 0.02
    assert (of[0] - of[2]).min() > 0.05


def test_excess_is_over_molecules_of_the_same_kind() -> None:
    """What the table expects of a molecule's kind is taken off; without bonds there is nothing to take off."""
    model = load("qm9")
    molecules = [embed(smiles)[0] for smiles in ("C1CCC1", "CCCCCO")]
    broken = Molecule(molecules[0].numbers, 1.3 * molecules[0].positions)
    case = Case(model, [*molecules, broken], None, 0.05, kinds=["dft"] * 3)
    raw, excess = model.log_density(molecules, EXCESS_AT), criterion(case, "density_excess")
    assert np.isnan(excess[2])
    counts = np.array([[12, 4, 1, 0, 0], [18, 6, 0, 3, 0]])  # atoms, heavy atoms, rings, rotatable bonds, aromatic
    counts[:, 0] = [m.n_atoms for m in molecules]
    np.testing.assert_allclose(raw - excess[:2], model.references.of("dft").density.at(counts), atol=1e-4)


def test_real_molecules_have_no_excess_and_torn_ones_lack_it() -> None:
    """Rings and chains, made well, lie about what is expected; with a hydrogen drawn away they are far below."""
    model = load("qm9")
    whole = [embed(smiles)[0] for smiles in ("C1CCCC1O", "CCCCCO", "c1cc[nH]c1", "CC(C)=O")]
    groups = [
        [Molecule(m.numbers, m.positions + width * np.eye(m.n_atoms, 3, 1 - m.n_atoms)) for m in whole]
        for width in (0.0, 0.03, 0.5)  # Å by which the last atom, a hydrogen, is moved
    ]
    same, hardly, torn = (
        criterion(Case(model, group, None, 0.05, kinds=["dft"] * 4), "density_excess") for group in groups
    )
    assert np.abs(same).max() < 6 and np.abs(same - hardly).max() < 0.5 and (same - torn).min() > 1.5


def test_what_is_expected_is_what_real_molecules_have() -> None:
    counts = np.random.default_rng(0).integers(1, 20, (200, 5))
    values = 0.9 + counts @ [0.001, -0.01, 0.02, -0.005, 0.03]
    np.testing.assert_allclose(ExpectedDensity.of(values, counts).at(counts), values, atol=1e-4)
