"""Write the generated parts of pages: the file tree from docstrings, the tables from benchmarks/results."""

import argparse
import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["filled", "pages", "results", "table", "tree"]

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"title": str, "columns": list, "rows": list, "machine": dict | str, "command": str, "note": str}
NOTHING_YET = "No result has been recorded yet."
FOLDERS = {
    "tests/": "mirrors the package; tests/house holds the rules of this repository",
    "benchmarks/": "one question a file, results as JSON, the tables of this page made from them",
    "examples/": "numbered scripts; demo.py is `make demo`",
    "docs/": "the pages, with an index",
    "data/": "where data sets are built; a small sample",
}


def results(folder: Path) -> str:
    """Tables of all result files of a folder, in the order of their names."""
    parts = []
    for path in sorted(folder.glob("*.json")):
        try:
            parts.append(table(json.loads(path.read_text(encoding="utf-8"))))
        except ValueError as error:
            raise SystemExit(f"{path.name}: {error}") from error
    return "\n\n".join(parts) or NOTHING_YET


def table(result: dict) -> str:
    """One result as Markdown; ValueError names the field that is missing or of the wrong shape."""
    for field, kind in FIELDS.items():
        if not isinstance(result.get(field), kind):
            raise ValueError(f"field '{field}' is missing or not a {getattr(kind, '__name__', kind)}")
    width = len(result["columns"])
    for number, row in enumerate(result["rows"], start=1):
        if not isinstance(row, list) or len(row) != width:
            raise ValueError(f"row {number} does not have the {width} cells of 'columns'")
    lines = [result["columns"], ["---"] * width, *result["rows"]]
    body = "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)
    facts = [result["note"], f"`{result['command']}`", machine_line(result["machine"])]
    return f"### {result['title']}\n\n{body}\n\n" + "  \n".join(fact for fact in facts if fact.strip("`"))


def cell(value: str | float | bool | None) -> str:
    """A table cell: numbers to six digits, a dash for None, pipes escaped."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", r"\|").replace("\n", " ")


def machine_line(machine: dict | str) -> str:
    """The machine as one line; a record as benchmarks/machine.py makes it, or words."""
    if isinstance(machine, str):
        return machine
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items() if value is not None)


def tree(package: Path) -> str:
    """The package's files with the first line of each docstring, then the other folders."""
    rows = list(_rows(package, depth=0)) + list(FOLDERS.items())
    width = max(len(name) for name, _ in rows)
    return "```text\n" + "\n".join(f"{name:<{width}}  {comment}".rstrip() for name, comment in rows) + "\n```"


def _rows(folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    indent = "  " * depth
    yield f"{indent}{folder.name}/", comment_of(folder / "__init__.py")
    entries = [path for path in sorted(folder.iterdir()) if path.name not in {"__init__.py", "__pycache__"}]
    for path in entries:
        if path.is_dir() and any(path.rglob("*.py")):
            yield from _rows(path, depth + 1)
    for path in entries:
        if path.suffix == ".py":
            yield f"{indent}  {path.name}", comment_of(path)


def comment_of(path: Path) -> str:
    """First line of a module's docstring, empty where there is none."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def filled(text: str, regions: dict[str, Callable[[], str]]) -> str:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; ValueError where there is no such region."""
    for name, content in regions.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        inside = content()
        text, count = pattern.subn(lambda found, inside=inside: f"{found[1]}\n{inside}\n\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"the page has {count} regions <!-- {name} -->, not one")
    return text


def pages() -> dict[Path, dict[str, Callable[[], str]]]:
    """Each page with generated parts, and what is in them."""
    tables, docs = ROOT / "benchmarks" / "results", ROOT / "docs"
    return {
        ROOT / "README.md": {"tree": lambda: tree(ROOT / "molscore"), "results": lambda: results(tables)},
        docs / "density_figures.md": {"results": lambda: results(tables / "density")},
        docs / "generation_figures.md": {"results": lambda: results(tables / "generation")},
        docs / "ranking_figures.md": {"results": lambda: results(tables / "ranking")},
    }


def main() -> int:
    """Rewrite the pages, or with --check only say whether one would change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is not up to date")
    check = parser.parse_args().check
    stale = []
    for path, regions in pages().items():
        old = path.read_text(encoding="utf-8")
        new = filled(old, regions)
        if new == old:
            continue
        stale.append(path.name)
        if not check:
            part = path.with_name(path.name + ".part")
            part.write_text(new, encoding="utf-8")
            os.replace(part, path)
    if check and stale:
        print(f"{', '.join(stale)}: not up to date, run `make readme`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
