"""PyG in and out, and its batches as ours."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from molscore.errors import ElementError, InputError, PositionError
from molscore.molecules import collate
from molscore.molecules.pyg import batch_to_dense, from_pyg, to_pyg

ELEMENTS = ("H", "C", "N", "O", "F")


def test_there_and_back_again(library) -> None:
    for molecule in library.values():
        back = from_pyg(to_pyg(molecule, torch.float64))
        assert back.numbers.tolist() == molecule.numbers.tolist()
        assert back.positions.tolist() == molecule.positions.tolist()
        assert back.name == molecule.name


def test_a_dense_batch_is_a_collated_batch(library) -> None:
    molecules = list(library.values())
    ours = collate(molecules, ELEMENTS, torch.float64)
    theirs = batch_to_dense(
        Batch.from_data_list([to_pyg(m, torch.float64) for m in molecules]), ELEMENTS, torch.float64
    )
    assert torch.equal(theirs.elements, ours.elements)
    assert torch.equal(theirs.mask, ours.mask)
    torch.testing.assert_close(theirs.positions, ours.positions, atol=1e-12, rtol=0)


def test_one_data_is_a_batch_of_one(water) -> None:
    assert batch_to_dense(to_pyg(water), ELEMENTS).positions.shape == (1, 3, 3)


def test_an_unknown_element_is_named(water) -> None:
    with pytest.raises(ElementError, match="holds O, which is not one of H, C"):
        batch_to_dense(to_pyg(water), ("H", "C"))


def test_missing_fields_are_named() -> None:
    with pytest.raises(InputError, match="field z"):
        from_pyg(Data(pos=torch.zeros(1, 3)))
    with pytest.raises(PositionError, match="field pos"):
        from_pyg(Data(z=torch.tensor([6])))


def test_name_and_smiles_come_along() -> None:
    molecule = from_pyg(Data(z=torch.tensor([8]), pos=torch.zeros(1, 3), name="gdb_3", smiles="O"))
    assert (molecule.name, molecule.properties) == ("gdb_3", {"smiles": "O"})
