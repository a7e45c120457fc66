"""The sample in data/ is what its README says."""

import csv
from pathlib import Path

import pytest
from rdkit import Chem

from molscore.molecules.chem import from_smiles, mol_from_molecule, molecule_from_mol, smiles_of

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def records() -> list[Chem.Mol]:
    return list(Chem.SDMolSupplier(str(DATA / "sample.sdf"), removeHs=False))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (DATA / "sample.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_geometries_are_of_qm9s_kind_and_read_as_their_smiles(records) -> None:
    molecules = [molecule_from_mol(mol) for mol in records]
    assert len({molecule.name for molecule in molecules}) == len(molecules) == 58
    assert max(molecule.n_atoms for molecule in molecules) <= 29
    assert {symbol for molecule in molecules for symbol in molecule.symbols} == set("HCNOF")
    for mol in records:
        ours, named = smiles_of(molecule_from_mol(mol), stereo=False), from_smiles(mol.GetProp("smiles"))
        assert ours == smiles_of(named, stereo=False), mol.GetProp("_Name")
    hands = {mol.GetProp("_Name"): smiles_of(mol_from_molecule(molecule_from_mol(mol))) for mol in records}
    assert hands["L-alanine"] == "C[C@H](N)C(=O)O" != hands["D-alanine"]


def test_the_library_holds_every_molecule_and_the_bad_rows_that_the_readme_lists(records, rows) -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    good, bad = [row for row in rows if not row["note"]], [row for row in rows if row["name"].startswith("bad ")]
    assert [row["name"] for row in good] == [mol.GetProp("_Name") for mol in records]
    assert len(rows) == 70 and len(bad) == 11
    assert all(f"| {row['note']} |" in readme for row in bad)
    assert all(set(row) == {"id", "name", "smiles", "shelf", "stock_mg", "note"} and row["id"] for row in rows)
