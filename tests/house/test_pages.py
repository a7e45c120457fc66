"""The pages' code works: commands exist with the options shown, marked Python blocks (```python run) run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from molscore.cli import main
from tests.house.sources import ROOT

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
END_OF_COMMAND = {"|", "||", "&&", ";", ">", ">>", "<", "2>", "&"}
PATHS = [*ROOT.glob("*.md"), *(path for name in ("docs", "benchmarks", "examples", "data", "molscore")
                               for path in (ROOT / name).rglob("*.md"))]  # fmt: skip
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(PATHS)}


class Block(NamedTuple):
    """One fenced block: its language, the words after the language, the code."""

    language: str
    marks: tuple[str, ...]
    code: str


def blocks(markdown: str) -> list[Block]:
    """Fenced code blocks, in order."""
    words = [(match["info"].split() or [""], match["code"]) for match in FENCE.finditer(markdown)]
    return [Block(language, tuple(marks), code) for (language, *marks), code in words]


def commands(markdown: str) -> Iterator[tuple[str, ...]]:
    """Arguments of each `molscore …` line of the bash blocks; pipes and redirections cut off."""
    for block in blocks(markdown):
        if block.language in {"bash", "sh", "console"}:
            for line in block.code.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words[:1] == ["molscore"]:
                    stop = next((i for i, word in enumerate(words) if word in END_OF_COMMAND), len(words))
                    yield tuple(words[1:stop])


def complaints(words: tuple[str, ...]) -> list[str]:
    """What a command line names that the program does not have."""
    command: click.Command | None = main
    if words and not words[0].startswith("-"):
        command = main.commands.get(words[0])
    if command is None:
        return [f"no command {words[0]}"]
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"-h", "--help", "--version"}
    options = [word.split("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    return [f"no option {option}" for option in options if option not in known]


LINES = sorted({words for page in PAGES.values() for words in commands(page)})
RUNNABLE = [(page, block) for page, text in PAGES.items() for block in blocks(text) if "run" in block.marks]


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_commands_exist(words: tuple[str, ...]) -> None:
    assert complaints(words) == []


@pytest.mark.parametrize(("page", "block"), RUNNABLE, ids=[page for page, _ in RUNNABLE])
def test_marked_python_blocks_run(page: str, block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.code, page, "exec"), {"__name__": "__main__"})


def test_what_is_wrong_is_seen() -> None:
    page = "```bash\nmolscore rank library.csv -s smiles \\\n  --sort | head   # ranked\npip install .\n```\n"
    assert list(commands(page)) == [("rank", "library.csv", "-s", "smiles", "--sort")]
    assert any(page == "README.md" for page, _ in RUNNABLE) and list(commands(PAGES["README.md"]))
    for words in (("rank", "a.csv", "--sorted"), ("rank", "-x"), ("rang", "a.csv"), ("--verbose",)):
        assert len(complaints(words)) == 1
    for words in (("rank", "-", "-s", "smiles", "--sort"), ("--version",), ("rank", "--resolution=0.1")):
        assert complaints(words) == []
