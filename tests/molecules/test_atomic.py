"""Files that are there whole or not at all."""

import os

import pytest

from molscore.errors import OutputError
from molscore.molecules.atomic import replacing, write_text


def test_a_file_appears_only_when_it_is_done_and_an_error_leaves_what_was_there(tmp_path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as fresh:
        fresh.write_text("old")
        assert not path.exists()
        assert fresh.parent == path.parent
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), replacing(path) as fresh:
            fresh.write_text("half of the n")
            raise error
        assert path.read_text() == "old"
    write_text(path, "σ\nÅ\n")
    assert path.read_bytes() == "σ\nÅ\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_found_at_once(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing" / "a.txt", tmp_path / "file" / "a.txt", tmp_path, os.devnull):
        with pytest.raises(OutputError, match="cannot be written"), replacing(path):
            pytest.fail("the block must not be entered")
