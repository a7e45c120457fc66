"""Many parts as one table: who comes first, who is a duplicate of whom."""

import numpy as np
import pyarrow as pa
import pytest

from molscore.errors import InputError
from molscore.screening.rank.merge import Merge
from molscore.screening.rank.parts import read_part, write_part

ROWS = 500


@pytest.fixture
def parts(tmp_path, rng):
    """Parts of 70 rows in a folder with a difficult name, and all rows as one table."""
    folder = tmp_path / "it's [a] folder*"
    folder.mkdir()
    ok = rng.random(ROWS) < 0.7
    values = np.round(rng.normal(size=ROWS), 1)
    table = pa.table({
        "molscore_row": np.arange(ROWS),
        "molscore_key": [f"{key:032x}" if key else None for key in rng.integers(0, 60, ROWS)],
        "molscore_label": [f"r{i}" if i % 5 else "" for i in range(ROWS)],
        "molscore_lacking": [False] * ROWS,
        "id": [f"r{i}" for i in range(ROWS)],
        "status": np.where(ok, np.where(rng.random(ROWS) < 0.2, "outside", "ok"), "no_conformer"),
        "log_likelihood": pa.array(np.round(rng.normal(size=ROWS), 1), mask=~ok),
        "percentile": pa.array(values, mask=~ok),  # of rows outside, too, as other numbers are
        "resolution": np.full(ROWS, 0.05),
        "error": [""] * ROWS,
    })  # fmt: skip
    paths = []
    for start in range(0, ROWS, 70):
        paths.append(folder / f"part-{start // 70:08d}.parquet")
        write_part(paths[-1], table.slice(start, 70), {}, {})
    return paths, table


def first_rows(table: pa.Table) -> dict[int, int]:
    """The first row with the molecule of each duplicate, by definition."""
    first: dict[str, int] = {}
    found = {}
    for row in table.to_pylist():
        if row["status"] in ("ok", "outside") and row["molscore_key"]:
            known = first.setdefault(row["molscore_key"], row["molscore_row"])
            if known != row["molscore_row"]:
                found[row["molscore_row"]] = known
    return found


def test_duplicates_are_found_across_parts(parts) -> None:
    paths, table = parts
    with Merge(paths) as merge:
        merged = pa.concat_tables(merge.in_order())
        assert merge.n_rows == len(merged) == ROWS
    expected = first_rows(table)
    assert any(row // 70 != first // 70 for row, first in expected.items())
    for before, after in zip(table.to_pylist(), merged.to_pylist(), strict=True):
        if before["molscore_row"] in expected:
            row = expected[before["molscore_row"]]
            named = f"same molecule as row {row + 1}" + (f", r{row}" if row % 5 else "")
            assert after == before | {"status": "duplicate", "error": named}
        else:
            assert after == before
    for path, start in zip(paths, range(0, ROWS, 70), strict=True):
        write_part(path, merged.slice(start, 70), {}, {})
    with Merge(paths) as merge:
        assert pa.concat_tables(merge.in_order()).to_pylist() == merged.to_pylist(), "marking twice changes nothing"
        again = pa.concat_tables(merge.sorted("percentile")).to_pylist()
        best = pa.concat_tables(merge.best("percentile", ROWS)).to_pylist()
    with Merge([table]) as merge:
        assert again == pa.concat_tables(merge.sorted("percentile")).to_pylist(), "nor does it change the order"
        assert best == pa.concat_tables(merge.best("percentile", ROWS)).to_pylist()


def test_the_order_is_value_then_likelihood_then_row(parts) -> None:
    paths, table = parts
    twice = first_rows(table)

    def key(row: dict) -> tuple:
        group = 2 if row["percentile"] is None else int(row["molscore_row"] in twice)
        return (group, -(row["percentile"] or 0), -(row["log_likelihood"] or 0), row["molscore_row"])

    expected = [row["id"] for row in sorted(table.to_pylist(), key=key)]
    with Merge(paths) as merge:
        ordered = pa.concat_tables(merge.sorted("percentile"))
        best = pa.concat_tables(merge.best("percentile", 17))
        every = sum(map(len, merge.best("percentile", 10**6)))
    assert ordered["id"].to_pylist() == expected
    assert best["id"].to_pylist() == expected[:17]
    assert set(best["status"].to_pylist()) == {"ok", "outside"}
    judged = len(table) - table["status"].to_pylist().count("no_conformer")
    assert every == judged - len(twice), "more than there are is all there are"
    assert len(set(best["molscore_key"].drop_null().to_pylist())) + best["molscore_key"].null_count == 17


def test_tables_in_memory_are_merged_as_files_are(parts) -> None:
    paths, table = parts
    with Merge(paths) as files, Merge([table.slice(start, 70) for start in range(0, ROWS, 70)]) as memory:
        for order in (Merge.in_order, lambda merge: merge.sorted("percentile")):
            found = [pa.concat_tables(order(merge)).to_pylist() for merge in (files, memory)]
            assert found[0] == found[1]


def test_a_column_without_numbers_is_no_order(parts) -> None:
    with Merge(parts[0]) as merge:
        merge.require("percentile")
        for name in ("id", "beauty", 'a" DESC; DROP TABLE repeated; --'):
            with pytest.raises(InputError, match="they have log_likelihood, percentile"):
                merge.require(name)


def test_a_part_that_is_damaged_is_named(parts) -> None:
    paths, _ = parts
    content = bytearray(paths[2].read_bytes())
    content[len(content) // 4] ^= 0xFF
    paths[2].write_bytes(content)
    with pytest.raises(InputError, match="part-00000002"):
        read_part(paths[2])
