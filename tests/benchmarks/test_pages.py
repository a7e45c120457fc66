"""Tables of pages are made from committed results, whole, and a page that is not up to date is seen."""

import sys
from pathlib import Path

import pytest

from benchmarks import density, isomers, pages, quoted
from benchmarks.record import record, share
from molscore.audit import Audit, CheckResult, Part, Table
from molscore.molecules.conformers import embed
from molscore.screening.model import load
from tests import tiny

RESULT = {
    "title": "How fast?",
    "columns": ["what", "value", "holds"],
    "rows": [["a | b", 0.123456789, True], ["count", 130831, None]],
    "machine": {"cpu": "a CPU", "cores": 2, "accelerator": None},
    "command": "python -m benchmarks.fast",
    "note": "Three runs.",
}


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pages", *words])
    return pages.main()


def test_the_pages_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--check") == 0


def test_a_stale_page_is_seen_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.md").write_text("before\n<!-- results -->\nstale\n<!-- /results -->\nafter\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "PAGES", {"page.md": {"results": lambda: "fresh"}})
    assert run(monkeypatch, "--check") == 1 and "stale" in (tmp_path / "page.md").read_text()
    assert run(monkeypatch) == run(monkeypatch, "--check") == 0
    assert "stale" not in (tmp_path / "page.md").read_text()
    with pytest.raises(ValueError, match="0 regions <!-- tree -->"):
        pages.filled("text", {"tree": str})


def test_a_table_holds_every_cell_and_its_source(tmp_path: Path) -> None:
    lines = pages.table(RESULT).splitlines()
    assert lines[2:6] == ["| what | value | holds |", "| --- | --- | --- |", r"| a \| b | 0.123457 | yes |",
                          "| count | 130831 | – |"]  # fmt: skip
    assert [line.strip() for line in lines[7:]] == ["Three runs.", "`python -m benchmarks.fast`", "cpu a CPU, cores 2"]
    for field in RESULT:
        with pytest.raises(ValueError, match=field):
            pages.table({key: value for key, value in RESULT.items() if key != field})
    with pytest.raises(ValueError, match="row 2"):
        pages.table(RESULT | {"rows": [[1, 2, 3], [1, 2]]})
    (tmp_path / "cut.json").write_text('{"title": ')
    with pytest.raises(SystemExit, match=r"cut\.json"):
        pages.results(tmp_path)


def test_a_bound_is_kept_by_the_whole_interval() -> None:
    ends = ((1.0, 2.0), (1.0, 2.1), (2.1, 3.0))
    assert [quoted.at_most(low, high, 2.0) for low, high in ends] == ["yes", "cannot be told", "no"]
    names = ("swapped", "exchanged")
    found = [quoted.at_least(values, 0.95, names) for values in ((0.95, 1.0), (0.94, 1.0), (0.9, 0.8))]
    assert found == ["yes", "exchanged only", "no"]


def test_what_is_recorded_can_be_shown(tmp_path: Path) -> None:
    record(
        tmp_path / "new" / "a.json", "How many?", ["share"], [[share([True] * 9 + [False])]], "python -m x", "Of ten."
    )
    shown = pages.results(tmp_path / "new")
    assert shown.startswith("### How many?") and "| 90 [60, 98] |" in shown and "torch" in shown


def test_an_audit_becomes_tables() -> None:
    tables = [Table("first", ["x", "y"], [["a", 1.23456]]), Table("second", ["z"], [[None]])]
    checks = [CheckResult.at_most("value", 1.0, 2.0), CheckResult("other", None, "<= 1", None, "too few")]
    part = Part("one", "A question?", tables, checks, "note")
    audit = Audit({"distribution": "tiny", "resolution": 0.05}, [part]).to_dict()
    found = density.tables_of(audit["parts"][0])
    assert found["one_1"]["rows"] == [["a", "1.235"]] and found["one_2"]["title"] == "A question? second"
    assert [row[3] for row in density.checks_of(audit)["rows"]] == ["yes", "inconclusive"]
    assert "tiny, resolution 0.05 Å" in density.checks_of(audit)["note"]


def test_the_worked_example_adds_up() -> None:
    terms = ("log p(N)", "log p(formula)", "log_density", "permutations")
    found = isomers.numbers(tiny.model(), [embed(smiles)[0] for smiles in isomers.ISOMERS.values()])
    assert sum(found[name] for name in terms) == pytest.approx(found["log_likelihood"])
    assert sum(found[name] for name in terms[:3]) != pytest.approx(found["log_likelihood"])


@pytest.mark.slow
def test_the_worked_example_is_the_shipped_models() -> None:
    """`make figures` writes it again after the model has changed."""
    model, text = load("qm9"), isomers.PAGE.read_text(encoding="utf-8")
    assert model.weights[:12] in text
    row = next(line for line in text.splitlines() if line.startswith("| `log_density`"))
    shown = [float(cell) for cell in row.strip("| ").split(" | ")[1:]]
    molecules = [embed(smiles)[0] for smiles in isomers.ISOMERS.values()]
    assert shown == pytest.approx(model.log_density(molecules, 0.05), abs=0.1)
