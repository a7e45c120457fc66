"""A folder of parts: whose it is, what is there, what is missing."""

from dataclasses import replace

import pyarrow as pa
import pytest

from molscore.errors import InputError
from molscore.screening.rank.folder import PartFolder, complete_parts, read_manifest
from molscore.screening.rank.job import Shard
from tests.screening.ranking.conftest import PROVENANCE

TABLE = pa.table({"molscore_row": [0, 1], "status": ["ok", "ok"]})


def test_nothing_is_made_before_there_is_something_to_keep(job, tmp_path) -> None:
    folder = PartFolder(tmp_path / "parts", job(), PROVENANCE)
    assert not folder.path.exists() and folder.done() == set() and read_manifest(folder.path) is None
    folder.save(0, TABLE)
    assert folder.done() == {0} and read_manifest(folder.path)["provenance"] == PROVENANCE


def test_a_share_sees_its_own_parts(job, tmp_path) -> None:
    for index in (1, 2):
        folder = PartFolder(tmp_path / "parts", job(), PROVENANCE, shard=Shard(index, 2))
        folder.save(index - 1, TABLE)
        folder.save(index + 1, TABLE)
        (folder.path / "part-strange.parquet").touch()
        assert folder.done() == {index - 1, index + 1}


def test_parts_of_another_job_are_not_taken_over(job, tmp_path) -> None:
    folder = PartFolder(tmp_path / "parts", job(), PROVENANCE)
    folder.save(0, TABLE)
    with pytest.raises(InputError, match="seed was 0 and is 7"):
        PartFolder(folder.path, replace(job(), scorer=replace(job().scorer, seed=7)), PROVENANCE, resume=True)
    (folder.path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read"):
        PartFolder(folder.path, job(), PROVENANCE, resume=True)
    (folder.path / "manifest.json").unlink()
    with pytest.raises(InputError, match="unknown job"):
        PartFolder(folder.path, job(), PROVENANCE, resume=True)


def test_parts_are_gathered_from_several_folders(job, tmp_path) -> None:
    for index in (1, 2):
        folder = PartFolder(tmp_path / f"disk{index}", job(), PROVENANCE, shard=Shard(index, 2))
        folder.save(index - 1, TABLE)
        folder.finish(rows=4, parts=2)
    folders = [tmp_path / "disk2", tmp_path / "disk1"]
    assert [path.parent.name for path in complete_parts(folders)] == ["disk1", "disk2"]
    with pytest.raises(InputError, match="1 of 2 parts of 4 rows are missing, those of shard 1/2"):
        complete_parts(folders[:1])
    with pytest.raises(InputError, match="no shard has finished"):
        complete_parts([tmp_path])
