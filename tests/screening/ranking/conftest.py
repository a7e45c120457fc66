"""A small library with geometries, bad rows and duplicates, in every format, and the job of judging it in parts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from molscore.molecules.files import write
from molscore.screening.rank.run import Job
from molscore.screening.scorer import Scorer
from tests import tiny

ROWS = 46
PART_ROWS = 8
PROVENANCE = {"model": "tiny", "seed": 0}


def write_library(path: Path, n: int = ROWS) -> Path:
    """Rows with a name, a number and a column of one of our names; every seventh without a molecule, many twice."""
    held = tiny.geometries()[:20]
    rows = []
    for i in range(n):
        columns = {"name": f"m{i}", "smiles": tiny.LIBRARY[i % 20], "price": i / 4, "status": "in stock"}
        if i % 5 == 0:
            columns["note"] = f"row {i}"
        rows.append((None, columns | {"smiles": "C1CC"}) if i % 7 == 6 else (held[i % 20], columns))
    write(path, rows)
    return path


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    """A job on that library in a file of some suffix."""

    def of(suffix: str = ".parquet", n: int = ROWS, **options: object) -> Job:
        path = tmp_path / f"library{suffix}"
        if not path.exists():
            write_library(path, n)
        scorer = Scorer(tiny.model(), by=options.pop("by", "percentile"), seed=options.pop("seed", 0))
        return Job(scorer, str(path), **{"part_rows": PART_ROWS} | options)

    return of
