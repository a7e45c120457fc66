"""Components of the dictionary become molecules with their own bonds."""

import importlib.util

import numpy as np
import pytest
from rdkit import Chem

from molscore.datasets import ligands
from molscore.datasets.ligands import Component, entry_of
from molscore.errors import InputError, MolscoreError
from molscore.molecules.conformers import embed


def component(smiles: str, **changes) -> Component:
    """A molecule as the dictionary spells it: Kekulé bonds, symbols in capitals."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    Chem.Kekulize(mol)
    (molecule,) = embed(smiles)
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble())) for b in mol.GetBonds()]
    found = Component(
        name="ABC",
        symbols=np.array([symbol.upper() for symbol in molecule.symbols]),
        positions=molecule.positions,
        charges=np.array([atom.GetFormalCharge() for atom in mol.GetAtoms()]),
        pairs=np.array(bonds)[:, :2],
        orders=np.array(bonds)[:, 2],
    )
    return found._replace(**changes)


@pytest.mark.parametrize("smiles", ["Clc1ccccc1", "C[C@H](N)C(=O)O", "C[N+](C)(C)CC(=O)[O-]", "C[C@@H](O)F"])
def test_components_are_the_molecules_they_were(smiles) -> None:
    entry = entry_of(3, component(smiles))
    assert (entry.row, entry.molecule.name) == (3, "ABC")
    assert entry.smiles == Chem.CanonSmiles(smiles)  # handedness is read off the coordinates
    assert (entry.bonds[:, 2] == 4).sum() == 6 * ("c1" in smiles)


@pytest.mark.parametrize(
    ("smiles", "changes", "status"),
    [
        ("CC(=O)[O-]", {}, "charged"),
        ("CCO", {"orders": np.array([0] + [1] * 7)}, "unparsable"),
        ("CCO", {"positions": np.full((9, 3), np.nan)}, "bad_positions"),
        ("CCO", {"positions": np.zeros((9, 3))}, "bad_positions"),
        ("C[Se]C", {}, "unknown_element"),
        ("C" * 22, {}, "too_large"),
        ("C[O]", {}, "radical"),
    ],
)
def test_others_say_why_not(smiles, changes, status) -> None:
    with pytest.raises(MolscoreError) as error:
        entry_of(0, component(smiles, **changes))
    assert error.value.status == status


def test_the_package_is_named_where_it_is_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "biotite.structure.info", None)
    with pytest.raises(InputError, match=r'pip install "molscore-discoformer\[ligands\]"'):
        ligands.build(tmp_path / "ligands.parquet")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("biotite") is None, reason="biotite is not installed")
def test_the_dictionary_itself_is_read() -> None:
    names = {"ALA": "C[C@H](N)C(=O)O", "BNZ": "c1ccccc1"}
    found = {c.name: entry_of(0, c).smiles for c in ligands.components() if c.name in names}
    assert found == names
