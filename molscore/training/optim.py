"""Muon for the hidden matrices and AdamW for the rest, stepped as one; and the running average of the weights.

    Muon:     B <- mu B + g,   O = NewtonSchulz_5(g + mu B),   W <- W - lr sqrt(max(1, rows/columns)) O
    average:  w_bar <- beta w_bar + (1 - beta) w,      beta = min(decay, (1 + step)/(10 + step))

Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/. Ours and not `torch.optim.Muon` because
that one iterates in bfloat16, matrix by matrix: 3.5 times slower than this on a CPU without bfloat16 units. The ramp of
the average lets a short run forget its random start.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from molscore.training.config import TrainConfig

__all__ = ["Average", "Muon", "Optimiser", "learning_rate", "orthogonalise"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(G: Tensor, steps: int = 5) -> Tensor:
    """(M, rows, columns) matrices -> near-orthogonal ones, singular values within about 0.7 to 1.2."""
    a, b, c = COEFFICIENTS
    wide = G.shape[1] <= G.shape[2]
    X = G if wide else G.transpose(1, 2)
    X = X / (X.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        A = X @ X.transpose(1, 2)
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X if wide else X.transpose(1, 2)


class Muon(torch.optim.Optimizer):
    """Muon over two-dimensional parameters; like-shaped ones are orthogonalised together."""

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[p.shape].append(p)
            for shape, params in by_shape.items():
                self._update(params, shape, group)

    def _update(self, params: list[nn.Parameter], shape: torch.Size, group: dict[str, float]) -> None:
        lr = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
        gradients = [p.grad for p in params]
        momenta = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in params]
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, gradients)
        G = torch.stack(torch._foreach_add(gradients, momenta, alpha=group["momentum"]))
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(params, list(orthogonalise(G).unbind()), alpha=-lr)


def learning_rate(step: int, progress: float, config: TrainConfig) -> float:
    """Factor on the learning rate: rises over `warmup` steps, stays, falls to zero over the last `decay` of the run."""
    return max(0.0, min(1.0, (step + 1) / config.warmup, (1 - progress) / config.decay))


def _is_hidden_matrix(name: str, p: nn.Parameter) -> bool:
    """Embeddings, tokens, queries, gains and the last layers of heads are not what Muon is for."""
    others = ("token.", "from_receiver", "from_sender", "degree_weight", "queries", "noise_offset")
    return p.ndim == 2 and min(p.shape) > 1 and not any(part in name for part in others)


class Optimiser:
    """Several optimisers stepped as one, at a factor of the learning rates that they were made with."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        self.rates = [[group["lr"] for group in part.param_groups] for part in parts]

    @classmethod
    def of(cls, network: nn.Module, config: TrainConfig) -> "Optimiser":
        """Muon for the hidden matrices and AdamW for the rest."""
        named = list(network.named_parameters())
        matrices = [p for name, p in named if _is_hidden_matrix(name, p)]
        rest = [p for name, p in named if not _is_hidden_matrix(name, p)]
        return cls(
            torch.optim.AdamW(rest, lr=config.lr, betas=(0.9, 0.99), weight_decay=0.0),
            Muon(matrices, lr=config.lr_muon, weight_decay=config.decay_muon),
        )

    def step(self, factor: float) -> None:
        """Update at `factor` times the learning rates, then clear the gradients."""
        for part, rates in zip(self.parts, self.rates, strict=True):
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        """State of all."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        """Inverse of `state_dict`."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


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
