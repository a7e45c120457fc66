"""What a job is told apart by: everything that its rows depend on, and nothing else."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from molscore.errors import InputError
from molscore.screening.rank.job import Job, differences


def test_everything_that_rows_depend_on_is_part_of_a_job(job) -> None:
    made = job()
    scorer = made.scorer
    others = {
        "seed": replace(made, scorer=replace(scorer, seed=1)),
        "resolution": replace(made, scorer=replace(scorer, resolution=0.1)),
        "by": replace(made, scorer=replace(scorer, by="log_likelihood")),
        "time limit": replace(made, scorer=replace(scorer, time_limit=5.0)),
        "conformers": replace(made, scorer=replace(scorer, conformers=3)),
        "SMILES column": replace(made, smiles_column="name"),
        "geometries": replace(made, shapes=True),
        "rows a part": replace(made, part_rows=9),
    }
    for name, other in others.items():
        (told,) = differences(made.identity, other.identity)
        assert told.startswith(f"{name} was ")
    assert list(differences(made.identity, replace(made).identity)) == []


def test_an_input_is_its_content(job) -> None:
    made = job()
    os.utime(made.path, (1, 1))
    assert list(differences(made.identity, replace(made).identity)) == []
    with Path(made.path).open("ab") as stream:
        stream.write(b"x")
    assert list(differences(made.identity, replace(made).identity)) == ["the input has changed"]
    Path(made.path).unlink()
    with pytest.raises(InputError, match=r"library\.parquet: cannot be read"):
        _ = replace(made).identity


def test_types_are_those_of_the_input(job) -> None:
    assert job().types["price"] == pa.float64() and job().types["input_status"] == pa.string()
    assert job(".csv").types == {}


def test_columns_are_optional_where_a_format_has_no_table(job) -> None:
    assert [job(suffix).optional for suffix in (".sdf", ".xyz", ".csv", ".parquet")] == [True, True, False, False]
    assert not Job(job().scorer, "-").repeatable
