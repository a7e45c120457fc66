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

from benchmarks.fuzz_cases import KINDS, Cases
from benchmarks.machine import describe
from molscore.screening import load

__all__ = ["tried", "watched"]

COLUMNS = ["input", "inputs", "answered", "refused", "crashes", "hangs", "tracebacks", "slowest, s"]
RESULT = Path(__file__).parent / "results" / "fuzz.json"
START_SECONDS = 300.0  # to load the model


def work(model: str, seed: int, kind: str, first: int, last: int) -> None:
    """The watched process: a line for each case, with its number, its seconds and what became of it."""
    cases = Cases(load(model), seed)
    with cases.client:
        print("ready", flush=True)
        for number in range(first, last):
            started = time.perf_counter()
            became = cases.run(kind, number)
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


def tried(model: str, seed: int, kind: str, n: int, limit: float) -> tuple[list[str | int | float], list[str]]:
    """A row of the table, and the cases that failed; a process that ends early is followed by another."""
    counts: Counter[str] = Counter()
    slowest, failed, first = 0.0, [], 0
    while first < n:
        arguments = ["--work", kind, str(first), str(n), "--model", model, "--seed", str(seed)]
        found, end = watched([sys.executable, "-m", "benchmarks.fuzz", *arguments], limit)
        for number, seconds, became in found:
            slowest = max(slowest, seconds)
            counts[became.split(":")[0]] += 1
            if became.startswith("fault"):
                failed.append(f"{kind} {number}: {became}")
        first += len(found)
        if end != "done":
            counts[end] += 1
            failed.append(f"{kind} {first}: {end}")
            first += 1
    names = ("answered", "refused", "crash", "hang", "fault")
    return [kind, n, *(counts[name] for name in names), round(slowest, 2)], failed


def main() -> None:
    """Fuzz every kind, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds an input may take")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--work", nargs=3, metavar=("KIND", "FIRST", "LAST"), help="run these cases here, unwatched")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.work:
        kind, first, last = options.work
        work(options.model, options.seed, kind, int(first), int(last))
        return
    rows, failed = [], []
    # a third for the server, the rest in equal parts
    shares = {kind: 1.0 if kind != "server" else max(1.0, (len(options.kinds) - 1) / 2) for kind in options.kinds}
    for kind, share in shares.items():
        n = round(options.n * share / sum(shares.values()))
        row, more = tried(options.model, options.seed, kind, n, options.limit)
        rows.append(row)
        failed += more
        print(*row, *more, sep="\n    " if more else " | ", flush=True)
    totals = [sum(row[i] for row in rows) for i in range(1, len(COLUMNS) - 1)]
    rows.append(["all", *totals, max(row[-1] for row in rows)])
    result = {
        "title": "Fuzzing: does any input crash, hang or show its traceback?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": describe(),
        "command": f"python -m benchmarks.fuzz -n {options.n} --seed {options.seed} --limit {options.limit:g}",
        "note": "Damaged files of each format (one in ten is ranked too), lines as REINVENT4 sends them, requests to the "
        f"server. A hang is an input over {options.limit:g} s. An input is refused with one line, or answered row by "
        "row. " + ("Failed: " + "; ".join(failed)[:2000] if failed else "None failed."),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
