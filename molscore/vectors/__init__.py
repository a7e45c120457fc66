"""DiScoFormer on plain vectors: log-density and its gradient from samples, with the interface of `KernelDensity`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molscore.vectors.density import DiScoFormerDensity

__all__ = ["DiScoFormerDensity"]


def __getattr__(name: str) -> Any:
    """Import the estimator when it is first asked for: it needs scikit-learn, which training does without."""
    if name != "DiScoFormerDensity":
        raise AttributeError(f"module 'molscore.vectors' has no attribute {name!r}")
    try:
        from molscore.vectors.density import DiScoFormerDensity
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise ImportError("DiScoFormerDensity needs scikit-learn: pip install scikit-learn") from None
    return DiScoFormerDensity
