"""Write the generated parts of pages from benchmarks/results: `make figures`. Needs nothing but Python."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import quoted

__all__ = ["filled", "results", "table"]

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"title": str, "columns": list, "rows": list, "machine": dict | str, "command": str, "note": str}


def results(folder: Path) -> str:
    """Tables of all result files of a folder, in the order of their names."""
    parts = []
    for path in sorted(folder.glob("*.json")):
        try:
            parts.append(table(json.loads(path.read_text(encoding="utf-8"))))
        except ValueError as error:
            raise SystemExit(f"{path.name}: {error}") from error
    return "\n\n".join(parts) or "No result has been recorded yet."


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
    """The machine as one line; a record as benchmarks/record.py makes it, or words."""
    if isinstance(machine, str):
        return machine
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items() if value is not None)


def filled(text: str, regions: dict[str, Callable[[], str]]) -> str:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; ValueError where there is no such region."""
    for name, content in regions.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        inside = content()
        text, count = pattern.subn(lambda found, inside=inside: f"{found[1]}\n{inside}\n\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"the page has {count} regions <!-- {name} -->, not one")
    return text


def _results_of(folder: str) -> dict[str, Callable[[], str]]:
    return {"results": partial(results, ROOT / "benchmarks" / "results" / folder)}


#: Page -> region, as in `filled` -> what it holds.
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"draws": quoted.draws, "bounds": quoted.bounds},
    "molscore/models/organic/README.md": {"draws": quoted.draws, "bounds": quoted.bounds},
    "docs/audit.md": {"bounds": quoted.bounds},
    "docs/rank_a_library.md": {"auroc": quoted.auroc},
    "docs/results.md": _results_of("."),
    "docs/across_distributions.md": _results_of("across"),
    "docs/density_figures.md": _results_of("density"),
    "docs/generation_figures.md": _results_of("generation"),
    "docs/ranking_figures.md": _results_of("ranking"),
    "docs/vectors.md": _results_of("vectors"),
}


def main() -> int:
    """Rewrite the pages, or with --check only say whether one would change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is not up to date")
    check, stale = parser.parse_args().check, []
    for name, regions in PAGES.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = filled(old, regions)
        if new != old:
            stale.append(name)
            if not check:
                part = path.with_name(path.name + ".part")
                part.write_text(new, encoding="utf-8")
                os.replace(part, path)
    if check and stale:
        print(f"{', '.join(stale)}: not up to date, run `make figures`", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
