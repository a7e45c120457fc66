"""How good molecules are: EDM's metrics and distances between distributions of geometry."""

__all__ = ["bonds", "composition", "geometry", "intervals", "metrics", "stability", "thresholds", "validity"]
