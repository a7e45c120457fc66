"""One network gives the score and the log-density of molecules: generate, rank and filter them."""

__all__ = ["__version__"]

__version__ = "0.1.0"
