"""DiScoFormer on plain vectors: log-density and its gradient from samples, with the interface of `KernelDensity`."""

from typing import TYPE_CHECKING

from molscore import lazily

if TYPE_CHECKING:
    from molscore.vectors.density import DiScoFormerDensity

__all__ = ["DiScoFormerDensity"]

# The estimator needs scikit-learn, which training does without.
__getattr__, __dir__ = lazily(__name__, {"DiScoFormerDensity": "molscore.vectors.density"})
