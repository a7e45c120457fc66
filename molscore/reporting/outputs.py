"""Several outputs of the same rows: files of molecules, a report (.html), a grid of pictures (.png, .svg)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from molscore.errors import OutputError
from molscore.molecules.files import check_place, format_of, read, write
from molscore.molecules.files.record import Row, as_row, smiles_for, text_of
from molscore.molecules.suffixes import OUTPUTS, PAGES

if TYPE_CHECKING:
    from molscore.reporting.report import Report
    from molscore.screening.predictor import Predictor

__all__ = ["Streamed", "check_outputs", "is_picture", "streamed", "write_all", "write_report"]

_IN_GRID = 60  # pictures at most
_LEGEND = {"log_likelihood": "log p", "percentile": "percentile"}


def is_picture(path: str) -> bool:
    """Whether an output is to look at, and not a file of molecules."""
    return Path(path).suffix.lower() in PAGES


def check_outputs(paths: Sequence[str], source: str = "-") -> None:
    """Raise `OutputError` for an output that cannot be written, or is the input, before any work is done."""
    for path in paths:
        if source != "-" and Path(path).resolve() == Path(source).resolve():
            raise OutputError(f"{path}: it is the input, which would be lost; give another name")
        if len(set(paths)) < len(paths):
            raise OutputError("two outputs have the same name")
        if path == "-":
            continue
        _check_kind(path)
        check_place(path)


def _check_kind(path: str) -> None:
    if is_picture(path):
        return
    try:
        format_of(path, OutputError)
    except OutputError:
        raise OutputError(f"{path}: unknown file type; use {OUTPUTS}") from None


def write_all(
    paths: Sequence[str],
    rows: Iterable[Any],
    provenance: Mapping[str, Any] | None = None,
    model: "Predictor | None" = None,
    page: "Report | None" = None,
) -> int:
    """Write the rows, as `write` takes them, to every path by its suffix; returns how many there are.

    One file of molecules is streamed; otherwise the rows are held. An .html is `page`, or made here, `model` colouring
    the atoms. `check_outputs` comes before the work.
    """
    if len(paths) == 1 and not is_picture(paths[0]):
        return write(paths[0], rows, provenance)
    held = [as_row(item) for item in rows]
    for path in paths:
        if not is_picture(path):
            write(path, held, provenance)
        elif not held:
            Path(path).unlink(missing_ok=True)  # there is nothing to look at, and an earlier one shows other molecules
        elif Path(path).suffix.lower() == ".html":
            from molscore.reporting.report import report  # as the pictures below, only where it is wanted

            tags = {f"molscore_{name}": value for name, value in (provenance or {}).items()}
            tagged = [row._replace(columns={**row.columns, **tags}) for row in held]
            (page or report(tagged, model, title=Path(path).stem)).save(path)
        else:
            from molscore.molecules.drawing import draw_grid

            shown = [row for row in held if row.mol or row.molecule is not None or smiles_for(row)][:_IN_GRID]
            draw_grid([row.mol or row.molecule or smiles_for(row) for row in shown], list(map(_legend, shown)), path)
    return len(held)


def written_to(paths: Sequence[str], n: int) -> str:
    """What `write_all` has done, in words: without rows there are no pages and no pictures."""
    there = [path for path in paths if n or not is_picture(path)]
    return f"{n} written to {', '.join(there)}" if there else "nothing to look at, so nothing is written"


def write_report(paths: Sequence[str], found: "Report") -> None:
    """Write a report to every path by its suffix: the page, pictures of its molecules, or its rows as a file."""
    write_all(paths, [Row(entry.molecule, entry.columns, entry.bonds) for entry in found.entries], page=found)


@dataclass
class Streamed:
    """What a job writes that streams its rows: a file, others of the same rows, or a folder; pages are made after."""

    path: str
    beside: list[str]
    pages: list[str]

    def finish(self, provenance: Mapping[str, Any] | None = None, model: "Predictor | None" = None) -> None:
        """Make the pages and pictures from the file, once it is there."""
        if self.pages:
            rows = ((record.molecule, record.columns) for record in read(self.path))
            write_all(self.pages, rows, provenance, model)


@contextmanager
def streamed(paths: Sequence[str]) -> Iterator[Streamed]:
    """The one of several outputs that holds the most, geometries first, and the others; a file for the time being
    where all of them are to look at.

    Raises `OutputError` as `check_outputs` does, and for a folder or standard output among several.
    """
    if len(paths) == 1 and not is_picture(paths[0]):
        if paths[0] != "-" and not paths[0].endswith("/") and not Path(paths[0]).is_dir():
            _check_kind(paths[0])
        yield Streamed(paths[0], [], [])
        return
    check_outputs(paths)
    if "-" in paths:
        raise OutputError("standard output cannot be one of several: name a file")
    with TemporaryDirectory(prefix="molscore-") as folder:
        files = sorted((path for path in paths if not is_picture(path)), key=_richness) or [f"{folder}/rows.sdf"]
        yield Streamed(files[0], files[1:], [path for path in paths if is_picture(path)])


def _richness(path: str) -> int:
    return ("sdf", "xyz", "parquet", "csv", "tsv", "smi").index(format_of(path)[0])


def _legend(row: Row) -> str:
    """Name or formula and whether it is new, then the numbers by which molecules are told good from bad."""
    novel = {"True": "new", "False": "known"}.get(text_of(row.columns.get("novel")), "")
    head = ", ".join(filter(None, (row.name or text_of(row.columns.get("formula")), novel)))
    numbers = ", ".join(
        f"{short} {float(text):.1f}" for name, short in _LEGEND.items() if (text := text_of(row.columns.get(name)))
    )
    return "\n".join(filter(None, (head, numbers)))
