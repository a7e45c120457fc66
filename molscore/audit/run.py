"""What `molscore audit` does: read held-out molecules, measure, keep the figures of each part as JSON and pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from molscore.audit.options import Options
from molscore.audit.parts import PARTS, Measure, audit
from molscore.audit.plots import available, draw_all
from molscore.audit.record import Audit
from molscore.datasets.store import MoleculeSet
from molscore.errors import InputError, OutputError
from molscore.molecules.atomic import reason_of, write_text
from molscore.screening.model import Model

__all__ = ["held_out_of", "run"]

NO_PLOTS = 'no plots: matplotlib is not installed (pip install "molscore-discoformer[audit]")'


def run(model: Model, options: Options, parts: Sequence[Measure] = PARTS) -> tuple[Audit, str]:
    """The audit, and one line about what was written to `options.output`."""
    held_out, folder = held_out_of(options.data), options.output
    trained = model.checkpoint.info.get("config", {})
    options = options.but(**{name: trained[name] for name in ("sigma_min", "sigma_max") if name in trained})
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({reason_of(error)})") from None
    path = folder / "audit.json"

    def keep(found: Audit) -> None:
        write_text(path, json.dumps(_with_earlier(found.to_dict(), path), indent=1, ensure_ascii=False) + "\n")

    found = audit(model, held_out, options, parts, keep)
    pictures = draw_all(found.parts, folder)
    drawn = f"{len(pictures)} plots" if available() else NO_PLOTS
    return found, f"written: {path}; {drawn}"


def held_out_of(path: Path) -> MoleculeSet:
    """The test split of a data set, or all of a file without splits."""
    if not path.is_file():
        raise InputError(f"{path} is not there; for QM9, make it with: molscore data qm9 -o {path}")
    molecules = MoleculeSet.load(path)
    if "split" not in molecules.columns:
        return molecules
    return molecules.select(molecules.columns["split"] == "test")


def _with_earlier(new: dict[str, Any], path: Path) -> dict[str, Any]:
    """The parts that this run left out, as an earlier run on the same weights at the same resolution found them."""
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        same = all(_what(old, name) == _what(new, name) for name in ("weights", "resolution"))
        kept = [part for part in old["parts"] if same and part["name"] not in {p["name"] for p in new["parts"]}]
    except (OSError, ValueError, KeyError, TypeError):
        return new
    return {**new, "parts": [*kept, *new["parts"]]}


def _what(result: dict[str, Any], name: str) -> Any:
    provenance = result["provenance"]
    return provenance[name] if name in provenance else provenance["options"][name]
