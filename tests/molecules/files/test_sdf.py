"""SDF records, good and bad."""

import io
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDepictor

from molscore.molecules import Molecule
from molscore.molecules.chem import descriptors, from_smiles, mol_from_molecule, smiles_of
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from molscore.molecules.files.record import Row, checked
from molscore.molecules.files.sdf import scan_sdf, sdf_record
from molscore.molecules.files.text import Lines


def rows_of(text: str) -> list:
    return [make() for make in scan_sdf(Lines(io.StringIO(text, newline="")))]


@pytest.fixture(scope="module")
def records(library) -> list[str]:
    """A record of each molecule of the library."""
    return [sdf_record(Row(molecule, {"number": i}), {}) for i, molecule in enumerate(library.values())]


def test_molecules_read_back(library, records) -> None:
    rows = rows_of("".join(records))
    assert [(r.row, r.status, r.columns) for r in rows] == [(i, "ok", {"number": str(i)}) for i in range(len(library))]
    for row, (smiles, molecule) in zip(rows, library.items(), strict=True):
        assert row.smiles == smiles_of(from_smiles(smiles))
        assert row.molecule.numbers.tolist() == molecule.numbers.tolist()
        np.testing.assert_allclose(row.molecule.positions, molecule.positions, atol=5.1e-5)


def test_known_bonds_are_used_as_they_are(water) -> None:
    """Bonds that no geometry would suggest survive; a graph of other atoms, the control, is not used."""
    odd = Chem.MolFromSmiles("[O-][H+].[H]", sanitize=False)
    assert [atom.GetAtomicNum() for atom in odd.GetAtoms()] == [8, 1, 1]
    assert " 3  1  0" in sdf_record(Row(water, {}, odd), {})
    assert " 3  2  0" in sdf_record(Row(water, {}, Chem.MolFromSmiles("CCO")), {})


def test_atoms_without_bonds_keep_their_geometry(scattered) -> None:
    (row,) = rows_of(sdf_record(Row(scattered, {}), {}))
    assert (row.status, row.smiles, row.molecule.formula) == ("ok", None, "C2O")
    np.testing.assert_allclose(row.molecule.positions, scattered.positions)


def test_a_record_that_is_flat_or_lacks_hydrogens_gives_smiles_alone(library) -> None:
    flat = from_smiles("C[C@H](N)C(=O)O")
    rdDepictor.Compute2DCoords(flat)
    origin = mol_from_molecule(library["CCO"])
    heavy = Chem.RemoveHs(origin)
    origin.GetConformer().SetPositions(np.zeros((9, 3)))
    rows = rows_of("".join(f"{Chem.MolToMolBlock(mol)}$$$$\n" for mol in (flat, origin, heavy)))
    assert [(r.molecule, r.smiles, r.status) for r in rows] == [
        (None, smiles, "ok") for smiles in ("C[C@H](N)C(=O)O", "CCO", "CCO")
    ]


def test_bonds_that_are_no_molecule_do_not_cost_the_geometry(water) -> None:
    text = sdf_record(Row(water, {}), {}).replace("  1  2  1", "  1  2  3")
    (row,) = rows_of(text)
    assert (row.status, row.smiles, row.molecule.formula) == ("ok", None, "H2O")
    (flat,) = rows_of(text.replace("3D", "2D", 1).replace("0.1000", "0.0000").replace("-0.4800", " 0.0000"))
    assert flat.status == "unparsable"
    assert "valence" in flat.error


@pytest.mark.parametrize("end", ["\nM  END", "\n\n  \nM  END", "M END", "M  END  "])
def test_ends_of_a_record_as_programs_write_them(records, end) -> None:
    rows = rows_of((records[1] + records[3]).replace("M  END", end))
    assert [(r.status, r.smiles, r.molecule.n_atoms) for r in rows] == [("ok", "CCO", 9), ("ok", "c1ccccc1", 12)]


def test_tags_are_columns_and_the_title_is_the_name(records) -> None:
    planar = Molecule([8, 1, 1], [[0, 0.1, 0], [0.76, -0.48, 0], [-0.76, -0.48, 0]], "water")
    (row,) = rows_of(sdf_record(Row(planar, {"name": "water"}), {"molscore_seed": 1}))
    assert (row.molecule.name, row.columns) == ("water", {"name": "water", "molscore_seed": "1"})
    text = records[0].replace("$$$$", ">  <two lines>  (7)\r\na\r\nb\r\n\r\n> <none>\n\n$$$$")
    (row,) = rows_of(text)
    assert row.columns == {"number": "0", "two lines": "a\nb", "none": ""}


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("closed", [True, False])
def test_a_truncated_record_costs_itself_alone(records, kept, closed) -> None:
    """Cut anywhere, with or without the closing line: the record after it is read."""
    lines = records[3].splitlines(keepends=True)
    cut = "".join(lines[: max(1, int(kept * (len(lines) - 6)))]) + ("$$$$\n" if closed else "")
    rows = rows_of(records[1] + cut + records[2])
    assert [r.status for r in rows] == ["ok", "unparsable", "ok"]
    assert rows[2].smiles == "C#N"


def test_a_record_that_lacks_only_its_closing_line(records) -> None:
    rows = rows_of(records[1].replace("$$$$\n", "") + records[2] + records[3].replace("$$$$\n", ""))
    assert [r.smiles for r in rows] == ["CCO", "C#N", "c1ccccc1"]


@pytest.mark.parametrize("value", ["nan", "inf", "x.xxxx"])
def test_coordinates_that_are_no_numbers_and_atoms_that_are_no_elements(records, value) -> None:
    lines = records[1].splitlines(keepends=True)
    lines[4] = f"{value:>10}" + lines[4][10:]
    rows = rows_of("".join(lines) + records[1].replace(" O   0", " R#  0") + records[2])
    assert [r.ok for r in rows] == [False, False, True] and rows[1].status == "pattern"


@given(st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=200))
def test_any_text_between_records_costs_neither(records, text) -> None:
    rows = rows_of(f"{records[0]}{text}\n$$$$\n{records[0]}")
    assert [r.row for r in rows] == list(range(len(rows)))
    assert rows[0].ok
    assert rows[-1].ok
    assert len(rows) >= 3


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4), st.text(max_size=10))
def test_no_value_can_break_a_record(columns, name) -> None:
    molecule = Molecule([8, 1, 1], [[0, 0, 0.1], [0.76, 0, -0.48], [-0.76, 0, -0.48]], name)
    rows = rows_of(sdf_record(Row(molecule, columns), {}) * 2)
    assert [r.ok for r in rows] == [True, True]


def test_bonds_that_would_take_minutes_are_left_alone() -> None:
    """A geometry with too many bonds keeps its atoms; a flat record, the control, is too large."""
    pairs = [(i, j) for i in range(1, 21) for j in range(i + 1, 21)]
    atoms = [f"{x:10.4f}{x % 3:10.4f}{{z:10.4f}} U   0  0\n" for x in range(20)]
    bonds = "".join(f"{i:3d}{j:3d}  1  0\n" for i, j in pairs)
    whole = f"all\n     RDKit          {{d}}\n\n 20{len(pairs):3d}  0  0  0  0  0  0  0  0999 V2000\n"
    block = whole + "".join(atoms) + bonds + "M  END\n$$$$\n"
    solid, flat = rows_of(block.format(d="3D", z=1.5) + block.format(d="2D", z=0.0))
    assert (solid.status, solid.molecule.n_atoms, solid.smiles) == ("ok", 20, None)
    assert (flat.status, flat.molecule) == ("too_large", None) and "171 rings" in flat.error


def test_the_bonds_of_a_geometry_say_what_its_atoms_cannot(library) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("C[NH3+]"))
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.random.default_rng(0).normal(size=(mol.GetNumAtoms(), 3)))
    conformer.Set3D(True)
    mol.AddConformer(conformer)
    neutral, charged = rows_of(sdf_record(Row(library["CCO"], {}), {}) + Chem.MolToMolBlock(mol) + "$$$$\n")
    assert (neutral.molecule.charge, neutral.molecule.pieces, neutral.molecule.n_atoms) == (0, 1, 9)
    assert (charged.molecule.charge, charged.molecule.pieces, charged.molecule.n_atoms) == (1, 1, 8)


def test_the_structure_says_the_smiles_and_a_field_that_disagrees_is_kept_beside_it(library) -> None:
    flat = from_smiles("CCCN")
    rdDepictor.Compute2DCoords(flat)
    solid = mol_from_molecule(library["CCO"])
    cases = [
        (flat, {}, {"smiles": "CCCN"}),
        (flat, {"smiles": "CCO"}, {"input_smiles": "CCO", "smiles": "CCCN"}),
        (flat, {"SMILES": "CCO"}, {"input_smiles": "CCO", "smiles": "CCCN"}),
        (flat, {"SMILES": "NCCC"}, {"smiles": "NCCC"}),
        (flat, {"smiles": "C", "input_smiles": ""}, {"input_input_smiles": "C", "input_smiles": "", "smiles": "CCCN"}),
        (flat, {"smiles": "x", "smi": "CCCN"}, {"input_smiles": "x", "smi": "CCCN", "smiles": "CCCN"}),
        (flat, {"canonical_smiles": "C(N)CC"}, {"canonical_smiles": "C(N)CC"}),
        (solid, {}, {}),
        (solid, {"smiles": "OCC"}, {"smiles": "OCC"}),
        (solid, {"smiles": "[CH3:1][CH2:2]O"}, {"smiles": "[CH3:1][CH2:2]O"}),
        (solid, {"smiles": "CCCN"}, {"input_smiles": "CCCN", "smiles": "CCO"}),
        (solid, {"smiles": "[2H]OCC"}, {"input_smiles": "[2H]OCC", "smiles": "CCO"}),
        (solid, {"smiles": ""}, {"smiles": "CCO"}),
    ]  # fmt: skip
    for mol, fields, expected in cases:
        tags = "".join(f"> <{name}>\n{value}\n\n" for name, value in fields.items())
        (row,) = rows_of(f"{Chem.MolToMolBlock(mol)}{tags}$$$$\n")
        assert (row.columns, row.smiles) == (expected, "CCCN" if mol is flat else "CCO"), fields


@pytest.mark.parametrize(
    ("said", "kept"), [("CC(N)C(=O)O", True), ("C[C@H](N)C(=O)O", True), ("C[C@@H](N)C(=O)O", False)]
)
def test_a_field_may_say_less_stereochemistry_but_no_other(said, kept) -> None:
    (molecule,) = embed("C[C@H](N)C(=O)O")
    (row,) = rows_of(sdf_record(Row(molecule, {"smiles": said}), {}))
    assert row.columns == ({"smiles": said} if kept else {"input_smiles": said, "smiles": "C[C@H](N)C(=O)O"})


def test_a_record_without_atoms_is_what_its_field_says() -> None:
    good, bad, none = rows_of(
        "".join(sdf_record(Row(None, columns), {}) for columns in ({"smiles": "CCO"}, {"smiles": "C("}, {}))
    )
    assert (good.status, good.smiles, good.molecule, good.columns) == ("ok", "CCO", None, {"smiles": "CCO"})
    assert checked(bad).status == none.status == "unparsable" and "no atoms" in none.error


SMILES = (
    "CCO", "[NH3+]CC(=O)[O-]", "C[N+](=O)[O-]", "C[C@H](N)C(=O)O", "C/C=C\\C", "c1cn[nH]c1", "C[N+]#[C-]",
    "[O-][n+]1ccccc1", "C=[N+]=[N-]", "C[C@@H]1CC[C@H](O)CC1", "C1C2CC3CC1CC(C2)C3", "CS(C)(=O)=O",
)  # fmt: skip


@pytest.fixture
def written(tmp_path) -> tuple[str, list[str]]:
    """A file, and the InChIKeys of its molecules."""
    made = [(Molecule(m.numbers, m.positions, text), mol_from_molecule(m)) for text in SMILES for m in embed(text)]
    path = tmp_path / "x.sdf"
    write(path, [(m, {"smiles": smiles_of(mol), **descriptors(mol)}, mol) for m, mol in made])
    return str(path), [descriptors(mol)["inchikey"] for _, mol in made]


def test_rdkit_reads_the_same_molecules_names_and_numbers(written) -> None:
    path, keys = written
    for mol, key, name in zip(Chem.SDMolSupplier(path, removeHs=False), keys, SMILES, strict=True):
        assert mol.GetProp("_Name") == name and mol.GetProp("inchikey") == key
        assert float(mol.GetProp("logp")) == descriptors(mol)["logp"]
        assert Chem.MolToInchiKey(Chem.MolFromSmiles(mol.GetProp("smiles"))) == key
        assert key == descriptors(Chem.MolFromSmiles(name))["inchikey"]


@pytest.mark.skipif(shutil.which("obabel") is None, reason="Open Babel is not installed")
def test_open_babel_reads_the_same_molecules(written) -> None:
    path, keys = written
    found = subprocess.run(["obabel", path, "-oinchikey"], capture_output=True, text=True, timeout=120).stdout.split()
    assert [key[:14] for key in found] == [key[:14] for key in keys]  # of 3D it says more than of a SMILES
