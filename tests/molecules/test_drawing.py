"""Pictures, drawn without a display."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from rdkit import Chem
from rdkit.Chem import rdDepictor

from molscore.errors import InputError, OutputError, ParseError
from molscore.molecules.drawing import collisions, depict, draw_grid, draw_weights


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB")).astype(int)


@pytest.fixture(autouse=True)
def headless(monkeypatch) -> None:
    """No X11 display."""
    monkeypatch.delenv("DISPLAY", raising=False)


def test_a_grid_has_a_cell_for_each_molecule(library, scattered, tmp_path) -> None:
    path = tmp_path / "grid.png"
    draw_grid([library["CCO"], "c1ccccc1", scattered], ["a", "b", "c"], path, per_row=2, cell=(120, 100))
    image = pixels(path)
    assert image.shape == (200, 240, 3)
    inked = [(image[y : y + 100, x : x + 120] < 200).any() for y in (0, 100) for x in (0, 120)]
    assert inked == [True, True, True, False]
    again = tmp_path / "again.png"
    draw_grid([library["CCO"], "c1ccccc1", scattered], ["a", "b", "c"], again, per_row=2, cell=(120, 100))
    assert again.read_bytes() == path.read_bytes()


def test_weights_colour_their_atoms(library, tmp_path) -> None:
    ethanol = library["CCO"]

    def tints(weights) -> tuple[int, int]:
        path = tmp_path / "weights.png"
        draw_weights(ethanol, weights, path, legend="")
        image = pixels(path)
        red = (image[..., 0] - image[..., 2] > 80) & (image[..., 1] - image[..., 2] < 60) & (image[..., 2] > 30)
        blue = (image[..., 2] - image[..., 0] > 80) & (image[..., 0] > 30)
        return int(red.sum()), int(blue.sum())

    carbon = np.eye(9)[0]
    up, down, none = tints(carbon), tints(-carbon), tints(0 * carbon)
    assert up[0] > none[0] + 500
    assert down[1] > none[1] + 500
    hydrogen_of_that_carbon = np.eye(9)[3]
    assert tints(hydrogen_of_that_carbon) == up


def test_what_does_not_fit_is_refused(library, scattered, tmp_path, monkeypatch) -> None:
    path = tmp_path / "x.png"
    for mols, legends in (([], []), ([library["O"]], ["a", "b"])):
        with pytest.raises(InputError):
            draw_grid(mols, legends, path)
    for weights in ([1.0], np.full(3, np.nan)):
        with pytest.raises(InputError):
            draw_weights(library["O"], weights, path)
    with pytest.raises(ParseError):
        draw_weights(scattered, np.zeros(3), path)
    with pytest.raises(OutputError):
        draw_grid(["C"], ["a"], tmp_path / "missing" / "x.png")
    monkeypatch.setitem(sys.modules, "rdkit.Chem.Draw", None)
    with pytest.raises(OutputError, match="libX11"):
        draw_grid(["C"], ["a"], path)
    assert not path.exists()


def test_a_full_colour_is_full_and_stays_so(library, tmp_path) -> None:
    """Pictures compare when they share `full`: a weight beyond it looks the same, one below it paler."""

    def drawn(weight: float, full: float | None) -> str:
        draw_weights(library["CCO"], weight * np.eye(9)[0], tmp_path / "x.svg", full=full)
        return (tmp_path / "x.svg").read_text()

    assert drawn(1.0, 1.0) == drawn(5.0, 1.0) == drawn(0.1, None)
    assert drawn(1.0, 2.0) != drawn(1.0, 1.0)
    assert drawn(1.0, 1.0).lstrip().startswith("<?xml")


CAGES = ("C12C3C4C1C5C2C3C45", "C1CC2CCC1CC2", "C1C2CC3CC1CC(C2)C3", "CC1C2OC1C1CN12", "C1=CC2CCC1O2")


@pytest.mark.parametrize("smiles", [*CAGES, "CC(=O)Nc1ccc(O)cc1", "C", "[H][H]", "CC"])
def test_no_atom_lies_on_another(smiles) -> None:
    assert collisions(depict(Chem.MolFromSmiles(smiles)))[0] == 0
    plain = Chem.MolFromSmiles(CAGES[0])
    rdDepictor.Compute2DCoords(plain)  # the control: without templates cubane is three squares, atoms on atoms
    assert collisions(plain)[0] > 0
    cross = Chem.MolFromSmiles("CC.CC")
    rdDepictor.Compute2DCoords(cross)
    for atom, place in enumerate([(-1, 0.1), (1, 0), (0, -1), (0.1, 1)]):
        cross.GetConformer().SetAtomPosition(atom, (*place, 0))
    assert collisions(cross) == (0, 1)


def test_wedges_are_drawn_where_configuration_is_free() -> None:
    def wedges(smiles: str) -> int:
        return sum(bond.GetBondDir() != Chem.BondDir.NONE for bond in depict(Chem.MolFromSmiles(smiles)).GetBonds())

    assert wedges("C[C@H](O)F") == 1
    assert wedges("C[C@]12CC[C@H](C1)OC2") == 0  # bridgeheads of a cage


def test_the_molecule_is_the_same_with_hydrogens_as_people_draw_them() -> None:
    for smiles in (*CAGES, "C[C@H](O)/C=C/F", "c1cc[nH]c1"):
        mol = Chem.MolFromSmiles(smiles)
        flat = depict(mol)
        assert [a.GetSymbol() for a in flat.GetAtoms()] == [a.GetSymbol() for a in mol.GetAtoms()]
        assert np.ptp(flat.GetConformer().GetPositions()[:, 2]) == 0
        Chem.SanitizeMol(flat)
        assert Chem.MolToSmiles(flat, isomericSmiles=False) == Chem.MolToSmiles(mol, isomericSmiles=False)
    for smiles, drawn in (("CO", "CO"), ("[H][H]", "HH"), ("[H]/N=C/C", "NCC"), ("[2H]C", "HC"), ("[NH4+]", "N")):
        flat = depict(Chem.AddHs(Chem.MolFromSmiles(smiles)))
        assert sorted(a.GetSymbol() for a in flat.GetAtoms()) == sorted(drawn)
