"""How good molecules are: EDM's metrics, distances between distributions of geometry, known molecules."""

__all__ = ["bonds", "composition", "geometry", "intervals", "known", "metrics", "stability", "thresholds", "validity"]
