"""How good molecules are: EDM's metrics, fidelity to a reference, and distances between distributions."""
