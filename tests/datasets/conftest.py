"""Small sets of random molecules."""

from collections.abc import Callable

import numpy as np
import pytest

from molscore.molecules import Molecule


@pytest.fixture
def random_molecules(rng: np.random.Generator) -> Callable[..., list[Molecule]]:
    """Draw molecules of 1 to 12 atoms, positions normal about a point away from the origin."""

    def draw(n: int, sizes: tuple[int, int] = (1, 12), spread: float = 2.0) -> list[Molecule]:
        counts = rng.integers(sizes[0], sizes[1] + 1, n)
        return [
            Molecule(rng.choice([1, 6, 7, 8, 9], k), 5.0 + spread * rng.normal(size=(k, 3)), name=f"m{row}")
            for row, k in enumerate(counts)
        ]

    return draw
