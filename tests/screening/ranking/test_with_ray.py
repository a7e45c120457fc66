"""Ray Data gives the rows that one process gives."""

from pathlib import Path

import pytest

from molscore.errors import InputError
from molscore.screening.rank.merge import merged
from molscore.screening.rank.parts import Shard
from molscore.screening.rank.ray import _cause, judge_with_ray
from molscore.screening.rank.run import Job, Plan, run
from tests.screening.ranking.conftest import PROVENANCE


def test_ray_gives_the_bytes_of_one_process(job, tmp_path, monkeypatch) -> None:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    # scorers run in processes that know the package, not this folder of tests
    made = job()
    run(made, Plan(str(tmp_path / "here.csv")), PROVENANCE)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        run(made, Plan(f"{tmp_path}/parts/", shard=Shard(1, 2)), PROVENANCE)
        run(made, Plan(f"{tmp_path}/parts/", shard=Shard(2, 2), engine=judge_with_ray), PROVENANCE)
    finally:
        ray.shutdown()
    merged([tmp_path / "parts"], str(tmp_path / "merged.csv"))
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_an_error_of_ours_comes_through_what_ray_wraps_it_in() -> None:
    ours, wrapped, outer = InputError("library.csv: damaged"), RuntimeError("user code"), RuntimeError("task\ntrace")
    wrapped.__cause__, outer.cause = ours, wrapped
    assert _cause(outer) is ours
    assert str(_cause(RuntimeError("lost\nworker"))) == "Ray cannot go on (lost)"


def test_standard_input_cannot_be_shared_out(job, tmp_path) -> None:
    pytest.importorskip("ray")
    made = Job(job().scorer, "-")
    with pytest.raises(InputError, match="standard input"):
        run(made, Plan(str(tmp_path / "out.csv"), engine=judge_with_ray), PROVENANCE)


def test_without_ray_the_extra_is_named(job, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"molscore-discoformer\[ray\]"):
        run(job(), Plan(str(tmp_path / "out.csv"), engine=judge_with_ray), PROVENANCE)
    assert not Path(tmp_path / "out.csv.parts").exists()
