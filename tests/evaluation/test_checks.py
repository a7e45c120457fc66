"""Strain is what relaxing releases, wherever the molecule lies; a molecule that hangs costs itself alone."""

import time

import numpy as np
import pytest

from molscore.errors import InputError, MolscoreError
from molscore.evaluation import checks
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed

needs_posebusters = pytest.mark.skipif(not checks.has_posebusters(), reason="posebusters is not installed")
TORN = Molecule([6, 8, 1], [[0.0, 0, 0], [5.0, 0, 0], [0, 9.0, 0]])


def hangs_on_water(molecule: Molecule) -> dict[str, str]:
    time.sleep(100.0 if molecule.formula == "H2O" else 0.0)
    return {"poses": molecule.formula}


def test_turning_and_shifting_move_nothing_but_mirrors_do(rng, rotation) -> None:
    x = rng.normal(size=(6, 3))
    assert checks.rmsd(x, x @ rotation.T + 3.0) == pytest.approx(0, abs=1e-6)
    assert checks.rmsd(x, x * [1, 1, -1]) > 0.1
    stretched = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    assert checks.rmsd(stretched, 1.5 * stretched) == pytest.approx(0.5)


def test_a_minimum_stays_and_a_perturbed_one_goes_back(rng, rotation) -> None:
    relaxed = embed("CC=O")[0]
    still = checks.relax_mmff(relaxed)
    assert still.converged and still.energy == pytest.approx(0, abs=1e-2) and still.rmsd < 0.02
    noisy = Molecule(relaxed.numbers, relaxed.positions + 0.05 * rng.standard_normal(relaxed.positions.shape))
    back = checks.relax_mmff(noisy)
    assert back.energy > 1.0 and back.rmsd > still.rmsd
    turned = checks.relax_mmff(Molecule(noisy.numbers, noisy.positions @ rotation.T + 1.0))
    assert turned.energy == pytest.approx(back.energy, abs=1e-2)
    assert not checks.relax_mmff(noisy, max_iterations=1).converged
    found = [row["strain"] for row in checks.check_all([relaxed, noisy], mmff=True)]
    assert found == pytest.approx([0, 3 * back.energy], abs=0.05)  # of three heavy atoms
    assert checks.strain(TORN) is None
    assert "2 of 3 relaxed" in checks.summary([{"strain": 1.0}, {"strain": 2.0}, {"strain": None}])[0]


@pytest.mark.skipif(not checks.has_xtb(), reason="tblite is not installed")
def test_xtb_closes_a_stretched_bond() -> None:
    found = checks.relax_xtb(Molecule([8, 1, 1], [[0, 0, 0], [0.85, 0.6, 0], [-0.757, 0.586, 0]]))
    assert found.converged
    assert 1 < found.energy < 40  # kcal/mol, neither eV nor Hartree
    assert found.rmsd == 0  # of its one heavy atom
    assert checks.relax_xtb(Molecule([1, 1], [[0, 0, 0], [0.777, 0, 0]])).energy < 0.5  # near its minimum


@needs_posebusters
def test_posebusters_pass_a_flat_ring_and_name_what_a_bent_one_fails() -> None:
    benzene = embed("c1ccccc1")[0]
    good = checks.pose_tests(benzene)
    assert len(good) >= 10 and all(good.values())
    carbons = benzene.positions[benzene.numbers == 6]
    normal = np.linalg.svd(carbons - carbons.mean(0))[2][2]
    bent = benzene.positions + 0.8 * normal * (np.linalg.norm(benzene.positions - carbons[0], axis=1) < 1.2)[:, None]
    failed = {name for name, passed in checks.pose_tests(Molecule(benzene.numbers, bent)).items() if not passed}
    assert "aromatic_ring_flatness" in failed and "bond_lengths" not in failed


@needs_posebusters
def test_posebusters_answer_for_a_file() -> None:
    ethanol = embed("CCO")[0]
    found = [row["poses"] for row in checks.check_all([ethanol, TORN], poses=True)]
    assert found[0] == "passed" and "bonds" in found[1]
    assert "50.00 %" in checks.summary([{"poses": answer} for answer in found])[0]


def test_a_molecule_that_hangs_costs_itself_alone() -> None:
    molecules = [embed(smiles)[0] for smiles in ("CO", "O", "CN")]
    assert list(checks._limited(hangs_on_water, molecules, 20.0, 1)) == [{"poses": "CH4O"}, None, {"poses": "CH5N"}]


def test_what_has_no_bonds_or_is_not_installed_is_refused(monkeypatch) -> None:
    with pytest.raises(MolscoreError):
        checks.relax_mmff(TORN)
    monkeypatch.setattr(checks, "has_xtb", lambda: False)
    monkeypatch.setattr(checks, "has_posebusters", lambda: False)
    for refused in (
        lambda: checks.check_all([], xtb=True),
        lambda: checks.check_all([], poses=True),
        lambda: checks.relax_xtb(TORN),
        lambda: checks.pose_tests(TORN),
    ):
        with pytest.raises(InputError, match="pip install"):
            refused()
