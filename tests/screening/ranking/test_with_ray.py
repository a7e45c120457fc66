"""Ray Data gives the rows that one process gives."""

import pickle  # what Ray does with a worker
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from molscore.errors import InputError
from molscore.screening.rank import ray as engine
from molscore.screening.rank.merge import merged
from molscore.screening.rank.parts import Shard
from molscore.screening.rank.run import Job, Plan, run
from tests.screening.ranking.conftest import PROVENANCE


def ranked_in_shares(made: Job, tmp_path: Path) -> bytes:
    """Bytes of a ranking of which Ray makes every other part."""
    run(made, Plan(f"{tmp_path}/parts/", shard=Shard(1, 2)), PROVENANCE)
    run(made, Plan(f"{tmp_path}/parts/", shard=Shard(2, 2), engine=engine.judge_with_ray), PROVENANCE)
    merged([tmp_path / "parts"], str(tmp_path / "merged.csv"))
    return (tmp_path / "merged.csv").read_bytes()


@pytest.fixture
def stub(monkeypatch) -> None:
    """Something in the place of Ray, which takes long to import and longer to start."""
    ray = ModuleType("ray")
    ray.is_initialized, ray.data = (lambda: True), ModuleType("ray.data")
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", ray.data)


def test_what_ray_maps_gives_the_bytes_of_one_process(job, stub, tmp_path, monkeypatch) -> None:
    """Workers that have been pickled take three shares, here one after the other; Ray itself is the slow test's."""

    def mapped(ray: object, job: Job, wanted: frozenset[int], workers: int | None) -> Iterator[tuple]:
        worker = pickle.loads(pickle.dumps(engine._Worker(job, 3, wanted)))
        for row in worker({"id": np.arange(3)}):
            yield int(row["number"][0]), engine._unpacked(row["table"][0])

    run(job(), Plan(str(tmp_path / "here.csv")), PROVENANCE)
    monkeypatch.setattr(engine, "_mapped", mapped)
    assert ranked_in_shares(job(), tmp_path) == (tmp_path / "here.csv").read_bytes()


@pytest.mark.slow
def test_ray_gives_the_bytes_of_one_process(job, tmp_path, monkeypatch) -> None:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    run(job(), Plan(str(tmp_path / "here.csv")), PROVENANCE)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        assert ranked_in_shares(job(), tmp_path) == (tmp_path / "here.csv").read_bytes()
    finally:
        ray.shutdown()


def test_an_error_of_ours_comes_through_what_ray_wraps_it_in() -> None:
    ours, wrapped, outer = InputError("library.csv: damaged"), RuntimeError("user code"), RuntimeError("task\ntrace")
    wrapped.__cause__, outer.cause = ours, wrapped
    assert engine._cause(outer) is ours
    assert str(engine._cause(RuntimeError("lost\nworker"))) == "Ray cannot go on (lost)"


def test_standard_input_cannot_be_shared_out(job, stub, tmp_path) -> None:
    made = Job(job().scorer, "-")
    with pytest.raises(InputError, match="standard input"):
        run(made, Plan(str(tmp_path / "out.csv"), engine=engine.judge_with_ray), PROVENANCE)


def test_without_ray_the_extra_is_named(job, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"molscore-discoformer\[ray\]"):
        run(job(), Plan(str(tmp_path / "out.csv"), engine=engine.judge_with_ray), PROVENANCE)
    assert not Path(tmp_path / "out.csv.parts").exists()
