"""The network of EDM for QM9, to be timed: nine layers of 256 channels over all pairs of atoms, random weights.

    e_ij = phi_e(h_i, h_j, d_ij^2, d0_ij^2),     m_ij = sigmoid(phi_a(e_ij)) e_ij
    h_i <- h_i + phi_h(h_i, sum_j m_ij)
    x_i <- x_i + sum_j (x_i - x_j)/(d_ij + 1) tanh(phi_x(h_i, h_j, d_ij^2, d0_ij^2)) 15/9

d0 are the distances of the input; h holds one-hot elements, the charge and the time.
Source: Satorras, Hoogeboom, Welling 2021, arXiv 2102.09844; Hoogeboom et al. 2022, arXiv 2203.17003, appendix C, and
the configuration published with it for QM9 (attention and tanh on, 256 features, 9 layers): 5.3 M parameters.
"""

import torch
from torch import Tensor, nn

__all__ = ["EGNN"]

FEATURES, LAYERS, RANGE = 256, 9, 15.0
INPUTS = 7  # five elements, the charge, the time


class Layer(nn.Module):
    """A layer of messages, then one that moves the atoms."""

    def __init__(self, features: int, reach: float) -> None:
        super().__init__()
        pair = 2 * features + 2
        self.reach = reach
        self.edge = nn.Sequential(nn.Linear(pair, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU())
        self.attention = nn.Sequential(nn.Linear(features, 1), nn.Sigmoid())
        self.node = nn.Sequential(nn.Linear(2 * features, features), nn.SiLU(), nn.Linear(features, features))
        self.move = nn.Sequential(
            nn.Linear(pair, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU(),
            nn.Linear(features, 1, bias=False),
        )  # fmt: skip

    def forward(self, h: Tensor, x: Tensor, squares_0: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """h (B, N, F), x (B, N, 3) Å, squares_0 and pairs (B, N, N, 1): the input's distances, 1 for real pairs."""
        difference = x[:, :, None] - x[:, None]
        squares = difference.square().sum(-1, keepdim=True)

        def edges(h: Tensor) -> Tensor:
            N = h.shape[1]
            ends = (h[:, :, None].expand(-1, -1, N, -1), h[:, None].expand(-1, N, -1, -1))
            return torch.cat([*ends, squares, squares_0], dim=-1)

        message = self.edge(edges(h))
        message = message * self.attention(message) * pairs
        h = h + self.node(torch.cat([h, message.sum(2)], dim=-1))
        direction = difference / ((squares + 1e-8).sqrt() + 1)
        push = torch.tanh(self.move(edges(h))) * self.reach * pairs
        return h, x + (direction * push).sum(2)


class EGNN(nn.Module):
    """Positions and features of B molecules -> the noise on both, as EDM's sampler asks for 1,000 times."""

    def __init__(self, features: int = FEATURES, layers: int = LAYERS) -> None:
        super().__init__()
        self.embedding = nn.Linear(INPUTS, features)
        self.layers = nn.ModuleList(Layer(features, RANGE / layers) for _ in range(layers))
        self.readout = nn.Linear(features, INPUTS)

    def forward(self, x: Tensor, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, N, 3) Å, h (B, N, 7), mask (B, N) bool -> noise on x, centred, and on h without the time (B, N, 6)."""
        atoms = mask[..., None].to(x.dtype)
        pairs = (atoms * atoms.transpose(1, 2) * (1 - torch.eye(mask.shape[1])))[..., None]
        squares_0 = (x[:, :, None] - x[:, None]).square().sum(-1, keepdim=True)
        hidden, moved = self.embedding(h), x
        for layer in self.layers:
            hidden, moved = layer(hidden, moved, squares_0, pairs)
        noise = (moved - x) * atoms
        noise = (noise - noise.sum(1, keepdim=True) / atoms.sum(1, keepdim=True)) * atoms
        return noise, self.readout(hidden)[..., :-1] * atoms
