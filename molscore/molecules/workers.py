"""Worker processes that can be killed: whatever hangs or crashes in RDKit costs its own molecule alone.

RDKit can run for ever (rdkit issues 7922 and 9227) and no exception reaches into it. The processes are plain programs,
joined by pipes of one line of JSON each way: nothing is pickled, and a script that uses them needs no
``if __name__ == "__main__"``, as the pools of multiprocessing and pebble would. JSON spells floats so that they read
back the same.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import cache
from importlib import import_module
from multiprocessing.connection import wait
from typing import Any

from molscore import errors
from molscore.errors import MolscoreError

__all__ = ["Crashed", "Late", "Reply", "Workers", "cores", "shared", "work"]

# The worker sees the modules that we see, whatever its own working folder or environment would offer.
_BOOT = "import sys; sys.path[:] = sys.argv[2:]; from molscore.molecules.workers import work; work(sys.argv[1])"
_START_SECONDS = 120.0


class Late(Exception):
    """The time of a request was over, and its process was killed."""


class Crashed(Exception):
    """The process of a request died."""


Reply = dict[str, Any] | MolscoreError | Late | Crashed


class Workers:
    """Processes that answer requests, started when first needed, again after one was killed, anew in a forked child.

    Args:
        module: its function ``answer`` takes a request's fields and returns a dict, both of JSON.
        size: number of processes, each of which a thread waits for.
    """

    def __init__(self, module: str, size: int) -> None:
        self.module, self.size = module, size
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._owner, self._threads = os.getpid(), ThreadPoolExecutor(self.size)
        self._mine, self.processes = threading.local(), []

    def map(
        self, requests: Sequence[Mapping[str, Any]], time_limit: float, progress: Callable[[], object] = lambda: None
    ) -> list[Reply]:
        """The reply to each request, in order: what ``answer`` returned or raised, or why there is none.

        `time_limit` is in seconds for each; the time that a process takes to start is not counted.
        """
        with self._lock:
            if self._owner != os.getpid():
                self._begin()
            try:
                asked = [self._threads.submit(self._ask, request, time_limit) for request in requests]
                for _ in as_completed(asked):
                    progress()
                return [future.result() for future in asked]
            except BaseException:  # an interrupted exchange would leave the pipes out of step
                self.close()
                raise

    def start(self) -> None:
        """Begin a process, which gets ready while the caller does other things."""
        self._threads.submit(self._process)

    def _process(self) -> subprocess.Popen:
        """This thread's process, begun where there is none."""
        process = getattr(self._mine, "process", None)
        if process is None or process.poll() is not None:
            command = [sys.executable, "-c", _BOOT, self.module, *(path for path in sys.path if path)]
            pipe, environment = subprocess.PIPE, {**os.environ, "OMP_NUM_THREADS": "1"}
            process = self._mine.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8", env=environment
            )
            self._mine.ready = False
            self.processes = [other for other in self.processes if other.poll() is None] + [process]
        return process

    def _ask(self, request: Mapping[str, Any], time_limit: float) -> Reply:
        """What this thread's process answers."""
        process = self._process()
        try:
            if not self._mine.ready:
                _line(process, _START_SECONDS)
                self._mine.ready = True
            with suppress(OSError):  # a dead process shows itself when it is read
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            found = json.loads(_line(process, time_limit))
        except (Late, Crashed) as error:
            with suppress(OSError), process:  # which closes the pipes and waits for the end
                process.kill()
            return error
        return getattr(errors, found["kind"])(found["error"]) if "kind" in found else found

    def close(self) -> None:
        """Stop the processes; a later request starts them again."""
        if self._owner == os.getpid():
            self._threads.shutdown(wait=False, cancel_futures=True)
            for process in self.processes:
                process.kill()
                process.wait()
        self._begin()


@cache
def shared(module: str) -> Workers:
    """One process for everybody who asks `module` now and then; it ends with this one."""
    workers = Workers(module, 1)
    atexit.register(workers.close)
    return workers


def _line(process: subprocess.Popen, seconds: float) -> str:
    """The next line that a process writes; raises `Late` or `Crashed` where none comes."""
    if not wait([process.stdout], seconds):
        raise Late
    line = process.stdout.readline()
    if not line.endswith("\n"):
        raise Crashed
    return line


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(module: str) -> None:
    """What the process does: say that it is ready, then answer requests until the input ends."""
    answer = import_module(module).answer
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what others print is no answer
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        try:
            reply = answer(**json.loads(line))
        except MolscoreError as error:
            reply = {"kind": type(error).__name__, "error": str(error)}
        print(json.dumps(reply), file=answers, flush=True)
