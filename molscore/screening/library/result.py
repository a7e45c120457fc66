"""The result of parts that shards have made: all rows, or the best."""

from collections.abc import Sequence
from pathlib import Path

from molscore.errors import InputError
from molscore.molecules.files import write
from molscore.molecules.files.source import format_of
from molscore.screening.library.folder import Manifest, complete_parts, read_manifest
from molscore.screening.library.job import differences
from molscore.screening.library.merge import Merge
from molscore.screening.library.parts import rows_of
from molscore.screening.library.progress import passing
from molscore.screening.library.summary import Summary
from molscore.screening.report import ranking_summary

__all__ = ["merged", "shows_shapes"]


def merged(
    folders: Sequence[Path], output: str, by: str | None = None, sort: bool = False, n: int | None = None
) -> list[str]:
    """Write the rows of all parts: in the order of the input, best first, or the best n alone. Says what was written.

    Provenance is that of the ranking. Raises `InputError` for folders that are of several jobs or not complete.
    """
    manifest = _manifest(folders)
    by = by or manifest["by"]
    resolution = manifest["identity"]["resolution"]
    with Merge(complete_parts(list(folders))) as merge:
        if sort or n is not None:
            merge.require(by)
        tables = merge.in_order() if n is None and not sort else merge.sorted(by) if n is None else merge.best(by, n)
        summary = Summary()
        optional, shapes = manifest["optional"], shows_shapes(output)
        tables = passing(summary.counting(tables), merge.n_rows if n is None else n, shown=True)
        rows = (row for table in tables for row in rows_of(table, optional, shapes))
        count = write(output, rows, manifest["provenance"], merge.types)
    if n is not None:
        return [f"the best {count} of {merge.n_rows} rows by {by}, at a resolution of {resolution:g} Å"]
    return ranking_summary(summary.statuses, summary.kinds, summary.renamed, by, resolution)


def shows_shapes(output: str) -> bool:
    """Whether a file's format is there to hold geometries; a table of SMILES is not made larger by them."""
    return output != "-" and format_of(output)[0] in ("sdf", "xyz")


def _manifest(folders: Sequence[Path]) -> Manifest:
    """What the parts are of; raises `InputError` unless all folders agree."""
    found = []
    for folder in folders:
        if folder.is_file():
            raise InputError(
                f"{folder} is a file: merge and top take the folders of parts that `molscore rank LIBRARY -o FOLDER/` "
                "writes; the best rows of one file come first with `molscore rank FILE --sort`"
            )
        if (manifest := read_manifest(folder)) is None:
            raise InputError(f"{folder} holds no parts of a ranking (there is no manifest.json in it)")
        found.append(manifest)
        if others := list(differences(found[0]["identity"], manifest["identity"])):
            raise InputError(f"{folders[0]} and {folder} are of two jobs: {'; '.join(others)}")
    return found[0]
