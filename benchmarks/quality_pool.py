"""Molecules judged by `benchmarks.quality_worker`, in processes that are killed when they take too long."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from molscore.datasets.store import MoleculeSet

__all__ = ["Answer", "Answers", "judged", "keys_of"]

Answer = dict[str, Any] | None  # None: the molecule outran its time, or took its process down
COMMAND = (sys.executable, "-m", "benchmarks.quality_worker")
ROOT = Path(__file__).parents[1]


class Answers:
    """Answers that are kept in a file, one a line, so that a run that was cut short need not ask again."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock, self._known = path, threading.Lock(), {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    self._known.update([json.loads(line)])
                except ValueError:  # the line that the run was cut short in
                    continue

    def get(self, key: str) -> Answer:
        """The answer of an earlier run, None without one."""
        return self._known.get(key)

    def add(self, key: str, found: dict[str, Any]) -> None:
        """Keep an answer at once; a new line first, as the last run may have been cut short in one."""
        with self._lock:
            fresh = key not in self._known
            self._known[key] = found
            if self._path is not None and fresh:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as sink:
                    sink.write("\n" + json.dumps([key, found]))


def judged(
    molecules: MoleculeSet, task: str, answers: Answers, workers: int = 1, limit: float = 120.0,
    command: Sequence[str] = COMMAND,
) -> list[Answer]:  # fmt: skip
    """One answer a molecule, in their order; `limit` in seconds a molecule."""
    local, started = threading.local(), []

    def ask(row: int) -> Answer:
        key = f"{task} {keys[row]}"
        found = answers.get(key)
        if found is None:
            if not hasattr(local, "process"):
                local.process = _Process(command)
                started.append(local.process)
            atoms = slice(molecules.offsets[row], molecules.offsets[row + 1])
            numbers, positions = molecules.numbers[atoms].tolist(), molecules.positions[atoms].tolist()
            found = local.process.ask({"task": task, "numbers": numbers, "positions": positions}, limit)
            if found is not None:
                answers.add(key, found)
        return found

    keys = keys_of(molecules)
    try:
        with ThreadPoolExecutor(workers) as threads:
            return list(tqdm(threads.map(ask, range(len(molecules))), desc=task, total=len(molecules)))
    finally:
        for process in started:
            process.stop()


def keys_of(molecules: MoleculeSet) -> list[str]:
    """A name for each molecule that depends on nothing but its atoms, so that the order of a file does not matter."""
    return [hashlib.sha256(part).hexdigest() for part in _bytes_of(molecules)]


def _bytes_of(molecules: MoleculeSet) -> Iterator[bytes]:
    positions = np.ascontiguousarray(molecules.positions, dtype="<f4")
    for first, last in zip(molecules.offsets[:-1], molecules.offsets[1:], strict=True):
        yield molecules.numbers[first:last].tobytes() + positions[first:last].tobytes()


class _Process:
    """One worker, started when first asked and again after it was killed."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command, self._process = command, None

    def ask(self, request: dict[str, Any], limit: float) -> Answer:
        process = self._running()
        timer = threading.Timer(limit, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timer.cancel()
        if not line.endswith("\n"):
            self.stop()
            return None
        return json.loads(line)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                self._command, **pipes, text=True, encoding="utf-8", env=one_thread, cwd=ROOT
            )
            self._process.stdout.readline()  # it is ready: its time runs from here
        return self._process

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):  # what a dead process was not told is not told
                    stream.close()
