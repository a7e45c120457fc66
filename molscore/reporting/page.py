"""Entries to one HTML page that holds its data, its pictures and its program, and asks no network for anything."""

import base64
import gzip
import html
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from molscore.molecules.drawing import svg_of
from molscore.molecules.files.record import text_of
from molscore.reporting.entries import Entry
from molscore.screening.explain import FULL_COLOUR

__all__ = ["page_of"]

_FIRST = (
    "rank", "name", "id", "smiles", "formula", "log_likelihood", "percentile", "codimension", "verdict", "status",
    "novel", "mol_weight", "logp", "tpsa", "rotatable_bonds", "rings", "strain",
)  # fmt: skip
_LABELS = {
    "smiles": "SMILES", "inchikey": "InChIKey", "mol_weight": "weight, g/mol", "logp": "logP", "tpsa": "TPSA, Å²",
    "log_likelihood": "log-likelihood, nats", "log_density": "log-density, nats", "resolution": "resolution, Å",
    "strain": "strain, kcal/mol", "strain_xtb": "strain (xTB), kcal/mol", "n_atoms": "atoms",
}  # fmt: skip
_HIDDEN = ("inchikey", "log_density", "index", "row")  # until they are asked for; so are columns that never differ
_PICTURE = (200, 150)
_MOST_DIGITS = 3


def page_of(entries: Sequence[Entry], title: str, about: str) -> str:
    """The page: a table that sorts and filters, a map by any two numbers, and the chosen molecule in 3D."""
    columns, rows = _table(entries)
    data = {
        "about": about,
        "columns": columns,
        "rows": rows,
        "pictures": ["" if entry.graph is None else svg_of(entry.graph, _PICTURE) for entry in entries],
        "shapes": [_shape(entry) for entry in entries],
        "full": FULL_COLOUR,
    }
    assets = files("molscore.reporting") / "assets"
    read = {name: (assets / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")}
    return Template(read["page.html"]).substitute(
        title=html.escape(title),
        style=read["page.css"],
        script=read["page.js"],
        viewer=_packed((assets / "3Dmol-min.js").read_bytes()),
        data=_packed(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()),
    )


def _packed(content: bytes) -> str:
    """Text without anything that could end a script element; the same for the same content."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _table(entries: Sequence[Entry]) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """Columns and the values of each row: numbers where every value of a column is one, else text; null for none."""
    names = dict.fromkeys(name for entry in entries for name in entry.columns if not name.startswith("molscore_"))
    order = sorted(names, key=lambda name: _FIRST.index(name.lower()) if name.lower() in _FIRST else len(_FIRST))
    columns, values = [], []
    for name in order:
        texts = [text_of(entry.columns.get(name)) for entry in entries]
        if not any(texts):
            continue
        numbers = [_number(text) for text in texts]
        numeric = all(number is not None or not text for number, text in zip(numbers, texts, strict=True))
        columns.append(
            {
                "name": name,
                "label": _LABELS.get(name.lower(), name.replace("_", " ")),
                "kind": "number" if numeric else "text",
                "digits": max((_digits(text) for text in texts), default=0) if numeric else 0,
                "shown": name.lower() not in _HIDDEN and (len(set(texts)) > 1 or len(texts) == 1),
            }
        )
        values.append(numbers if numeric else [text or None for text in texts])
    return columns, [list(row) for row in zip(*values, strict=True)]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _digits(text: str) -> int:
    return min(len(text.partition(".")[2]), _MOST_DIGITS) if "e" not in text.lower() else _MOST_DIGITS


def _shape(entry: Entry) -> dict[str, Any] | None:
    """Elements, positions about their mean in thousandths of an Å, bonds (first, second, order), nats missing."""
    if entry.molecule is None:
        return None
    x = entry.molecule.positions - entry.molecule.positions.mean(axis=0)
    shape: dict[str, Any] = {"e": entry.molecule.symbols, "x": np.rint(1000 * x).astype(int).ravel().tolist(), "b": []}
    if entry.bonds is not None:
        for bond in entry.bonds.GetBonds():
            order = max(1, int(bond.GetBondTypeAsDouble()))  # of an aromatic bond one line
            shape["b"] += [bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), order]
    if entry.missing is not None:
        shape["w"] = entry.missing.round(2).tolist()
    return shape
