"""The fuzzer sees what it is there to see: a crash, a hang, a fault; and it damages what it is given."""

import sys

import numpy as np
import pytest

from benchmarks.fuzz import COLUMNS, table, watched
from benchmarks.fuzz_cases import KINDS, TURNS, Cases, damaged, kind_of, spoilt
from tests import tiny

LINES = "print('ready', 0); print(0, 0.5, 'answered'); print(1, 0.1, 'fault: KeyError: x', flush=True);"
ENDS = {"done": "", "crash": "import os; os.abort()", "hang": "import time; time.sleep(60)"}


@pytest.fixture(scope="module")
def cases() -> Cases:
    return Cases(tiny.model(), seed=0)


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_dies_or_falls_silent_is_seen(end) -> None:
    found, seen = watched([sys.executable, "-c", LINES + ENDS[end]], limit=2.0)
    assert found == [(0, 0.5, "answered"), (1, 0.1, "fault: KeyError: x")]
    assert seen == end


def test_the_table_counts_every_case_once() -> None:
    ends = ["answered", "refused", "crash", "hang", "fault: KeyError: a:b"]
    rows = table([(i, 0.1 * i, ends[i % 5]) for i in range(70)])
    assert [row[0] for row in rows] == [*KINDS, "all"]
    assert all(len(row) == len(COLUMNS) and sum(row[2:7]) == row[1] for row in rows)
    assert rows[-1] == ["all", 70, 14, 14, 14, 14, 14, 6.9]
    assert set(TURNS) == set(KINDS)


def test_each_kind_runs_without_a_fault(cases) -> None:
    for number in range(2 * len(TURNS)):
        assert cases.run(number) in ("answered", "refused"), (kind_of(number), number)


def test_a_status_that_is_not_known_is_a_fault(cases, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz_cases.RANKED", 1.0)
    monkeypatch.setattr("benchmarks.fuzz_cases.STATUSES", {"ok"})
    became = [cases.run(number) for number in range(len(TURNS)) if kind_of(number) in (".smi", "reinvent")]
    assert any("is not known" in text for text in became)


def test_a_fault_in_what_is_fuzzed_is_seen(cases, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz_cases.read", lambda path: iter([1 / 0]))
    monkeypatch.setattr(cases.client, "request", lambda *_, **__: 1 / 0)
    faults = {
        kind_of(number) for number in range(len(TURNS)) if cases.run(number).startswith("fault: ZeroDivisionError")
    }
    assert faults == set(KINDS) - {"reinvent"}


def test_the_same_number_is_the_same_damage_and_another_is_not() -> None:
    whole = bytes(range(200))
    one, two = (damaged(whole, np.random.default_rng(seed)) for seed in (1, 1))
    assert one == two != whole
    assert len({damaged(whole, np.random.default_rng(seed)) for seed in range(50)}) > 45
    value = {"molecules": ["CCO", {"numbers": [6], "positions": [[0, 0, 0]]}]}
    assert spoilt(value, np.random.default_rng(0), share=0.0) == value
    assert spoilt(value, np.random.default_rng(0), share=1.0) != value
