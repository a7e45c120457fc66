"""Any library becomes a data set: what it has is kept, what it lacks is made, what is left out is listed."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molscore.datasets import from_file
from molscore.datasets.assembly import summary
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.splits import Splitting
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.chem import bond_array, mol_from_molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from tests import tiny

GOOD = ("CCO", "c1ccncc1", "CC(=O)OC", "C[C@H](N)C(=O)O")
LIBRARY = """smiles,name
CCO,ethanol
OCC,again
CC(=O)[O-],ion
c1ccncc1,pyridine
C[CH2],radical
CC(,broken
CCO.O,hydrate
CC(=O)OC,ester
C[C@H](N)C(=O)O,alanine
CS(C)=O,sulfoxide
"""
LEFT_OUT = {2: "duplicate", 3: "charged", 5: "radical", 6: "unparsable", 7: "fragments"}  # rows from 1


def left_out(path: Path) -> dict[int, str]:
    with path.open(newline="") as file:
        return {int(row["row"]): row["status"] for row in csv.DictReader(file)}


def bonded_lengths(molecules: MoleculeSet) -> np.ndarray:
    starts = np.repeat(molecules.offsets[:-1], molecules.n_bonds)
    first, second = (molecules.positions[starts + molecules.bonds[:, end]] for end in (0, 1))
    return np.linalg.norm(first - second, axis=1)


@pytest.fixture
def library(tmp_path) -> Path:
    (tmp_path / "library.csv").write_text(LIBRARY)
    return tmp_path / "library.csv"


def test_smiles_get_geometries_bonds_and_splits_and_bad_rows_a_reason(library, tmp_path) -> None:
    output = tmp_path / "new" / "set.parquet"
    made = from_file.build(str(library), output, workers=1)
    assert made.metadata["name"] == "set" and "seed 0" in made.metadata["geometry"]
    assert made.metadata == MoleculeSet.load(output).metadata
    assert made.columns["name"].tolist() == ["ethanol", "pyridine", "ester", "alanine", "sulfoxide"]
    assert made.columns["row"].tolist() == [1, 4, 8, 9, 10]
    assert sorted(set(made.columns["split"])) == ["test", "train", "valid"]
    assert np.array_equal(made[0].positions.astype(np.float32), embed("CCO")[0].positions.astype(np.float32))
    lengths = bonded_lengths(made)
    assert lengths.min() > 0.9 and lengths.max() < 1.9  # C-S is the longest
    assert made.n_bonds.tolist() == [8, 11, 10, 12, 9] and (made.bonds[8:19, 2] == 4).sum() == 6
    assert left_out(tmp_path / "new" / "set.left_out.csv") == LEFT_OUT
    assert not (tmp_path / "new" / "set.parquet.parts").exists()
    assert bonded_lengths(replace(made, positions=made.positions[::-1])).max() > 1.9  # the lengths above can be wrong


def test_a_killed_run_is_carried_on_to_the_same_bytes(library, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(from_file, "PART_ROWS", 4)
    from_file.build(str(library), tmp_path / "whole.parquet", workers=1)
    worked = from_file._worked
    seen = []

    def killed(records: list, *rest: object) -> object:
        seen.append([record.row for record in records])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return worked(records, *rest)

    output = tmp_path / "whole2.parquet"
    monkeypatch.setattr(from_file, "_worked", killed)
    with pytest.raises(KeyboardInterrupt):
        from_file.build(str(library), output, workers=1)
    assert not output.exists()
    with pytest.raises(InputError, match="--resume"):
        from_file.build(str(library), output, workers=1)
    with pytest.raises(InputError, match="another library"):
        from_file.build(str(library), output, workers=1, splitting=Splitting(seed=1), resume=True)
    from_file.build(str(library), output, workers=1, resume=True)
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 5, 6, 7], [8, 9]]
    one, two = (MoleculeSet.load(tmp_path / f"{name}.parquet") for name in ("whole", "whole2"))
    assert np.array_equal(one.positions, two.positions) and np.array_equal(one.bonds, two.bonds)
    assert {k: v.tolist() for k, v in one.columns.items()} == {k: v.tolist() for k, v in two.columns.items()}
    assert left_out(tmp_path / "whole2.left_out.csv") == LEFT_OUT


@pytest.mark.parametrize("suffix", ["sdf", "xyz", "parquet"])
def test_geometries_and_bonds_that_are_there_are_kept(tmp_path, suffix) -> None:
    molecules = [embed(smiles, seed=5)[0] for smiles in GOOD]
    turned = [Molecule(m.numbers[::-1], m.positions[::-1], f"m{i}") for i, m in enumerate(molecules)]
    path = tmp_path / f"library.{suffix}"
    if suffix == "parquet":
        bonds = [bond_array(mol_from_molecule(m)) for m in turned]
        MoleculeSet.from_molecules(turned, {"smiles": list(GOOD)}, bonds).save(path)
    else:
        write(path, turned)
    made = from_file.build(str(path), tmp_path / "set.parquet", workers=1)
    assert set(made.columns["geometry"]) == {"input"} and made.columns["name"].tolist() == ["m0", "m1", "m2", "m3"]
    assert np.allclose(made.positions, np.concatenate([m.positions for m in turned]), atol=1e-4)
    for row, molecule in enumerate(turned):
        wanted = bond_array(mol_from_molecule(molecule))
        found = made.bonds[made.bond_offsets[row] : made.bond_offsets[row + 1]]
        assert sorted(np.sort(found[:, :2]).tolist()) == sorted(np.sort(wanted[:, :2]).tolist())
        assert sorted(found[:, 2].tolist()) == sorted(wanted[:, 2].tolist())
    assert made.columns["smiles"].tolist()[:3] == ["CCO", "c1ccncc1", "COC(C)=O"]


def test_a_geometry_that_is_not_its_smiles_is_left_out(tmp_path) -> None:
    molecules = [embed(smiles)[0] for smiles in ("CCO", "CCN", "COC")]
    MoleculeSet.from_molecules(molecules, {"smiles": ["CCO", "CCN", "CCO"]}).save(tmp_path / "in.parquet")
    made = from_file.build(str(tmp_path / "in.parquet"), tmp_path / "set.parquet", workers=1)
    assert made.columns["row"].tolist() == [1, 2] and left_out(tmp_path / "set.left_out.csv") == {3: "unparsable"}
    MoleculeSet.from_molecules(molecules, {"input_smiles": ["CCO", "CCN", "CCO"]}).save(tmp_path / "in.parquet")
    made = from_file.build(str(tmp_path / "in.parquet"), tmp_path / "set.parquet", workers=1)
    assert made.columns["row"].tolist() == [1, 2]  # whatever the column is called


def test_what_cannot_be_used_is_said_in_a_line(library, tmp_path) -> None:
    with pytest.raises(InputError, match="is the library itself"):
        from_file.build(str(library), library)
    with pytest.raises(InputError, match="cannot be read twice"):
        from_file.build("-", tmp_path / "set.parquet", resume=True)
    (tmp_path / "bad.csv").write_text("smiles\n[Na+]\nC(\n")
    with pytest.raises(InputError, match=r"no row can be used \(charged 1, unparsable 1\)"):
        from_file.build(str(tmp_path / "bad.csv"), tmp_path / "set.parquet", workers=1)


def test_geometries_that_were_made_are_told_from_those_of_the_file(tmp_path) -> None:
    """A record in 3D without its hydrogens has a new one."""
    mols = [mol_from_molecule(molecule) for molecule in tiny.geometries()[7:10]]
    with Chem.SDWriter(str(tmp_path / "some.sdf")) as writer:
        for mol in (mols[0], mols[1], Chem.RemoveHs(mols[2])):
            writer.write(mol)
    made = from_file.build(str(tmp_path / "some.sdf"), tmp_path / "set.parquet", workers=1)
    assert "geometries: input 2, MMFF94s 1" in summary(tmp_path / "set.parquet", made)


def test_a_split_that_is_empty_is_told(tmp_path) -> None:
    rings = [f"{'C' * n}c1ccccc1" for n in range(3)]
    (tmp_path / "rings.smi").write_text("\n".join(rings))
    made = from_file.build(
        str(tmp_path / "rings.smi"), tmp_path / "set.parquet", splitting=Splitting("scaffold"), workers=1
    )
    assert "train 3); none in valid and test" in summary(tmp_path / "set.parquet", made)
