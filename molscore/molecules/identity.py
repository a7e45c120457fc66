"""Whether two molecules are the same: keys of 128 bits, and an index of training molecules that tells novel ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from molscore.errors import InputError, MolscoreError, ParseError
from molscore.molecules.chem import ISOTOPE, from_smiles, smiles_of, unlabelled
from molscore.molecules.molecule import Molecule

__all__ = ["TrainingIndex", "canonical_smiles", "geometry_key", "graph_key", "smiles_hash"]

_KEY_BYTES, _HASH_BYTES = 16, 5
_DECIMALS = 3  # of positions in Å


def graph_key(mol: Chem.Mol) -> str:
    """Key of a sanitised graph: of its canonical SMILES, with stereochemistry and isotopes, without atom maps."""
    mol = Chem.Mol(mol)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return _digest(b"graph", Chem.MolToSmiles(mol).encode())


def geometry_key(molecule: Molecule, smiles: str | None = None) -> str:
    """Key of the atoms and where they are to 0.001 Å, in whatever order; other orientations have other keys.

    Where the SMILES string of the molecule has isotopes, they count as well.
    """
    places = np.round(molecule.positions, _DECIMALS) + 0.0  # -0.0 is 0.0
    order = np.lexsort((*places.T, molecule.numbers))
    numbers, places = molecule.numbers[order], places[order]
    labels = []
    if smiles and ISOTOPE.search(smiles):
        with suppress(MolscoreError):
            labels = [graph_key(from_smiles(smiles)).encode()]
    return _digest(b"geometry", numbers.astype("<i8").tobytes(), places.astype("<f8").tobytes(), *labels)


def _digest(*parts: bytes) -> str:
    found = hashlib.blake2b(digest_size=_KEY_BYTES)
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()


def canonical_smiles(smiles: str) -> str:
    """RDKit's canonical SMILES without stereo, isotopes, atom maps or explicit hydrogens; raises `ParseError`."""
    return smiles_of(unlabelled(from_smiles(smiles)), stereo=False)


def smiles_hash(smiles: str) -> int:
    """BLAKE2b of the text, the first five of eight bytes read as a little-endian integer."""
    return int.from_bytes(hashlib.blake2b(smiles.encode(), digest_size=8).digest()[:_HASH_BYTES], "little")


@dataclass(frozen=True, eq=False)
class TrainingIndex:
    """Molecules remembered by the hashes of their `canonical_smiles`, five bytes a molecule.

    A file made with an RDKit of other canonical rules misses some molecules, so make it again with a new one. Nothing
    that is in the index is ever reported absent; a molecule that is not among n is reported present with probability
    n / 2^40 (1e-7 for 100,000).
    """

    hashes: np.ndarray  # (n,) int64 of 40 bits, ascending, all different
    name: str = "known molecules"  # what list it is, such as qm9

    def __post_init__(self) -> None:
        if self.hashes.dtype != np.int64 or self.hashes.ndim != 1 or (np.diff(self.hashes) <= 0).any():
            raise InputError("hashes must be a list of ascending int64 numbers")

    @classmethod
    def make(cls, smiles: Iterable[str], name: str = "known molecules") -> TrainingIndex:
        """Remember molecules given by SMILES; raises `ParseError` naming the first that does not parse."""
        hashes = []
        for index, text in enumerate(smiles):
            try:
                hashes.append(smiles_hash(canonical_smiles(text)))
            except ParseError as error:
                raise ParseError(f"smiles[{index}]: {error}") from None
        return cls(np.unique(np.array(hashes, dtype=np.int64)), name)

    def pack(self) -> np.ndarray:
        """The hashes as bytes, ``(n, 5)`` uint8, the lowest first."""
        return self.hashes.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :_HASH_BYTES].copy()

    @classmethod
    def unpack(cls, packed: np.ndarray, name: str = "known molecules") -> TrainingIndex:
        """Inverse of `pack`; raises `InputError` for anything else."""
        if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != _HASH_BYTES:
            raise InputError(f"known molecules are {_HASH_BYTES} bytes each, not {packed.dtype} of {packed.shape}")
        whole = np.zeros((len(packed), 8), dtype=np.uint8)
        whole[:, :_HASH_BYTES] = packed
        return cls(whole.view("<i8").ravel().astype(np.int64), name)

    def contains(self, smiles: str) -> bool:
        """Whether the molecule is in the index; raises `ParseError` for what is no SMILES."""
        value = smiles_hash(canonical_smiles(smiles))
        place = int(np.searchsorted(self.hashes, value))
        return place < len(self.hashes) and int(self.hashes[place]) == value

    def __len__(self) -> int:
        return len(self.hashes)

    def __str__(self) -> str:
        return f"{self.name}, {len(self):,} molecules"

    def __repr__(self) -> str:
        return f"TrainingIndex({self})"
