"""Which molecules are known: a novelty reference of five bytes a molecule."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from molscore.errors import InputError, ParseError
from molscore.molecules.atomic import replacing
from molscore.molecules.chem import from_smiles, smiles_of, unlabelled

__all__ = ["Known", "canonical_smiles", "smiles_hash"]

_BYTES = 5
_MASK = (1 << 8 * _BYTES) - 1


@dataclass(frozen=True, eq=False)
class Known:
    """Molecules remembered by the hashes of their SMILES.

    SMILES are made canonical first: implicit hydrogens, no stereo, no labels, by this RDKit; a file made with an RDKit
    of other canonical rules misses some molecules, so make it again with a new one. Nothing that is in the set is ever
    reported absent; a molecule that is not in a set of n is reported present with probability n / 2^40
    (1e-7 for 100,000).
    """

    hashes: np.ndarray
    """``(n,)`` int64 of 40 bits, ascending, all different."""
    name: str = "known molecules"
    """What list it is, such as ``qm9``."""

    def __post_init__(self) -> None:
        if self.hashes.dtype != np.int64 or self.hashes.ndim != 1 or (np.diff(self.hashes) <= 0).any():
            raise InputError("hashes must be a list of ascending int64 numbers")

    @classmethod
    def make(cls, smiles: Iterable[str], name: str = "known molecules") -> Known:
        """Remember molecules given by SMILES; raises `ParseError` naming the row of one that does not parse."""
        hashes = []
        for row, text in enumerate(smiles):
            try:
                hashes.append(smiles_hash(canonical_smiles(text)))
            except ParseError as error:
                raise ParseError(f"row {row}: {error}") from None
        return cls(np.unique(np.array(hashes, dtype=np.int64)), name)

    def pack(self) -> np.ndarray:
        """The hashes as bytes, ``(n, 5)`` uint8, the lowest first."""
        return self.hashes.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :_BYTES].copy()

    @classmethod
    def unpack(cls, packed: np.ndarray, name: str = "known molecules") -> Known:
        """Inverse of `pack`; also for the ``(n,)`` int64 hashes of 64 bits that models of before 0.2 hold.

        Raises `InputError` for anything else.
        """
        if packed.dtype == np.int64 and packed.ndim == 1:
            return cls(np.unique(packed & _MASK), name)
        if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != _BYTES:
            raise InputError(f"known molecules are {_BYTES} bytes each, not {packed.dtype} of shape {packed.shape}")
        whole = np.zeros((len(packed), 8), dtype=np.uint8)
        whole[:, :_BYTES] = packed
        return cls(whole.view("<i8").ravel().astype(np.int64), name)

    def __str__(self) -> str:
        return f"{self.name}, {len(self):,} molecules"

    def contains(self, smiles: str) -> bool:
        """Whether the molecule is in the set; raises `ParseError` for what is no SMILES."""
        value = smiles_hash(canonical_smiles(smiles))
        place = int(np.searchsorted(self.hashes, value))
        return place < len(self.hashes) and int(self.hashes[place]) == value

    def __len__(self) -> int:
        return len(self.hashes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the packed hashes as a ``.npy`` file, atomically."""
        with replacing(path) as scratch, scratch.open("wb") as file:
            np.save(file, self.pack(), allow_pickle=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Known:
        """Read what `save` wrote; raises `InputError` for anything else."""
        try:
            return cls.unpack(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError, InputError) as error:
            raise InputError(f"cannot read known molecules from {path}: {error}") from error


def canonical_smiles(smiles: str) -> str:
    """RDKit's canonical SMILES without stereo, isotopes, atom maps or explicit hydrogens; raises `ParseError`."""
    return smiles_of(unlabelled(from_smiles(smiles)), stereo=False)


def smiles_hash(smiles: str) -> int:
    """BLAKE2b of the text, the first five of eight bytes read as a little-endian integer."""
    return int.from_bytes(blake2b(smiles.encode(), digest_size=8).digest()[:_BYTES], "little")
