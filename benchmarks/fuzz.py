"""Does any input crash, hang or show its traceback? Damaged files, lines and requests by the thousand.

The inputs run in a process that is watched: one that dies is a crash, one that is silent for too long is a hang.
"""

import argparse
import json
import selectors
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.fuzz_cases import KINDS, Cases, kind_of
from benchmarks.machine import describe
from molscore.screening import load

__all__ = ["table", "tried", "watched"]

COLUMNS = ["input", "inputs", "answered", "refused", "crashes", "hangs", "tracebacks", "slowest, s"]
RESULT = Path(__file__).parent / "results" / "ranking" / "fuzz.json"
START_SECONDS = 300.0  # to load the model


def work(model: str, seed: int, first: int, last: int) -> None:
    """The watched process: a line for each case, with its number, its seconds and what became of it."""
    cases = Cases(load(model), seed)
    with cases.client:
        print("ready", flush=True)
        for number in range(first, last):
            started = time.perf_counter()
            became = cases.run(number)
            print(number, f"{time.perf_counter() - started:.3f}", became, flush=True)


def watched(command: list[str], limit: float) -> tuple[list[tuple[int, float, str]], str]:
    """Lines of a watched process, and how it ended: ``done``, ``crash`` or ``hang``."""
    found: list[tuple[int, float, str]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
        buffer, allowed = b"", START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while selector.select(allowed):
                piece = process.stdout.read(65536)
                if not piece:
                    return found, "done" if process.wait() == 0 else "crash"
                *lines, buffer = (buffer + piece).split(b"\n")
                allowed = limit
                for line in lines:
                    number, seconds, became = (line.decode("utf-8", "replace").split(" ", 2) + ["", ""])[:3]
                    if number.isdigit():
                        found.append((int(number), float(seconds), became))
        process.kill()
    return found, "hang"


def tried(model: str, seed: int, n: int, limit: float) -> list[tuple[int, float, str]]:
    """Number, seconds and end of each case; a process that ends early is followed by another."""
    cases: list[tuple[int, float, str]] = []
    while len(cases) < n:
        arguments = ["--work", str(len(cases)), str(n), "--model", model, "--seed", str(seed)]
        found, end = watched([sys.executable, "-m", "benchmarks.fuzz", *arguments], limit)
        if not (cases or found):
            raise SystemExit("the watched process does not start")
        cases += found
        if end != "done":
            cases.append((len(cases), limit, end))
    return cases


def table(cases: list[tuple[int, float, str]]) -> list[list[str | int | float]]:
    """A row for each kind and one for all."""
    rows = []
    for kind in (*KINDS, "all"):
        of_kind = [case for case in cases if kind in ("all", kind_of(case[0]))]
        counts = Counter(became.split(":")[0] for _, _, became in of_kind)
        slowest = max((seconds for _, seconds, _ in of_kind), default=0.0)
        names = ("answered", "refused", "crash", "hang", "fault")
        rows.append([kind, len(of_kind), *(counts[name] for name in names), round(slowest, 2)])
    return rows


def main() -> None:
    """Fuzz every kind, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds an input may take")
    parser.add_argument("--work", type=int, nargs=2, metavar=("FIRST", "LAST"), help="run these cases here, unwatched")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.work:
        work(options.model, options.seed, *options.work)
        return
    cases = tried(options.model, options.seed, options.n, options.limit)
    rows = table(cases)
    failed = [f"{kind_of(i)} {i}: {became}" for i, _, became in cases if became not in ("answered", "refused")]
    for line in (*rows, *failed):
        print(line, flush=True)
    result = {
        "title": "Fuzzing: does any input crash, hang or show its traceback?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": describe(),
        "command": f"python -m benchmarks.fuzz -n {options.n} --model {Path(options.model).name} --seed {options.seed}",
        "note": "Damaged files of each format (one in ten is ranked too), lines as REINVENT4 sends them, requests to "
        f"the server. A hang is an input over {options.limit:g} s. An input is refused in one line or answered row by "
        "row. " + ("Failed: " + "; ".join(failed)[:2000] if failed else "None failed."),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
