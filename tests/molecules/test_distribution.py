"""The statistics that travel with a model."""

import pytest

from molscore.errors import ElementError, InputError
from molscore.molecules import Distribution

PARTS = {
    "name": "toy",
    "elements": ("H", "C", "O"),
    "formula_counts": {(2, 0, 1): 3, (4, 1, 0): 5, (4, 1, 1): 2},
    "sigma_N": {2: 0.7, 3: 0.8, 4: 0.9, 5: 1.0, 6: 1.1},
}


def test_it_counts() -> None:
    toy = Distribution(**PARTS)
    assert (toy.max_atoms, toy.n_molecules) == (6, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"elements": ()}, {"elements": ("H", "C", "C")}, {"formula_counts": {(1, 2): 1}},
        {"formula_counts": {(0, 0, 0): 1}}, {"formula_counts": {(-1, 2, 1): 1}}, {"formula_counts": {(2, 0, 1): 0}},
        {"sigma_N": {2: 0.7, 3: 0.8, 5: 1.0, 6: 1.1}}, {"sigma_N": PARTS["sigma_N"] | {4: 0.0}},
        {"sigma_N": PARTS["sigma_N"] | {4: float("nan")}}, {"sigma_N": PARTS["sigma_N"] | {1: 1.0}},
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(change) -> None:
    with pytest.raises(InputError):
        Distribution(**PARTS | change)
    with pytest.raises(ElementError):
        Distribution(**PARTS | {"elements": ("H", "C", "Q")})
