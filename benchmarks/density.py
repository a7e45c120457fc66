"""Is the shipped model's log-density true, and of what use is it? `molscore audit`, with a table for each part."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe
from benchmarks.toy_density import RESULT, kept
from molscore.audit import Options, run
from molscore.molecules.atomic import write_text
from molscore.screening.model import load

__all__ = ["tables_of", "verdicts_of"]

RESULTS = Path(__file__).parent / "results"
NUMBERS = ("n", "referee", "nodes", "drawn", "strained", "resolution")
WORDS = {True: "yes", False: "no", None: "cannot be told"}
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


def verdicts_of(parts: list[dict[str, Any]], resolution: str) -> Result:
    """All figures beside their bounds."""
    rows = [[v["what"], _cell(v["value"]), v["bound"], WORDS[v["passed"]], v["why"]]
            for part in parts for v in part["verdicts"]]  # fmt: skip
    return {
        "title": "Density: which bounds does the shipped model keep?",
        "columns": ["figure", "value", "bound", "kept", ""],
        "rows": rows,
        "note": f"Held-out molecules of QM9 (test split), resolution {resolution} Å; each part has a table of its own.",
    }


def _cell(cell: str | float | bool | None) -> str | float | bool | None:
    return f"{cell:.4g}" if isinstance(cell, float) else cell


def main() -> None:
    """Audit the parts that are asked for, print them, and record all that the audit's folder has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--referee", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=32, help="exact traces of the referee along a path")
    parser.add_argument("--drawn", type=int, default=200, help="molecules to draw at each temperature")
    parser.add_argument("--strained", type=int, default=50, help="molecules whose geometries are strained")
    parser.add_argument("--outside", type=Path, default=None, help="real molecules that are not of the data set")
    parser.add_argument("--resolution", type=float, default=0.05)
    parser.add_argument("--data", type=Path, default=Path("data/qm9.parquet"))
    parser.add_argument("--audit", type=Path, default=Path("audit"), help="folder of the audit's own files")
    parser.add_argument("--part", action="append", default=[], help="this part alone; may be repeated")
    parser.add_argument("--record", action="store_true", help="measure nothing: record what the folder has")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not options.record:
        fields = {name: getattr(options, name) for name in (*NUMBERS, "data", "outside")}
        found, _ = run(load(options.model), Options(output=options.audit, only=tuple(options.part), **fields))
        print(found.to_text())
    audit = json.loads((options.audit / "audit.json").read_text(encoding="utf-8"))
    provenance, parts = audit["provenance"], audit["parts"]
    settings = provenance["options"]
    words = " ".join(f"--{name} {settings[name]}" for name in NUMBERS)
    if settings.get("outside", "None") != "None":
        words += f" --outside {Path(settings['outside']).name}"
    facts = {
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.density {words}",
    }
    results = {name: table for part in parts for name, table in tables_of(part).items()}
    # all tables on docs/density_figures.md, the verdicts in the README
    results = {f"density/{name}": result for name, result in results.items()}
    results["density"] = verdicts_of(parts, settings["resolution"])
    if RESULT.exists():
        results["density"]["rows"] += kept(json.loads(RESULT.read_text(encoding="utf-8"))["rows"])
    (options.output / "density").mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        note = f"{result['note']} Weights sha256 {provenance['weights'][:12]}."
        whole = {**result, **facts, "note": note}
        write_text(options.output / f"{name}.json", json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
