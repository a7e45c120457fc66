"""`molscore audit`: the held-out molecules, the parts in turn, and what is kept of them as JSON and pictures."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from molscore import __version__
from molscore.audit.density import Options
from molscore.audit.flow import flow
from molscore.audit.heads import heads
from molscore.audit.normalisation import normalisation
from molscore.audit.report import Audit, Part, can_draw, draw
from molscore.audit.time_score import time_score
from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from molscore.molecules.atomic import make_folder, write_text
from molscore.screening.model import Model
from molscore.screening.validation import is_valid

__all__ = ["PARTS", "run"]

PARTS: dict[str, Callable[[Model, MoleculeSet, Options], Part]] = {
    part.__name__: part for part in (time_score, heads, normalisation, flow)
}
SAME = ("weights", "distribution", "held_out", "resolution")  # what parts that stand beside each other agree in
NO_PICTURES = 'no pictures: matplotlib is not installed (pip install "molscore-discoformer[audit]")'


def run(model: Model, options: Options) -> tuple[Audit, str]:
    """The audit of a model, and one line about what was written to `options.output`, which is kept after each part.

    Raises `InputError` for a name that is no part's, for data that are not there, and where the model can judge fewer
    than two of the held-out molecules.
    """
    if unknown := sorted(set(options.only) - set(PARTS)):
        raise InputError(f"the audit has no part {unknown[0]!r}; parts are {', '.join(PARTS)}")
    trained = model.checkpoint.info.get("config", {})
    options = replace(options, **{name: trained[name] for name in ("sigma_min", "sigma_max") if name in trained})
    held_out = _held_out(model, options.data or Path("data") / f"{model.distribution.name}.parquet")
    path = options.output / "audit.json"
    make_folder(options.output)
    digest = sha256(held_out.numbers.tobytes() + held_out.positions.tobytes()).hexdigest()[:12]
    provenance = {
        "version": __version__, "model": model.name, "weights": model.weights, "distribution": model.distribution.name,
        "held_out": f"{len(held_out)} molecules, {digest}", "resolution": options.resolution,
        "options": {name: str(value) for name, value in asdict(options).items()},
    }  # fmt: skip
    found = Audit(provenance, ())
    names = [name for name in PARTS if not options.only or name in options.only]
    for name in tqdm(names, desc="audit", unit="part", file=sys.stderr):
        started = time.perf_counter()
        part = replace(PARTS[name](model, held_out, options), seconds=time.perf_counter() - started)
        found = Audit(provenance, (*found.parts, part))
        write_text(path, json.dumps(_with_earlier(found.to_dict(), path), indent=1, ensure_ascii=False) + "\n")
    pictures = [draw(plot, options.output) for part in found.parts for plot in part.plots] if can_draw() else None
    return found, f"written: {path}; {NO_PICTURES if pictures is None else f'{len(pictures)} pictures'}"


def _held_out(model: Model, path: Path) -> MoleculeSet:
    """What the model can judge of the test split of a data set, or of all of a file without splits."""
    if not path.is_file():
        raise InputError(f"{path} is not there; for QM9, make it with: molscore data qm9 -o data/qm9.parquet")
    molecules = MoleculeSet.load(path).split("test")
    fit = np.flatnonzero([is_valid(molecule, model.distribution) for molecule in molecules])
    if len(fit) < 2:
        raise InputError(f"{path}: model {model.name} can judge {len(fit)} of the held-out molecules, it takes two")
    return molecules.select(fit)


def _with_earlier(new: dict[str, Any], path: Path) -> dict[str, Any]:
    """The parts that this run left out, as an earlier run found them on the same weights and molecules."""
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        same = all(old["provenance"][name] == new["provenance"][name] for name in SAME)
        done = {part["name"] for part in new["parts"]}
        kept = [part for part in old["parts"] if same and part["name"] in set(PARTS) - done]
    except (OSError, ValueError, KeyError, TypeError):
        return new
    order = list(PARTS)
    return {**new, "parts": sorted([*kept, *new["parts"]], key=lambda part: order.index(part["name"]))}
