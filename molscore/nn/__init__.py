"""The network: graph tokenizer, equivariant attention, backbone, two heads; checkpoints and adapters."""
