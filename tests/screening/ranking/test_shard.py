"""Shards share out the parts of a job, each part to one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import InputError
from molscore.screening.rank.job import WHOLE, Shard


@given(st.integers(1, 50), st.integers(0, 10_000))
def test_every_part_has_one_owner(of, part) -> None:
    assert sum(Shard(index, of).owns(part) for index in range(1, of + 1)) == 1
    assert WHOLE.owns(part)


@given(st.integers(1, 99), st.integers(0, 99))
def test_shards_read_as_they_are_written(index, more) -> None:
    shard = Shard(index, index + more)
    assert Shard.parse(str(shard)) == shard


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/4", "1/4/2", "1.0/2", "²/3"])
def test_what_is_no_shard(text) -> None:
    with pytest.raises(InputError, match="a shard is i/n"):
        Shard.parse(text)
