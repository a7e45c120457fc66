"""Strain is what relaxing releases, wherever the molecule lies; what takes too long says so."""

from importlib.util import find_spec

import numpy as np
import pytest

from molscore.errors import InputError, MolscoreError
from molscore.evaluation import checks
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed

TORN = Molecule([6, 8, 1], [[0.0, 0, 0], [5.0, 0, 0], [0, 9.0, 0]])


def test_a_minimum_stays_and_a_perturbed_one_goes_back(rng, rotation, monkeypatch) -> None:
    relaxed = embed("CC=O")[0]
    assert checks.relax_mmff(relaxed) == pytest.approx(0, abs=1e-2)
    noisy = Molecule(relaxed.numbers, relaxed.positions + 0.05 * rng.standard_normal(relaxed.positions.shape))
    back = checks.relax_mmff(noisy)
    assert back > 3.0
    turned = checks.relax_mmff(Molecule(noisy.numbers, noisy.positions @ rotation.T + 1.0))
    assert turned == pytest.approx(back, abs=1e-2)
    found = [row["strain"] for row in checks.check_all([relaxed, noisy], mmff=True)]
    assert found == pytest.approx([0, back], abs=0.05)
    assert checks.strain(TORN) is None
    assert "2 of 3 relaxed" in checks.summary([{"strain": 1.0}, {"strain": 2.0}, {"strain": None}])[0]
    monkeypatch.setattr(checks, "_MMFF_STEPS", 1)
    assert checks.relax_mmff(noisy) is None and checks.strain(noisy) is None


@pytest.mark.skipif(find_spec("tblite") is None, reason="tblite is not installed")
def test_xtb_closes_a_stretched_bond() -> None:
    stretched = Molecule([8, 1, 1], [[0, 0, 0], [0.85, 0.6, 0], [-0.757, 0.586, 0]])
    assert 1 < checks.relax_xtb(stretched) < 40  # kcal/mol, neither eV nor Hartree
    assert checks.relax_xtb(Molecule([1, 1], [[0, 0, 0], [0.777, 0, 0]])) < 0.5  # near its minimum


@pytest.mark.skipif(find_spec("posebusters") is None, reason="posebusters is not installed")
def test_posebusters_pass_a_flat_ring_and_name_what_a_bent_one_fails() -> None:
    benzene = embed("c1ccccc1")[0]
    good = checks.pose_tests(benzene)
    assert len(good) >= 10 and all(good.values())
    carbons = benzene.positions[benzene.numbers == 6]
    normal = np.linalg.svd(carbons - carbons.mean(0))[2][2]
    bent = benzene.positions + 0.8 * normal * (np.linalg.norm(benzene.positions - carbons[0], axis=1) < 1.2)[:, None]
    failed = {name for name, passed in checks.pose_tests(Molecule(benzene.numbers, bent)).items() if not passed}
    assert "aromatic_ring_flatness" in failed and "bond_lengths" not in failed
    found = [row["poses"] for row in checks.check_all([benzene, TORN], poses=True)]
    assert found[0] == "passed" and "bonds" in found[1]
    assert "50.00 %" in checks.summary([{"poses": answer} for answer in found])[0]


def test_a_molecule_that_takes_too_long_says_so(monkeypatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda _: True)
    found = checks.check_all([TORN, TORN], mmff=True, poses=True, time_limit=1e-6)
    assert found == [{"strain": None, "poses": "out of time"}] * 2


def test_what_has_no_bonds_or_is_not_installed_is_refused(monkeypatch) -> None:
    with pytest.raises(MolscoreError):
        checks.relax_mmff(TORN)
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    for refused in (
        lambda: checks.check_all([], xtb=True),
        lambda: checks.check_all([], poses=True),
        lambda: checks.relax_xtb(TORN),
        lambda: checks.pose_tests(TORN),
    ):
        with pytest.raises(InputError, match="pip install"):
            refused()
