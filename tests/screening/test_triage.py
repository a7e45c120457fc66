"""Every kind of row that a model cannot judge has a status of its own."""

import time
from dataclasses import replace

import numpy as np
import pytest

from molscore import errors
from molscore.errors import MolscoreError
from molscore.molecules import Molecule
from molscore.molecules.files.record import Record
from molscore.screening.triage import triage
from tests import tiny
from tests.house.sources import ROOT

STATUSES = {
    "unparsable": ("", " ", "C1CC", "CC(C)(C)(C)C", "c1cccc1", "C C", "CO ethanol", "42", "NaN", "\x00C", "é", "🧪"),
    "pattern": ("*", "*CC", "C[*:1]", "C~C"),
    "fragments": ("C.C", "[Na+].[Cl-]", "CC(=O)O.C=O", "O" + ".O" * 99),
    "too_small": ("[He]", "[H+]", "[Cl-]"),
    "too_large": ("CCCCCCCCCC", "C" * 9_000, "C" * 100_000, "ClC" + "C" * 40),
    "unknown_element": ("ClCCl", "[Na]C", "S", "[BH4-]", "[SiH3]"),
    "charged": ("[NH4+]", "C[O-]", "[OH3+]"),
    "radical": ("[CH3]", "[O][O]", "C[CH]C", "[CH2]"),
}
FINE = ("CCO", "[NH3+]CC(=O)[O-]", "C[N+](=O)[O-]", "[C-]#[O+]", "[13CH4]", "[2H]C", " CCO ", "[H][H]")


def status(record: Record) -> str:
    found = triage(record, tiny.distribution())
    assert (found.error is None) == bool(found.key)
    return "ok" if found.error is None else found.error.status


@pytest.mark.parametrize(("expected", "text"), [(name, text) for name, texts in STATUSES.items() for text in texts])
def test_each_kind_of_row_has_its_status_at_once(expected, text) -> None:
    started = time.process_time()
    assert status(Record(0, None, text)) == expected
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("text", FINE)
def test_neutral_closed_shell_molecules_are_judged_isotopes_and_zwitterions_among_them(text) -> None:
    assert status(Record(0, None, text)) == "ok"


def test_atoms_are_counted_as_far_as_they_are_known() -> None:
    texts = ("C1CC", "ClCCl", "CCO", "C" * 20_000)
    counts = [triage(Record(0, None, text), tiny.distribution()).n_atoms for text in texts]
    assert counts == [None, 5, 9, None]


def test_geometries_have_statuses_too() -> None:
    water = Molecule([8, 1, 1], [[0, 0, 0.1], [0.76, 0, -0.48], [-0.76, 0, -0.48]])
    assert status(Record(0, water)) == "ok"
    assert status(Record(0, replace(water, charge=1))) == "charged"
    assert status(Record(0, replace(water, unpaired=2))) == "radical"
    assert status(Record(0, replace(water, pieces=2))) == "fragments"
    cases = {(8,): "too_small", (6,) * 40: "too_large", (17, 1): "unknown_element", (8, 1): "bad_formula"}
    for numbers, expected in cases.items():
        line = np.outer(np.arange(len(numbers)), [1.1, 0, 0])
        assert status(Record(0, Molecule(numbers, line))) == expected
    assert status(Record(0, Molecule([8, 1, 1], np.zeros((3, 3))))) == "bad_positions"


def test_new_errors_are_kinds_of_the_old_ones() -> None:
    parents = {
        errors.TooLargeError: errors.SizeError,
        errors.TooSmallError: errors.SizeError,
        errors.ChargeError: errors.FormulaError,
        errors.RadicalError: errors.FormulaError,
        errors.FragmentError: errors.ConformerError,
        errors.OvertimeError: errors.ConformerError,
        errors.PatternError: errors.ParseError,
    }
    assert all(issubclass(child, parent) for child, parent in parents.items())
    kinds = [kind for name in errors.__all__ if issubclass(kind := getattr(errors, name), MolscoreError)]
    assert len({kind.status for kind in kinds}) == len(kinds)


def test_the_page_lists_every_status_that_a_row_can_have() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    others = "ok duplicate no_conformer timed_out bad_positions bad_formula bad_size bad_input over_limit"
    assert {*others.split(), *STATUSES} <= rows
    assert "no_such_status" not in rows
