"""Committed text is clean, and its links lead somewhere."""

from pathlib import Path

import pytest

from tests.house.sources import name, own_files, text_of
from tests.house.text import broken_links, complaints


def test_no_machine_paths_and_no_notes_to_self() -> None:
    texts = {path: text_of(path) for path in own_files()}
    found = [line for path, text in texts.items() if text for line in complaints(text, name(path))]
    assert any(path.name == "pyproject.toml" for path in texts)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    ["# TO" + "DO: later", "x = 1  # FIX" + "ME", "open('/ho" + "me/me/data')", "/wo" + "rk/main", "cd /ro" + "ot"],
)
def test_bad_text_is_flagged(line: str) -> None:
    assert len(complaints(f"fine\n{line}\n", "file")) == 1


@pytest.mark.parametrize("line", ["https://example.org/ho" + "me", "network/wo" + "rk split", "/workshop", "~/data"])
def test_clean_text_passes(line: str) -> None:
    assert complaints(line, "file") == []


def test_links_lead_somewhere() -> None:
    pages = [path for path in own_files() if path.suffix == ".md"]
    found = [f"{name(page)}: {link}" for page in pages for link in broken_links(text_of(page) or "", page.parent)]
    assert pages
    assert not found, "\n".join(found)


def test_a_broken_link_is_flagged(tmp_path: Path) -> None:
    (tmp_path / "here.md").touch()
    text = "[a](here.md#part) [b](gone.md) [c](https://example.org/gone.md) [d](#part)"
    assert broken_links(text, tmp_path) == ["gone.md"]
