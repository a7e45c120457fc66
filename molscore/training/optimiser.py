"""Which parameter goes to which optimiser, and how the learning rate moves."""

from collections.abc import Iterable

import torch
from torch import nn

from molscore.training.config import TrainConfig
from molscore.training.muon import Muon

__all__ = ["Optimiser", "learning_rate"]


def learning_rate(step: int, config: TrainConfig) -> float:
    """Factor on the learning rate: rises over `warmup`, stays at one, falls over the last `decay` of the steps."""
    left = (config.steps - step) / max(1.0, config.decay * config.steps)
    return min(1.0, (step + 1) / config.warmup, left)


def _is_hidden_matrix(name: str, p: nn.Parameter) -> bool:
    """Embeddings, tokens, gains and the last layers of heads are not what Muon is for."""
    others = ("token.", "from_receiver", "from_sender", "degree_weight")
    return p.ndim == 2 and min(p.shape) > 1 and not any(part in name for part in others)


class Optimiser:
    """Muon for the hidden matrices and AdamW for the rest, stepped as one."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], config: TrainConfig) -> None:
        named = [(name, p) for name, p in named if p.requires_grad]
        matrices = [p for name, p in named if _is_hidden_matrix(name, p)]
        rest = [p for name, p in named if not _is_hidden_matrix(name, p)]
        self.config = config
        adamw = torch.optim.AdamW(rest, lr=config.lr, betas=(0.9, 0.99), weight_decay=0.0)
        self.parts: list[torch.optim.Optimizer] = [adamw]
        if matrices:
            self.parts.append(Muon(matrices, lr=config.lr_muon, weight_decay=config.decay_muon))

    def step(self, step: int) -> None:
        """Update at the learning rate of `step`, then clear the gradients."""
        factor = learning_rate(step, self.config)
        for part, base in zip(self.parts, (self.config.lr, self.config.lr_muon), strict=False):
            for group in part.param_groups:
                group["lr"] = base * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        """State of both."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        """Inverse of `state_dict`; the weight decay stays that of the configuration."""
        for part, state in zip(self.parts, states, strict=True):
            decay = part.param_groups[0]["weight_decay"]
            part.load_state_dict(state)
            part.param_groups[0]["weight_decay"] = decay
