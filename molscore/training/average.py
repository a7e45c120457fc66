"""Exponential moving average of the weights.

    w_bar <- beta w_bar + (1 - beta) w,      beta = min(decay, (1 + step)/(10 + step))

The ramp lets a short run forget its random start.
"""

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """Averaged copies of a network's parameters, by name."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after optimiser step `step`."""
        beta = min(self.decay, (1 + step) / (10 + step))
        params = dict(network.named_parameters())
        torch._foreach_lerp_([self.weights[n] for n in params], [p.detach() for p in params.values()], 1 - beta)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.weights

    def load_state_dict(self, weights: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        for name, value in self.weights.items():
            value.copy_(weights[name])
