"""Atoms that stay: read from any source, held to exactly, and the rest is drawn as the score says."""

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molscore.diffusion.gaussian import centred_noise
from molscore.diffusion.sampling import dpm_solver, noise_levels
from molscore.errors import FormulaError, InputError
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from molscore.screening.fragment import Fragment, fixed_atoms
from molscore.screening.sample import Sampling, Wanted, draw_formulas, draw_positions
from tests.mixtures import GaussianMixture


def test_a_fragment_is_read_from_a_smiles_string_or_a_file(tmp_path) -> None:
    assert Fragment.of("c1ccccc1").numbers.tolist() == [6] * 6
    with_hydrogens = Fragment.of("*c1ccccc1")
    assert sorted(with_hydrogens.numbers.tolist()) == [1] * 5 + [6] * 6
    ethanol = embed("CCO")[0]
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    mol.AddConformer(Chem.Conformer(9))
    mol.GetConformer().SetPositions(ethanol.positions)
    mol = Chem.RWMol(mol)
    mol.GetAtomWithIdx(8).SetAtomicNum(0)  # where it is to grow
    Chem.MolToMolFile(mol, str(tmp_path / "open.sdf"), kekulize=False)
    found = Fragment.of(tmp_path / "open.sdf")
    assert found.numbers.tolist() == ethanol.numbers[:8].tolist()
    assert np.allclose(found.positions, ethanol.positions[:8], atol=1e-3)
    two = [Molecule([6], [[0.0, 0, 0]]), Molecule([8, 1], [[3.0, 0, 0], [4.0, 0, 0]])]
    assert Fragment.of(two).numbers.tolist() == [6, 8, 1]  # pieces to be linked
    for wrong in (tmp_path / "gone.sdf", "*nonsense", "scaffold.mol2", "*C.*C"):
        with pytest.raises(InputError, match=str(wrong).replace("*", r"\*")):
            Fragment.of(wrong)


@pytest.mark.parametrize("smiles", ["C[NH3+]", "*C(=O)[O-]", "[O-]C=O"])
def test_a_charged_fragment_is_refused(smiles, tmp_path) -> None:
    with pytest.raises(InputError, match="fragment .* net charge of [+-]1.*neutral form"):
        Fragment.of(smiles)
    mol = Chem.AddHs(Chem.MolFromSmiles("C[NH3+]"))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    Chem.MolToMolFile(mol, str(tmp_path / "charged.sdf"))
    with pytest.raises(InputError, match=r"charged\.sdf.*charge of \+1"):
        Fragment.of(tmp_path / "charged.sdf")
    assert len(Fragment.of("C[N+](=O)[O-]").numbers) == 4  # charges that are how bonds are written


@pytest.mark.parametrize("smiles", ["O=C=O", "FC(F)(F)F", "N#N", "ClC(Cl)=C(Cl)Cl"])
def test_a_fragment_that_nothing_can_be_bonded_to_is_refused(smiles, tmp_path) -> None:
    for given in (smiles, embed("CCO")[0], [Molecule([6], [[9.0, 0, 0]]), embed("CC")[0]]):  # one of two to be linked
        with pytest.raises(InputError, match="no bond to spare"):
            Fragment.of(given)
    write(tmp_path / "whole.sdf", [embed("c1ccccc1")[0]])
    with pytest.raises(InputError, match=r"whole\.sdf"):
        Fragment.of(tmp_path / "whole.sdf")
    for open_one in ("C", "*C(F)(F)F", "c1ccccc1", "*c1ccccc1", "*C#N", "N", "*O"):
        assert len(Fragment.of(open_one).numbers)


def test_formulas_contain_the_fragment(model, monkeypatch) -> None:
    counts = draw_formulas(model, 50, 0, None, None, Fragment.of("CCO"))
    H, C, N, O, F = counts.T  # noqa: E741
    assert (C >= 2).all() and (O >= 1).all() and len(np.unique(counts, axis=0)) > 1
    expected = model.composition.sample(20_000, np.random.default_rng(1))
    expected = expected[(expected[:, 1] >= 2) & (expected[:, 3] >= 1) & (expected.sum(1) > 3)]
    many = draw_formulas(model, 4_000, 0, None, None, Fragment.of("CCO"))
    assert many.sum(1).mean() == pytest.approx(expected.sum(1).mean(), abs=0.15)
    monkeypatch.setattr("molscore.screening.fragment.MOST_TRIES", 2**14)
    with pytest.raises(InputError, match="fragment"):
        draw_formulas(model, 1, 0, None, None, Fragment.of("FC(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)F"))
    with pytest.raises(InputError, match="S"):
        draw_formulas(model, 1, 0, None, None, Fragment.of("CS"))
    with pytest.raises(FormulaError):
        Fragment.of("CCO").rest_of(model, np.array([[6, 3, 0, 0, 0]]))


@pytest.mark.parametrize("steps", [10, 30])
def test_its_atoms_are_where_they_were(model, steps) -> None:
    fragment = Fragment.of(Molecule([6, 8], [[0, 0, 0], [0, 0, 1.43]]))
    counts = draw_formulas(model, 5, 0, "C2H6O", None, fragment)
    for molecule in draw_positions(model, counts, 0, Sampling(steps=steps), wanted=Wanted(fragment)):
        assert molecule.formula == "C2H6O"
        assert molecule.numbers[:2].tolist() == fragment.numbers.tolist()
        assert np.abs(molecule.positions[:2] - fragment.positions).max() < 1e-4


@pytest.mark.parametrize(
    ("smiles", "least"), [("*c1ccccc1", 4), ("*C#C", 2), ("*C(=O)O", 1), ("*CC", 0), ("*C1CC1", 1), ("*c1ccc[nH]1", 3)]
)
def test_formulas_have_its_rings_and_double_bonds(model, smiles, least) -> None:
    fragment = Fragment.of(smiles)
    assert fragment.unsaturation == least
    H, C, N, O, F = draw_formulas(model, 100, 0, None, None, fragment).T  # noqa: E741
    assert (least <= 1 + (2 * C + N - H - F) / 2).all()


@pytest.mark.parametrize("smiles", ["*S(=O)(=O)C", "*P(C)(C)=O", "*S(=O)C", "*P(=O)(OC)OC"])
def test_it_grows_at_a_star_whatever_the_valence(smiles, tmp_path, generator: torch.Generator) -> None:
    """Sulfur and phosphorus beyond two and three bonds lack none by distances: where they grow, the star says."""
    found = Fragment.of(smiles)
    assert found.missing.tolist() == [1.0] + [0.0] * (len(found.numbers) - 1)
    bonded = found.positions[1 : Chem.MolFromSmiles(smiles).GetAtomWithIdx(1).GetDegree()] - found.positions[0]
    assert np.linalg.norm(found.outward[0]) == pytest.approx(1) and (bonded @ found.outward[0] < 0.2).all()
    mask = torch.ones(100, len(found.numbers) + 1, dtype=torch.bool)
    grown = found.surrounded(mask, 0.01, generator)
    assert (grown[:, -1] - grown[:, 0]).norm(dim=1).median() == pytest.approx(1.5, abs=0.2)
    mol = Chem.MolFromSmiles(smiles)
    mol.AddConformer(Chem.Conformer(mol.GetNumAtoms()))
    heavy = found.positions[found.numbers > 1]
    mol.GetConformer().SetPositions(np.vstack([found.positions[:1] + 1.8 * found.outward[:1], heavy]))
    Chem.MolToMolFile(mol, str(tmp_path / "star.sdf"), kekulize=False)
    read = Fragment.of(tmp_path / "star.sdf")
    assert read.missing[0] == 1.0 and np.allclose(read.outward[0], found.outward[0], atol=1e-3)
    with pytest.raises(InputError, match="no bond to spare"):  # the same atoms, and no star
        Fragment.of(Molecule(found.numbers, found.positions))


def test_the_rest_begins_where_a_bond_is_missing(generator: torch.Generator) -> None:
    phenyl = Fragment.of("*c1ccccc1")
    mask = torch.arange(18) < torch.tensor([15, 18])[:, None]
    y = torch.stack([phenyl.surrounded(mask, 0.5, generator) for _ in range(200)])
    assert (y[:, 0, 15:] == 0).all() and y.sum(2).abs().max() < 1e-3
    where = y.mean(0)
    rest = where[1, 11:].mean(0) - where[1, :11].mean(0)
    to_open = torch.from_numpy(phenyl.positions - phenyl.positions.mean(0)).float()
    carbons = [i for i in range(11) if phenyl.numbers[i] == 6]
    bare = min(carbons, key=lambda i: -(to_open[i] @ rest))  # the carbon that the rest is next to
    hydrogens = to_open[phenyl.numbers == 1]
    assert (hydrogens - to_open[bare]).norm(dim=1).min() > 1.5 and rest.norm() > 2.0


def test_the_rest_follows_the_fragment(generator: torch.Generator) -> None:
    """Two shapes of four atoms: three of them, held as in one shape, leave the fourth where that shape has it."""
    shapes = 1.5 * torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    mixture = GaussianMixture(torch.tensor([0.5, 0.5]), shapes, torch.tensor([0.01, 0.01]))
    mask, noise = torch.ones(200, 4, dtype=torch.bool), lambda y: centred_noise(mask, generator, y.dtype)
    sigmas = torch.cat([noise_levels(60, 0.02, 20.0, width=2.0), torch.zeros(1)])
    y = 20 * centred_noise(mask, generator, torch.float64)
    share = []
    for score_fn in (mixture.score, fixed_atoms(mixture.score, mixture.means[1, :3])):
        x = dpm_solver(score_fn, y, sigmas, noise, correct=(0.1, 5.0))
        share.append(float(mixture.responsibilities(x, 0.0)[:, 1].mean()))
    assert share[0] == pytest.approx(0.5, abs=0.15) and share[1] > 0.97
    held = mixture.means[1, :3] - mixture.means[1, :3].mean(0)
    torch.testing.assert_close(x[:, :3] - x[:, :3].mean(1, keepdim=True), held.expand(200, -1, -1))


@pytest.mark.parametrize("smiles", ["*=C", "*#C", "*", "**", "C*C"])
def test_a_star_has_one_single_bond(smiles) -> None:
    with pytest.raises(InputError, match="each \\* stands where one single bond"):
        Fragment.of(smiles)
