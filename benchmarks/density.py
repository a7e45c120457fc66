"""Is a model's log-density true? What `molscore audit` found, as result files: its tables and its checks.

Run `molscore audit` first, part by part if you like: its folder keeps them all.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, record

__all__ = ["checks_of", "tables_of"]

WORDS = {True: "yes", False: "no", None: "inconclusive"}
Result = dict[str, Any]


def tables_of(part: dict[str, Any]) -> dict[str, Result]:
    """Name of the result file -> title, columns, rows and note, for each table of a part of audit.json."""
    found = {}
    for k, table in enumerate(part["tables"]):
        name = part["name"] if len(part["tables"]) == 1 else f"{part['name']}_{k + 1}"
        rows = [[_cell(cell) for cell in row] for row in table["rows"]]
        title = f"{part['title']} {table['title']}".strip()
        found[name] = {"title": title, "columns": table["columns"], "rows": rows, "note": part["note"]}
    return found


def checks_of(audit: dict[str, Any]) -> Result:
    """All figures beside their bounds."""
    rows = [[check["what"], _cell(check["value"]), check["bound"], WORDS[check["passed"]], check["why"]]
            for part in audit["parts"] for check in part["checks"]]  # fmt: skip
    facts = audit["provenance"]
    return {
        "title": "Density: which bounds does the shipped model keep?",
        "columns": ["figure", "value", "bound", "kept", ""],
        "rows": rows,
        "note": f"Held-out molecules of {facts['distribution']}, resolution {facts['resolution']:g} Å; each part has a "
        "table of its own.",
    }


def _cell(cell: str | float | bool | None) -> str | float | bool | None:
    return f"{cell:.4g}" if isinstance(cell, float) else cell


def main() -> None:
    """Record all that the audit's folder has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audit", type=Path, nargs="?", default=Path("audit"), help="folder of audit.json")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    audit = json.loads((options.audit / "audit.json").read_text(encoding="utf-8"))
    facts = audit["provenance"]
    command = f"molscore audit --model {facts['model']} --distribution {facts['distribution']}"
    results = {f"density/{name}": table for part in audit["parts"] for name, table in tables_of(part).items()}
    results["density"] = checks_of(audit)
    for name, result in results.items():
        note = f"{result.pop('note')} Weights sha256 {facts['weights'][:12]}."
        record(options.output / f"{name}.json", **result, command=command, note=note)


if __name__ == "__main__":
    main()
