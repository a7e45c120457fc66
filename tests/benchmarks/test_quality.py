"""Real and drawn molecules judged alike: floors, order, and molecules that fail."""

import json
import sys

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.quality import cell, chosen, part, real_samples, rows_of
from benchmarks.quality_figures import Lists, Sample, bond_figures, composition_figures, geometry_figures, list_figures
from benchmarks.quality_pool import Answers, judged, keys_of
from benchmarks.readme import table
from molscore.datasets.store import MoleculeSet
from molscore.molecules import Molecule
from tests import tiny

GOOD = {"readable": True, "tests": {"a": True, "b": True}, "aromatic": True, "mmff": [1.0, 0.1]}
BAD = {**GOOD, "tests": {"a": True, "b": False}, "mmff": None}
UNREADABLE = {"readable": False, "tests": {}, "aromatic": None, "mmff": None}
ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin:\n  {}\n  print({}, flush=True)"


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
    longer = geometry_figures(Sample(copies(4, 1.02)), copies(8))
    assert longer["bond lengths, pm from real ones"] > 1
    assert longer["angles, ° from real ones"] == pytest.approx(0, abs=1e-3)
    other = composition_figures(Sample(library()), copies(8))
    assert other["formulas, % away from real ones"] > 50


def test_the_order_of_the_rows_changes_nothing(rng) -> None:
    molecules = library()
    shuffled = molecules.select(rng.permutation(len(molecules)))
    assert keys_of(chosen(molecules, 5)) == keys_of(chosen(shuffled, 5))
    assert keys_of(molecules) != keys_of(shuffled)
    lists = Lists({"nothing"}, {"nothing"})
    tables = [
        rows_of([[list_figures(s, lists) | geometry_figures(s, copies(60)) | composition_figures(s, copies(60))]])
        for s in (Sample(molecules), Sample(shuffled))
    ]
    assert tables[0] == tables[1]


def test_broken_molecules_are_failures_not_losses() -> None:
    found = bond_figures(Sample(library().select([0, 1, 2, 3]), lost=1), [GOOD, BAD, UNREADABLE, None])
    assert found["PoseBusters: pass all tests, %"] == pytest.approx(20)
    assert found["PoseBusters: fail b, %"] == pytest.approx(20)
    assert found["no bonds of a neutral closed shell, %"] == pytest.approx(40)  # with the row that has no geometry
    assert found["out of time, %"] == pytest.approx(20)
    assert found["MMFF94s: could be relaxed, %"] == pytest.approx(20)
    assert list_figures(Sample(library(), lost=len(library())), Lists(set(), set()))["stable (EDM), %"] <= 50


def test_a_part_has_its_share_of_the_lost() -> None:
    whole = Sample(copies(8), lost=8)
    assert (part(whole, 4).n, part(whole, 4).lost) == (4, 2)
    assert part(whole, 0) is whole
    assert part(whole, 16) is whole


def test_a_sample_without_anything_to_judge_has_no_figure() -> None:
    found = bond_figures(Sample(library().select([0])), [None])
    assert found["out of time, %"] == 100
    assert found["with an aromatic ring, of those with bonds, %"] is None
    assert cell([None, None]) is None
    assert cell([1.0]) == "1"
    assert cell([1.0, 2.0, 3.0]) == "2 ± 1"


def test_real_samples_share_no_molecule_with_each_other_or_the_reference() -> None:
    test = library()
    samples, reference = real_samples(test, 100, 2)
    parts = [*(sample.molecules for sample in samples), reference]
    assert [len(part) for part in parts] == [6, 6, 15]
    assert sorted(key for part in parts for key in keys_of(part)) == sorted(keys_of(test))


def test_answers_come_in_order_and_are_not_asked_for_again(tmp_path) -> None:
    molecules, path = library().select(range(6)), tmp_path / "answers.jsonl"
    echo = (sys.executable, "-c", ECHO.format("pass", "line.strip()"))
    found = judged(molecules, "bonds", Answers(path), workers=2, command=echo)
    assert [answer["numbers"] for answer in found] == [molecule.numbers.tolist() for molecule in molecules]
    path.write_text(path.read_text()[:-5])  # cut short in its last line
    dead = (sys.executable, "-c", "")
    again = judged(molecules, "bonds", Answers(path), command=dead)
    assert sum(answer is None for answer in again) == 1
    assert judged(molecules, "xtb", Answers(path), command=dead) == [None] * 6


def test_one_that_hangs_costs_itself_alone() -> None:
    hang = ECHO.format("if '[8, 1, 1]' in line: time.sleep(600)", "1").replace("sys", "sys, time", 1)
    found = judged(library().select([1, 0, 2]), "bonds", Answers(None), limit=5, command=(sys.executable, "-c", hang))
    assert found == [1, None, 1]


def test_the_table_is_made_and_recorded(tmp_path, monkeypatch) -> None:
    molecules = library()
    splits = np.array(["train"] * 8 + ["valid"] * 3 + ["test"] * 16, dtype=object)
    MoleculeSet(molecules.numbers, molecules.positions, molecules.sizes, {"split": splits}).save(tmp_path / "q.parquet")
    scattered = Molecule([6, 8, 1], [[0.0, 0, 0], [5.0, 0, 0], [0, 9.0, 0]])
    MoleculeSet.from_molecules([molecules[0], molecules[7], scattered]).save(tmp_path / "a.parquet")
    words = ["quality", "--data", "q.parquet", "--set", "drawn", "a.parquet", "--xtb", "0", "--answers", "a.jsonl"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*words, "-o", str(tmp_path / "out" / "quality.json")])
    quality.main()
    result = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert table(result).startswith("### Quality")
    figures = {row[0]: row[1:] for row in result["rows"]}
    assert figures["no bonds of a neutral closed shell, %"] == ["0", "33.3"]
    assert figures["novel: not in the training set, of the unique, %"][0] == "100"
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1 + 6
