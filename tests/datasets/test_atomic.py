"""A file is there whole or not at all."""

import pytest

from molscore.datasets.atomic import replaced
from molscore.errors import OutputError


def test_the_file_takes_its_place_at_the_end(tmp_path) -> None:
    path = tmp_path / "new" / "file.txt"
    with replaced(path) as scratch:
        scratch.write_text("whole")
        assert not path.exists() and scratch.parent == path.parent
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


def test_an_interruption_leaves_the_old_file_and_no_scrap(tmp_path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced(path) as scratch:
        scratch.write_text("ha")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_named(tmp_path) -> None:
    (tmp_path / "file.txt").write_text("no folder")
    for path in (tmp_path / "file.txt" / "x.txt", tmp_path):
        with pytest.raises(OutputError, match="cannot write"), replaced(path) as scratch:
            scratch.write_text("x")


def test_new_files_are_as_readable_as_any(tmp_path) -> None:
    with replaced(tmp_path / "ours.txt") as scratch:
        scratch.write_text("x")
    (tmp_path / "plain.txt").write_text("x")
    assert (tmp_path / "ours.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
