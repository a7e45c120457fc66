"""The command `molscore`, with a clock on each stage of a ranking: `ranking_stages.py TIMES.json rank LIBRARY ...`."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks.ranking_library import peak_mib
from molscore.cli import main as program
from molscore.molecules.conformer_pool import ConformerPool
from molscore.screening import scorer
from molscore.screening.library import here, run
from molscore.screening.library.folder import PartFolder
from molscore.screening.library.job import Job

__all__ = ["clocked"]

SECONDS: Counter[str] = Counter()


def clocked(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time added to that of the stage."""

    @wraps(function)
    def measured(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            SECONDS[stage] += time.perf_counter() - started

    return measured


def _reading(chunks: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The generator of chunks, its time that of reading."""

    def measured(*arguments: Any) -> Iterator[Any]:
        found = chunks(*arguments)
        step = clocked("read", lambda: next(found, None))
        while (chunk := step()) is not None:
            yield chunk._replace(rows=[clocked("read", make) for make in chunk.rows])

    return measured


def _install() -> None:
    """Put the clocks in place."""
    scorer.triage = clocked("parse", scorer.triage)
    scorer.Scorer._judged = clocked("model", scorer.Scorer._judged)
    scorer.Scorer.embed_here = clocked("conformers", scorer.Scorer.embed_here)
    ConformerPool.embed = clocked("conformers", ConformerPool.embed)
    PartFolder.save = clocked("write parts", PartFolder.save)
    PartFolder.finish = clocked("write parts", PartFolder.finish)
    Job.identity.func = clocked("read", Job.identity.func)
    here.chunks_of = _reading(here.chunks_of)
    run.__globals__["write"] = clocked("merge", run.__globals__["write"])
    run.__globals__["Merge"].__enter__ = clocked("merge", run.__globals__["Merge"].__enter__)


if __name__ == "__main__":
    _install()
    started = time.perf_counter()
    try:
        program(sys.argv[2:])
    finally:
        SECONDS["inside"] = time.perf_counter() - started
        Path(sys.argv[1]).write_text(json.dumps({"peak_mib": peak_mib(), **SECONDS}))
