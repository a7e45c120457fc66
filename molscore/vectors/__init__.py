"""DiScoFormer on plain vectors: log-density and score of any sample, with the interface of `KernelDensity`."""
