"""A small program that reads bonds off geometries, one request after another, run as a process that can be killed.

It imports nothing of this package, so that it starts in a fraction of a second, and writes one byte when it is ready.
Request on standard input: the counts ``N`` and ``max_iterations`` (uint32), then atomic numbers ``(N,)`` uint8, then
positions ``(N, 3)`` float64 Å. Reply on standard output: a status byte and the number of bytes that follow (uint32);
either bonds ``(M, 3)`` int32 (first atom, second atom, order) after a uint32 M, then formal charges ``(N,)`` int32, or
the reason as UTF-8 text.
"""

import struct
import sys
from typing import BinaryIO

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

__all__ = ["READY", "REPLY", "REQUEST", "main", "read_bonds"]

READY = b"R"
REQUEST = struct.Struct("<II")
REPLY = struct.Struct("<BI")

# Tightest first: a generous factor joins atoms across small rings, a tight one loses a stretched bond and leaves
# fragments. 1.3 and connect-the-dots (None) are RDKit's own defaults.
_COVALENT_FACTORS = (1.15, 1.2, 1.25, 1.3, None)


def read_bonds(numbers: np.ndarray, positions: np.ndarray, max_iterations: int) -> Chem.Mol:
    """Closed-shell molecule with Kekulé bonds: the first connected reading, else the first one of neutral pieces.

    Raises `ValueError` with the reason of the last attempt.
    """
    atoms = _atoms(numbers, positions)
    seen: set[tuple[tuple[int, int], ...]] = set()
    in_pieces, reason = None, "no bonds were found"
    for factor in _COVALENT_FACTORS:
        mol = Chem.RWMol(atoms)
        rdDetermineBonds.DetermineConnectivity(mol, useVdw=factor is not None, covFactor=factor or 1.3)
        pairs = tuple(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()))
        if pairs in seen:
            continue
        seen.add(pairs)
        try:
            rdDetermineBonds.DetermineBondOrders(mol, charge=0, embedChiral=False, maxIterations=max_iterations)
            check = Chem.Mol(mol)
            Chem.SanitizeMol(check)
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            continue
        if any(atom.GetNumRadicalElectrons() for atom in check.GetAtoms()):
            reason = "only an open-shell reading was found"
            continue
        pieces = Chem.GetMolFrags(mol)
        if len(pieces) == 1:
            return mol
        if any(sum(mol.GetAtomWithIdx(i).GetFormalCharge() for i in piece) for piece in pieces):
            reason = "only charged pieces were found"
        else:
            in_pieces = in_pieces or mol
    if in_pieces is None:
        raise ValueError(reason)
    return in_pieces


def _atoms(numbers: np.ndarray, positions: np.ndarray) -> Chem.RWMol:
    """Atoms with a conformer and no bonds; RDKit must not add hydrogens of its own."""
    mol = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    conformer = Chem.Conformer(len(numbers))
    conformer.SetPositions(np.ascontiguousarray(positions, dtype=np.float64))
    mol.AddConformer(conformer)
    return mol


def _reply(numbers: np.ndarray, positions: np.ndarray, max_iterations: int) -> bytes:
    """One framed reply."""
    try:
        mol = read_bonds(numbers, positions, max_iterations)
    except Exception as error:  # the worker outlives anything that RDKit raises
        reason = str(error).strip().split("\n")[0].encode()
        return REPLY.pack(1, len(reason)) + reason
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble())) for b in mol.GetBonds()]
    charges = [atom.GetFormalCharge() for atom in mol.GetAtoms()]
    body = struct.pack("<I", len(bonds)) + np.array(bonds, dtype="<i4").tobytes()
    body += np.array(charges, dtype="<i4").tobytes()
    return REPLY.pack(0, len(body)) + body


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends."""
    sink.write(READY)
    sink.flush()
    with rdBase.BlockLogs():
        while len(header := source.read(REQUEST.size)) == REQUEST.size:
            n_atoms, max_iterations = REQUEST.unpack(header)
            numbers = np.frombuffer(source.read(n_atoms), dtype=np.uint8)
            positions = np.frombuffer(source.read(24 * n_atoms), dtype="<f8").reshape(n_atoms, 3)
            sink.write(_reply(numbers, positions, max_iterations))
            sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
