"""Strain is what a force field releases; a molecule that hangs costs itself alone."""

import time
from importlib.util import find_spec

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.evaluation import checks
from molscore.evaluation.energies import ForceField
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed


def stretched(molecule: Molecule, by: float) -> Molecule:
    return Molecule(molecule.numbers, by * molecule.positions)


def hangs_on_water(molecule: Molecule) -> dict[str, str]:
    time.sleep(100.0 if molecule.formula == "H2O" else 0.0)
    return {"poses": molecule.formula}


def test_strain_is_the_energy_above_the_minimum() -> None:
    relaxed = embed("CCO")[0]
    bent = stretched(relaxed, 1.03)
    field = ForceField(bent)
    above = np.diff(field.energies(np.stack([field.minimised()[0], bent.positions])))[0]
    found = [row["strain"] for row in checks.check_all([relaxed, bent], mmff=True)]
    assert found[0] == pytest.approx(0, abs=0.05) and found[1] == pytest.approx(above, abs=0.1) and above > 1
    assert checks.strain(stretched(relaxed, 5.0)) is None  # no bonds
    assert "2 of 3 relaxed" in checks.summary([{"strain": 1.0}, {"strain": 2.0}, {"strain": None}])[0]


def test_a_molecule_that_hangs_costs_itself_alone() -> None:
    molecules = [embed(smiles)[0] for smiles in ("CO", "O", "CN")]
    assert list(checks._limited(hangs_on_water, molecules, 20.0, 1)) == [{"poses": "CH4O"}, None, {"poses": "CH5N"}]


@pytest.mark.skipif(find_spec("posebusters") is None, reason="PoseBusters is not installed")
def test_posebusters_passes_a_real_molecule_and_names_what_a_strained_one_fails() -> None:
    ethanol = embed("CCO")[0]
    good, bad = (row["poses"] for row in checks.check_all([ethanol, stretched(ethanol, 5.0)], poses=True))
    assert good == "passed" and "bonds" in bad
    assert "50.00 %" in checks.summary([{"poses": good}, {"poses": bad}])[0]


def test_what_is_not_installed_is_named(monkeypatch) -> None:
    monkeypatch.setattr(checks, "has_xtb", lambda: False)
    monkeypatch.setattr(checks, "has_posebusters", lambda: False)
    for wanted in ("xtb", "poses"):
        with pytest.raises(InputError, match="pip install"):
            checks.check_all([], **{wanted: True})
