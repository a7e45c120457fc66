"""The README's tables and file tree are made from committed files, and are up to date."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.house.sources import ROOT

RESULT = {
    "title": "How fast?",
    "columns": ["what", "value", "holds"],
    "rows": [["a | b", 0.123456789, True], ["count", 130831, None]],
    "machine": {"cpu": "a CPU", "cores": 2, "accelerator": None},
    "command": "python benchmarks/fast.py",
    "note": "Three runs.",
}


@pytest.fixture(scope="module")
def readme() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("benchmarks_readme", ROOT / "benchmarks" / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "readme.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_readme_is_seen(readme: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "molscore").mkdir()
    page = tmp_path / "README.md"
    page.write_text("<!-- tree -->\n<!-- /tree -->\n<!-- results -->\nstale numbers\n<!-- /results -->\n")
    (tmp_path / "docs").mkdir()
    for name in ("density", "generation", "ranking"):
        (tmp_path / "docs" / f"{name}_figures.md").write_text("<!-- results -->\n<!-- /results -->\n")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["readme.py", "--check"])
    assert readme.main() == 1
    assert "stale numbers" in page.read_text()
    monkeypatch.setattr(sys, "argv", ["readme.py"])
    assert readme.main() == 0
    assert "stale numbers" not in page.read_text()
    monkeypatch.setattr(sys, "argv", ["readme.py", "--check"])
    assert readme.main() == 0


def test_a_table_holds_every_cell_and_its_source(readme: ModuleType) -> None:
    lines = readme.table(RESULT).splitlines()
    assert lines[0] == "### How fast?"
    assert lines[2:6] == [
        "| what | value | holds |",
        "| --- | --- | --- |",
        r"| a \| b | 0.123457 | yes |",
        "| count | 130831 | – |",
    ]
    assert [line.strip() for line in lines[7:]] == ["Three runs.", "`python benchmarks/fast.py`", "cpu a CPU, cores 2"]


@pytest.mark.parametrize("field", RESULT)
def test_a_missing_field_is_named(readme: ModuleType, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        readme.table({key: value for key, value in RESULT.items() if key != field})


def test_a_short_row_is_named(readme: ModuleType) -> None:
    with pytest.raises(ValueError, match="row 2"):
        readme.table(RESULT | {"rows": [[1, 2, 3], [1, 2]]})


def test_results_come_in_the_order_of_names(readme: ModuleType, tmp_path: Path) -> None:
    assert readme.results(tmp_path) == readme.NOTHING_YET
    for name in ("b", "a"):
        (tmp_path / f"{name}.json").write_text(json.dumps(RESULT | {"title": name}))
    assert [line for line in readme.results(tmp_path).splitlines() if line.startswith("#")] == ["### a", "### b"]


def test_a_broken_result_is_named(readme: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"title": ')
    with pytest.raises(SystemExit, match=r"cut\.json"):
        readme.results(tmp_path)


def test_regions_are_replaced_once(readme: ModuleType) -> None:
    text = "before\n<!-- results -->\nold\n<!-- /results -->\nafter\n"
    new = readme.filled(text, {"results": lambda: r"new \1"})
    assert new == "before\n<!-- results -->\n\nnew \\1\n\n<!-- /results -->\nafter\n"
    assert readme.filled(new, {"results": lambda: r"new \1"}) == new
    with pytest.raises(ValueError, match="tree"):
        readme.filled(text, {"tree": str})


def test_the_tree_names_every_module(readme: ModuleType) -> None:
    package = ROOT / "molscore"
    text = readme.tree(package)
    names = {path.name for path in package.rglob("*.py")} - {"__init__.py"}
    assert names
    assert all(f" {name} " in text for name in names)
