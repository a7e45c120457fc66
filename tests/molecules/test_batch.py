"""Batches: centred, padded, reversible, and independent of the company a molecule keeps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from molscore.errors import ElementError, InputError
from molscore.molecules import Molecule, collate
from molscore.molecules.batch import size_groups

ELEMENTS = ("H", "C", "N", "O", "F")
NUMBERS = [1, 6, 7, 8, 9]


@st.composite
def molecules(draw) -> Molecule:
    size = draw(st.integers(1, 9))
    positions = draw(hnp.arrays(np.float64, (size, 3), elements=st.floats(-50, 50)))
    return Molecule(draw(st.lists(st.sampled_from(NUMBERS), min_size=size, max_size=size)), positions)


LISTS = st.lists(molecules(), min_size=1, max_size=6)


@given(LISTS)
def test_a_batch_is_centred_and_its_padding_is_zero(given_molecules) -> None:
    batch = collate(given_molecules, ELEMENTS, torch.float64)
    for before, positions, elements, mask in zip(given_molecules, *batch, strict=True):
        np.testing.assert_array_equal(np.array(NUMBERS)[elements[mask]], before.numbers)
        np.testing.assert_allclose(positions[mask], before.positions - before.positions.mean(axis=0), atol=1e-12)
    assert batch.positions.shape == (*batch.mask.shape, 3)
    assert batch.sizes.tolist() == [molecule.n_atoms for molecule in given_molecules]
    assert batch.positions.sum(dim=1).abs().max() < 1e-10
    assert batch.positions[~batch.mask].eq(0).all()
    assert batch.elements[~batch.mask].eq(0).all()


@given(LISTS, st.randoms(use_true_random=False))
def test_company_and_order_do_not_matter(given_molecules, random) -> None:
    order = list(range(len(given_molecules)))
    random.shuffle(order)
    whole = collate(given_molecules, ELEMENTS, torch.float64)
    shuffled = collate([given_molecules[i] for i in order], ELEMENTS, torch.float64)
    for field, other in zip(whole, shuffled, strict=True):
        assert torch.equal(field[order], other)
    alone = collate(given_molecules[:1], ELEMENTS, torch.float64)
    size = given_molecules[0].n_atoms
    assert torch.equal(alone.positions[0], whole.positions[0, :size])


def test_centring_happens_in_float64() -> None:
    """Far from the origin float32 alone would lose the geometry: the control does."""
    near = np.array([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]])
    far = near + 1e6
    centred = collate([Molecule([6, 1], far)], ELEMENTS).positions[0].numpy()
    naive = far.astype(np.float32) - far.astype(np.float32).mean(axis=0)
    expected = near - near.mean(axis=0)
    assert np.abs(centred - expected).max() < 1e-6 < np.abs(naive - expected).max()


def test_unknown_elements_and_nothing_at_all_are_refused(water) -> None:
    salt = Molecule([17, 11], np.eye(3)[:2], name="salt")
    with pytest.raises(ElementError, match=r"molecules\[1\] \('salt'\): element Cl is not one of H, C"):
        collate([water, salt, water], ELEMENTS)
    assert collate([salt], ("Na", "Cl")).elements.tolist() == [[1, 0]]
    with pytest.raises(ElementError):
        collate([water], ["Q"])
    with pytest.raises(InputError):
        collate([], ELEMENTS)
    with pytest.raises(InputError):
        size_groups([1, 2], 0)


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 7))
def test_size_groups_are_a_partition_with_little_padding(sizes, batch_size) -> None:
    groups = list(size_groups(sizes, batch_size))
    together = np.concatenate(groups) if groups else np.array([], dtype=int)
    assert sorted(together.tolist()) == list(range(len(sizes)))
    assert all(1 <= len(group) <= batch_size for group in groups)
    ordered = [sizes[i] for i in together]
    assert ordered == sorted(sizes)
    assert [group.tolist() for group in size_groups(sizes, batch_size)] == [group.tolist() for group in groups]
