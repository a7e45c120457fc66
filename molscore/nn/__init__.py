"""The network: graph tokenizer, equivariant attention, backbone, two heads; checkpoints and the pmf of formulas."""
