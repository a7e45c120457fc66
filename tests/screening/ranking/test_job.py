"""What a job is told apart by: everything that its rows depend on, and nothing else."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import InputError
from molscore.screening.columns import COLUMNS
from molscore.screening.rank.parts import WHOLE, Shard, differences, given_name, output_name
from molscore.screening.rank.run import Job


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


NAME = st.one_of(
    st.text(max_size=8),
    st.builds("input_".__mul__, st.integers(0, 3)).flatmap(
        lambda start: st.sampled_from([start + name for name in (*COLUMNS, "molscore_row", "id")])
    ),
)


@given(NAME | st.sampled_from(["id", "input_id"]))
def test_an_output_name_is_not_ours_and_leads_back(name) -> None:
    """So that different columns stay different; other names stay."""
    given = output_name(name)
    assert name not in ("id", "input_id") or given == name
    assert given not in COLUMNS and not given.startswith("molscore_")
    assert given_name(given) == name


@given(st.integers(1, 50), st.integers(0, 10_000))
def test_every_part_has_one_owner_and_shards_read_as_they_are_written(of, part) -> None:
    assert Shard.parse(str(Shard(1 + part % of, of))) == Shard(1 + part % of, of)
    assert sum(Shard(index, of).owns(part) for index in range(1, of + 1)) == 1
    assert WHOLE.owns(part)


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/4", "1/4/2", "1.0/2", "²/3"])
def test_what_is_no_shard(text) -> None:
    with pytest.raises(InputError, match="a shard is i/n"):
        Shard.parse(text)
