"""What each network of `benchmarks.unified` is measured by: held-out denoising, density, generation, latency."""

import math
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from molscore.audit.density import ModelDensity, groups, noise_of
from molscore.audit.time_score import residuals_of
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import centre, degrees_of_freedom
from molscore.evaluation.metrics import evaluate
from molscore.evaluation.stability import stability
from molscore.molecules.batch import size_groups
from molscore.nn import Checkpoint, Denoised, DiScoFormer, Estimate
from molscore.screening.draw import draw_formulas, draw_positions
from molscore.screening.model import Model
from molscore.training import TrainConfig, noised

__all__ = ["BINS", "Descent", "densities", "denoising_errors", "generation", "latencies"]

BINS, SIGMA_MAX = 10, 50.0  # of the time score's test, from the resolution to the Gaussian end in Å
Floats = NDArray[np.float64]


class Descent(nn.Module):
    """A density as a score: D = y - sigma^2 grad U, where a network with a score head has D of its own."""

    def __init__(self, network: DiScoFormer) -> None:
        super().__init__()
        self.network, self.elements, self.config = network, network.elements, network.config
        self.sigma_N = network.sigma_N

    def denoise(self, y: Tensor, elements: Tensor, mask: Tensor, sigma: Tensor, distribution: Tensor) -> Denoised:
        """As `DiScoFormer.denoise`, both guesses from the slope of U."""
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            found = self.network.denoise(y, elements, mask, sigma, distribution)
            grad_U = torch.autograd.grad(self.network.energy(y, found, mask).sum(), y)[0]
        D = (y - sigma.square()[:, None, None] * centre(grad_U, mask)).detach()
        return found._replace(coarse=D, fine=D)

    def forward(self, y: Tensor, elements: Tensor, mask: Tensor, sigma: Tensor, distribution: Tensor) -> Estimate:
        """The score that is the slope, beside the density: what one network of U costs to give both."""
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            U = self.network.energy(y, self.network.denoise(y, elements, mask, sigma, distribution), mask)
            grad_U = torch.autograd.grad(U.sum(), y)[0]
        return Estimate(-centre(grad_U, mask), -U.detach())


@torch.no_grad()
def denoising_errors(network: nn.Module, molecules: MoleculeSet, config: TrainConfig, seed: int) -> Floats:
    """lambda |D - x|^2 / d of each molecule, (M,), at a noise level of its own as training draws them."""
    found, generator = np.zeros(len(molecules)), torch.Generator().manual_seed(seed)
    for rows in size_groups(molecules.sizes, 64):
        noisy = noised(molecules.batch(rows, network.elements), config, config.uniform_share, generator)
        x, elements, mask = noisy.x
        token = torch.zeros(len(rows), dtype=torch.long)
        denoised = network.denoise(noisy.y, elements, mask, noisy.ln_sigma.exp(), token)
        squares = (denoised.fine - x).square().sum((1, 2)) / degrees_of_freedom(mask)
        found[rows] = (denoised.c.c_out.pow(-2) * squares).double().numpy()
    return found


def densities(model: Model, molecules: MoleculeSet, sigma: float, seed: int) -> dict[str, list[float]]:
    """U of each molecule blurred by `sigma` Å, its degrees of freedom, and its bias by the time score, all (M,).

    The bias is the sum over ln sigma, from the Gaussian end down to `sigma`, of dU/dln sigma - (d - |z|^2): what its
    mean is above zero, log-density is too high by, wherever U is off by a constant of each noise level.
    """
    edges = np.linspace(math.log(sigma), math.log(SIGMA_MAX), BINS + 1)
    U, d, bias = np.zeros(len(molecules)), 3 * (molecules.sizes.astype(int) - 1), np.zeros(len(molecules))
    for group in groups(model, molecules):
        density: ModelDensity = group.density
        z = noise_of(density.mask, group.rows, seed, 3)
        with torch.no_grad():
            _, found = density.estimate(group.x + sigma * z, torch.full((len(group.rows),), sigma))
        U[group.rows] = found.double().numpy()
        bias[group.rows] = residuals_of(density, group.x, group.rows, edges, seed).time_score.mean(2) @ np.diff(edges)
    return {"U": U.tolist(), "d": d.tolist(), "bias": bias.tolist()}


def generation(
    checkpoint: Checkpoint, n: int, seed: int, steps: int, temperature: float, guidance: float
) -> dict[str, Any]:
    """EDM's metrics of n molecules, N and formula first; the same seed has the same formulas whatever the network."""
    model = Model(checkpoint)
    counts, started = draw_formulas(model, n, seed, None, None), time.process_time()
    molecules = draw_positions(
        model, counts, seed, steps, "langevin", progress=True, temperature=temperature, guidance=guidance
    )
    seconds = time.process_time() - started
    found = MoleculeSet.from_molecules(molecules)
    metrics = evaluate(found)
    return {"metrics": metrics.to_dict(), "stable": stability(found).molecules.tolist(), "cpu_seconds": seconds}


@torch.no_grad()
def latencies(networks: dict[str, nn.Module], x: MoleculeSet, sigma: float, repeats: int) -> dict[str, list[float]]:
    """Seconds of "score and density" of the molecules x, (repeats,) each, the ways of having them taken in turn.

    `networks` has the unified one, the score-only one and the density-only one by these names.
    """
    batch = x.batch(np.arange(len(x)), networks["unified"].elements)
    arguments = (*batch, torch.full((len(x),), sigma), torch.zeros(len(x), dtype=torch.long))
    descent = Descent(networks["density"])

    def separate() -> None:
        networks["score"].denoise(*arguments)
        networks["density"](*arguments)

    ways = {
        "unified": lambda: networks["unified"](*arguments),
        "separate": separate,
        "slope": lambda: descent(*arguments),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 2):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if repeat >= 2:  # the first are slow for reasons of their own
                seconds[name].append(time.perf_counter() - started)
    return seconds
