"""Worker processes that can be killed: whatever hangs or crashes in RDKit costs its own molecule alone.

RDKit can run for ever (rdkit issues 7922 and 9227) and no exception reaches into it. The processes are plain programs,
this file among them, joined by pipes of one line of JSON each way: nothing is pickled, and a script that uses them
needs no ``if __name__ == "__main__"``. JSON spells floats so that they read back the same.
"""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, TextIO

from molscore import errors
from molscore.errors import MolscoreError

__all__ = ["Crashed", "Late", "Reply", "Workers"]

_READY = "ready\n"
# The worker sees the modules that we see, whatever its own working folder or environment would offer. It takes those of
# this folder one by one: what the package gathers would load torch, ten times the time and the memory.
_BOOT = """
import os, runpy, sys, types
sys.path[:] = sys.argv[3:]
package = types.ModuleType("molscore.molecules")
package.__path__ = [os.path.dirname(sys.argv[1])]
sys.modules["molscore.molecules"] = package
runpy.run_path(sys.argv[1], run_name="__main__")
"""
_START_SECONDS = 120.0


class Late(Exception):
    """The time of a request was over, and its process was killed."""


class Crashed(Exception):
    """The process of a request died."""


Reply = dict[str, Any] | MolscoreError | Late | Crashed


class Workers:
    """Processes that answer requests, started when first needed, again after one was killed, anew in a forked child.

    Args:
        module: of this package; its function ``answer`` takes a request's fields and returns a dict, both of JSON.
        size: number of processes.
    """

    def __init__(self, module: str, size: int) -> None:
        self.module, self.size = module, size
        self._running: list[_Worker] = []
        self._owner, self._lock = os.getpid(), threading.Lock()

    def map(
        self,
        requests: Sequence[Mapping[str, Any]],
        time_limit: float,
        progress: Callable[[], object] = lambda: None,
    ) -> list[Reply]:
        """The reply to each request, in order: what ``answer`` returned or raised, or why there is none.

        `time_limit` is in seconds for each; the time that a process takes to start is not counted.
        """
        with self._lock:
            try:
                return self._map(requests, time_limit, progress)
            except BaseException:  # an interrupted exchange would leave the pipes out of step
                self.close()
                raise

    def _map(
        self, requests: Sequence[Mapping[str, Any]], time_limit: float, progress: Callable[[], object]
    ) -> list[Reply]:
        if self._owner != os.getpid():
            self._running, self._owner = [], os.getpid()
        self._running = [worker for worker in self._running if worker.process.poll() is None]
        replies: dict[int, Reply] = {}
        waiting = list(range(len(requests)))[::-1]
        while len(replies) < len(requests):
            idle = [worker for worker in self._running if worker.task is None]
            while waiting and (idle or len(self._running) < self.size):
                if not idle:
                    idle.append(_Worker(self.module))
                    self._running.append(idle[0])
                task = waiting.pop()
                idle.pop().give(task, json.dumps(requests[task]), time_limit)
            for worker in self._ready():
                if worker.has_started():
                    continue
                task, worker.task = worker.task, None
                replies[task] = worker.reply()
                if isinstance(replies[task], (Late, Crashed)):
                    self._running.remove(worker)
                    worker.kill()
                progress()
        return [replies[task] for task in range(len(requests))]

    def _ready(self) -> list["_Worker"]:
        """Busy workers that have something to say or whose time is over; waits for the first."""
        busy = [worker for worker in self._running if worker.task is not None]
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            wait = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            found = [key.data for key, _ in selector.select(wait)]
        return found or [worker for worker in busy if worker.late]

    def close(self) -> None:
        """Stop the processes; a later request starts them again."""
        running, self._running = self._running, []
        if self._owner == os.getpid():
            for worker in running:
                worker.kill()


class _Worker:
    """One process and the request that it is on."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-c", _BOOT, __file__, module, *(path for path in sys.path if path)]
        pipe, environment = subprocess.PIPE, {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=environment
        )
        self.ready = False
        self.task: int | None = None
        self.request, self.time_limit, self.deadline = "", float("inf"), float("inf")

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
        self.ready = self.process.stdout.readline() == _READY
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

    def reply(self) -> Reply:
        """What the process answers."""
        if self.late:
            return Late()
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            return Crashed()
        found = json.loads(line)
        return getattr(errors, found["kind"])(found["error"]) if "kind" in found else found

    def kill(self) -> None:
        """End the process."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                stream.close()
        self.process.wait()


def _work(module: str, source: TextIO, sink: TextIO) -> None:
    """What the process does: say that it is ready, then answer requests until the input ends."""
    answer = import_module(f"molscore.molecules.{module}").answer
    sink.write(_READY)
    sink.flush()
    for line in source:
        try:
            reply = answer(**json.loads(line))
        except MolscoreError as error:
            reply = {"kind": type(error).__name__, "error": str(error)}
        sink.write(json.dumps(reply) + "\n")
        sink.flush()


if __name__ == "__main__":
    _work(sys.argv[2], sys.stdin, sys.stdout)
