"""Conformers of many molecules in worker processes: one that hangs or crashes costs its own molecule alone.

The processes are plain programs joined by pipes, so that nothing is pickled and a script that uses them needs no
``if __name__ == "__main__"``.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from molscore import errors
from molscore.errors import ConformerError, InputError, MolscoreError, OvertimeError
from molscore.molecules.conformer_worker import READY
from molscore.molecules.molecule import Molecule

__all__ = ["ConformerPool"]

_WORKER_FILE = Path(__file__).with_name("conformer_worker.py")
# The worker sees the modules that we see, whatever its own working folder or environment would offer. It takes those of
# this folder one by one: what the package gathers would load torch, ten times the time and the memory.
_BOOT = """
import os, runpy, sys, types
sys.path[:] = sys.argv[2:]
package = types.ModuleType("molscore.molecules")
package.__path__ = [os.path.dirname(sys.argv[1])]
sys.modules["molscore.molecules"] = package
runpy.run_path(sys.argv[1], run_name="__main__")
"""
_START_SECONDS = 120.0


class _Worker:
    """One process and the task that it is on."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _BOOT, str(_WORKER_FILE), *(path for path in sys.path if path)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=environment
        )
        self.ready = False
        self.task: int | None = None
        self.request, self.time_limit = "", float("inf")
        self.deadline = float("inf")

    def give(self, task: int, request: str, time_limit: float) -> None:
        """Hand over a request, now or as soon as the process has started."""
        self.task, self.request, self.time_limit = task, request, time_limit
        self.deadline = time.monotonic() + _START_SECONDS
        if self.ready:
            self._send()

    def has_started(self) -> bool:
        """Whether what the process has to say is that it is ready; it is then given its request, and its time runs."""
        if self.ready or self.late:
            return False
        self.ready = self.process.stdout.readline() == READY
        if self.ready:
            self._send()
        return self.ready

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return self.deadline <= time.monotonic()

    def _send(self) -> None:
        self.deadline = time.monotonic() + self.time_limit
        with suppress(OSError):  # a dead process shows itself when it is read
            self.process.stdin.write(self.request + "\n")
            self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                stream.close()
        self.process.wait()


class ConformerPool:
    """Worker processes, started when first needed and stopped on `close` or at the end of a ``with`` block.

    Args:
        workers: number of processes.
        seed: of the geometries; the same seed gives the geometries of `molscore.molecules.conformers.embed`.
        time_limit: seconds a molecule. A process that overstays twice that is killed, and started again.
        conformers: of each molecule.
    """

    def __init__(self, workers: int, seed: int = 0, time_limit: float = 30.0, conformers: int = 1) -> None:
        if workers < 1 or not time_limit > 0 or conformers < 1:
            raise InputError(
                "a pool needs a worker, a time limit above zero and a conformer at least, "
                f"not {workers}, {time_limit} and {conformers}"
            )
        self.workers, self.seed, self.time_limit, self.conformers = workers, seed, time_limit, conformers
        self._running: list[_Worker] = []

    def embed(
        self, smiles: Sequence[str], progress: Callable[[], None] = lambda: None
    ) -> list[list[Molecule] | MolscoreError]:
        """Geometries as `embed` gives them, or why there are none, for each SMILES string, in order."""
        results: list[list[Molecule] | MolscoreError | None] = [None] * len(smiles)
        waiting = list(range(len(smiles)))[::-1]
        done = 0
        while done < len(smiles):
            self._hand_out(smiles, waiting)
            for worker in self._ready():
                if worker.has_started():
                    continue
                task, worker.task = worker.task, None
                results[task] = self._answer(worker, smiles[task])
                done += 1
                progress()
        return results

    def _hand_out(self, smiles: Sequence[str], waiting: list[int]) -> None:
        while waiting:
            idle = next((worker for worker in self._running if worker.task is None), None)
            if idle is None:
                if len(self._running) == self.workers:
                    return
                self._running.append(idle := _Worker())
            task = waiting.pop()
            request = {
                "smiles": smiles[task],
                "conformers": self.conformers,
                "seed": self.seed,
                "time_limit": self.time_limit,
            }
            idle.give(task, json.dumps(request), 2 * self.time_limit)

    def _ready(self) -> list[_Worker]:
        """Busy workers that have something to say or whose time is over; waits for the first."""
        busy = [worker for worker in self._running if worker.task is not None]
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            wait = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            found = [key.data for key, _ in selector.select(wait)]
        return found or [worker for worker in busy if worker.late]

    def _answer(self, worker: _Worker, smiles: str) -> list[Molecule] | MolscoreError:
        """Reply of a worker, which is removed where it gives none."""
        late = worker.late
        line = "" if late else worker.process.stdout.readline()
        if not line.endswith("\n"):
            self._running.remove(worker)
            worker.kill()
            if late:
                return OvertimeError(f"{smiles!r}: no conformer was found within {self.time_limit:g} s")
            return ConformerError(f"{smiles!r}: RDKit crashed")
        reply = json.loads(line)
        if "kind" in reply:
            return getattr(errors, reply["kind"])(reply["error"])
        stated = {name: reply[name] for name in ("name", "charge", "unpaired")}
        return [
            Molecule(reply["numbers"], found["positions"], properties=found["properties"], **stated)
            for found in reply["conformers"]
        ]

    def close(self) -> None:
        """Stop the processes."""
        for worker in self._running:
            worker.kill()
        self._running.clear()

    def __enter__(self) -> "ConformerPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
