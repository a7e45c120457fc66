"""Is a library ranked in bounded memory, with nothing lost, whoever kills it and whatever engine ranks it?"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import torch

from benchmarks.record import RESULTS, record, usable_cores
from molscore.molecules.files import read, write
from molscore.screening.model import load

__all__ = ["BREAKS", "Run", "broken_library", "lost", "watched"]

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
Row = list[str | int | float | bool | None]
Answer = tuple[list[str], list[Row], str]  # columns, rows, note


class Run(NamedTuple):
    """What a run of the program took."""

    seconds: float
    peak_mib: float  # largest resident memory of the process itself
    workers_mib: float  # largest sum over its worker processes


def broken_library(source: Path, n: int, path: Path, share: float = 0.05, seed: int = 0) -> list[str | None]:
    """Write n rows from all through `source` as Parquet with an ``id``; how each row is broken, None if it is not."""
    table = pq.read_table(source) if source.suffix == ".parquet" else pa.csv.read_csv(source)
    name = next(name for name in table.column_names if name.lower() == "smiles")
    smiles = table[name].take(pa.array(np.linspace(0, len(table) - 1, n).astype(np.int64))).to_pylist()
    rng, ways, kinds = np.random.default_rng(seed), [None] * n, list(BREAKS)
    for i, row in enumerate(rng.choice(n, round(share * n), replace=False).tolist()):
        ways[row] = kinds[i % len(kinds)]
        smiles[row] = BREAKS[ways[row]](smiles[row])
    pq.write_table(pa.table({"smiles": smiles, "id": np.arange(n)}), path)
    return ways


def lost(output: Path, ways: list[str | None]) -> int:
    """Rows that are not in their place, have no status, or are broken and pass for whole."""
    table = pq.read_table(output, columns=["id", "status"]).to_pydict()
    rows = zip(table["id"], table["status"], ways, strict=False)
    found = sum(number != row or not status or (way is not None and status in ("ok", "duplicate"))
                for row, (number, status, way) in enumerate(rows))  # fmt: skip
    return found + abs(len(ways) - len(table["id"]))


def command(*words: str | Path) -> list[str]:
    """`molscore rank` with these words."""
    return [sys.executable, "-m", "molscore", "rank", *map(str, words)]


def watched(words: list[str]) -> Run:
    """Run a command in a process of its own and watch its memory and that of its children."""
    started, peak, workers = time.perf_counter(), 0, 0
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, _memory(process.pid, "VmHWM"))
        workers = max(workers, sum(_memory(child, "VmRSS") for child in _children(process.pid)))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}")
    return Run(time.perf_counter() - started, peak / 1024, workers / 1024)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _memory(pid: int, what: str) -> int:
    """KiB: VmRSS is what is resident now, VmHWM the most that was since the program began."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{what}:")), 0)


def sizes(source: Path, model: str, counts: list[int], folder: Path) -> Answer:
    """Rows a second and peak memory for libraries of several sizes."""
    rows: list[Row] = []
    for n in counts:
        library, output = folder / f"{n}.parquet", folder / f"{n}.ranked.parquet"
        ways = broken_library(source, n, library)
        found = watched(command(library, "--model", model, "-o", output))
        judged = pq.read_table(output, columns=["status"])["status"].to_pylist().count("ok")
        rows.append([n, lost(output, ways), judged, f"{n / found.seconds:.0f}", f"{judged / found.seconds:.1f}",
                     f"{found.peak_mib:.0f}", f"{found.workers_mib:.0f}", f"{found.seconds:.0f}"])  # fmt: skip
        print(" | ".join(map(str, rows[-1])), flush=True)
    columns = ["rows", "lost", "judged", "rows/s", "judged/s", "peak memory MiB", "of worker processes MiB", "seconds"]
    note = (
        "SMILES, 5 % of them broken on purpose in ten ways; lost: rows not in their place, without a status, or broken "
        "and passed as whole. Judged are those that got a geometry and numbers; the others are broken, or have atoms "
        "or a size that the model does not know, and are turned down once parsed. The whole command, start included."
    )
    return columns, rows, note


def kills(source: Path, model: str, n: int, times: int, folder: Path) -> Answer:
    """SIGKILL at random moments, resumed each time: the output against that of a run that nobody killed."""
    library, whole, output = folder / "kill.parquet", folder / "whole.csv", folder / "out.csv"
    broken_library(source, n, library)
    seconds = watched(command(library, "--model", model, "-o", whole)).seconds
    rng, killed, finished, same, parts = np.random.default_rng(0), 0, 0, 0, []
    while killed < times or not output.exists():
        words = command(library, "--model", model, "-o", output, "--resume")
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        try:
            process.wait(rng.uniform(0, seconds) if killed < times else None)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            parts.append(len(list(Path(f"{output}.parts").glob("part-*"))))
            continue
        if process.returncode:
            raise SystemExit(process.stderr.read())
        finished += 1
        same += output.read_bytes() == whole.read_bytes()
        if killed < times:
            output.unlink()
        print(f"{killed} kills, {finished} finished, {same} the same", flush=True)
    columns = ["rows", "kills", "parts there when killed", "runs finished", "of them identical", "unbroken run s"]
    row: Row = [n, killed, f"{min(parts)} to {max(parts)}", finished, same, f"{seconds:.0f}"]
    note = "SIGKILL at moments drawn uniformly from the time of an unbroken run, then --resume, and so on."
    return columns, [row], note


def engines(source: Path, model: str, n: int, folder: Path) -> Answer:
    """One process against Ray Data on this machine."""
    library, rows, first = folder / "engines.parquet", [], b""
    broken_library(source, n, library)
    for engine in ("local", "ray"):
        for workers in range(1, usable_cores() + 1):
            output = folder / f"{engine}-{workers}.csv"
            words = ("--model", model, "--engine", engine, "--workers", str(workers), "-o", output)
            seconds = watched(command(library, *words)).seconds
            first = first or output.read_bytes()
            rows.append([engine, workers, f"{seconds:.1f}", f"{n / seconds:.0f}", output.read_bytes() == first])
            print(" | ".join(map(str, rows[-1])), flush=True)
    note = (
        f"{n} rows as in the table of sizes; the whole command, start and loading included. Workers of the local "
        "engine make geometries and nothing else, those of Ray do everything."
    )
    return ["engine", "workers", "seconds", "rows/s", "same bytes"], rows, note


def throughput(source: Path, name: str, n: int, folder: Path) -> Answer:
    """Molecules that come with geometries: the command, file to file, against `Model.log_likelihood` alone."""
    library, model = folder / "given.parquet", load(name)
    records = list(islice(read(source), n))
    write(library, records)
    torch.set_num_threads(usable_cores())
    model.log_likelihood([record.molecule for record in records[:100]])
    started = time.perf_counter()
    model.log_likelihood([record.molecule for record in records])
    alone = time.perf_counter() - started
    seconds = watched(command(library, "--model", name, "-o", folder / "ranked.parquet")).seconds
    rows: list[Row] = [["Model.log_likelihood", f"{n / alone:.0f}"], ["rank, the whole command", f"{n / seconds:.0f}"]]
    print(*(" | ".join(map(str, row)) for row in rows), sep="\n")
    return ["what", "molecules/s"], rows, f"{n} molecules in the geometries of the data set, Parquet in, Parquet out."


TITLES = {
    "sizes": "Ranking: rows a second and memory, by the size of the library",
    "kill": "Ranking: killed at random moments and resumed",
    "ray": "Ranking: one process against Ray on one machine",
    "throughput": "Ranking: molecules that come with geometries",
}


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=TITLES)
    parser.add_argument("source", type=Path, help="SMILES in Parquet or CSV; for throughput, molecules with geometries")
    parser.add_argument("-n", type=int, nargs="+", default=[10_000])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-o", "--output", type=Path, default=None)
    options = parser.parse_args()
    n, source, model = options.n[0], options.source, options.model
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns, rows, note = {
            "sizes": lambda: sizes(source, model, options.n, folder),
            "kill": lambda: kills(source, model, n, options.kills, folder),
            "ray": lambda: engines(source, model, n, folder),
            "throughput": lambda: throughput(source, model, n, folder),
        }[options.question]()
    path = options.output or RESULTS / "ranking" / f"{options.question}.json"
    words = f"python -m benchmarks.ranking {options.question} {source.name} -n {' '.join(map(str, options.n))}"
    record(path, TITLES[options.question], columns, rows, words, f"{note} Input: {source.name}.")


if __name__ == "__main__":
    main()
