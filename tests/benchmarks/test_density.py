"""The audit's tables become result files that the README can hold."""

import pytest

from benchmarks.density import tables_of, verdicts_of
from benchmarks.readme import table
from molscore.audit import Audit, Part, Table, Verdict

PART = Part(
    "one", "A question?", [Table("first", ["x", "y"], [["a", 1.23456]]), Table("second", ["z"], [[None]])],
    [Verdict.at_most("value", 1.0, 2.0), Verdict("other", None, "<= 1", None, "too few")], "note",
)  # fmt: skip


@pytest.fixture
def saved() -> dict:
    return Audit({}, [PART]).to_dict()["parts"][0]


def test_each_table_is_a_result(saved: dict) -> None:
    found = tables_of(saved)
    assert list(found) == ["one_1", "one_2"]
    for result in found.values():
        assert table({**result, "machine": "none", "command": "none"}).startswith("### A question?")
    assert found["one_1"]["rows"] == [["a", "1.235"]]
    assert list(tables_of({**saved, "tables": saved["tables"][:1]})) == ["one"]


def test_verdicts_are_one_table(saved: dict) -> None:
    found = verdicts_of([saved], "0.05")
    assert [row[3] for row in found["rows"]] == ["yes", "cannot be told"]
    assert "| value | 1 | <= 2 | yes |" in table({**found, "machine": "none", "command": "none"})
