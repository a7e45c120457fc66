"""How much faster are molecules drawn than by a network of EDM's size and number of steps? Side by side, in turns.

The network of EDM for QM9, with random weights: nine layers of 256 channels over all pairs of atoms.

    e_ij = phi_e(h_i, h_j, d_ij^2, d0_ij^2),     m_ij = sigmoid(phi_a(e_ij)) e_ij
    h_i <- h_i + phi_h(h_i, sum_j m_ij)
    x_i <- x_i + sum_j (x_i - x_j)/(d_ij + 1) tanh(phi_x(h_i, h_j, d_ij^2, d0_ij^2)) 15/9

d0 are the distances of the input; h holds one-hot elements, the charge and the time.
Source: Satorras, Hoogeboom, Welling 2021, arXiv 2102.09844; Hoogeboom et al. 2022, arXiv 2203.17003, appendix C, and
the configuration published with it for QM9 (attention and tanh on, 256 features, 9 layers): 5.3 M parameters.
"""

import argparse
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.record import RESULTS, record
from molscore.diffusion.gaussian import centred_noise
from molscore.molecules.batch import size_groups
from molscore.screening.model import Model, load
from molscore.screening.predictor import BATCH, side_by_side
from molscore.screening.sample import Sampling, draw_formulas, draw_positions

__all__ = ["EGNN", "Round", "table_of"]

RESULT = RESULTS / "generation" / "speed.json"
COLUMNS = ["network", "parameters", "evaluations a molecule", "s for one evaluation of one molecule", "molecules/s"]
BOUND = 100
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


class Round(NamedTuple):
    """Seconds a molecule, of the same sizes and in turns."""

    ours: float  # all evaluations, from noise to positions
    egnn: float  # one evaluation

    def ratio(self, edm_steps: int) -> float:
        """How many times faster ours draws."""
        return edm_steps * self.egnn / self.ours


def ours(model: Model, counts: NDArray[np.int64], seed: int, steps: int) -> float:
    """Seconds a molecule, from noise to positions."""
    started = time.perf_counter()
    draw_positions(model, counts, seed, Sampling(steps=steps))
    return (time.perf_counter() - started) / len(counts)


def egnn(network: EGNN, sizes: NDArray[np.int64], generator: torch.Generator, evaluations: int) -> float:
    """Seconds a molecule for one evaluation, in the batches that ours has and side by side as they are."""
    inputs = []
    for rows in size_groups(sizes, BATCH):
        members = torch.from_numpy(sizes[rows])
        mask = torch.arange(int(members.max())) < members[:, None]
        inputs.append((2 * centred_noise(mask, generator), torch.rand(*mask.shape, INPUTS, generator=generator), mask))

    def work(given: tuple[Tensor, Tensor, Tensor]) -> None:
        for _ in range(evaluations):
            network(*given)

    started = time.perf_counter()
    for _ in side_by_side(work, inputs, torch.device("cpu")):
        pass
    return (time.perf_counter() - started) / (evaluations * len(sizes))


def table_of(
    rounds: list[Round], steps: int, edm_steps: int, parameters: tuple[int, int], words: dict
) -> tuple[list[list], str]:
    """Rows so far and what they mean; the interval of the ratio is Student's, of the rounds' logarithms."""
    mine, theirs = (np.exp(np.mean(np.log([r[k] for r in rounds]))) for k in (0, 1))
    logs = np.log([r.ratio(edm_steps) for r in rounds])
    ratio, half = f"{math.exp(logs.mean()):.0f}", 0.0
    if len(logs) > 1:
        half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
        ratio += f" [{math.exp(logs.mean() - half):.0f}, {math.exp(logs.mean() + half):.0f}]"
    rows = [
        ["this model", f"{parameters[0] / 1e6:.1f} M", steps, f"{mine / steps:.2g}", f"{1 / mine:.2g}"],
        ["EDM's EGNN", f"{parameters[1] / 1e6:.1f} M", edm_steps, f"{theirs:.2g}", f"{1 / (edm_steps * theirs):.2g}"],
        ["times faster", None, None, None, ratio],
    ]  # fmt: skip
    held = "is kept" if math.exp(logs.mean() - half) >= BOUND else "is not kept by the interval's lower end"
    note = (
        f"{words['n']} molecules a round, {len(rounds)} round(s) of both in turns, sizes from QM9's p(N), batches of "
        f"{BATCH} of like size for both, a core each, float32. The bound of {BOUND} times {held}. Brackets: 95 % "
        f"interval over rounds. Ours: all {steps} evaluations, noise to positions. The EGNN, of random weights: "
        f"{words['evaluations']} evaluations a round, multiplied up to {edm_steps}; its sampler's own arithmetic is "
        "left out, and so is EDM's padding of all molecules to 29 atoms. It is computed as published: with the first "
        "layer over each pair split into one over atoms it would do about a third of the multiplications, and the "
        f"ratio could fall as far. Weights sha256 {words['weights']}."
    )
    return rows, note


def main() -> None:
    """Measure in turns, print and record after every round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=4 * BATCH, help="molecules a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=50, help="our evaluations")
    parser.add_argument("--edm-steps", type=int, default=1000)
    parser.add_argument("--evaluations", type=int, default=3, help="of the EGNN, measured a round")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    model, network = load(options.model), EGNN().eval()
    parameters = tuple(sum(p.numel() for p in net.parameters()) for net in (model.network, network))
    words = {"n": options.n, "evaluations": options.evaluations, "weights": model.weights[:12]}
    command = f"python -m benchmarks.speed -n {options.n} --rounds {options.rounds} --steps {options.steps}"
    title = "Speed: molecules per second beside a network of EDM's size and number of steps"
    rounds: list[Round] = []
    generator = torch.Generator().manual_seed(0)
    draw_positions(model, draw_formulas(model, 2, 0, None, None), 0, Sampling(steps=1))  # warm before the clock
    egnn(network, np.array([5, 6]), generator, 1)
    for seed in tqdm(range(options.rounds), desc="rounds"):
        counts = draw_formulas(model, options.n, seed, None, None)
        rounds.append(
            Round(
                ours(model, counts, seed, options.steps),
                egnn(network, counts.sum(1), generator, options.evaluations),
            )
        )
        rows, note = table_of(rounds, options.steps, options.edm_steps, parameters, words)
        print(*(" | ".join(str(cell) for cell in row) for row in rows), sep="\n", flush=True)
        record(options.output, title, COLUMNS, rows, f"{command} --evaluations {options.evaluations}", note)


if __name__ == "__main__":
    main()
