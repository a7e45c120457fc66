"""Internal coordinates are counted once each and measured right."""

import numpy as np
import pytest

from molscore.evaluation.bonds import as_set, bonds_of
from molscore.evaluation.coordinates import Internal, internal_coordinates, label_of
from molscore.molecules import Molecule
from tests.evaluation.conftest import hydrogen_peroxide, moved


def measure(molecule: Molecule) -> dict[str, Internal]:
    molecules = as_set([molecule])
    return internal_coordinates(molecules, bonds_of(molecules))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("methane", (4, 6, 0)),
        ("ethane", (7, 12, 9)),
        ("hydrogen peroxide", (3, 2, 1)),
        ("hydrogen cyanide", (2, 1, 0)),
        # 3 in the ring and 2·6 with one ring and one CH bond; a path that comes back to its start is no dihedral
        ("cyclopropane", (9, 18, 24)),
    ],
)
def test_every_path_counts_once(good, name, counts) -> None:
    assert tuple(len(internal.values) for internal in measure(good[name]).values()) == counts


def test_ideal_molecules_have_ideal_values(good) -> None:
    methane = measure(good["methane"])
    assert np.allclose(methane["bond"].values, 1.09, atol=1e-6)
    assert np.allclose(methane["angle"].values, np.degrees(np.arccos(-1 / 3)), atol=1e-4)
    assert np.allclose(measure(good["hydrogen cyanide"])["angle"].values, 180, atol=1e-4)
    ethane = measure(good["ethane"])["dihedral"].values
    assert np.allclose(np.sort(ethane), [60] * 6 + [180] * 3, atol=1e-3)


@pytest.mark.parametrize("dihedral", [0.0, 1e-3, 37.0, 90.0, 111.5, 179.999, 180.0])
def test_dihedrals_are_sizes_of_turns(dihedral) -> None:
    for sign in (1, -1):
        assert measure(hydrogen_peroxide(sign * dihedral))["dihedral"].values[0] == pytest.approx(dihedral, abs=1e-4)


def test_types_are_named_and_symmetric(good) -> None:
    labels = {name: {label_of(code) for code in internal.types} for name, internal in measure(good["ethane"]).items()}
    assert labels == {"bond": {"C-C", "H-C"}, "angle": {"H-C-C", "H-C-H"}, "dihedral": {"H-C-C-H"}}
    assert {label_of(code) for code in measure(good["hydrogen cyanide"])["angle"].types} == {"H-C#N"}
    assert {label_of(code) for code in measure(good["carbon dioxide"])["angle"].types} == {"O=C=O"}


def test_nothing_depends_on_orientation_order_or_mirror(good, rotation, rng) -> None:
    for molecule in good.values():
        before = measure(molecule)
        again = moved(molecule, rotation, rng.normal(size=3), rng.permutation(molecule.n_atoms))
        mirror = Molecule(molecule.numbers, molecule.positions * np.array([1, 1, -1]))
        for after in (measure(again), measure(mirror)):
            for kind, internal in before.items():
                ours = sorted(zip(internal.types.tolist(), internal.values.round(3).tolist(), strict=True))
                theirs = sorted(zip(after[kind].types.tolist(), after[kind].values.round(3).tolist(), strict=True))
                assert np.allclose(ours, theirs, atol=2e-3) if ours else not theirs
