"""The training objective: a data target for each head, and a pull of each towards the other.

    y = x + sigma z,      p(R | y, x) = matrix Fisher(y^T x/sigma^2),      x' = E[R | y, x] x,      z' = (y - x')/sigma

    L = lambda(sigma) |D - x'|^2 / d                                                         denoising
      + w_d h(sigma) lambda(sigma) sum_ij e^{-d_ij/DECAY} (|D_i - D_j| - d_ij)^2 / d          distances, at low noise
      + w_b h(sigma) sum_ij CE(bond_ij) / N                                                  bonds, where they are known
      + w_U { |sigma grad U - z'|^2 / d  +  w_t (dU/dln sigma - t')^2 / v(sigma, d)          dual score matching
              + lambda(sigma) |D - x'|^2 / d }                            of the same pass
      + w_c sigma^2/d |score + grad U|^2                                                     consistency
      + w_s (sigma^2 score . (score + grad U))^2 / 4 d^2                                     slope along the flow

    t' = E[d - |z|^2 | y, shape of x] = d - (|y|^2 + |x|^2 - 2 <E[R], y^T x>)/sigma^2

Each molecule of a batch gets the first three lines or the others. Both halves of the network have the denoising term,
the coarse half's with a weight of its own.

p_sigma does not change when a molecule is turned, so how x lay before the noise came is not to be known from y: putting
the mean over rotations x', z', t' in the place of x, z, d - |z|^2 changes no conditional mean given y and takes the
variance of the orientation out of every target (Rao-Blackwell; matrix Fisher mean: `diffusion.gaussian`). Turning x
onto y instead (Kabsch) would be another mean, and wrong.
lambda = (sigma^2 + sigma_N^2)/(sigma sigma_N)^2 makes the first term |F - F*|^2 (Karras et al. 2022, arXiv 2206.00364).
Distances: arXiv 2511.02087; the mean of a distance is not the distance of means, so h keeps them to noise that is small
beside a bond.
The score is the better of the two where a molecule takes shape, and has no noise: consistency draws -grad U to it and
holds it constant. Of its d directions the likelihood sums one, that of the flow dy/dln sigma = -sigma^2 score, where a
deficit has one sign for all data: the slope has a weight of its own.
The time score fixes what the space score leaves free, one constant for each noise level, from the Gaussian end downward
(Guth, Kadkhodaie, Simoncelli 2025, arXiv 2506.05310, equations 7 to 9). v is the variance of t' given y, so that every
noise level counts by what it can tell.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from molscore.diffusion.gaussian import centre, degrees_of_freedom, log_rotation_average
from molscore.molecules.batch import Batch
from molscore.nn.discoformer import Context, Denoised, DiScoFormer
from molscore.training.config import TrainConfig

__all__ = [
    "Denoise", "Noised", "denoising_loss", "dual_loss", "draw_ln_sigma", "noised", "time_variance", "with_noise",
]  # fmt: skip

Denoise = Callable[[Tensor, Tensor, Tensor, Tensor, Context], Denoised]

DECAY = 1.5  # Å, over which the weight of a distance falls
KNOWN_BELOW = 0.3  # Å, noise below which distances and bonds are targets

# Deviation of t' given y, in nats, for molecules of 18 atoms (d = 51), and the noise levels in Å where it was measured.
_SIGMA = (0.003, 0.05, 0.09, 0.15, 0.38, 0.75, 1.5, 3.0, 8.0, 50.0)
_DEVIATION = (1.0, 1.0, 1.1, 1.9, 2.6, 5.8, 6.3, 4.5, 2.0, 1.0)


class Noised(NamedTuple):
    """Molecules with noise added, and the means of the targets over rotations."""

    x: Batch
    y: Tensor  # (B, N, 3) Å
    x_mean: Tensor  # (B, N, 3) Å, x'
    time: Tensor  # (B,) nats, t'
    ln_sigma: Tensor  # (B,)


def draw_ln_sigma(
    B: int, config: TrainConfig, log_normal: tuple[float, float], uniform_share: float, generator: torch.Generator
) -> Tensor:
    """ln sigma (B,): a share log-uniform over the whole range, the rest log-normal; one in each B-quantile."""
    device = generator.device
    low, high = math.log(config.sigma_min), math.log(config.sigma_max)
    u = (torch.randperm(B, generator=generator, device=device) + torch.rand(B, generator=generator, device=device)) / B
    uniform = low + (high - low) * u / max(uniform_share, 1e-9)
    mean, deviation = log_normal
    q = ((u - uniform_share) / max(1 - uniform_share, 1e-9)).clamp(1e-6, 1 - 1e-6)
    normal = (mean + deviation * torch.special.ndtri(q)).clamp(low, high)
    return torch.where(u < uniform_share, uniform, normal)


def noised(x: Batch, ln_sigma: Tensor, generator: torch.Generator) -> Noised:
    """Add noise of ln_sigma (B,) to clean molecules, and take the means over rotations."""
    sigma = ln_sigma.exp()[:, None, None]
    z = centre(torch.randn(x.positions.shape, generator=generator, device=x.positions.device), x.mask)
    y = x.positions + sigma * z
    x_mean, time = rotation_means(x.positions, y, sigma, degrees_of_freedom(x.mask))
    return Noised(x, y, x_mean, time, ln_sigma)


def with_noise(x: Batch, config: TrainConfig, generator: torch.Generator, density: bool) -> Noised:
    """Clean molecules with noise of the levels at which the density terms are trained, or else the denoising ones."""
    law = (config.log_normal_density, config.uniform_share_density)
    if not density:
        law = (config.log_normal, config.uniform_share)
    return noised(x, draw_ln_sigma(len(x.mask), config, *law, generator), generator)


def rotation_means(x: Tensor, y: Tensor, sigma: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """x' (B, N, 3) Å and t' (B,) nats of centred x, y (B, N, 3) Å at sigma (B, 1, 1) Å, d (B,)."""
    yT_x = y.double().transpose(1, 2) @ x.double()
    variance = sigma.double().square()
    R = log_rotation_average(yT_x / variance)[1]
    x_mean = x @ R.transpose(1, 2).to(x.dtype)
    overlap = (R * yT_x).sum((1, 2))
    squares = y.double().square().sum((1, 2)) + x.double().square().sum((1, 2)) - 2 * overlap
    return x_mean, (d - squares / variance[:, 0, 0]).to(x.dtype)


def time_variance(ln_sigma: Tensor, d: Tensor) -> Tensor:
    """v(sigma, d) in nats², (B,): the variance of t' given y, in proportion to d."""
    at = torch.tensor(_SIGMA, device=ln_sigma.device).log()
    deviation = torch.tensor(_DEVIATION, device=ln_sigma.device)
    right = torch.searchsorted(at, ln_sigma.contiguous()).clamp(1, len(at) - 1)
    share = ((ln_sigma - at[right - 1]) / (at[right] - at[right - 1])).clamp(0, 1)
    return (deviation[right - 1] + share * (deviation[right] - deviation[right - 1])).square() * (d / 51)


def _per_degree(squares: Tensor, d: Tensor) -> Tensor:
    """Sum of (B, N, 3) over a molecule, per degree of freedom: (B,)."""
    return squares.sum((1, 2)) / d


def _halves(denoised: Denoised, x_mean: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """lambda |D - x'|^2 / d of the fine half and of the coarse half, means over molecules."""
    weight = denoised.c.c_out.detach().pow(-2)
    fine, coarse = ((weight * _per_degree((D - x_mean).square(), d)).mean() for D in (denoised.fine, denoised.coarse))
    return fine, coarse


def denoising_loss(
    denoise: Denoise, noisy: Noised, context: Context, bonds: Tensor | None, config: TrainConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The first three lines of the objective, and their parts for the log.

    bonds (B, N, N): index of the bond order of every pair, -1 where it is not known; None where the data set has none.
    """
    mask, d = noisy.x.mask, degrees_of_freedom(noisy.x.mask)
    denoised = denoise(noisy.y, noisy.x.elements, mask, noisy.ln_sigma.exp(), context)
    fine, coarse = _halves(denoised, noisy.x_mean, d)
    known = 1 / (1 + (noisy.ln_sigma.exp() / KNOWN_BELOW) ** 4)
    parts = {"denoising": fine}
    loss = fine + config.weight_coarse * coarse
    if config.weight_distance:
        weight = known * denoised.c.c_out.detach().pow(-2) / d
        parts["distance"] = (weight * _distances(denoised.fine, noisy.x.positions, mask)).mean()
        loss = loss + config.weight_distance * parts["distance"]
    if config.weight_bonds and bonds is not None:
        logits = denoised.bonds.permute(0, 3, 1, 2).float()
        entropy = F.cross_entropy(logits, bonds, ignore_index=-1, reduction="none") * _pairs(mask)
        parts["bonds"] = (known * entropy.sum((1, 2)) / mask.sum(1)).mean()
        loss = loss + config.weight_bonds * parts["bonds"]
    return loss, {name: part.detach() for name, part in parts.items()}


def _pairs(mask: Tensor) -> Tensor:
    """(B, N, N) bool, True for two different real atoms."""
    return mask[:, :, None] & mask[:, None] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)


def _distances(D: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """sum_ij e^{-d_ij/DECAY} (|D_i - D_j| - d_ij)^2 in Å², (B,)."""

    def lengths(x: Tensor) -> Tensor:
        return ((x[:, :, None] - x[:, None]).square().sum(-1) + 1e-8).sqrt()

    d_ij = lengths(x)
    return (torch.exp(-d_ij / DECAY) * _pairs(mask) * (lengths(D) - d_ij).square()).sum((1, 2))


def dual_loss(
    network: DiScoFormer, noisy: Noised, context: Context, config: TrainConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The terms of the density head and the pulls, by one pass and one derivative of U; the parts for the log."""
    mask = noisy.x.mask
    d = degrees_of_freedom(mask)
    y, ln_sigma = noisy.y.detach().requires_grad_(), noisy.ln_sigma.detach().requires_grad_()
    sigma = ln_sigma.exp()
    denoised = network.denoise(y, noisy.x.elements, mask, sigma, context)
    U = network.energy(y, denoised, mask)
    grad_U, time_score = torch.autograd.grad(U.sum(), (y, ln_sigma), create_graph=True)
    grad_U, sigma = centre(grad_U, mask), sigma.detach()[:, None, None]

    z_mean = (noisy.y - noisy.x_mean) / sigma
    space = _per_degree((sigma * grad_U - z_mean).square(), d).mean()
    time = ((time_score - noisy.time).square() / time_variance(noisy.ln_sigma, d)).mean()
    known_score = ((denoised.fine - noisy.y) / sigma).detach()
    apart = known_score + sigma * grad_U
    consistency = _per_degree(apart.square(), d).mean()
    slope = ((known_score * apart).sum((1, 2)).square() / (4 * d.square())).mean()
    fine, coarse = _halves(denoised, noisy.x_mean, d)
    data = space + config.weight_time * time + fine + config.weight_coarse * coarse
    loss = config.weight_density * data + config.weight_consistency * consistency + config.weight_slope * slope
    parts = {"space": space, "time": time, "consistency": consistency, "slope": slope}
    return loss, {name: part.detach() for name, part in parts.items()}
