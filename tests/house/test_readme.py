"""The pages' code works: commands exist with the options shown, marked Python blocks run."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.readme import Block, blocks, commands, complaints
from tests.house.sources import PACKAGE, ROOT, name, own_files

PAGES = {name(path): path.read_text(encoding="utf-8") for path in own_files() if path.suffix == ".md"}
LINES = sorted({tuple(words) for page in PAGES.values() for words in commands(page)})
RUNNABLE = [(page, block) for page, text in PAGES.items() for block in blocks(text) if "run" in block.marks]

HELP = {"": "Usage: molscore [OPTIONS] COMMAND\n  --version\n", "rank": "Options:\n  -s, --column TEXT\n  --sort\n"}
PAGE = """
```bash
molscore rank library.csv -s smiles \\
    --sort | head   # ranked
pip install .
```
```python run
print(1)
```
```python
broken(
```
"""


@functools.cache
def help_of(subcommand: str) -> str | None:
    """The help text of a subcommand, or None where the program refuses it."""
    command = [sys.executable, "-m", "molscore", *filter(None, [subcommand]), "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python block in a folder of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", block.code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not (PACKAGE / "cli.py").exists(), reason="the package has no command line")
@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_commands_exist(words: tuple[str, ...]) -> None:
    assert complaints(list(words), help_of) == []


@pytest.mark.parametrize(("page", "block"), RUNNABLE, ids=[page for page, _ in RUNNABLE])
def test_marked_python_blocks_run(page: str, block: Block, tmp_path: Path) -> None:
    if "molscore.load(" in block.code and not any((PACKAGE / "models").glob("*/model.safetensors")):
        pytest.skip("the package ships no model")
    done = run(block, tmp_path)
    assert done.returncode == 0, f"{page}: {done.stderr}"


def test_the_readme_shows_commands_and_code() -> None:
    assert commands(PAGES["README.md"])
    assert any(page == "README.md" for page, _ in RUNNABLE)


def test_commands_are_found_whole() -> None:
    assert commands(PAGE) == [["rank", "library.csv", "-s", "smiles", "--sort"]]


def test_only_marked_blocks_run(tmp_path: Path) -> None:
    marked, unmarked = [block for block in blocks(PAGE) if block.language == "python"]
    assert (marked.marks, unmarked.marks) == (("run",), ())
    assert run(marked, tmp_path).stdout == "1\n"
    assert run(unmarked, tmp_path).returncode != 0


@pytest.mark.parametrize("words", [["rank", "a.csv", "--sorted"], ["rank", "-x"], ["rang", "a.csv"], ["--verbose"]])
def test_unknown_commands_and_options_are_flagged(words: list[str]) -> None:
    assert len(complaints(words, HELP.get)) == 1


@pytest.mark.parametrize("words", [["rank", "-", "-s", "smiles", "--sort"], ["--version"], ["rank", "--column=x"]])
def test_known_commands_pass(words: list[str]) -> None:
    assert complaints(words, HELP.get) == []
