"""`report`: any molecules in, one page out."""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molscore import __version__
from molscore.molecules.atomic import write_text
from molscore.reporting.entries import Entry, entries_of
from molscore.reporting.page import page_of
from molscore.screening.predictor import Predictor

__all__ = ["Report", "report"]


@dataclass(frozen=True, eq=False)
class Report:
    """Molecules to look at: `save` writes the page, and a notebook shows it."""

    entries: list[Entry]
    title: str
    about: str

    @property
    def html(self) -> str:
        """The page: one file without any request to a network."""
        return page_of(self.entries, self.title, self.about)

    def save(self, path: str | Path) -> None:
        """Write the page; raises `OutputError` where that cannot be done."""
        write_text(path, self.html)

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
    resolution: float = 0.05,
    title: str | None = None,
) -> Report:
    """A report of a file (what `generate`, `rank` and `evaluate` write, any SDF, a table of SMILES) or of molecules.

    Args:
        source: a path, a DataFrame, or an iterable of molecules of any kind, candidates of `generate` included.
        model: what colours the atoms, and judges molecules that have not been judged; None for neither.
        smiles_column: of a table; found by its name unless given.
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
