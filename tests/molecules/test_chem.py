"""SMILES to geometry to bonds to SMILES, and what is said of a graph on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from scipy.spatial.transform import Rotation

from molscore.errors import MolscoreError, ParseError, PositionError
from molscore.molecules import Molecule
from molscore.molecules.chem import (
    AROMATIC,
    bond_array,
    charge,
    connected,
    fragments,
    from_smiles,
    has_geometry,
    missing_hydrogens,
    mol_from_molecule,
    molecule_from_mol,
    sanitises,
    smiles_of,
    unlabelled,
)
from tests.molecules.conftest import LIBRARY


@pytest.mark.parametrize("smiles", LIBRARY)
def test_smiles_to_geometry_and_back(smiles, library) -> None:
    assert smiles_of(library[smiles]) == smiles_of(from_smiles(smiles))


def test_handedness_is_read_off_the_geometry(library) -> None:
    left, right = (library[smiles] for smiles in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"))
    assert smiles_of(left) != smiles_of(right)
    assert smiles_of(left, stereo=False) == smiles_of(right, stereo=False) == "CC(N)C(=O)O"
    assert smiles_of(Molecule(left.numbers, left.positions * [1, 1, -1])) == smiles_of(right)


@pytest.mark.parametrize("smiles", ["C[C@H](N)C(=O)O", "C/C=C\\C", "[NH3+]CC(=O)[O-]", "c1cn[nH]c1"])
def test_motion_and_atom_order_do_not_matter(smiles, library, rng) -> None:
    molecule = library[smiles]
    for seed in range(3):
        order = rng.permutation(molecule.n_atoms)
        moved = Rotation.random(random_state=seed).apply(molecule.positions[order]) + rng.normal(size=3) * 100
        assert smiles_of(Molecule(molecule.numbers[order], moved)) == smiles_of(from_smiles(smiles))


def test_geometry_and_name_pass_through_unchanged(library) -> None:
    phenol = Molecule(library["c1ccccc1"].numbers, library["c1ccccc1"].positions, name="benzene")
    back = molecule_from_mol(mol_from_molecule(phenol))
    np.testing.assert_array_equal(back.numbers, phenol.numbers)
    np.testing.assert_array_equal(back.positions, phenol.positions)
    assert back.name == "benzene"


def test_noise_within_reason_does_not_change_the_reading(library, rng) -> None:
    """At 0.03 Å nearly all readings hold; at 0.5 Å, the control, nearly none does."""

    def kept(sigma: float) -> int:
        same = 0
        for smiles, molecule in library.items():
            noisy = Molecule(molecule.numbers, molecule.positions + sigma * rng.normal(size=(molecule.n_atoms, 3)))
            try:
                same += smiles_of(noisy, stereo=False) == smiles_of(from_smiles(smiles), stereo=False)
            except ParseError:
                continue
        return same

    assert kept(0.03) >= len(library) - 1
    assert kept(0.5) <= 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("C1CC", "does not parse"),
        ("CC(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize|Kekulize"),
        ("CCO ethanol", "space"),
        ("*", "dummy"),
        ("é", "a character that none has"),
        ("C\x00C", "a character that none has"),
        ("\x00CC", "a character that none has"),
    ],
)
def test_what_is_no_smiles_is_refused_with_the_reason(text, reason, capfd) -> None:
    with pytest.raises(ParseError, match=reason):
        from_smiles(text)
    assert capfd.readouterr() == ("", "")


@given(st.text(max_size=30) | st.text("CNOF()=#123[]+-@/\\.cno", max_size=30))
def test_any_text_is_a_molecule_or_a_parse_error(text) -> None:
    try:
        mol = from_smiles(text)
    except ParseError:
        return
    assert mol.GetNumAtoms() > 0
    assert isinstance(smiles_of(mol), str)


def test_cxsmiles_extensions_are_allowed() -> None:
    assert smiles_of(from_smiles("CCO |$a;b;c$|")) == "CCO"


@pytest.mark.parametrize(
    ("smiles", "spelled", "imine"),
    [
        ("[H]/N=C/C", "CC=N", "[H]/N=C/C"),
        ("C/C=C/C=N/[H]", "C/C=C/C=N", "[H]/N=C/C=C/C"),
        (r"C/C(N)=N\O", r"C/C(N)=N\O", r"C/C(N)=N\O"),
        ("[2H]/N=C/C", "[2H]/N=C/C", "[2H]/N=C/C"),
        ("[H][H]", "[H][H]", "[H][H]"),
    ],
)
def test_hydrogens_of_imines_are_spelled_only_when_asked_for(smiles, spelled, imine) -> None:
    mol = from_smiles(smiles)
    assert (smiles_of(mol), smiles_of(mol, imines=True)) == (spelled, imine)


def test_labels_are_left_out_with_the_stereo_that_came_of_them() -> None:
    labelled = ("[CH3:1][13CH2:2]O", "C[C@H]([2H])O", "C[C@H](O)[13CH3]", "C[C@@H:4](O)F")
    assert [smiles_of(unlabelled(from_smiles(s))) for s in labelled] == ["CCO", "CCO", "CC(C)O", "C[C@@H](O)F"]


def test_pieces_and_charges() -> None:
    salt, zwitterion = from_smiles("[Na+].[Cl-].O"), from_smiles("[NH3+]CC(=O)[O-]")
    assert (fragments(salt), connected(salt), charge(salt)) == (3, False, 0)
    assert (fragments(zwitterion), connected(zwitterion), charge(zwitterion)) == (1, True, 0)
    assert charge(from_smiles("C[NH3+]")) == 1
    assert charge(from_smiles("[O-]C=O")) == -1


def test_sanitises_says_so_and_leaves_the_molecule_alone(capfd) -> None:
    good, bad = (Chem.MolFromSmiles(text, sanitize=False) for text in ("c1ccccc1", "C(C)(C)(C)(C)C"))
    assert sanitises(good)
    assert not sanitises(bad)
    assert good.NeedsUpdatePropertyCache()
    assert capfd.readouterr() == ("", "")


def test_a_mol_without_geometry_or_hydrogens_is_no_molecule(library) -> None:
    flat = from_smiles("CCO")
    assert not has_geometry(flat)
    with pytest.raises(PositionError, match="no 3D positions"):
        molecule_from_mol(flat)
    placed = mol_from_molecule(library["CCO"])
    assert has_geometry(placed)
    assert missing_hydrogens(placed) == 0
    bare = Chem.RemoveHs(placed)
    assert missing_hydrogens(bare) == 6
    with pytest.raises(PositionError, match="6 hydrogens have no positions"):
        molecule_from_mol(bare)
    placed.GetConformer().SetPositions(np.zeros((9, 3)))
    with pytest.raises(PositionError):
        molecule_from_mol(placed)


def test_errors_of_the_gate_are_ours(scattered) -> None:
    with pytest.raises(MolscoreError):
        smiles_of(scattered)


def test_bonds_are_an_array_where_their_orders_are_known() -> None:
    assert bond_array(from_smiles("C=CC#N")).tolist() == [[0, 1, 2], [1, 2, 1], [2, 3, 3]]
    assert set(bond_array(from_smiles("c1ccccc1"))[:, 2].tolist()) == {AROMATIC}
    assert bond_array(from_smiles("[NH3]->[Fe]")) is None
