"""Training: one objective, one optimiser, one loop that can be killed at any moment."""
