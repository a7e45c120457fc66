"""Test-time adaptation: a few steps that bring the two heads to agree on the data at hand.

    minimise  mean | S(y) - grad T(y) |^2  over the weights, y drawn near the samples

What the network read of the samples is not differentiated. Source: Ilin, Sushko, Krishna, arXiv 2511.05924.
"""

import copy

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from molscore.vectors.network import Context, VectorNetwork

__all__ = ["adapted", "heads_and_gradient"]

BATCH = 256  # queries of a step


def heads_and_gradient(
    network: VectorNetwork, y: Tensor, context: Context, create_graph: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """T (B, m), S (B, m, D) and grad T (B, m, D) at whitened queries y (B, m, D)."""
    y = y.detach().requires_grad_(True)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernels cannot be differentiated twice
        T, S = network(y, context)
        return T, S, torch.autograd.grad(T.sum(), y, create_graph=create_graph)[0]


def adapted(network: VectorNetwork, x: Tensor, d: Tensor, y: Tensor, steps: int) -> VectorNetwork:
    """A copy of the network after `steps` of Adam on samples x (B, n, D) and queries y (B, m, D), both whitened."""
    network = copy.deepcopy(network).requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        with torch.no_grad():
            context = network.context(x, d)
        share = torch.randperm(y.shape[1], generator=generator)[:BATCH].to(y.device)
        _, S, slope = heads_and_gradient(network, y[:, share], context, create_graph=True)
        optimiser.zero_grad(set_to_none=True)
        (S - slope).square().sum(-1).mean().backward()
        optimiser.step()
    return network.requires_grad_(False)
