"""Molecules with the same rings, and molecules near each other, are known by a column."""

import numpy as np
import pytest

from molscore.datasets.clusters import neighbourhoods
from molscore.molecules.chem import from_smiles, ring_systems


@pytest.mark.parametrize(
    ("smiles", "rings"),
    [
        ("CCO", set()), ("Cc1ccccc1CC1CC1", {"c1ccccc1", "C1CC1"}), ("c1ccc2[nH]ccc2c1CC", {"c1ccc2nccc2c1"}),
        ("Cn1ccc2c(F)cccc21", {"c1ccc2nccc2c1"}), ("O=C1CCC12CC2", {"C1CC2(C1)CC2"}),
        ("C1CCC12CC2CC(=O)O", {"C1CC2(C1)CC2"}), ("C[C@H]1CC[C@@H]1F", {"C1CCC1"}),
    ],
)  # fmt: skip
def test_ring_systems(smiles, rings) -> None:
    assert ring_systems(from_smiles(smiles)) == rings


def test_like_molecules_have_one_neighbourhood() -> None:
    graphs = [from_smiles("C" * n + tail) for tail in ("c1ccccc1", "S(=O)(=O)N") for n in range(5, 105)]
    found = neighbourhoods(graphs)
    assert set(found[:100]).isdisjoint(found[100:]) and not set(found[::2]).isdisjoint(found[1::2])
    assert np.array_equal(found, neighbourhoods(graphs)) and not np.array_equal(found, neighbourhoods(graphs, seed=1))
