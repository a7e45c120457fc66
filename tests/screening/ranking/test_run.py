"""Rows in, rows out, whatever happens on the way: the folder of parts leaves no trace in the result."""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from molscore import rank
from molscore.errors import InputError, OutputError
from molscore.molecules.files import read
from molscore.screening.rank import run as ranking
from molscore.screening.rank.parts import PartFolder
from molscore.screening.rank.run import Plan, Progress, run
from tests.screening.ranking.conftest import PART_ROWS, PROVENANCE, ROWS


def result(job, path: Path, **options) -> bytes:
    """Bytes of what a run writes."""
    run(job, Plan(str(path), workers=1, **options), PROVENANCE)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "sort"), [(".csv", False), (".sdf", True), (".parquet", True), (".xyz", False), (".csv.gz", True)]
)
def test_the_result_is_that_of_a_ranking_in_memory(job, tmp_path, monkeypatch, suffix, sort) -> None:
    made = job(".sdf" if suffix == ".sdf" else ".parquet")
    monkeypatch.setattr("molscore.screening.rank.frame.CHUNK_ROWS", PART_ROWS)
    frame = rank(made.scorer.model, made.path, sort=sort)
    result(made, tmp_path / f"out{suffix}", sort=sort)
    assert not list(tmp_path.glob("*.parts"))
    records = list(read(tmp_path / f"out{suffix}"))
    assert len(records) == ROWS == len(frame)
    for name in ("name", "status", "error", "input_status", "reference"):
        assert [r.columns.get(name) or "" for r in records] == frame[name].fillna("").tolist()
    for name in ("log_likelihood", "percentile", "n_atoms"):
        found = [float(text) if (text := r.columns.get(name)) not in ("", None) else np.nan for r in records]
        assert np.array_equal(found, frame[name].to_numpy(dtype=float), equal_nan=True)
    statuses = frame["status"].tolist()
    assert statuses.count("unparsable") == 6 and statuses.count("duplicate") > 10


def killed(job, path: Path, parts: int) -> None:
    """Run in a process of its own that is killed by SIGKILL when so many parts are there."""
    pid = os.fork()
    if pid == 0:
        slow = ranking.part_of
        ranking.part_of = lambda *a: (time.sleep(0.02), slow(*a))[1]
        try:
            run(job, Plan(str(path), workers=1), PROVENANCE)
        finally:
            os._exit(0)
    folder = Path(f"{path}.parts")
    while len(list(folder.glob("part-*"))) < parts:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert not path.exists()


def test_killed_and_resumed_is_as_never_killed(job, tmp_path, monkeypatch) -> None:
    made, path = job(), tmp_path / "out.csv"
    whole = result(made, tmp_path / "whole.csv")
    judged: list[int] = []
    judge = ranking.part_of
    for moment in (1, 3):
        killed(made, path, moment)
        with pytest.raises(InputError, match="--resume"):
            run(made, Plan(str(path)), PROVENANCE)
        judged.clear()
        with monkeypatch.context() as patch:
            patch.setattr(ranking, "part_of", lambda chunk, *rest: judged.append(chunk.number) or judge(chunk, *rest))
            assert result(made, path, resume=True) == whole
        assert 0 < len(judged) <= 6 - moment and 0 not in judged
        assert not Path(f"{path}.parts").exists()
        path.unlink()


def test_a_run_that_could_not_write_its_result_need_not_judge_again(job, tmp_path, monkeypatch) -> None:
    made, path = job(), tmp_path / "out.csv"
    whole = result(made, tmp_path / "whole.csv")

    def full(*_: object) -> None:
        raise OutputError("out.csv: cannot be written (no space left on device)")

    monkeypatch.setitem(run.__globals__, "write", full)
    with pytest.raises(OutputError, match="no space"):
        result(made, path)
    monkeypatch.undo()
    monkeypatch.setattr(ranking, "part_of", lambda *_: pytest.fail("judged what had been judged"))
    assert result(made, path, resume=True) == whole


def test_a_damaged_part_is_made_again(job, tmp_path) -> None:
    made, kept = job(), tmp_path / "parts"
    kept.mkdir()
    run(made, Plan(str(kept)), PROVENANCE)
    files = sorted(kept.glob("part-*"))
    before = [file.read_bytes() for file in files]
    flipped = bytearray(before[1])
    flipped[len(flipped) // 3] ^= 0xFF
    for file, content in zip(files, (before[0][:-40], bytes(flipped), before[3], b""), strict=False):
        file.write_bytes(content)
    run(made, Plan(str(kept), resume=True), PROVENANCE)
    assert [file.read_bytes() for file in files] == before


def test_a_full_disk_is_one_clear_line(job, tmp_path) -> None:
    made, before = job(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        with pytest.raises(OutputError, match=r"part-00000000\.parquet: cannot be written \(.*file too large"):
            run(made, Plan(str(tmp_path / "out.csv")), PROVENANCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in (tmp_path / "out.csv.parts").iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("output", ["out.pdf", "gone/out.csv", "file/out.csv", "file/", "gone/out/", "taken.csv"])
def test_outputs_that_cannot_be_are_named(job, tmp_path, output) -> None:
    for name in ("file", "taken.csv.parts"):
        (tmp_path / name).touch()
    with pytest.raises((InputError, OutputError), match=output.split("/")[0]):
        run(job(), Plan(f"{tmp_path}/{output}"), PROVENANCE)


def test_what_is_expected_of_a_run() -> None:
    """From the row count, less what was done before, or from the share of the file that has been read."""
    with Progress(False, total=100) as bar:
        bar.advance(20, True)
        assert bar.expected() == 100
        bar.advance(30, False)  # done before: not ours to wait for
        assert bar.expected() == 70
    with Progress(False, total=1000, of=4) as bar:
        bar.advance(100, True)
        assert bar.expected() == pytest.approx(325)  # a share of the rows is a share of the work
    read = 0.0
    with Progress(False, share=lambda: read) as bar:
        assert bar.expected() is None
        for rows, read in ((100, 0.1), (300, 0.4)):  # noqa: B007
            bar.advance(rows, True)
            assert bar.expected() == 1000


def test_an_input_that_ends_early_leaves_what_was_done(job, tmp_path) -> None:
    made = job(".csv.gz")
    content = Path(made.path).read_bytes()
    Path(made.path).write_bytes(content[:-30])
    with pytest.raises(InputError, match=r"library\.csv\.gz: cannot be read"):
        run(made, Plan(f"{tmp_path}/kept/"), PROVENANCE)
    assert PartFolder(tmp_path / "kept", job(".csv.gz").manifest(PROVENANCE), resume=True).done()
