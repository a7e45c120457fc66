"""Worker processes or none: the same judgements."""

import pytest

from molscore.errors import InputError
from molscore.screening import pooled
from molscore.screening.pooled import PooledScorer, cores
from molscore.screening.records import records_of
from molscore.screening.scorer import Scorer


def test_few_rows_start_no_process_and_many_do(model, monkeypatch) -> None:
    records = list(records_of(["CCO", "C1CC", "CO"]))
    found = []
    for least in (4, 2):
        monkeypatch.setattr(pooled, "POOL_ROWS", least)
        with PooledScorer(Scorer(model), workers=1) as judge:
            found.append([scored.columns for scored in judge(records)])
            assert bool(judge.pool._workers._running) == (least == 2)
        assert not judge.pool._workers._running
    assert found[0] == found[1]


def test_the_number_of_workers(model) -> None:
    with pytest.raises(InputError, match="workers must be at least 1, not 0"):
        PooledScorer(Scorer(model), workers=0)
    assert PooledScorer(Scorer(model)).pool.workers == cores() >= 1
