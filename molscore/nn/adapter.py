"""Low-rank adapters: what a base network learns of a new distribution, small enough to keep beside it.

    W' = W + U V,      V (rank, in), U (out, rank), U zero at the start

for every linear layer of every block and of the density head, with a token and an offset of its own. All else is the
base's.
Once learnt the sum is taken, so that an adapted network costs what its base does, and the base itself never changes.
Source: Hu et al. 2021, LoRA, arXiv 2106.09685.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from molscore.nn.discoformer import DiScoFormer

__all__ = ["RANK", "adaptable", "learnt", "merge"]

RANK = 4
_ADAPTED = ("coarse_stack.blocks.", "fine_stack.blocks.", "density_head.")
_WITHIN = ".parametrizations.weight.0."  # torch's name for the place of a parametrisation
_OWN = ("distribution_token.weight", "noise_offset")  # of the distribution


class LowRank(nn.Module):
    """W -> W + U V."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        n_out, n_in = weight.shape
        rank = min(rank, n_out, n_in)
        self.down = nn.Parameter(torch.randn(rank, n_in) * n_in**-0.5)
        self.up = nn.Parameter(torch.zeros(n_out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The sum, of the shape of `weight`."""
        return weight + self.up @ self.down


def adaptable(network: DiScoFormer, rank: int = RANK, blocks: bool = True) -> DiScoFormer:
    """The network of one distribution, changed: what is its own and, with `blocks`, low-rank factors alone learn."""
    network.requires_grad_(False)
    network.distribution_token.requires_grad_(True)
    network.noise_offset.requires_grad_(True)
    for layer in _layers(network) if blocks else ():
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))
    return network


def learnt(network: DiScoFormer) -> dict[str, Tensor]:
    """Copies of what learns in an adaptable network, by name: token, offset, ``LAYER.up`` and ``LAYER.down``."""
    return {
        name.replace(_WITHIN, "."): value.detach().clone()
        for name, value in network.named_parameters()
        if _WITHIN in name or name in _OWN
    }


def merge(network: DiScoFormer, tensors: dict[str, Tensor]) -> DiScoFormer:
    """The plain network of one distribution, changed by what an adaptable one has `learnt`.

    Raises `RuntimeError` or `KeyError` for tensors of another network.
    """
    rank = max((len(value) for name, value in tensors.items() if name.endswith(".down")), default=0)
    adaptable(network, rank, blocks=rank > 0)
    places = {name.replace(_WITHIN, "."): name for name, _ in network.named_parameters()}
    if tensors.keys() != learnt(network).keys():
        raise KeyError("an adapter of another network")
    network.load_state_dict({places[name]: value for name, value in tensors.items()}, strict=False)
    for layer in _layers(network) if rank else ():
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return network.requires_grad_(True)


def _layers(network: DiScoFormer) -> Iterator[nn.Linear]:
    """Linear layers that take an adapter."""
    named = list(network.named_modules())
    return (module for name, module in named if name.startswith(_ADAPTED) and isinstance(module, nn.Linear))
