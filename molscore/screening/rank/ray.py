"""The parts of a job by Ray Data, over many machines, which give the bytes of one process.

Ray maps the scorer over shares of the parts; its machines need to see the input under the same path, parts come back to
the one that started the job. The address of a cluster is taken from ``RAY_ADDRESS``; without it, Ray runs on this
machine alone.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from molscore.errors import InputError, MolscoreError
from molscore.molecules.workers import cores
from molscore.screening.rank.parts import PartFolder, Shard
from molscore.screening.rank.run import Extent, Job, Progress, chunks_of, part_of

__all__ = ["judge_with_ray"]

_SHARES_A_WORKER = 4  # so that a worker that is done early finds more to do


def judge_with_ray(job: Job, folder: PartFolder, workers: int | None, progress: bool) -> Extent:
    """Make the parts of the folder's share that are not there, on `workers` processes: one a core unless given."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError('the engine ray needs the ray package: pip install "molscore-discoformer[ray]"') from None
    if job.path == "-":
        raise InputError("standard input is read by one process: give the engine ray a file")
    job = replace(job, path=str(Path(job.path).resolve()))
    rows = sum(1 for _ in job.scan().rows)
    if not rows:
        raise InputError(f"{job.path} holds no molecules")
    extent = Extent(rows, -(-rows // job.part_rows))
    done = folder.done()
    wanted = frozenset(number for number in range(extent.parts) if folder.shard.owns(number) and number not in done)
    started = bool(wanted) and not ray.is_initialized()
    if started:
        _start(ray, workers)
    try:
        with Progress(progress, len(wanted) * job.part_rows) as bar:
            for number, table in _mapped(ray, job, wanted, workers):
                folder.save(number, table)
                bar.advance(len(table), True)
    finally:
        if started:
            ray.shutdown()
    return extent


class _Worker:
    """A scorer in a process of Ray's: the number of a share in, its parts out, one by one."""

    def __init__(self, job: Job, shares: int, wanted: frozenset[int]) -> None:
        self.job, self.shares, self.wanted = job, shares, wanted

    def __call__(self, batch: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
        for index in batch["id"].tolist():
            share = Shard(index + 1, self.shares)
            with self.job.scorer.embedding(1) as embed:
                for chunk in chunks_of(self.job.scan(), self.job.part_rows):
                    if share.owns(chunk.number) and chunk.number in self.wanted:
                        yield _packed(chunk.number, part_of(chunk, self.job, embed))


def _mapped(ray: Any, job: Job, wanted: frozenset[int], workers: int | None) -> Iterator[tuple[int, pa.Table]]:
    """The parts, as they come."""
    if not wanted:
        return
    size = min(len(wanted), workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
    shares = min(max(wanted) + 1, _SHARES_A_WORKER * size)
    ray.data.DataContext.get_current().enable_progress_bars = False
    # a block for each share, made here: tasks that read would wait for a core that the scorers hold
    listed = ray.data.from_arrow([pa.table({"id": [index]}) for index in range(shares)])
    mapped = listed.map_batches(
        _Worker,
        fn_constructor_args=(job, shares, wanted),
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=size),
    )
    try:
        for row in mapped.iter_rows():
            yield int(row["number"]), _unpacked(row["table"])
    except ray.exceptions.RayError as error:
        raise _cause(error) from None


def _start(ray: Any, workers: int | None) -> None:
    """A cluster's driver, or Ray on this machine, without its log."""
    local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers or cores(), "include_dashboard": False}
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **local)
    except Exception as error:  # Ray raises bare ones
        raise InputError(f"Ray cannot be started ({_first_line(error)})") from None


def _cause(error: BaseException | None) -> MolscoreError:
    """What went wrong in a worker: our own error where there is one."""
    told = InputError(f"Ray cannot go on ({_first_line(error)})")
    while error is not None:
        if isinstance(error, MolscoreError):
            return error
        error = getattr(error, "cause", None) or error.__cause__
    return told


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _packed(number: int, table: pa.Table) -> dict[str, Any]:
    """A part as a row of bytes, which Ray passes on as they are."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {"number": np.array([number]), "table": np.array([sink.getvalue().to_pybytes()], dtype=object)}


def _unpacked(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
