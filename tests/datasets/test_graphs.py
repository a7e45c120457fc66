"""Bonds of a SMILES string find their atoms in a geometry."""

import numpy as np
import pytest

from molscore.datasets.graphs import bonds_over
from molscore.errors import ParseError
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed

SMILES = ("c1ccncc1C#N", "CC(=O)OC1CC1", "C[N+](C)(C)CC([O-])=O", "O=C1C=CC(=O)N1", "[H][H]")


@pytest.mark.parametrize("smiles", SMILES)
def test_bonds_are_laid_over_atoms_in_any_order(smiles, rng) -> None:
    (given,) = embed(smiles)
    order = rng.permutation(given.n_atoms)
    shuffled = Molecule(given.numbers[order], given.positions[order])
    bonds = bonds_over(smiles, shuffled)
    first, second, orders = bonds.T.astype(int)
    length = np.linalg.norm(shuffled.positions[first] - shuffled.positions[second], axis=1)
    assert len(bonds) == len(bonds_over(smiles, given)) and length.max() < 1.7
    kinds = sorted(zip(*np.sort(shuffled.numbers[bonds[:, :2]], axis=1).T.tolist(), orders.tolist(), strict=True))
    plain = bonds_over(smiles, given)
    assert kinds == sorted(
        zip(*np.sort(given.numbers[plain[:, :2]], axis=1).T.tolist(), plain[:, 2].tolist(), strict=True)
    )


def test_other_graphs_do_not_fit() -> None:
    (propanol,) = embed("CCCO")
    assert bonds_over("CCCO", propanol) is not None
    assert bonds_over("CC(C)O", propanol) is None and bonds_over("CCO", propanol) is None
    with pytest.raises(ParseError):
        bonds_over("C(", propanol)
