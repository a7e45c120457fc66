"""Duplicates: told by their key, only among rows with numbers, pointing at the first."""

from molscore.molecules.files.record import Record
from molscore.screening.duplicates import mark_duplicates, same_as
from molscore.screening.scorer import Scored


def scored(key: str, status: str = "ok") -> Scored:
    return Scored(Record(0), None, {"status": status, "error": "", "log_likelihood": 1.0}, key)


def test_later_rows_point_at_the_first() -> None:
    a, b = "0a" * 16, "0b" * 16
    found = list(mark_duplicates([scored(a), scored(b), scored(a), scored(b), scored(a)]))
    assert [row.columns["status"] for row in found] == ["ok", "ok", *["duplicate"] * 3]
    assert [row.columns["error"] for row in found[2:]] == [same_as(0), same_as(1), same_as(0)]
    assert same_as(0) == "same molecule as row 1"
    assert {row.columns["log_likelihood"] for row in found} == {1.0}


def test_rows_without_numbers_or_key_are_no_duplicates_and_make_none() -> None:
    a = "0a" * 16
    rows = [scored(a, "timed_out"), scored(a), scored(a, "timed_out"), scored(""), scored("")]
    assert [row.columns["status"] for row in mark_duplicates(rows)] == ["timed_out", "ok", "timed_out", "ok", "ok"]
