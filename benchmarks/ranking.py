"""Is a library ranked in bounded memory, with nothing lost, whoever kills it and whatever engine ranks it?"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.machine import describe, usable_cores
from benchmarks.ranking_library import broken_library, lost, watched
from molscore.molecules.files import read, write
from molscore.screening import passes
from molscore.screening.criteria import choose_order
from molscore.screening.library import Job, Plan, run
from molscore.screening.library.run import ENGINES
from molscore.screening.model import load
from molscore.screening.scorer import Scorer

__all__ = ["engines", "kills", "sizes", "throughput"]

RESULTS = Path(__file__).parent / "results" / "ranking"
STAGES = ("parse", "conformers", "model")
Rows = list[list[str | int | float | None]]


def sizes(source: Path, model: str, counts: list[int], folder: Path) -> tuple[list[str], Rows, str]:
    """Rows a second, peak memory and the time of each stage for libraries of several sizes."""
    columns = ["rows", "lost", "judged", "rows/s", "peak memory MiB", "of worker processes MiB",
               *(f"{stage} %" for stage in STAGES), "read, write, merge %", "seconds"]  # fmt: skip
    rows: Rows = []
    for n in counts:
        library, output = folder / f"{n}.parquet", folder / f"{n}.ranked.parquet"
        ways = broken_library(source, n, library)
        found = watched(["rank", str(library), "--model", model, "-o", str(output)])
        statuses = pq.read_table(output, columns=["status"])["status"].to_pylist()
        inside = found.shares.pop("inside")
        rest = sum(seconds for stage, seconds in found.shares.items() if stage not in STAGES)
        rows.append([
            n, lost(output, ways), statuses.count("ok"), f"{n / inside:.0f}", f"{found.peak_mib:.0f}",
            f"{found.workers_mib:.0f}",
            *(f"{100 * found.shares.get(stage, 0) / inside:.0f}" for stage in STAGES),
            f"{100 * rest / inside:.0f}", f"{found.seconds:.0f}",
        ])  # fmt: skip
        print(" | ".join(str(cell) for cell in rows[-1]), Counter(statuses), flush=True)
    note = (
        "SMILES, 5 % of them broken on purpose in ten ways; lost: rows not in their place, without a status, or broken "
        "and passed as whole. Most are larger than the model's molecules and are turned down once parsed; judged are "
        "those that got a geometry and numbers. Time inside the command, its start and the loading of the model apart "
        "from `seconds`; shares of it."
    )
    return columns, rows, note


def kills(source: Path, model: str, n: int, times: int, folder: Path) -> tuple[list[str], Rows, str]:
    """SIGKILL at random moments, resumed each time: the output against that of a run that nobody killed."""
    library, whole, output = folder / "kill.parquet", folder / "whole.csv", folder / "out.csv"
    broken_library(source, n, library)
    command = [sys.executable, "-m", "molscore", "rank", str(library), "--model", model, "-o"]
    started = time.perf_counter()
    subprocess.run([*command, str(whole)], check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    rng, killed, finished, same, parts = np.random.default_rng(0), 0, 0, 0, []
    while killed < times or not output.exists():
        process = subprocess.Popen([*command, str(output), "--resume"], stderr=subprocess.PIPE, text=True)
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
    total = -(-n // Job.part_rows)
    columns = ["rows", "parts", "kills", "parts there when killed", "runs finished", "of them identical",
               "unbroken run s"]  # fmt: skip
    row = [n, total, killed, f"{min(parts)} to {max(parts)}", finished, same, f"{seconds:.0f}"]
    note = "SIGKILL at moments drawn uniformly from the time of an unbroken run, then --resume, and so on."
    return columns, [row], note


def engines(source: Path, model: str, n: int, folder: Path) -> tuple[list[str], Rows, str]:
    """One process against Ray Data on this machine."""
    library = folder / "engines.parquet"
    broken_library(source, n, library)
    counts = range(1, usable_cores() + 1)
    settings = [(engine, workers) for engine in ENGINES for workers in counts]
    rows: Rows = []
    first = b""
    for engine, workers in settings:
        output = folder / f"{engine}-{workers}.csv"
        command = [sys.executable, "-m", "molscore", "rank", str(library), "--model", model, "--engine", engine]
        started = time.perf_counter()
        subprocess.run([*command, "--workers", str(workers), "-o", str(output)], check=True, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        first = first or output.read_bytes()
        rows.append([engine, workers, f"{seconds:.1f}", f"{n / seconds:.0f}", output.read_bytes() == first])
        print(" | ".join(str(cell) for cell in rows[-1]), flush=True)
    columns = ["engine", "workers", "seconds", "rows/s", "same bytes"]
    note = (
        f"{n} rows as in the table of sizes; the whole command, start and loading included. Workers of the local "
        "engine make geometries and nothing else, those of Ray do everything."
    )
    return columns, rows, note


def throughput(source: Path, model_name: str, n: int, folder: Path) -> tuple[list[str], Rows, str]:
    """Molecules that come with geometries: ranking them against the passes of the network alone."""
    torch.set_num_threads(usable_cores())
    model, library = load(model_name), folder / "given.parquet"
    records = list(islice(read(source), n))
    write(library, records)
    held = [record.molecule for record in records]
    scorer = Scorer(model, by=choose_order(model, None, 0.05))
    job = Job(scorer, str(library))
    batches = [
        inputs
        for start in range(0, n, job.part_rows)
        for inputs in passes.inputs_of(model.network, held[start : start + job.part_rows], 0.05, model.token)
    ]

    def forward() -> None:
        with torch.no_grad():
            for inputs in batches:
                model.network(*inputs.arguments)

    jobs = {
        "passes of the network alone, batches made before": forward,
        "Model.log_likelihood": lambda: model.log_likelihood(held),
        "rank, file to file": lambda: run(job, Plan(str(folder / "ranked.parquet")), {}),
    }
    seconds = {name: best_of(3, work) for name, work in jobs.items()}
    alone = next(iter(seconds.values()))
    rows: Rows = [[name, f"{n / took:.0f}", f"{100 * alone / took:.0f}"] for name, took in seconds.items()]
    for row in rows:
        print(" | ".join(str(cell) for cell in row), flush=True)
    note = f"{n} molecules of QM9 in the geometries of the data set, Parquet in, Parquet out; the best of three."
    return ["what", "molecules/s", "speed of the passes alone %"], rows, note


def best_of(times: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest of several times."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


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
    n = options.n[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns, rows, note = {
            "sizes": lambda: sizes(options.source, options.model, options.n, folder),
            "kill": lambda: kills(options.source, options.model, n, options.kills, folder),
            "ray": lambda: engines(options.source, options.model, n, folder),
            "throughput": lambda: throughput(options.source, options.model, n, folder),
        }[options.question]()
    counts = " ".join(map(str, options.n))
    result = {
        "title": TITLES[options.question],
        "columns": columns,
        "rows": rows,
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.ranking {options.question} {options.source.name} -n {counts}",
        "note": f"{note} Input: {options.source.name}.",
    }
    path = options.output or RESULTS / f"{options.question}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
