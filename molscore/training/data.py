"""Batches as a pure function of (seed, step), and the references that go with them.

A step takes one data set, with probability `weight`, and molecules of like size from it, so many that their attention
costs what `batch` molecules of `USUAL` atoms do: a batch of 50-atom molecules takes as long as one of 18. Nothing is
to be saved of it, and nothing is lost when a run is killed.

    cost(N) = (N/USUAL + (N/USUAL)^2) / 2         in usual molecules (measured on CPUs: 2.1, 3.0, 5.3 at 30, 40, 50)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["USUAL", "Batches", "Chosen", "Clusters", "cost"]

USUAL = 18  # atoms of the molecule that a batch is counted in
WIDTHS = (12, 15, 16, 17, 18, 19, 20, 21, 23, 26, 29, 33, 36, 39, 42, 45, 48, 52, 56, 60, 64)  # batches are padded to


def cost(N: int | np.ndarray) -> float | np.ndarray:
    """What a molecule of N atoms costs, in molecules of `USUAL` atoms."""
    return (N / USUAL + (N / USUAL) ** 2) / 2


class Clusters:
    """Molecules that are alike, by several keys: the references that a molecule is trained with come from its cluster.

    Args:
        keys: (M, n_keys) integers; molecules with the same number under a key are alike.
        pool: (P,) the molecules that references are taken from.
        weights: (n_keys,) how often each key is drawn, up to a factor.
    """

    def __init__(self, keys: np.ndarray, pool: np.ndarray, weights: Sequence[float], device: torch.device) -> None:
        orders, starts, stops = [], [], []
        for key in np.asarray(keys).T:
            order = np.argsort(key[pool], kind="stable")
            among = key[pool][order]
            orders.append(order), starts.append(np.searchsorted(among, key, side="left"))
            stops.append(np.searchsorted(among, key, side="right"))
        self.pool, self.weights = torch.from_numpy(pool).to(device), torch.tensor(weights, device=device)
        self.order, self.start, self.stop = (
            torch.from_numpy(np.stack(part)).to(device) for part in (orders, starts, stops)
        )

    def draw(self, rows: Tensor, k_max: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """References of molecules `rows` (B,): places in the pool (B, k_max), and which of them are there.

        They are of one cluster of the molecule. A `share` of the molecules has some, log-uniform from 1 to `k_max`. A
        molecule is never its own reference.
        """
        B, device = len(rows), rows.device
        key = torch.multinomial(self.weights, B, replacement=True, generator=generator)
        first, last = self.start[key, rows], self.stop[key, rows]
        u = torch.rand(B, k_max, generator=generator, device=device)
        place = (first[:, None] + (u * (last - first)[:, None]).long()).clamp(max=len(self.pool) - 1)
        chosen = self.order[key[:, None], place]
        count = (k_max + 1) ** torch.rand(B, generator=generator, device=device)
        wanted = torch.arange(k_max, device=device) < count.long()[:, None]
        has = torch.rand(B, generator=generator, device=device) < share
        others = (last > first)[:, None] & (self.pool[chosen] != rows[:, None])
        return chosen, wanted & has[:, None] & others


class Chosen(NamedTuple):
    """Which molecules a step is about."""

    dataset: int
    rows: np.ndarray  # (B,)
    width: int  # atoms that they are padded to


class Batches:
    """`at(step)`: a data set by weight, a size by how often it occurs, molecules of it at random.

    Args:
        sizes: atoms of each molecule of each data set.
        weights: share of the work that goes to each.
        batch: molecules of `USUAL` atoms a step; of larger ones fewer.
    """

    def __init__(self, sizes: Sequence[np.ndarray], weights: Sequence[float], batch: int, seed: int) -> None:
        self.weights = np.asarray(weights, dtype=float) / np.sum(weights)
        self.seed, self.groups = seed, []
        for n in sizes:
            largest = int(n.max())
            widths = [w for w in WIDTHS if w < largest] + [largest]
            group = np.searchsorted(widths, n)
            members = [np.flatnonzero(group == g) for g in range(len(widths))]
            counts = [max(1, round(batch / cost(width))) for width in widths]
            chance = np.array([len(m) / c for m, c in zip(members, counts, strict=True)])
            self.groups.append((widths, members, counts, chance / chance.sum()))

    def at(self, step: int, rank: int = 0) -> Chosen:
        """The molecules of a step, for process `rank`: the same size everywhere, other molecules."""
        rng = np.random.default_rng([self.seed, step])
        dataset = int(rng.choice(len(self.weights), p=self.weights))
        widths, members, counts, chance = self.groups[dataset]
        g = int(rng.choice(len(widths), p=chance))
        own = np.random.default_rng([self.seed, step, 1 + rank])
        rows = own.choice(members[g], counts[g], replace=len(members[g]) < counts[g])
        return Chosen(dataset, rows, widths[g])
