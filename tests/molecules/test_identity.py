"""Keys tell molecules apart and know the same one again, however it is written."""

from itertools import combinations

import numpy as np

from molscore.molecules import Molecule
from molscore.molecules.chem import from_smiles
from molscore.molecules.identity import geometry_key, graph_key

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
