"""SMILES to geometry to bonds to SMILES, and what is said of a graph on the way."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from scipy.spatial.transform import Rotation

from molscore.errors import MolscoreError, ParseError, PatternError, PositionError, TooLargeError
from molscore.molecules import Molecule
from molscore.molecules.chem import (
    AROMATIC,
    MAX_RINGS,
    bond_array,
    bonds_over,
    contents_of,
    from_smiles,
    has_geometry,
    missing_hydrogens,
    mol_from_molecule,
    molecule_from_mol,
    ring_count,
    shown,
    smiles_of,
    unlabelled,
)
from molscore.molecules.conformers import embed
from tests.molecules.conftest import LIBRARY

#: Atoms of each element, charge, pieces and unpaired electrons.
CONTENTS = {
    "[2H]C": ({"C": 1, "H": 4}, 0, 1, 0),
    "CC |$a;b$|": ({"C": 2, "H": 6}, 0, 1, 0),
    "C1.C1": ({"C": 2, "H": 6}, 0, 1, 0),
    "[H][H]": ({"H": 2}, 0, 1, 0),
    "[H+]": ({"H": 1}, 1, 1, 0),
    "[U+4]": ({"U": 1}, 4, 1, 0),
    "[O][O]": ({"O": 2}, 0, 1, 2),
    "[O-][N+](=O)C": ({"C": 1, "H": 3, "N": 1, "O": 2}, 0, 1, 0),
    "[O-]C=O": ({"C": 1, "H": 1, "O": 2}, -1, 1, 0),
    "[Na+].[Cl-].O": ({"Na": 1, "Cl": 1, "O": 1, "H": 2}, 0, 3, 0),
}
#: What is no SMILES string, by the reason.
BAD = {
    "empty": ("", "  "),
    "does not parse": ("C1CC", "(", "lemon", "1234"),
    "valence": ("CC(C)(C)(C)C",),
    "[Kk]ekulize|valence": ("c1ccccc1(C)C", "c1cccc1"),
    "space": ("CCO ethanol",),
    "dummy": ("*CC", "C[*:1]", "CC* |$;;R1$|"),
    "any order": ("C~C",),
    "aromatic bond outside any ring": ("CC:C", "C:CC:CCO"),
    "bond of the kind quadruple": ("C$C",),
    "a character that none has": ("é", "C\x00C", "\x00CC"),
}
C60 = (
    "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10"
    "c5c5c1c1c6c6c%11c2c2c7c3c3c8c4c4c9c5c1c1c6c2c3c41"
)


def ladder(rungs: int) -> str:
    """Squares in a row: as many rings as it has rungs but one."""
    inner = "".join(f"C%({i})" for i in range(1, rungs - 1))
    back = "".join(f"C%({i})" for i in range(rungs - 2, 0, -1))
    return f"C%(999){inner}CC{back}C%(999)"


def complete(n: int) -> str:
    """Uranium atoms each bound to all others."""
    atoms = range(1, n + 1)
    rings = [[f"%({min(i, j)}{max(i, j):02d})" for j in atoms if abs(i - j) > 1] for i in atoms]
    return "".join("[U]" + "".join(closures) for closures in rings)


def test_smiles_to_geometry_and_back(library) -> None:
    for smiles, molecule in library.items():
        assert smiles_of(molecule) == smiles_of(from_smiles(smiles))
        back = molecule_from_mol(mol_from_molecule(molecule))
        np.testing.assert_array_equal(back.positions, molecule.positions)


def test_handedness_is_read_off_the_geometry_wherever_it_is(library, rng) -> None:
    left, right = (library[smiles] for smiles in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"))
    assert smiles_of(left) != smiles_of(right)
    assert smiles_of(left, stereo=False) == smiles_of(right, stereo=False) == "CC(N)C(=O)O"
    assert smiles_of(Molecule(left.numbers, left.positions * [1, 1, -1])) == smiles_of(right)
    for smiles in ("C[C@H](N)C(=O)O", "C/C=C\\C", "[NH3+]CC(=O)[O-]", "c1cn[nH]c1"):
        molecule, order = library[smiles], rng.permutation(library[smiles].n_atoms)
        moved = Rotation.random(random_state=0).apply(molecule.positions[order]) + rng.normal(size=3) * 100
        assert smiles_of(Molecule(molecule.numbers[order], moved)) == smiles_of(from_smiles(smiles))


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


@pytest.mark.parametrize(("text", "reason"), [(text, reason) for reason, texts in BAD.items() for text in texts])
def test_what_is_no_smiles_is_refused_with_the_reason(text, reason, capfd) -> None:
    with pytest.raises(ParseError, match=reason) as error:
        from_smiles(text)
    assert isinstance(error.value, PatternError) == (reason in ("dummy", "any order"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("smarts", ["C=,#C", "[#6;R0]CCCCC", "[#6]-[#8]", "[C,N]CO", "C~C"])
def test_a_query_is_no_molecule(smarts) -> None:
    with pytest.raises(PatternError, match="this is not a molecule"):
        smiles_of(Chem.MolFromSmarts(smarts))


@given(st.text(max_size=30) | st.text("CNOF()=#123[]+-@/\\.cno", max_size=30))
def test_any_text_is_a_molecule_or_a_parse_error(text) -> None:
    try:
        mol = from_smiles(text)
    except ParseError:
        return
    assert mol.GetNumAtoms() > 0
    assert isinstance(smiles_of(mol), str)


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


def test_bonds_are_an_array_where_their_orders_are_known() -> None:
    assert bond_array(from_smiles("C=CC#N")).tolist() == [[0, 1, 2], [1, 2, 1], [2, 3, 3]]
    assert set(bond_array(from_smiles("c1ccccc1"))[:, 2].tolist()) == {AROMATIC}
    assert bond_array(from_smiles("[NH3]->[Fe]")) is None


@pytest.mark.parametrize(("text", "contents"), CONTENTS.items())
def test_what_a_graph_contains(text, contents) -> None:
    found = contents_of(from_smiles(text))
    assert found == contents and found.n_atoms == sum(contents[0].values())


@pytest.mark.parametrize("text", [*LIBRARY, *CONTENTS, C60, "C[C@H](F)O |o1:1|", "[H]/N=C/C", "[H:1]OC"])
def test_a_string_is_parsed_as_rdkit_parses_it(text) -> None:
    assert Chem.MolToCXSmiles(from_smiles(text)) == Chem.MolToCXSmiles(Chem.MolFromSmiles(text))


def test_rings_are_counted_before_they_are_looked_for() -> None:
    """RDKit needs minutes for the rings of the last; a hundred and less, the control, are looked for."""
    assert ring_count(from_smiles(C60)) == 31
    assert ring_count(from_smiles(ladder(MAX_RINGS))) == MAX_RINGS - 1
    assert from_smiles(complete(5)).GetNumAtoms() == 5
    started = time.process_time()
    for text in (ladder(MAX_RINGS + 2), ladder(700), complete(35)):
        with pytest.raises(TooLargeError, match="rings"):
            from_smiles(text)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    "text",
    [
        *("C" * 100_000, "C" * 10_001, "C(" * 50_000, "\x00" * 20_000),
        *("C" * 9_000, "C(" * 4_900, "[" * 9_000, "C1" * 4_000, "=" * 9_000, ".".join(["C"] * 4_000)),
    ],
)
def test_long_strings_are_read_quickly_or_not_at_all_and_quoted_in_part(text) -> None:
    started = time.process_time()
    if len(text) > 10_000:
        with pytest.raises(TooLargeError, match="at most are read"):
            from_smiles(text)
    else:
        try:
            assert contents_of(from_smiles(text)).n_atoms > 4_000
        except MolscoreError as error:
            assert len(str(error)) < 400
        assert shown("CCO") == "'CCO'" and len(shown(text)) == 82
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("smiles", ["c1ccncc1C#N", "CC(=O)OC1CC1", "C[N+](C)(C)CC([O-])=O", "O=C1C=CC(=O)N1", "[H][H]"])
def test_bonds_are_laid_over_atoms_in_any_order(smiles, rng) -> None:
    (given,) = embed(smiles)
    order = rng.permutation(given.n_atoms)
    kinds = []
    for molecule in (given, Molecule(given.numbers[order], given.positions[order])):
        bonds = bonds_over(smiles, molecule)
        first, second, orders = bonds.T.astype(int)
        assert np.linalg.norm(molecule.positions[first] - molecule.positions[second], axis=1).max() < 1.7
        ends = np.sort(molecule.numbers[bonds[:, :2]], axis=1)
        kinds.append(sorted(zip(*ends.T.tolist(), orders.tolist(), strict=True)))
    assert kinds[0] == kinds[1]
    assert bonds_over("CCCCCC", given) is None
    with pytest.raises(ParseError):
        bonds_over("C(", given)
