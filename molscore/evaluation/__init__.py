"""How good molecules are: EDM's metrics and distances between distributions of geometry."""

__all__ = ["bonds", "composition", "geometry", "intervals", "library", "metrics", "stability", "thresholds", "validity"]
