"""Training by the clock: each network gets the same CPU seconds, spent on training steps alone.

The schedules of `molscore train` count steps. Here a run has a thousand ticks, and the tick is the share of the CPU
time that is used up: the learning rate rises, stays and falls at the same moments of the clock whatever a step costs.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor, nn
from tqdm import tqdm

from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import centre, degrees_of_freedom
from molscore.molecules.batch import Batch
from molscore.nn import DiScoFormer, ModelConfig
from molscore.training import TrainConfig, add_gradients, noised
from molscore.training.average import Average
from molscore.training.batches import SizeGroupedBatches
from molscore.training.losses import Noised
from molscore.training.optimiser import Optimiser

__all__ = ["OBJECTIVES", "TICKS", "Clock", "Objective", "Spent", "config_of", "density_loss", "trained"]

TICKS = 1000
DENSITY_START = 0.3  # share of the time that the ordinary recipe spends on the score alone

Objective = Callable[[nn.Module, Batch, TrainConfig, int, torch.Generator], None]


class Clock:
    """CPU seconds of this process inside `with` blocks, against a budget."""

    def __init__(self, budget: float) -> None:
        self.budget, self.used, self._started = budget, 0.0, 0.0

    def __enter__(self) -> "Clock":
        self._started = time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.used += time.process_time() - self._started

    @property
    def tick(self) -> int:
        """Where the run stands, 0 to `TICKS` - 1."""
        return min(TICKS - 1, int(TICKS * self.used / self.budget))

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return self.used >= self.budget


@dataclass(frozen=True)
class Spent:
    """What a training run took."""

    cpu_seconds: float
    steps: int
    molecules: int


def config_of(model: ModelConfig, batch: int, seed: int) -> TrainConfig:
    """The recipe of `molscore train` on the clock, with the weights that its density was made by."""
    return TrainConfig(
        data="", out="", model=model, seed=seed, steps=TICKS, warmup=TICKS // 20, decay=0.5, batch=batch,
        density_start=int(DENSITY_START * TICKS), density_batch=batch // 2, weight_density=1.0, weight_time=4.0,
    )  # fmt: skip


def trained(
    network: nn.Module, data: MoleculeSet, objective: Objective, config: TrainConfig, seconds: float, label: str
) -> Spent:
    """Train `network` in place for `seconds` of CPU time, by the optimiser of `molscore train`; averaged weights."""
    torch.set_flush_denormal(True)
    optimiser, average = Optimiser(network.named_parameters(), config), Average(network, config.ema)
    batches = SizeGroupedBatches(data.sizes, config.batch, config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    clock, step = Clock(seconds), 0
    with tqdm(total=TICKS, desc=label, file=sys.stderr, mininterval=10) as bar:
        while not clock.is_over:
            with clock:
                x = data.batch(batches.at(step), network.elements)
                objective(network, x, config, clock.tick, generator)
                torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
                optimiser.step(clock.tick)
                average.update(network, step)
                step += 1
            bar.update(clock.tick - bar.n)
    network.load_state_dict({**network.state_dict(), **average.weights})
    network.eval()
    return Spent(clock.used, step, step * config.batch)


def _token(x: Batch) -> Tensor:
    return torch.zeros(len(x.mask), dtype=torch.long)


def score_only(network: DiScoFormer, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator) -> None:
    """Denoising alone."""
    add_gradients(network, x, config, 0, generator)


def unified(network: DiScoFormer, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator) -> None:
    """The ordinary recipe: denoising, and from `density_start` on the terms of the density for a part of the batch."""
    n_dual = config.density_batch if tick >= config.density_start else 0
    add_gradients(network, x, config, n_dual, generator)


def density_only(network: DiScoFormer, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator) -> None:
    """The terms of U alone, on the whole batch."""
    noisy = noised(x, config, 0.5, generator)
    density_loss(network, noisy, _token(x), config.weight_time).backward()


def density_loss(network: DiScoFormer, noisy: Noised, distribution: Tensor, weight_time: float) -> Tensor:
    """|sigma grad U - z|^2 / d + w_t (dU/dln sigma - (d - |z|^2))^2 / 4 d^2: nothing is asked of the score head."""
    mask, z = noisy.x.mask, noisy.z
    d = degrees_of_freedom(mask)
    y, ln_sigma = noisy.y.detach().requires_grad_(), noisy.ln_sigma.detach().requires_grad_()
    sigma = ln_sigma.exp()
    U = network.energy(y, network.denoise(y, noisy.x.elements, mask, sigma, distribution), mask)
    grad_U, time_score = torch.autograd.grad(U.sum(), (y, ln_sigma), create_graph=True)
    error = sigma.detach()[:, None, None] * centre(grad_U, mask) - z
    space = (error.square().sum((1, 2)) / d).mean()
    time = ((time_score - (d - z.square().sum((1, 2)))).square() / (4 * d.square())).mean()
    return space + weight_time * time


OBJECTIVES: dict[str, Objective] = {"unified": unified, "score": score_only, "density": density_only}
