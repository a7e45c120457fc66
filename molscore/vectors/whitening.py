"""Whitening: the affine map that gives a set of samples mean zero and covariance one.

    x_w = L^-1 (x - m),  L L^T = cov X,      ln p(x) = ln p_w(x_w) - ln det L,      score(x) = L^-T score_w(x_w)

Any root of the covariance will do, as what follows does not care about rotations: so this is Cholesky's.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Whitening"]


class Whitening(NamedTuple):
    """Maps of B sets; dimensions that are padding (without variance) are left alone."""

    mean: Tensor  # (B, 1, D)
    root: Tensor  # (B, D, D) lower triangle L
    log_det: Tensor  # (B,) ln det L

    @classmethod
    def of(cls, x: Tensor, live: Tensor | None = None) -> "Whitening":
        """Of samples x (B, n, D), n > D. `live` (B, D) is one in a real dimension and zero in padding."""
        mean = x.mean(1, keepdim=True)
        centred = x - mean
        covariance = centred.transpose(1, 2) @ centred / x.shape[1]
        if live is not None:
            covariance = covariance + torch.diag_embed(1 - live)
        root = torch.linalg.cholesky_ex(covariance).L
        return cls(mean, root, root.diagonal(dim1=1, dim2=2).log().sum(-1))

    def __call__(self, x: Tensor) -> Tensor:
        """Whiten x (B, m, D)."""
        return torch.linalg.solve_triangular(self.root, (x - self.mean).transpose(1, 2), upper=False).transpose(1, 2)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo it, (B, m, D)."""
        return x @ self.root.transpose(1, 2) + self.mean

    def score(self, score: Tensor) -> Tensor:
        """A score in whitened coordinates (B, m, D) -> in those of the data."""
        return torch.linalg.solve_triangular(self.root.transpose(1, 2), score.transpose(1, 2), upper=True).transpose(
            1, 2
        )

    def whitened_score(self, score: Tensor) -> Tensor:
        """The inverse of `score`."""
        return score @ self.root
