"""Batches as a pure function of (seed, step): nothing to save, nothing to lose when a run is killed."""

from functools import lru_cache

import numpy as np

from molscore.errors import InputError

__all__ = ["SizeGroupedBatches"]

POOL = 32  # batches whose molecules are sorted by size together


class SizeGroupedBatches:
    """Every molecule once an epoch, in batches of nearly equal size, in an order that depends on the seed alone."""

    def __init__(self, sizes: np.ndarray, batch: int, seed: int) -> None:
        self.sizes, self.batch, self.seed = np.asarray(sizes), batch, seed
        self.per_epoch = len(self.sizes) // batch
        if self.per_epoch < 1:
            raise InputError(f"{len(self.sizes)} molecules do not fill one batch of {batch}")
        self._epoch = lru_cache(maxsize=1)(self._make_epoch)

    def _make_epoch(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.sizes))[: self.per_epoch * self.batch]
        pools = [order[i : i + POOL * self.batch] for i in range(0, len(order), POOL * self.batch)]
        grouped = np.concatenate([pool[np.argsort(self.sizes[pool], kind="stable")] for pool in pools])
        batches = grouped.reshape(self.per_epoch, self.batch)
        return batches[rng.permutation(self.per_epoch)]

    def at(self, step: int, rank: int = 0, world: int = 1) -> np.ndarray:
        """Indices of this process's share of the batch of `step`; shares have like sizes."""
        epoch, position = divmod(step, self.per_epoch)
        return self._epoch(epoch)[position][rank::world]
