"""The integral of an unnormalised density, by importance sampling against a Gaussian mixture fitted to the samples.

    Z = E_q[ f(y)/q(y) ],      standard error of ln Z  ~  sd(f/q) / (mean(f/q) sqrt N),      ESS = (sum w)^2 / sum w^2

q is the Gaussian mixture of `molscore.vectors.em`, with heavier tails: each component counts with its own covariance,
with twice that and with nine times that, so that f/q is bounded wherever f falls like a Gaussian or faster.
"""

import numpy as np
from numpy.typing import NDArray

from molscore.vectors.em import GaussianMixtures

__all__ = ["Proposal", "normaliser"]

TAILS = ((1.0, 0.6), (2.0, 0.3), (9.0, 0.1))  # factor on the covariances, share of the draws


class Proposal:
    """A Gaussian mixture with heavier tails; see the module's text."""

    def __init__(self, mixture: GaussianMixtures) -> None:
        """Of the first of some mixtures."""
        weights, self.means, inverse_roots = (
            part[0].double().cpu().numpy() for part in (mixture.log_weights.exp(), mixture.means, mixture.roots)
        )
        self.weights, self.roots = weights / weights.sum(), np.linalg.inv(inverse_roots)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(n, d) draws."""
        k = rng.choice(len(self.weights), n, p=self.weights / self.weights.sum())
        scale = np.sqrt(rng.choice([factor for factor, _ in TAILS], n, p=[share for _, share in TAILS]))
        z = rng.standard_normal((n, self.means.shape[1])) * scale[:, None]
        return self.means[k] + np.einsum("nij,nj->ni", self.roots[k], z)

    def log_density(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln q(y) of y (m, d) in nats, (m,)."""
        d = y.shape[1]
        parts = []
        for weight, mean, root in zip(self.weights, self.means, self.roots, strict=True):
            squares = np.square(np.linalg.solve(root, (y - mean).T)).sum(0)
            if not weight:
                continue
            constant = np.log(weight) - np.linalg.slogdet(root)[1] - d / 2 * np.log(2 * np.pi)
            for factor, share in TAILS:
                parts.append(constant + np.log(share) - d / 2 * np.log(factor) - squares / (2 * factor))
        return np.logaddexp.reduce(parts, axis=0)


def normaliser(log_weights: NDArray[np.float64]) -> tuple[float, float, float]:
    """ln Z and its standard error in nats, and the effective samples, from ln f(y)/q(y) (N,) at draws of q."""
    top = log_weights.max()
    w = np.exp(log_weights - top)
    ess = w.sum() ** 2 / np.square(w).sum()
    return float(top + np.log(w.mean())), float(w.std() / w.mean() / np.sqrt(len(w))), float(ess)
