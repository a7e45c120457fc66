"""Real and drawn molecules are measured alike: floors, and molecules that fail."""

import time

import pytest

from benchmarks.quality import (
    Lists,
    Sample,
    bond_answer,
    bond_figures,
    cell,
    composition_figures,
    geometry_figures,
    list_figures,
    measured,
    part,
    real_samples,
)
from molscore.datasets.molecule_set import MoleculeSet
from molscore.molecules import Molecule
from tests import tiny

GOOD = {"readable": True, "tests": {"a": True, "b": True}, "aromatic": True, "mmff": [1.0, 0.1]}
BAD = {**GOOD, "tests": {"a": True, "b": False}, "mmff": None}
UNREADABLE = {"readable": False, "tests": {}, "aromatic": None, "mmff": None}


def copies(n: int, scale: float = 1.0) -> MoleculeSet:
    """Ethanol n times, larger or smaller than it is."""
    ethanol = tiny.geometries()[7]
    return MoleculeSet.from_molecules([Molecule(ethanol.numbers, scale * ethanol.positions)] * n)


def library() -> MoleculeSet:
    return MoleculeSet.from_molecules(tiny.geometries())


def test_what_is_the_same_is_no_distance_away_and_what_is_shifted_is() -> None:
    same = geometry_figures(Sample(copies(4)), copies(8)) | composition_figures(Sample(copies(4)), copies(8))
    away = [name for name in same if "real ones" in name]
    assert len(away) > 8
    assert [same[name] for name in away] == pytest.approx([0] * len(away), abs=1e-9)
    assert geometry_figures(Sample(copies(4, 1.02)), copies(8))["bond lengths, pm from real ones"] > 1
    assert composition_figures(Sample(library()), copies(8))["formulas, % away from real ones"] > 50


def test_broken_molecules_are_failures_not_losses() -> None:
    found = bond_figures(Sample(library().select([0, 1, 2, 3]), lost=1), [GOOD, BAD, UNREADABLE, None])
    assert found["PoseBusters: pass all tests, %"] == pytest.approx(20)
    assert found["no bonds of a neutral closed shell, %"] == pytest.approx(40)  # with the row that has no geometry
    assert found["out of time, %"] == found["MMFF94s: could be relaxed, %"] == pytest.approx(20)
    assert list_figures(Sample(library(), lost=len(library())), Lists(set(), set()))["stable (EDM), %"] <= 50
    whole = Sample(copies(8), lost=8)
    assert (part(whole, 4).n, part(whole, 4).lost) == (4, 2) and part(whole, 0) is whole
    assert [cell([None, None]), cell([1.0]), cell([1.0, 2.0, 3.0])] == [None, "1", "2 ± 1"]


def test_real_samples_share_no_molecule_with_each_other_or_the_reference() -> None:
    samples, reference = real_samples(library(), 100, 2)
    parts = [*(sample.molecules for sample in samples), reference]
    assert [len(part) for part in parts] == [6, 6, 15]
    found = [part.positions[a].tolist() for part in parts for a in part.offsets[:-1]]
    assert sorted(found) == sorted(library().positions[a].tolist() for a in library().offsets[:-1])


def hangs_on_methane(molecule: Molecule) -> dict:
    if molecule.formula == "CH4":
        time.sleep(600)
    return {"formula": molecule.formula}


@pytest.mark.slow
def test_one_that_hangs_costs_itself_alone() -> None:
    water, ammonia, methane = tiny.geometries()[:3]
    found = measured([water, methane, ammonia], hangs_on_methane, workers=1, limit=10)
    assert found == [{"formula": "H2O"}, None, {"formula": "H3N"}]
    assert measured([water], bond_answer, 1, 60)[0]["readable"]
