"""Molecules with coordinates written by hand, and ways to move them."""

import numpy as np
import pytest

from molscore.molecules import Molecule

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
SYMBOL_NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def build(symbols: str, positions: object) -> Molecule:
    """A molecule from a string of one-letter symbols."""
    return Molecule([SYMBOL_NUMBERS[symbol] for symbol in symbols], positions, name=symbols)


def cyclopropane() -> Molecule:
    """C3H6 with its ring in the plane z = 0."""
    turn = 2 * np.pi * np.arange(3) / 3
    ring = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(3)])
    lift = np.array([0, 0, 0.91])
    return build("CCCHHHHHH", np.concatenate([0.871 * ring, 1.455 * ring + lift, 1.455 * ring - lift]))


def ethane() -> Molecule:
    """C2H6, staggered."""
    turn = 2 * np.pi * np.arange(3) / 3
    left = np.column_stack([np.full(3, -0.39), 1.02 * np.cos(turn), 1.02 * np.sin(turn)])
    right = np.column_stack([np.full(3, 1.92), -1.02 * np.cos(turn), -1.02 * np.sin(turn)])
    return build("CCHHHHHH", np.concatenate([[[0, 0, 0], [1.53, 0, 0]], left, right]))


def hydrogen_peroxide(dihedral: float) -> Molecule:
    """H2O2 with right angles and a dihedral in degrees."""
    turn = np.radians(dihedral)
    end = [1.45, 0.97 * np.cos(turn), 0.97 * np.sin(turn)]
    return build("HOOH", [[0, 0.97, 0], [0, 0, 0], [1.45, 0, 0], end])


@pytest.fixture
def good() -> dict[str, Molecule]:
    """Stable, valid, connected, all different."""
    return {
        "methane": build("CHHHH", np.concatenate([np.zeros((1, 3)), 1.09 * TETRAHEDRON])),
        "water": build("OHH", [[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]]),
        "hydrogen cyanide": build("HCN", [[-1.065, 0, 0], [0, 0, 0], [1.153, 0, 0]]),
        "carbon dioxide": build("OCO", [[-1.18, 0, 0], [0, 0, 0], [1.18, 0, 0]]),
        "formaldehyde": build("COHH", [[0, 0, 0], [0, 1.205, 0], [0.94, -0.587, 0], [-0.94, -0.587, 0]]),
        "ethane": ethane(),
        "cyclopropane": cyclopropane(),
        "hydrogen peroxide": hydrogen_peroxide(111.0),
    }


@pytest.fixture
def rotation(rng: np.random.Generator) -> np.ndarray:
    """A random proper rotation."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def moved(molecule: Molecule, rotation: np.ndarray, shift: object, order: np.ndarray) -> Molecule:
    """The same molecule turned, shifted and with its atoms in another order."""
    return Molecule(molecule.numbers[order], (molecule.positions @ rotation.T + shift)[order], molecule.name)
