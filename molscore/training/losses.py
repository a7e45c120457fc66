"""The training objective: a data target for each head, and a pull of each towards the other.

    y = x + sigma z
    L = lambda(sigma) |D - x|^2 / d                                                          denoising
      + w_U { |sigma grad U - z|^2 / d  +  w_t (dU/dln sigma - (d - |z|^2))^2 / 4 d^2        dual score matching
              + lambda(sigma) |D - x|^2 / d }                             of the same pass
      + w_c sigma^2/d |score + grad U|^2                                                     consistency
      + w_s (sigma^2 score . (score + grad U))^2 / 4 d^2                                     slope along the flow
      + w_FP (dU/dln sigma + sigma^2 |score|^2 + tr dD/dy - d)^2 / 4 d^2                     Fokker-Planck

Each molecule of a batch gets the first line or the others. Both halves of the network have the denoising term, the
coarse half's with a weight of its own.

lambda = (sigma^2 + sigma_N^2)/(sigma sigma_N)^2 makes the first term |F - F*|^2 (Karras et al. 2022, arXiv 2206.00364).
The score is the better of the two where a molecule takes shape, and has no noise: consistency draws -grad U to it and
holds it constant. Of its d directions the likelihood sums one, that of the flow dy/dln sigma = -sigma^2 score, where a
deficit has one sign for all data: the slope has a weight of its own.
The time score fixes what the space score leaves free, one constant for each noise level, from the Gaussian end downward
(Guth, Kadkhodaie, Simoncelli 2025, arXiv 2506.05310, equations 7 to 9).
The last term is the Fokker-Planck equation of noise, dp/dln sigma = sigma^2 div grad p, with U's time score and the
score's divergence, tr dD/dy - d = sigma^2 div score (Lai et al. 2023, arXiv 2210.04296). No data target smooths that
divergence, which the referee (`diffusion.likelihood`) sums, while dU/dln sigma has one: it is a constant there, and
the score learns (benchmarks/recipe.md).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from molscore.diffusion.gaussian import centre, degrees_of_freedom
from molscore.molecules.batch import Batch
from molscore.nn.discoformer import Denoised, DiScoFormer
from molscore.training.compiled import Denoise
from molscore.training.config import TrainConfig

__all__ = ["Noised", "denoising_loss", "dual_loss", "noised"]


class Noised(NamedTuple):
    """Molecules with noise added."""

    x: Batch
    y: Tensor  # (B, N, 3) Å
    z: Tensor  # (B, N, 3), standard normal on the centred subspace
    ln_sigma: Tensor  # (B,)


def noised(x: Batch, config: TrainConfig, uniform_share: float, generator: torch.Generator) -> Noised:
    """Draw sigma (part log-uniform over the whole range, part log-normal) and noise for every molecule."""
    B = len(x.mask)
    low, high = torch.tensor([config.sigma_min, config.sigma_max]).log()
    uniform = low + (high - low) * torch.rand(B, generator=generator)
    mean, deviation = config.log_normal
    normal = (mean + deviation * torch.randn(B, generator=generator)).clamp(low, high)
    ln_sigma = torch.where(torch.rand(B, generator=generator) < uniform_share, uniform, normal)
    z = torch.randn(*x.positions.shape, generator=generator)
    ln_sigma, z = ln_sigma.to(x.positions.device), centre(z.to(x.positions.device), x.mask)
    return Noised(x, x.positions + ln_sigma.exp()[:, None, None] * z, z, ln_sigma)


def _per_degree(squares: Tensor, d: Tensor) -> Tensor:
    """Sum of (B, N, 3) over a molecule, per degree of freedom: (B,)."""
    return squares.sum((1, 2)) / d


def denoising_loss(
    denoise: Denoise, noisy: Noised, distribution: Tensor, weight_coarse: float
) -> tuple[Tensor, Tensor]:
    """lambda |D - x|^2 / d of both halves, and that of the fine half alone for the log."""
    x, mask = noisy.x.positions, noisy.x.mask
    denoised = denoise(noisy.y, noisy.x.elements, mask, noisy.ln_sigma.exp(), distribution)
    fine, coarse = _distances(denoised, x, degrees_of_freedom(mask))
    return fine + weight_coarse * coarse, fine.detach()


def _distances(denoised: Denoised, x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """lambda |D - x|^2 / d of the fine half and of the coarse half, means over molecules."""
    weight = denoised.c.c_out.detach().pow(-2)
    fine, coarse = ((weight * _per_degree((D - x).square(), d)).mean() for D in (denoised.fine, denoised.coarse))
    return fine, coarse


def _trace(D: Tensor, y: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """One of Hutchinson's estimates of tr dD/dy on the centred subspace, v . (dD/dy) v, (B,), to be trained through.

    v is of random signs, then centred, which leaves its covariance the projection on that subspace.
    """
    signs = 2 * torch.randint(2, y.shape, generator=generator).to(y) - 1
    v = centre(signs * mask[..., None], mask)
    (pulled,) = torch.autograd.grad((D * v).sum(), y, create_graph=True)
    return (pulled * v).sum((1, 2))


def dual_loss(
    network: DiScoFormer, noisy: Noised, distribution: Tensor, config: TrainConfig, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """The terms of the density head and the pulls, by one pass and one derivative of U; the parts for the log."""
    mask, z = noisy.x.mask, noisy.z
    d = degrees_of_freedom(mask)
    y, ln_sigma = noisy.y.detach().requires_grad_(), noisy.ln_sigma.detach().requires_grad_()
    sigma = ln_sigma.exp()
    denoised = network.denoise(y, noisy.x.elements, mask, sigma, distribution)
    U = network.energy(y, denoised, mask)
    grad_U, time_score = torch.autograd.grad(U.sum(), (y, ln_sigma), create_graph=True)
    grad_U, sigma = centre(grad_U, mask), sigma.detach()[:, None, None]

    space = _per_degree((sigma * grad_U - z).square(), d).mean()
    time = ((time_score - (d - z.square().sum((1, 2)))).square() / (4 * d.square())).mean()
    sigma_score = (denoised.fine - noisy.y) / sigma
    known_score = sigma_score.detach()
    apart = known_score + sigma * grad_U
    consistency = _per_degree(apart.square(), d).mean()
    slope = ((known_score * apart).sum((1, 2)).square() / (4 * d.square())).mean()
    fine, coarse = _distances(denoised, noisy.x.positions, d)
    data = space + config.weight_time * time + fine + config.weight_coarse * coarse
    pulls = config.weight_consistency * consistency + config.weight_slope * slope
    loss = config.weight_density * data + pulls
    parts = {"space": space, "time": time, "consistency": consistency, "slope": slope}
    if config.weight_fokker_planck:
        known = time_score.detach() + sigma_score.square().sum((1, 2)) - d
        # the square of one estimate would be its variance too; the product of two has the right mean
        one, other = (known + _trace(denoised.fine, y, mask, generator) for _ in range(2))
        parts["fokker_planck"] = (one * other / (4 * d.square())).mean()
        loss = loss + config.weight_fokker_planck * parts["fokker_planck"]
    return loss, {name: part.detach() for name, part in parts.items()}
