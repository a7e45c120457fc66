"""A neural spline flow for the molecules of one formula: the dedicated density that `benchmarks.unified` is beside.

    log p(x) = log p_flow(c) - d ln s,      c = Q^T P x / s,      d = 3(N - 1)

Q (N, N - 1) has orthonormal columns that sum to zero, so that c holds the centred positions and nothing else, and the
change of variables costs only the scale s. P sorts the atoms by element, heavy ones first. The density to be learned is
invariant under rotations, mirror images and exchanges of like atoms; the flow is not, so it is shown them at random.
Source: Durkan et al. 2019, arXiv 1906.04032; its implementation is zuko's.
"""

import math
import sys

import numpy as np
import torch
import zuko
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.clocked import TICKS, Clock, Spent
from molscore.datasets.statistics import formula_counts
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.rotations import random_rotations
from molscore.molecules.batch import element_index
from molscore.molecules.elements import SYMBOLS, parse_formula
from molscore.training.average import Average

__all__ = ["FormulaFlow", "augmented", "centred_basis", "isomers", "ordered", "train_flow"]

HEAVY_FIRST = ("C", "N", "O", "F", "H")
BATCH, LEARNING_RATE, CLIP, EMA = 256, 1e-3, 10.0, 0.999


def isomers(molecules: MoleculeSet, formula: str) -> MoleculeSet:
    """Those of the formula."""
    elements = [SYMBOLS[number] for number in np.unique(molecules.numbers)]
    counts = parse_formula(formula)
    wanted = np.array([counts.get(symbol, 0) for symbol in elements])
    return molecules.select((formula_counts(molecules, elements) == wanted).all(1))


def ordered(molecules: MoleculeSet) -> tuple[Tensor, tuple[int, ...]]:
    """Centred positions (M, N, 3) Å of isomers with their atoms sorted by element, and the element of each place."""
    numbers = molecules.numbers.reshape(len(molecules), -1)
    rank = element_index(HEAVY_FIRST)[numbers]
    order = np.argsort(rank, axis=1, kind="stable")
    rank = np.take_along_axis(rank, order, axis=1)
    if not (rank == rank[0]).all():
        raise ValueError("the molecules are not isomers")
    x = molecules.positions.reshape(*numbers.shape, 3).astype(np.float64)
    x = np.take_along_axis(x, order[..., None], axis=1)
    return torch.from_numpy(x - x.mean(1, keepdims=True)).float(), tuple(rank[0].tolist())


def centred_basis(n_atoms: int) -> Tensor:
    """(N, N - 1) orthonormal columns, each with sum zero: Helmert's contrasts."""
    k = torch.arange(1, n_atoms, dtype=torch.float64)
    rows = torch.arange(n_atoms, dtype=torch.float64)[:, None]
    contrast = (rows < k).double() - k * (rows == k).double()
    return (contrast / (k * (k + 1)).sqrt()).float()


def augmented(x: Tensor, kinds: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Each of (B, N, 3) turned, mirrored or not, and its atoms of one kind exchanged at random."""
    B, N = x.shape[:2]
    turns = random_rotations(B, generator, x.dtype)
    turns = turns * (1 - 2 * torch.randint(2, (B, 1, 1), generator=generator)).to(x.dtype)  # -R: a mirror image
    # sorting kind + u in [0, 1) keeps kinds in their places and shuffles within them
    order = (torch.tensor(kinds) + torch.rand(B, N, generator=generator)).argsort(1)
    return torch.take_along_dim(x, order[..., None], 1) @ turns.transpose(1, 2)


class FormulaFlow(nn.Module):
    """Density of the ordered, centred positions of N atoms: an autoregressive flow of rational-quadratic splines."""

    def __init__(self, n_atoms: int, scale: float, transforms: int, width: int) -> None:
        super().__init__()
        self.d, self.scale = 3 * (n_atoms - 1), scale
        self.register_buffer("basis", centred_basis(n_atoms))
        self.flow = zuko.flows.NSF(self.d, bins=8, transforms=transforms, hidden_features=(width, width))

    def coordinates(self, x: Tensor) -> Tensor:
        """(B, N, 3) Å -> (B, d), without unit."""
        return (self.basis.T @ x).flatten(1) / self.scale

    def log_density(self, x: Tensor) -> Tensor:
        """log p in nats, (B,), of centred positions (B, N, 3) Å."""
        return self.flow().log_prob(self.coordinates(x)) - self.d * math.log(self.scale)


def train_flow(
    x: Tensor, kinds: tuple[int, ...], sigma: float, seconds: float, seed: int, transforms: int = 5, width: int = 140
) -> tuple[FormulaFlow, Spent]:
    """Maximum likelihood of positions (M, N, 3) blurred by `sigma` Å, by Adam on the clock; averaged weights."""
    torch.manual_seed(seed)
    scale = float((x.square().sum((1, 2)).mean() / (3 * (x.shape[1] - 1))).sqrt())
    flow = FormulaFlow(x.shape[1], scale, transforms, width)
    optimiser, average = torch.optim.Adam(flow.parameters(), lr=LEARNING_RATE), Average(flow, EMA)
    generator, clock, step = torch.Generator().manual_seed(seed), Clock(seconds), 0
    with tqdm(total=TICKS, desc="flow", file=sys.stderr, mininterval=10) as bar:
        while not clock.is_over:
            with clock:
                rows = torch.randint(len(x), (BATCH,), generator=generator)
                loss = -flow.log_density(blurred(augmented(x[rows], kinds, generator), sigma, generator)).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
                for group in optimiser.param_groups:  # half a cosine over the run, after a short rise
                    falling = (1 + math.cos(math.pi * clock.tick / TICKS)) / 2
                    group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 50) * falling
                optimiser.step()
                average.update(flow, step)
                step += 1
            bar.update(clock.tick - bar.n)
            bar.set_postfix(nats=f"{loss.item():.1f}", refresh=False)
    flow.load_state_dict({**flow.state_dict(), **average.weights})
    return flow.eval(), Spent(clock.used, step, step * BATCH)


def blurred(x: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """(B, N, 3) with centred noise of `sigma` Å."""
    z = torch.randn(x.shape, generator=generator)
    return x + sigma * (z - z.mean(1, keepdim=True))
