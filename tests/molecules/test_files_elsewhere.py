"""What is written is read back as the same molecule by other programs, where they are installed."""

import shutil
import subprocess

import pytest
from rdkit import Chem

from molscore.molecules import Molecule
from molscore.molecules.chem import mol_from_molecule, smiles_of
from molscore.molecules.conformers import embed
from molscore.molecules.descriptors import descriptors
from molscore.molecules.files import write

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
