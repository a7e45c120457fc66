"""What rankings are measured on: a library of real SMILES of which some rows are broken, and a run that is watched."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

__all__ = ["BREAKS", "Run", "broken_library", "lost", "watched"]

MIB = 2**20
#: Ways to break a SMILES string; none of the results is a molecule.
BREAKS = {
    "cut short": lambda smiles: smiles[: max(1, len(smiles) // 2)] + "(",
    "open ring": lambda smiles: smiles + "%97",
    "too many bonds": lambda smiles: "CC(C)(C)(C)C." + smiles,
    "not SMILES": lambda smiles: "lemon " + smiles,
    "no element": lambda smiles: smiles + "[Zz]",
    "dummy atom": lambda smiles: smiles + "*" if smiles[-1].isalpha() else "*" + smiles,
    "empty": lambda smiles: "",
    "missing": lambda smiles: None,
    "control character": lambda smiles: smiles[:2] + "\x01" + smiles[2:],
    "endless": lambda smiles: "C" * 20_000,
}


class Run(NamedTuple):
    """What a run of the program took."""

    seconds: float
    peak_mib: float
    """Largest resident memory of the process itself."""
    workers_mib: float
    """Largest sum over its worker processes."""
    shares: dict[str, float]
    """Seconds of each stage."""


def broken_library(source: Path, n: int, path: Path, share: float = 0.05, seed: int = 0) -> list[str | None]:
    """Write n rows from all through `source` as Parquet with an ``id``; how each row is broken, None if it is not."""
    table = pq.ParquetFile(source) if source.suffix == ".parquet" else None
    frame = table.read() if table else pa.csv.read_csv(source)
    name = next(name for name in frame.column_names if name.lower() == "smiles")
    rows = np.linspace(0, len(frame) - 1, n).astype(np.int64)
    smiles = frame[name].take(pa.array(rows)).to_pylist()
    rng = np.random.default_rng(seed)
    ways: list[str | None] = [None] * n
    kinds = list(BREAKS)
    for i, row in enumerate(rng.choice(n, round(share * n), replace=False).tolist()):
        ways[row] = kinds[i % len(kinds)]
        smiles[row] = BREAKS[ways[row]](smiles[row])
    pq.write_table(pa.table({"smiles": smiles, "id": np.arange(n)}), path)
    return ways


def lost(output: Path, ways: list[str | None]) -> int:
    """Rows that are not in their place, have no status, or are broken and pass for whole."""
    found, start = 0, 0
    for batch in pq.ParquetFile(output).iter_batches(50_000, columns=["id", "status"]):
        for i, (number, status) in enumerate(zip(*(column.to_pylist() for column in batch.columns), strict=True)):
            row = start + i
            found += number != row or not status or (ways[row] is not None and status in ("ok", "duplicate"))
        start += len(batch)
    return found + abs(len(ways) - start)


def watched(arguments: list[str], environment: dict[str, str] | None = None) -> Run:
    """Run ``molscore`` with these arguments in a process of its own; memory is that of the whole family."""
    stages = Path(f"{arguments[-1]}.stages.json")
    command = [sys.executable, "-m", "benchmarks.ranking_stages", str(stages), *arguments]
    started, workers = time.perf_counter(), 0
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        workers = max(workers, sum(_resident(child) for child in _children(process.pid)))
        time.sleep(0.2)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}\n{process.stderr.read()}")
    found = json.loads(stages.read_text())
    stages.unlink()
    return Run(seconds, found.pop("peak_mib"), workers / MIB, found)


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
