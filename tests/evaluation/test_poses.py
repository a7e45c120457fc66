"""PoseBusters' tests pass a good geometry and name what is wrong with a bad one."""

import numpy as np
import pytest

from molscore.errors import InputError, ParseError
from molscore.evaluation.poses import has_posebusters, pose_tests
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed

needs_posebusters = pytest.mark.skipif(not has_posebusters(), reason="posebusters is not installed")


@needs_posebusters
def test_a_flat_ring_passes_and_a_bent_one_does_not() -> None:
    benzene = embed("c1ccccc1")[0]
    good = pose_tests(benzene)
    assert len(good) >= 10
    assert all(good.values())
    carbons = benzene.positions[benzene.numbers == 6]
    normal = np.linalg.svd(carbons - carbons.mean(0))[2][2]
    bent = benzene.positions + 0.8 * normal * (np.linalg.norm(benzene.positions - carbons[0], axis=1) < 1.2)[:, None]
    failed = {name for name, passed in pose_tests(Molecule(benzene.numbers, bent)).items() if not passed}
    assert "aromatic_ring_flatness" in failed
    assert "bond_lengths" not in failed


def test_what_has_no_bonds_is_refused() -> None:
    with pytest.raises((ParseError, InputError)):
        pose_tests(Molecule([6, 8, 1], [[0.0, 0, 0], [5.0, 0, 0], [0, 9.0, 0]]))


def test_without_posebusters_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("molscore.evaluation.poses.has_posebusters", lambda: False)
    with pytest.raises(InputError, match="poses"):
        pose_tests(Molecule([1, 1], [[0.0, 0, 0], [0.77, 0, 0]]))
