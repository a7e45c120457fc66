"""The library of the ranking benchmark is as broken as it says, and what a ranking loses is seen."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.ranking import BREAKS, broken_library, lost, watched
from molscore.molecules.files import read
from tests import tiny


def test_the_broken_rows_are_broken_and_no_others(tmp_path) -> None:
    pq.write_table(pa.table({"SMILES": list(tiny.LIBRARY) * 8}), tmp_path / "in.parquet")
    ways = broken_library(tmp_path / "in.parquet", 200, tmp_path / "out.parquet", share=0.1)
    records = list(read(tmp_path / "out.parquet"))
    assert [record.ok for record in records] == [way is None for way in ways]
    assert {way for way in ways if way} == set(BREAKS) and sum(map(bool, ways)) == 20
    assert [record.columns["id"] for record in records] == list(range(200))
    assert broken_library(tmp_path / "in.parquet", 200, tmp_path / "again.parquet", share=0.1) == ways


def test_what_is_lost_is_counted(tmp_path) -> None:
    ways = [None, "empty", None, "dummy atom"]

    def counted(ids: list[int], statuses: list[str | None]) -> int:
        pq.write_table(pa.table({"id": ids, "status": statuses}), tmp_path / "a.parquet")
        return lost(tmp_path / "a.parquet", ways)

    fine = ["ok", "unparsable", "too_large", "pattern"]
    assert counted([0, 1, 2, 3], fine) == 0
    assert counted([0, 2, 1, 3], fine) == 2
    assert counted([0, 1, 2], fine[:3]) == 1
    assert counted([0, 1, 2, 3], ["ok", "ok", "too_large", "pattern"]) == 1
    assert counted([0, 1, 2, 3], ["ok", "unparsable", None, "pattern"]) == 1


def test_a_run_is_watched() -> None:
    program = "import time; x = b'x' * ({} << 20); time.sleep(0.5)"
    small, large = (watched([sys.executable, "-c", program.format(n)]).peak_mib for n in (1, 200))
    assert 150 < large - small < 250
    with pytest.raises(SystemExit, match="exit code 3"):
        watched([sys.executable, "-c", "raise SystemExit(3)"])
