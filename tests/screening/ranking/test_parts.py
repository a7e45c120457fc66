"""A part gives back the rows that went in; a folder of parts: whose it is, what is there, what is missing."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from molscore.errors import InputError
from molscore.molecules.files.record import Record
from molscore.screening.rank.parts import (
    HIDDEN,
    PartFolder,
    Shard,
    complete_parts,
    is_whole,
    read_manifest,
    read_part,
    rows_of,
    table_of,
    write_part,
)
from molscore.screening.scorer import Result
from tests import tiny
from tests.screening.ranking.conftest import PROVENANCE

OURS = {"status": "ok", "geometry": "given", "log_likelihood": -1.25, "percentile": None, "n_atoms": 3, "error": ""}
AWKWARD = {"id": "007", "text": 'a "b",\r\n;ø', "status": "old", "input_status": "", "molscore_x": "y", "numbers": "1"}


def scored(row: int, columns: dict, molecule=None, given=True) -> Result:
    return Result(Record(row, molecule if given else None, None, columns), molecule, OURS, f"{row:032x}")


def test_rows_come_back(tmp_path) -> None:
    water = tiny.geometries()[0]
    judged = [scored(0, AWKWARD, water), scored(1, {"late": "z"}), scored(2, AWKWARD, water, given=False)]
    table = table_of(judged, start=10)
    write_part(tmp_path / "a.parquet", table, {"part": 0}, {"model": "tiny"})
    back = read_part(tmp_path / "a.parquet")
    assert back["molscore_row"].to_pylist() == [10, 11, 12]
    rows = list(rows_of(back, optional=True))
    renamed = {"status": "input_status", "input_status": "input_input_status", "molscore_x": "input_molscore_x"}
    assert rows[0][1] == {renamed.get(name, name): value for name, value in AWKWARD.items()} | OURS
    assert rows[1][1] == {"late": "z"} | OURS
    assert list(rows[1][1])[0] == "late" and list(rows_of(back))[1][1]["id"] is None
    np.testing.assert_array_equal(rows[0][0].positions, water.positions)
    assert [molecule is None for molecule, *_ in rows] == [False, True, True]
    kinds = zip(judged, ("given", None, "etkdg"), strict=True)
    kept = table_of([row._replace(columns=OURS | {"geometry": kind}) for row, kind in kinds], 0, shapes=True)
    assert [m is None for m, *_ in rows_of(kept)] == [False, True, False]
    assert [m is None for m, *_ in rows_of(kept, shapes=False)] == [False, True, True]
    assert not set(HIDDEN) & set(rows[0][1])


def test_types_of_the_input_are_kept() -> None:
    types = {"price": pa.float32(), "count": pa.int16(), "tags": pa.list_(pa.string())}
    rows = [{"price": 0.5, "count": 3, "tags": ["a"]}, {"price": None, "count": None, "tags": None}]
    table = table_of([scored(i, columns) for i, columns in enumerate(rows)], 0, types)
    assert {name: table.schema.field(name).type for name in types} == types
    nothing = table_of([scored(0, rows[1])], 0, types)
    assert nothing.schema.equals(table.schema)


def test_a_part_is_whole_or_it_is_not(tmp_path) -> None:
    path, note = tmp_path / "a.parquet", {"job": "x", "part": 3}
    write_part(path, table_of([scored(i, AWKWARD) for i in range(50)], 0), note, {})
    assert is_whole(path, note)
    assert not is_whole(path, note | {"job": "y"}) and not is_whole(tmp_path / "b.parquet", note)
    content = path.read_bytes()
    for broken in (content[:-1], content[: len(content) // 2], b"", content[:200] + b"\0\0\0\0" + content[204:]):
        path.write_bytes(broken)
        assert not is_whole(path, note)


TABLE = pa.table({"molscore_row": [0, 1], "status": ["ok", "ok"]})


def test_nothing_is_made_before_there_is_something_to_keep(job, tmp_path) -> None:
    folder = PartFolder(tmp_path / "parts", job().manifest(PROVENANCE))
    assert not folder.path.exists() and folder.done() == set() and read_manifest(folder.path) is None
    folder.save(0, TABLE)
    assert folder.done() == {0} and read_manifest(folder.path)["provenance"] == PROVENANCE


def test_parts_of_another_job_are_not_taken_over(job, tmp_path) -> None:
    folder = PartFolder(tmp_path / "parts", job().manifest(PROVENANCE))
    folder.save(0, TABLE)
    with pytest.raises(InputError, match="seed was 0 and is 7"):
        PartFolder(folder.path, replace(job(), scorer=replace(job().scorer, seed=7)).manifest(PROVENANCE), resume=True)
    (folder.path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read"):
        PartFolder(folder.path, job().manifest(PROVENANCE), resume=True)
    (folder.path / "manifest.json").unlink()
    with pytest.raises(InputError, match="unknown job"):
        PartFolder(folder.path, job().manifest(PROVENANCE), resume=True)


def test_parts_are_gathered_from_several_folders(job, tmp_path) -> None:
    for index in (1, 2):
        folder = PartFolder(tmp_path / f"disk{index}", job().manifest(PROVENANCE), shard=Shard(index, 2))
        folder.save(index - 1, TABLE)
        folder.save(2 - index, TABLE)  # the other's
        (folder.path / "part-strange.parquet").touch()
        assert folder.done() == {index - 1}, "a share sees its own parts"
        (folder.path / f"part-{2 - index:08d}.parquet").unlink()
        folder.finish(rows=4, parts=2)
    folders = [tmp_path / "disk2", tmp_path / "disk1"]
    assert [path.parent.name for path in complete_parts(folders)] == ["disk1", "disk2"]
    with pytest.raises(InputError, match="1 of 2 parts of 4 rows are missing, those of shard 1/2"):
        complete_parts(folders[:1])
    with pytest.raises(InputError, match="no shard has finished"):
        complete_parts([tmp_path])
