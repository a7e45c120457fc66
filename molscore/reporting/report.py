"""`report`: any molecules in, one page out, which holds its data, its pictures and its program and needs no network."""

import base64
import gzip
import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from molscore import __version__
from molscore.molecules.atomic import write_text
from molscore.molecules.drawing import svg_of
from molscore.molecules.files.record import misread, text_of
from molscore.reporting.entries import Entry, entries_of
from molscore.screening.explain import FULL_COLOUR
from molscore.screening.predictor import RESOLUTION, Predictor

__all__ = ["Report", "report"]

_FIRST = (
    "rank", "name", "id", "smiles", "formula", "log_likelihood", "percentile", "codimension", "verdict", "status",
    "novel", "mol_weight", "logp", "tpsa", "qed", "rotatable_bonds", "rings", "strain",
)  # fmt: skip
_LABELS = {
    "smiles": "SMILES", "inchikey": "InChIKey", "mol_weight": "weight, g/mol", "logp": "logP", "tpsa": "TPSA, Å²",
    "qed": "QED", "log_likelihood": "log-likelihood, nats", "log_density": "log-density, nats",
    "resolution": "resolution, Å", "strain": "strain, kcal/mol", "strain_xtb": "strain (xTB), kcal/mol",
    "n_atoms": "atoms",
}  # fmt: skip
_HIDDEN = ("inchikey", "log_density", "index", "row")  # until they are asked for; so are columns that never differ
_PICTURE = (200, 150)
_MOST_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Report:
    """Molecules to look at: `save` writes the page, and a notebook shows it."""

    entries: list[Entry]
    title: str
    about: str

    @property
    def html(self) -> str:
        """The page: one file without any request to a network."""
        return _page(self.entries, self.title, self.about)

    @property
    def misread(self) -> str:
        """That nearly all rows are no molecules, and which column may be meant instead; empty where that is not so."""
        unparsable = [entry.columns for entry in self.entries if entry.molecule is None and entry.graph is None]
        return misread(unparsable, len(unparsable), len(self.entries))

    def save(self, path: str | Path) -> None:
        """Write the page; raises `OutputError` where that cannot be done."""
        write_text(path, self.html)

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self)} molecules; save(path) writes the page)"

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{html.escape(self.html)}" width="100%" height="640" style="border: 0"></iframe>'

    def __len__(self) -> int:
        return len(self.entries)


def report(
    source: Any,
    model: Predictor | str | Path | None = "qm9",
    smiles_column: str | None = None,
    smarts: str | None = None,
    most: int = 2000,
    resolution: float = RESOLUTION,
    title: str | None = None,
) -> Report:
    """A report of a file (what `generate`, `rank` and `evaluate` write, any SDF, a table of SMILES) or of molecules.

    Args:
        source: a path, a DataFrame, or an iterable of molecules of any kind, candidates of `generate` included.
        model: what colours the atoms, and judges molecules that have not been judged; None for neither.
        smiles_column: of a table; found by its name, else by its values, unless given.
        smarts: show only molecules with this pattern.
        most: rows that are shown at most, the first ones.
        resolution: Å, at which densities are read.
        title: the file's name unless given.

    Raises `InputError` for a source that cannot be read or has nothing to show.
    """
    judge = None if model is None else Predictor.load(model)
    entries, total = entries_of(source, judge, smiles_column, smarts, most, resolution)
    if title is None:
        title = Path(source).name if isinstance(source, (str, Path)) else "molecules"
    return Report(entries, title, _about(entries, total, judge, smarts, resolution))


def _about(entries: list[Entry], total: int, model: Predictor | None, smarts: str | None, resolution: float) -> str:
    """What is shown, and what made it."""
    shown = f"{len(entries)} of {total} molecules" + (f", those with {smarts}" if smarts else "")
    parts = [shown] if len(entries) < total or smarts else []
    made = {name: entries[0].columns.get(f"molscore_{name}") for name in ("command", "version")}
    if made["command"]:
        parts.append(f"made by {made['command']}" + (f" ({made['version']})" if made["version"] else ""))
    if model is not None:
        parts.append(f"judged by {model.name} at {resolution:g} Å")
    return "; ".join([*parts, f"molscore {__version__}"])


def _page(entries: Sequence[Entry], title: str, about: str) -> str:
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
