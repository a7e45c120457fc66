"""How good molecules are: EDM's metrics, fidelity to a reference, strain and poses."""
