"""The part of U that depends on the noise alone, by least squares: the last step of a training.

    t = E[d - |z|^2],   f = dU/dln sigma - t + sigma grad U . (sigma grad U - E[z])      (means over rotations)
    e = f - c(sigma) t,      c = E[f t] / E[t^2]
    U <- U + d s(sigma) r(sigma),      r(sigma) = sum_k w_k b_k(sigma)
    minimise over w   sum over samples of (e + d sum_k w_k d(s b_k)/dln sigma)^2 / v(sigma)  +  |w|^2 / SPREAD^2

Over noisy data y = x + sigma z, f has the mean of what U leaves of the equation of diffusion, for sigma z . v has the
mean of sigma^2 div v, whatever the field v (Stein's identity):

    E[f] = E[ dU/dln sigma - sigma^2 (div grad U - |grad U|^2) ]

The log of the integral of exp(-U) changes with ln sigma by minus the mean of that bracket over the *model*. The time
score's own residual, f without its last term, has no mean over data either where U is right. Where -grad U is too
flat, the last term keeps exp(-U) from integrating to less than one (docs/trials.md).

s is the signal's share sigma_N^2/(sigma^2 + sigma_N^2), b_k the waves of the noise level and v the mean of e^2 near it.
t has mean zero at every noise level, so that c t changes no mean and takes away what e shares with it: half of the
variance between 0.4 and 2 Å, a sixth to a quarter below. Still e varies by several nats, where r has tenths left to
mend: the last steps of an optimiser leave r anywhere within a nat, and a regression on thousands of samples does not.
The target: Guth, Kadkhodaie, Simoncelli 2025, arXiv 2506.05310, equation 8; the equation of diffusion of a log-density:
Lai et al. 2023, arXiv 2210.04296; the control variate c t: Owen 2013, Monte Carlo theory, methods and examples, section
8.9.
"""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.gaussian import centre, degrees_of_freedom
from molscore.molecules.batch import size_groups
from molscore.nn.backbone import noise_waves
from molscore.nn.checkpoint import Checkpoint
from molscore.nn.discoformer import Context, DiScoFormer
from molscore.nn.heads import Preconditioning
from molscore.training.losses import Noised, noised

__all__ = ["with_noise_offset"]

SAMPLES, BATCH = 32_768, 64
DRAWS = 64  # of one molecule, at most
SPREAD = 0.3  # of the weights, a priori


class Residuals(NamedTuple):
    """What U leaves of the equation of diffusion, in the mean over noise, for B molecules at a noise level each."""

    residual: Tensor  # (B,) nats, f
    target: Tensor  # (B,) nats, t
    slope: Tensor  # (B, NOISE_WAVES) nats, what a unit of each weight adds to it
    waves: Tensor  # (B, NOISE_WAVES)

    @classmethod
    def of(cls, network: DiScoFormer, noisy: Noised, context: Context) -> "Residuals":
        """Of molecules with noise."""
        x, d = noisy.x, degrees_of_freedom(noisy.x.mask)
        y, ln_sigma = noisy.y.detach().requires_grad_(), noisy.ln_sigma.detach().requires_grad_()
        sigma = noisy.ln_sigma.exp()
        broad = sigma[:, None, None]
        z = (noisy.y - noisy.x_mean) / broad
        with torch.enable_grad():
            U = network.energy(y, network.denoise(y, x.elements, x.mask, ln_sigma.exp(), context), x.mask)
            grad_U, time_score = torch.autograd.grad(U.sum(), (y, ln_sigma))
        sigma_grad_U = broad * centre(grad_U, x.mask)
        sigma_N = context.sigma_N.to(sigma)

        def share(ln_sigma: Tensor) -> Tensor:
            sigma = ln_sigma.exp()
            return Preconditioning.at(sigma, sigma_N).c_skip[:, None] * noise_waves(sigma)

        slope = torch.func.jvp(share, (ln_sigma.detach(),), (torch.ones_like(sigma),))[1]
        target = noisy.time
        residual = time_score - target + (sigma_grad_U * (sigma_grad_U - z)).sum((1, 2))
        return cls(residual, target, d[:, None] * slope, noise_waves(sigma))


def with_noise_offset(
    checkpoint: Checkpoint,
    data: Sequence[MoleculeSet],
    sigmas: tuple[float, float],
    samples: int = SAMPLES,
    seed: int = 0,
) -> Checkpoint:
    """The checkpoint with r(sigma) of each distribution fitted, in place, between two `sigmas` in Å.

    `data` holds molecules of each distribution, in their order; `samples` noisy ones are drawn of each, of small data
    sets no more than `DRAWS` of a molecule. The same seed gives the same numbers: a kill costs minutes.
    """
    network = checkpoint.network
    for distribution, molecules in enumerate(data):
        n = min(samples, DRAWS * len(molecules))
        found = _sampled(network, molecules, distribution, sigmas, n, seed)
        with torch.no_grad():
            network.noise_offset[distribution] += fitted(found).to(network.noise_offset)
    return checkpoint


def fitted(found: Residuals) -> Tensor:
    """The weights w (NOISE_WAVES,) in float64."""
    f, t, G, waves = (part.double() for part in found)
    near = waves / waves.sum(1, keepdim=True)

    def mean_near(values: Tensor) -> Tensor:
        return near @ ((near.T @ values) / near.sum(0).clamp(min=1e-9))

    e = f - mean_near(f * t) / mean_near(t.square()).clamp(min=1e-9) * t
    v = mean_near(e.square())
    weighted = G / v[:, None].clamp(min=1e-9)
    prior = torch.eye(G.shape[1], dtype=G.dtype, device=G.device) / SPREAD**2
    return torch.linalg.solve(weighted.T @ G + prior, -(weighted.T @ e))


def _sampled(
    network: DiScoFormer, data: MoleculeSet, distribution: int, sigmas: tuple[float, float], samples: int, seed: int
) -> Residuals:
    device = network.sigma_N.device
    generator = torch.Generator(device).manual_seed(seed)
    low, high = torch.tensor(sigmas).log()
    chosen = np.random.default_rng([seed, distribution]).integers(len(data), size=samples)
    found = []
    for rows in tqdm(list(size_groups(data.sizes[chosen], BATCH)), desc="noise offset", unit="batch", file=sys.stderr):
        x = data.batch(chosen[rows], network.elements).to(device)
        ln_sigma = low + (high - low) * torch.rand(len(rows), generator=generator, device=device)
        context = network.context(torch.full_like(x.sizes, distribution), x.sizes)
        found.append(Residuals.of(network, noised(x, ln_sigma, generator), context))
    return Residuals(*map(torch.cat, zip(*found, strict=True)))
