"""PyTorch Geometric in and out: molecules are ``torch_geometric.data.Data`` with fields ``z`` and ``pos``."""

import torch
from torch_geometric.data import Batch as PygBatch
from torch_geometric.data import Data

from molscore.arguments import type_of
from molscore.errors import InputError, PositionError
from molscore.molecules.ase import charge_and_spin, unwrapped
from molscore.molecules.molecule import Molecule

__all__ = ["from_pyg", "separate", "to_pyg"]


def separate(data: Data) -> list[Data]:
    """The molecules of a batch, made by PyG or by hand: a field ``batch`` (N,) says which molecule each atom is of."""
    if isinstance(data, PygBatch) and getattr(data, "_slice_dict", None):
        return data.to_data_list()
    batch, z, pos = (getattr(data, name, None) for name in ("batch", "z", "pos"))
    if not all(isinstance(field, torch.Tensor) for field in (batch, z, pos)) or not len(batch) == len(z) == len(pos):
        return [data]
    members = batch.unique()
    return [Data(z=z[batch == one], pos=pos[batch == one]) for one in members] if len(members) > 1 else [data]


def from_pyg(data: Data) -> Molecule:
    """Molecule of ``z`` (N,) atomic numbers and ``pos`` (N, 3) Å; ``name``, ``smiles`` and ``charge`` come along where
    they are, and a periodic ``cell`` cuts no molecule."""
    for field, kind in (("z", InputError), ("pos", PositionError)):
        if (value := getattr(data, field, None)) is None:
            raise kind(f"the PyG Data has no field {field}")
        if not isinstance(value, torch.Tensor):
            raise InputError(f"the PyG Data has {type_of(value)} for {field}, not a tensor")
    if isinstance(getattr(data, "batch", None), torch.Tensor) and len(data.batch) != len(data.z):
        raise InputError(f"the PyG Data has {len(data.z)} atoms and a batch of {len(data.batch)}")
    if (several := len(separate(data))) > 1:
        raise InputError(
            f"the PyG Data is a batch of {several} molecules, not one; give the batch itself, or each alone"
        )
    name, smiles, cell, pbc = (getattr(data, field, None) for field in ("name", "smiles", "cell", "pbc"))
    numbers = data.z.detach().cpu().numpy().reshape(-1)
    molecule = Molecule(
        numbers,
        data.pos.detach().cpu().double().numpy(),
        name if isinstance(name, str) else "",
        {"smiles": smiles} if isinstance(smiles, str) else {},
        **charge_and_spin(data.to_dict(), numbers),
    )
    if not isinstance(cell, torch.Tensor) or cell.numel() != 9:
        return molecule
    periodic = True if pbc is None else torch.as_tensor(pbc).reshape(-1).tolist()
    return unwrapped(molecule, cell.detach().cpu().double().reshape(3, 3).numpy(), periodic)


def to_pyg(molecule: Molecule, dtype: torch.dtype = torch.float32) -> Data:
    """Data with ``z`` (N,) int64, ``pos`` (N, 3) Å and ``name``."""
    positions = torch.from_numpy(molecule.positions).to(dtype, copy=True)
    return Data(z=torch.from_numpy(molecule.numbers.copy()), pos=positions, name=molecule.name)
