"""Batched inference: molecules of any sizes in padded batches of like size, as many batches at once as there are cores.

One batch over several cores shares out its large products and does the rest on one of them; several batches at once
keep all of them busy. Each is computed by a single thread, so that numbers do not depend on how many cores there are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.errors import InputError
from molscore.molecules.batch import Batch, collate, size_groups
from molscore.molecules.molecule import Molecule
from molscore.molecules.workers import cores
from molscore.nn.context import Context, DistributionContext
from molscore.nn.discoformer import DiScoFormer
from molscore.nn.noise import LN_SIGMA_RANGE

__all__ = ["BATCH", "DEVICES", "Inputs", "batches", "check_resolution", "cores", "device_named", "side_by_side"]

BATCH = 32  # molecules a pass: of what a core keeps at hand, more are no faster
DEVICES = ("auto", "cpu", "cuda", "mps")

Item, Result = TypeVar("Item"), TypeVar("Result")


class Inputs(NamedTuple):
    """Arguments of one pass of the network, and which molecules they are."""

    rows: NDArray[np.int64]
    """(B,) indices of the molecules."""
    batch: Batch
    sigma: Tensor
    """(B,) Å."""
    context: Context

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Context]:
        """What the network is called with."""
        return (*self.batch, self.sigma, self.context)


def device_named(name: str | torch.device) -> torch.device:
    """A device by its name, ``auto`` being the best there is; raises `InputError` for one that is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    kind = str(name).partition(":")[0]
    if kind not in there:
        raise InputError(f"device {str(name)!r} is none of {', '.join(DEVICES)}")
    if not there[kind]:
        raise InputError(f"this machine has no {kind} device that torch can use; give cpu or auto")
    return torch.device(name)


def check_resolution(resolution: float) -> float:
    """A noise level in Å as a number; raises `InputError` outside what the network has a notion of."""
    low, high = np.exp(LN_SIGMA_RANGE)
    known = isinstance(resolution, (int, float, np.floating, np.integer))
    if not known or not low * 0.999 <= resolution <= high * 1.001:
        raise InputError(f"a resolution lies between {low:.3g} and {high:.3g} Å, not at {resolution}")
    return float(resolution)


def batches(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> Iterator[Inputs]:
    """Batches of molecules of nearly equal size, small ones first."""
    device = network.sigma_N.device
    for rows in size_groups([molecule.n_atoms for molecule in molecules], BATCH):
        batch = collate([molecules[row] for row in rows], network.elements).to(device)
        yield Inputs(rows, batch, torch.full((len(rows),), sigma, device=device), context.at(batch.sizes))


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
