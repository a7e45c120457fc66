"""Mixtures with known density and score at every noise level: what samplers and networks are judged against.

    p_sigma(y) = sum_k w_k N(y; m_k, v_k + sigma^2)         on the centred subspace, d = 3(N - 1)

and the same averaged over rotations R, reflections and permutations of like atoms: over R, N(y; R m, s^2) averages to
exp(-(|y|^2 + |m|^2)/2s^2) c(y^T m/s^2) (2 pi s^2)^{-d/2} with c from `molscore.diffusion.gaussian`.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from molscore.diffusion.gaussian import centre, centred_noise, log_rotation_average

__all__ = ["GaussianMixture", "SymmetrisedMixture", "random_rotations", "shapes"]


class GaussianMixture:
    """K Gaussians around configurations of N atoms.

    Args:
        weights: (K,), positive; scaled to sum to one.
        means: (K, N, 3) Å; centred here.
        variances: (K,) Å² per degree of freedom.
    """

    def __init__(self, weights: Tensor, means: Tensor, variances: Tensor) -> None:
        means = means.double()
        self.mask = torch.ones(1, means.shape[1], dtype=torch.bool)
        self.means = centre(means, self.mask.expand(means.shape[:2]))
        self.weights, self.variances = weights.double() / weights.sum(), variances.double()
        self.d = 3 * (means.shape[1] - 1)

    @property
    def deviation(self) -> float:
        """sigma_N in Å: square root of E|x|^2/d."""
        return math.sqrt(float(self.weights @ (self.means.square().sum((1, 2)) / self.d + self.variances)))

    def _components(self, y: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, N, 3), variance (B, K) -> ln N_k without its constant (B, K), posteriors of the means (B, K, N, 3)."""
        squares = (y[:, None] - self.means).square().sum((2, 3))
        return -squares / (2 * variance), self.means.expand(len(y), -1, -1, -1)

    def _weighted(self, y: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """ln(w_k N_k) (B, K), the posteriors of the means (B, K, N, 3) and the variances (B, K)."""
        sigma = torch.as_tensor(sigma, dtype=torch.float64, device=y.device)
        variance = self.variances + sigma.expand(len(y))[:, None].square()
        log_p, posterior = self._components(y.double(), variance)
        return log_p + self.weights.log() - self.d / 2 * torch.log(2 * math.pi * variance), posterior, variance

    def log_density(self, y: Tensor, sigma: Tensor | float) -> Tensor:
        """log p_sigma(y) in nats, (B,) float64, of centred y (B, N, 3) Å; sigma in Å, a number or (B,)."""
        return self._weighted(y, sigma)[0].logsumexp(1)

    def responsibilities(self, y: Tensor, sigma: Tensor | float) -> Tensor:
        """Probability that y (B, N, 3) came from each component, (B, K) float64."""
        return self._weighted(y, sigma)[0].softmax(1)

    def score(self, y: Tensor, sigma: Tensor | float) -> Tensor:
        """Gradient of `log_density`, (B, N, 3) in 1/Å, of y's type."""
        log_p, posterior, variance = self._weighted(y, sigma)
        pull = (posterior - y.double()[:, None]) / variance[..., None, None]
        return (log_p.softmax(1)[..., None, None] * pull).sum(1).to(y.dtype)

    def sample(self, n: int, generator: torch.Generator, sigma: float = 0.0) -> tuple[Tensor, Tensor]:
        """Draw n exact samples at noise level sigma: positions (n, N, 3) float64 in Å, components (n,)."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = centred_noise(self.mask.expand(n, -1), generator, torch.float64)
        return self._placed(k, generator) + (self.variances[k] + sigma**2).sqrt()[:, None, None] * noise, k

    def _placed(self, k: Tensor, generator: torch.Generator) -> Tensor:
        return self.means[k]


class SymmetrisedMixture(GaussianMixture):
    """A mixture averaged over rotations, over permutations of like atoms and, with `reflect`, over reflections.

    Args:
        elements: N labels; atoms with the same label change places.
        reflect: whether mirror images are alike, as they are to a network of invariants.
    """

    def __init__(
        self, weights: Tensor, means: Tensor, variances: Tensor, elements: Sequence[int], reflect: bool = True
    ) -> None:
        super().__init__(weights, means, variances)
        self.reflect = reflect
        self.permutations = like_atom_permutations(elements)

    def _components(self, y: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        images = self.means[:, self.permutations]  # (K, P, N, 3)
        F = torch.einsum("bni,kpnj->bkpij", y, images) / variance[:, :, None, None, None]
        F = torch.stack([F, -F] if self.reflect else [F], dim=3)
        ln_c, R = log_rotation_average(F)  # (B, K, P, 1 or 2), (..., 3, 3)
        share = ln_c.flatten(2).softmax(2).view(ln_c.shape)
        signs = R.new_tensor([1.0, -1.0])[: F.shape[3], None, None]
        R = (share[..., None, None] * signs * R).sum(3)  # (B, K, P, 3, 3), already weighted
        squares = y.square().sum((1, 2))[:, None] + self.means.square().sum((1, 2))
        log_p = ln_c.flatten(2).logsumexp(2) - math.log(ln_c[0, 0].numel()) - squares / (2 * variance)
        return log_p, torch.einsum("bkpij,kpnj->bkni", R, images)

    def _placed(self, k: Tensor, generator: torch.Generator) -> Tensor:
        n = len(k)
        p = self.permutations[torch.randint(len(self.permutations), (n,), generator=generator)]
        x = self.means[k[:, None], p]
        if self.reflect:
            x = x * (1 - 2 * torch.randint(2, (n, 1, 1), generator=generator))
        return x @ random_rotations(n, generator).transpose(1, 2)


def shapes(generator: torch.Generator, atoms: int = 4) -> GaussianMixture:
    """Three modes, with the mean of all at zero."""
    weights = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    means = 0.7 * torch.randn(3, atoms, 3, generator=generator, dtype=torch.float64)
    means = means - torch.einsum("k,kni->ni", weights, means)
    return GaussianMixture(weights, means, torch.tensor([0.04, 0.02, 0.09]))


def like_atom_permutations(elements: Sequence[int]) -> Tensor:
    """(P, N) index of every permutation that leaves the labels `elements` as they are."""
    groups = [[i for i, label in enumerate(elements) if label == kind] for kind in sorted(set(elements))]
    rows = []
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        row = list(range(len(elements)))
        for group, image in zip(groups, choice, strict=True):
            for i, j in zip(group, image, strict=True):
                row[i] = j
        rows.append(row)
    return torch.tensor(rows)


def random_rotations(n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64) -> Tensor:
    """(n, 3, 3) rotations, uniform over SO(3)."""
    q = torch.randn(n, 4, generator=generator, dtype=dtype).roll(-1, 1)
    return torch.from_numpy(Rotation.from_quat(q.numpy()).as_matrix()).to(dtype)
