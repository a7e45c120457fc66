"""Keys tell molecules apart and know the same one again, however it is written; an index forgets nothing."""

from hashlib import blake2b
from itertools import combinations

import numpy as np
import pytest

from molscore.errors import InputError, ParseError
from molscore.molecules import Molecule
from molscore.molecules.chem import from_smiles
from molscore.molecules.identity import TrainingIndex, canonical_smiles, geometry_key, graph_key, smiles_hash

SAME = (
    ("CCO", "OCC", "C(O)C", "[CH3][CH2][OH]"),
    ("c1ccccc1", "C1=CC=CC=C1"),
    ("C[C@H](O)F", "[C@@H](C)(O)F"),
    ("C/C=C/C", r"C\C=C\C"),
    ("CC(O)CCC=O", "[CH3:7][CH:6]([OH:5])[CH2:4][CH2:3][CH:2]=[O:1]"),
    ("C[C@H](O)F", "[CH3:1][C@H:2]([OH:3])[F:4]"),
    ("CO", "[H:1]OC"),
)
OTHERS = ("CCO", "COC", "c1ccccc1", "C[C@H](O)F", "C[C@@H](O)F", "C/C=C/C", r"C/C=C\C", "[13CH3]CO", "CC", "C.C")


def test_one_graph_has_one_key_and_others_have_others() -> None:
    for texts in SAME:
        keys = {graph_key(from_smiles(text)) for text in texts}
        assert len(keys) == 1 and len(keys.pop()) == 32
    keys = [graph_key(from_smiles(text)) for text in OTHERS]
    assert all(one != other for one, other in combinations(keys, 2))


def test_a_geometry_is_its_elements_and_positions_to_a_thousandth() -> None:
    numbers, positions = [8, 1, 1], np.array([[0.0, 0, 0.1], [0.76, 0, -0.48], [-0.76, 0, -0.48]])
    key = geometry_key(Molecule(numbers, positions))
    assert len(key) == 32 and key == geometry_key(Molecule(numbers, positions + 1e-5, "another name"))
    assert key == geometry_key(Molecule([1, 8, 1], positions[[2, 0, 1]]))
    others = [
        Molecule(numbers, positions + 0.01),
        Molecule([16, 1, 1], positions),
        Molecule([1, 8, 1], positions),
        Molecule(numbers[:2], positions[:2]),
        Molecule(numbers, positions * [1, 1, -1]),
    ]
    assert len({key, *map(geometry_key, others)}) == 1 + len(others)
    zero = Molecule([1, 1], [[0.0, 0, 0], [0.74, 0, 0]])
    assert geometry_key(zero) == geometry_key(Molecule([1, 1], [[-0.0, 0, -1e-9], [0.74, 0, 0]]))


SMILES = ["C", "CCO", "c1ccccc1", "C[C@H](N)C(=O)O", "OC/C=C/F", "C#N"]


@pytest.fixture
def known() -> TrainingIndex:
    return TrainingIndex.make(SMILES)


def test_members_are_known_however_written_and_others_are_not(known) -> None:
    same = ["OCC", "C1=CC=CC=C1", "[H]C([H])([H])[H]", "C[C@@H](N)C(O)=O", "FC=CCO", "[CH3:2]CO", "[2H]C"]
    assert all(known.contains(smiles) for smiles in [*SMILES, *same])
    assert not any(known.contains(smiles) for smiles in ("CC", "CCN", "c1ccncc1", "N#N"))
    assert len(TrainingIndex.make([*SMILES, *same])) == len(known) == len(SMILES)


def test_hashes_are_sorted_and_portable(known) -> None:
    assert (np.diff(known.hashes) > 0).all() and known.hashes.dtype == np.int64
    digest = blake2b(canonical_smiles("CCO").encode(), digest_size=8).digest()
    assert smiles_hash("CCO") == sum(byte << 8 * place for place, byte in enumerate(digest[:5]))
    assert np.array_equal(TrainingIndex.unpack(known.pack()).hashes, known.hashes)
    assert known.pack().shape == (len(SMILES), 5) and known.pack().dtype == np.uint8


def test_bad_input_is_named(known) -> None:
    with pytest.raises(ParseError, match=r"smiles\[1\]: 'C1CC'"):
        TrainingIndex.make(["C", "C1CC"])
    with pytest.raises(ParseError, match="empty"):
        known.contains("")
    with pytest.raises(InputError, match="5 bytes"):
        TrainingIndex.unpack(np.zeros((2, 4), dtype=np.uint8))
    with pytest.raises(InputError, match="ascending"):
        TrainingIndex(np.array([3, 2]))
    assert not TrainingIndex.make([]).contains("C")
