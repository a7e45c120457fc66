"""Batches side by side, one core each: torch lets go of the interpreter's lock while it computes.

One batch over several cores shares out its large products and does the rest on one of them; several batches at once
keep all of them busy. Each is computed by a single thread, so that numbers do not depend on how many cores there are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

import torch

__all__ = ["side_by_side"]

Item, Result = TypeVar("Item"), TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], device: torch.device, ended: Event | None = None
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in order; `work` runs in torch.get_num_threads() threads at once.

    Grad mode and denormal numbers are matters of a thread: here no gradient is kept and denormals are flushed. On an
    accelerator, and where torch has one thread, everything happens in the caller's. The first error ends the rest:
    what has not begun never does, and long work can look at `ended` to stop before its time.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        torch.set_flush_denormal(True)
        for item in items:
            with torch.no_grad():
                result = work(item)
            yield item, result
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads, "molscore", initializer=_alone)
    try:
        for item in items:
            waiting.append((item, pool.submit(torch.no_grad()(work), item)))
            if len(waiting) > threads:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        if ended is not None:
            ended.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a thread's setting is the default of those that come after it


def _alone() -> None:
    """One core for this thread."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
