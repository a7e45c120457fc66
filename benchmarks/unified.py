"""Is one network for score and density as good as one for each? At equal size and equal training time of the CPU.

    score      denoising alone
    density    U alone: |sigma grad U - z|^2 / d + w_t (dU/dln sigma - (d - |z|^2))^2 / 4 d^2; its score is -grad U
    unified    the ordinary recipe: denoising, and after 30 % of the time the terms of the density

Schedules of `molscore train` count steps; here a run has a thousand ticks, and the tick is the share of the CPU time
that is used up: the learning rate rises, stays and falls at the same moments of the clock whatever a step costs.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.machine import describe
from molscore.audit.density import choose, groups, noise_of
from molscore.audit.time_score import errors_of
from molscore.datasets import qm9
from molscore.datasets.statistics import distribution_of
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.gaussian import centre, degrees_of_freedom
from molscore.evaluation.bootstrap import bootstrap_interval
from molscore.evaluation.metrics import evaluate
from molscore.evaluation.stability import stability
from molscore.molecules.atomic import write_text
from molscore.molecules.batch import Batch, size_groups
from molscore.nn import (
    PRESETS,
    Checkpoint,
    Denoised,
    DiScoFormer,
    Estimate,
    ModelConfig,
    build,
    from_pretrained,
    save_pretrained,
)
from molscore.screening.draw import draw_formulas, draw_positions
from molscore.screening.model import Model
from molscore.screening.samplers import DENSITY
from molscore.training import TrainConfig, add_gradients, noised
from molscore.training.average import Average
from molscore.training.batches import SizeGroupedBatches
from molscore.training.losses import Noised
from molscore.training.optimiser import Optimiser

__all__ = ["OBJECTIVES", "Descent", "config_of", "density_loss", "goal_rows", "measure", "rows", "trained"]

RESULTS = Path(__file__).parent / "results" / "generation"
RESOLUTION, SIGMA_MAX, BINS = 0.05, 50.0, 10  # Å, Å, bins of the time score between them
TICKS, DENSITY_START = 1000, 0.3
LARGE, TURNS = 64, 50  # molecules of the larger pass whose latency is measured, times that each way is taken
NAMES = {
    "unified": "unified: one network, score and density",
    "score": "score only",
    "density": "density only: U, its score is -grad U",
}
COLUMNS = ["network", "parameters", "training CPU s", "molecules seen", "held-out denoising loss",
           "atom stability %", "molecule stability %", "valid %", "time-score bias nats", "bits a dimension",
           "the same corrected"]  # fmt: skip
BITS, STABILITY, LATENCY = 0.2, -3.0, 0.6  # what was hoped for
Record = dict[str, Any]
Values = NDArray[np.float64]


class Descent(nn.Module):
    """A density as a score: D = y - sigma^2 grad U, where a network with a score head has D of its own."""

    def __init__(self, network: DiScoFormer) -> None:
        super().__init__()
        self.network, self.elements, self.config = network, network.elements, network.config
        self.sigma_N = network.sigma_N

    def denoise(self, y: Tensor, elements: Tensor, mask: Tensor, sigma: Tensor, distribution: Tensor) -> Denoised:
        """As `DiScoFormer.denoise`, both guesses from the slope of U."""
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            found = self.network.denoise(y, elements, mask, sigma, distribution)
            grad_U = torch.autograd.grad(self.network.energy(y, found, mask).sum(), y)[0]
        D = (y - sigma.square()[:, None, None] * centre(grad_U, mask)).detach()
        return found._replace(coarse=D, fine=D)

    def forward(self, y: Tensor, elements: Tensor, mask: Tensor, sigma: Tensor, distribution: Tensor) -> Estimate:
        """The score that is the slope, beside the density: what one network of U costs to give both."""
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            U = self.network.energy(y, self.network.denoise(y, elements, mask, sigma, distribution), mask)
            grad_U = torch.autograd.grad(U.sum(), y)[0]
        return Estimate(-centre(grad_U, mask), -U.detach())


def _token(x: Batch) -> Tensor:
    return torch.zeros(len(x.mask), dtype=torch.long)


def score_only(network: DiScoFormer, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator) -> None:
    """Gradients of denoising alone."""
    add_gradients(network, x, config, 0, generator)


def unified(network: DiScoFormer, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator) -> None:
    """Gradients of the ordinary recipe, with the terms of the density for a part of the batch."""
    add_gradients(network, x, config, config.density_batch if tick >= config.density_start else 0, generator)


def density_only(network: DiScoFormer, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator) -> None:
    """Gradients of the terms of U alone, on the whole batch."""
    density_loss(network, noised(x, config, 0.5, generator), _token(x), config.weight_time).backward()


def density_loss(network: DiScoFormer, noisy: Noised, distribution: Tensor, weight_time: float) -> Tensor:
    """The objective of `density`: nothing is asked of the score head."""
    mask, z = noisy.x.mask, noisy.z
    d = degrees_of_freedom(mask)
    y, ln_sigma = noisy.y.detach().requires_grad_(), noisy.ln_sigma.detach().requires_grad_()
    sigma = ln_sigma.exp()
    U = network.energy(y, network.denoise(y, noisy.x.elements, mask, sigma, distribution), mask)
    grad_U, time_score = torch.autograd.grad(U.sum(), (y, ln_sigma), create_graph=True)
    error = sigma.detach()[:, None, None] * centre(grad_U, mask) - z
    space = (error.square().sum((1, 2)) / d).mean()
    time = ((time_score - (d - z.square().sum((1, 2)))).square() / (4 * d.square())).mean()
    return space + weight_time * time


OBJECTIVES: dict[str, Callable[..., None]] = {"unified": unified, "score": score_only, "density": density_only}


def config_of(model: ModelConfig, batch: int, seed: int) -> TrainConfig:
    """The recipe of `molscore train` on the clock."""
    return TrainConfig(
        data="", out="", model=model, seed=seed, steps=TICKS, warmup=TICKS // 20, decay=0.5, batch=batch,
        density_start=int(DENSITY_START * TICKS), density_batch=batch // 2, weight_density=1.0, weight_time=4.0,
    )  # fmt: skip


def trained(network: DiScoFormer, data: MoleculeSet, name: str, config: TrainConfig, seconds: float) -> Record:
    """Train `network` in place for `seconds` of CPU time, spent on steps alone; averaged weights."""
    torch.set_flush_denormal(True)
    optimiser, average = Optimiser(network.named_parameters(), config), Average(network, config.ema)
    batches, generator = SizeGroupedBatches(data.sizes, config.batch, config.seed), torch.Generator()
    generator.manual_seed(config.seed)
    used, step = 0.0, 0
    with tqdm(total=TICKS, desc=name, file=sys.stderr, mininterval=10) as bar:
        while used < seconds:
            started, tick = time.process_time(), int(TICKS * used / seconds)
            OBJECTIVES[name](network, data.batch(batches.at(step), network.elements), config, tick, generator)
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimiser.step(tick)
            average.update(network, step)
            step += 1
            used += time.process_time() - started
            bar.update(tick - bar.n)
    network.load_state_dict({**network.state_dict(), **average.weights})
    network.eval()
    return {"cpu_seconds": used, "steps": step, "molecules": step * config.batch}


def measure(name: str, checkpoint: Checkpoint, few: MoleculeSet, options: argparse.Namespace) -> Record:
    """The figures of a trained network."""
    network = checkpoint.network
    scored = Descent(network) if name == "density" else network
    config = config_of(network.config, options.batch, options.seed)
    record = {**checkpoint.info, "parameters": sum(p.numel() for p in network.parameters())}
    record["denoising"] = denoising_errors(scored, few, config, options.seed).tolist()
    if name != "score":
        record |= densities(Model(checkpoint), few, options.seed)
    model = Model(checkpoint._replace(network=scored))
    counts = draw_formulas(model, options.n, options.seed, None, None)
    drawn = draw_positions(model, counts, options.seed, replace(DENSITY, steps=options.steps), progress=True)
    found = MoleculeSet.from_molecules(drawn)
    return record | {"metrics": evaluate(found).to_dict(), "stable": stability(found).molecules.tolist()}


@torch.no_grad()
def denoising_errors(network: nn.Module, molecules: MoleculeSet, config: TrainConfig, seed: int) -> Values:
    """lambda |D - x|^2 / d of each molecule, (M,), at a noise level of its own as training draws them."""
    found, generator = np.zeros(len(molecules)), torch.Generator().manual_seed(seed)
    for rows in size_groups(molecules.sizes, 64):
        noisy = noised(molecules.batch(rows, network.elements), config, config.uniform_share, generator)
        x, elements, mask = noisy.x
        denoised = network.denoise(noisy.y, elements, mask, noisy.ln_sigma.exp(), _token(noisy.x))
        squares = (denoised.fine - x).square().sum((1, 2)) / degrees_of_freedom(mask)
        found[rows] = (denoised.c.c_out.pow(-2) * squares).double().numpy()
    return found


def densities(model: Model, molecules: MoleculeSet, seed: int) -> dict[str, list[float]]:
    """U at `RESOLUTION`, degrees of freedom, and the time score's error summed from the Gaussian end: (M,) each."""
    edges = np.linspace(math.log(RESOLUTION), math.log(SIGMA_MAX), BINS + 1)
    U, bias = np.zeros((2, len(molecules)))
    for group in groups(model, molecules):
        z = noise_of(group.density.mask, group.rows, seed, 3)
        with torch.no_grad():
            found = group.density.estimate(group.x + RESOLUTION * z, torch.full((len(group.rows),), RESOLUTION))[1]
        U[group.rows] = found.double().numpy()
        errors = errors_of(group.density, group.x, group.rows, edges, seed).time_score
        bias[group.rows] = errors.mean(2) @ np.diff(edges)
    return {"U": U.tolist(), "d": (3.0 * (molecules.sizes - 1)).tolist(), "bias": bias.tolist()}


@torch.no_grad()
def latencies(networks: dict[str, nn.Module], x: MoleculeSet, turns: int) -> dict[str, list[float]]:
    """Seconds of "score and density" of the molecules x, (turns,) each, the ways of having them taken in turn."""
    batch = x.batch(np.arange(len(x)), networks["unified"].elements)
    arguments = (*batch, torch.full((len(x),), RESOLUTION), _token(batch))
    descent = Descent(networks["density"])
    ways = {
        "unified": lambda: networks["unified"](*arguments),
        "separate": lambda: (networks["score"].denoise(*arguments), networks["density"](*arguments)),
        "slope": lambda: descent(*arguments),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 2):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn >= 2:  # the first are slow for reasons of their own
                seconds[name].append(time.perf_counter() - started)
    return seconds


def rows(records: dict[str, Record]) -> list[list[Any]]:
    """One row a network; what it does not have is None."""
    found = []
    for name, record in records.items():
        metrics = record["metrics"]
        shares = [f"{metrics[key]:.1f} [{metrics['intervals'][key][0]:.1f}, {metrics['intervals'][key][1]:.1f}]"
                  for key in ("atom_stability", "molecule_stability", "validity")]  # fmt: skip
        density: list[str | None] = [None, None, None]
        if "U" in record:
            U, d, bias = (np.array(record[key]) for key in ("U", "d", "bias"))
            density = [_interval(bias, ".1f"), _bits(U, d), _bits(U + bias, d)]
        found.append([NAMES[name], record["parameters"], round(record["cpu_seconds"]), record["molecules"],
                      _interval(np.array(record["denoising"]), ".3f"), *shares, *density])  # fmt: skip
    return found


def goal_rows(records: dict[str, Record], latency: dict[str, dict[str, list[float]]]) -> list[list[Any]]:
    """What is held against what was hoped for: goal, measured with a 95 % interval, bound, kept."""
    one, score, density = (records[name] for name in NAMES)
    d = np.array(one["d"])
    nats = [np.array(record["U"]) + np.array(record["bias"]) for record in (one, density)]
    gap = 100 * (np.array(one["stable"], dtype=float) - np.array(score["stable"], dtype=float))
    bits = float((nats[0] - nats[1]).sum() / d.sum() / math.log(2))
    found: list[list[Any]] = [
        ["unified less density only, bits a dimension, corrected", _bits(nats[0] - nats[1], d), f"<= {BITS}",
         bits <= BITS],
        ["unified less score only, molecule stability, points", _interval(gap, "+.1f"), f">= {STABILITY:g}",
         bool(gap.mean() >= STABILITY)],
    ]  # fmt: skip
    for what in ("parameters", "cpu_seconds"):
        ours, both = one[what], score[what] + density[what]
        found.append([f"{what} less than of the two", f"{ours:,.0f} against {both:,.0f}", "less", ours < both])
    for size, seconds in latency.items():
        for key, bound in (("unified", LATENCY), ("slope", None)):
            ratio = np.array(seconds[key]) / np.array(seconds["separate"])
            low, high = bootstrap_interval(lambda turns, ratio=ratio: float(np.median(ratio[turns])), len(ratio))
            found.append([f"latency of score and density, {size}: {key} over the two networks",
                          f"{np.median(ratio):.2f} [{low:.2f}, {high:.2f}]", "" if bound is None else f"<= {bound}",
                          None if bound is None else bool(np.median(ratio) <= bound)])  # fmt: skip
    return found


def _interval(values: Values, form: str) -> str:
    """Mean and its 95 % interval over molecules."""
    low, high = bootstrap_interval(lambda rows: float(values[rows].mean()), len(values))
    return f"{values.mean():{form}} [{low:{form}}, {high:{form}}]"


def _bits(nats: Values, d: Values) -> str:
    """Bits a dimension and their 95 % interval over molecules."""

    def value(rows: NDArray[np.int64]) -> float:
        return float(nats[rows].sum() / d[rows].sum() / math.log(2))

    low, high = bootstrap_interval(value, len(nats))
    return f"{value(np.arange(len(nats))):.3f} [{low:.3f}, {high:.3f}]"


def note(options: argparse.Namespace) -> str:
    """What a reader must know."""
    return (
        f"Every network has the same size (preset {options.preset}) and was trained for {options.cpu_minutes:g} "
        f"minutes of CPU time on one core: far less than the shipped model. {options.held_out} test molecules; "
        f"brackets are 95 % intervals over molecules, one training seed. Generation: {options.n} molecules, "
        f"{options.steps} evaluations, temperature 1, no guidance, the same formulas for all. Bits a dimension: mean "
        f"of -log2 p of the positions given the elements, over d = 3(N - 1), blurred by {RESOLUTION:g} Å. Time-score "
        "bias: how much too high log-density is at that blur, summed from 50 Å down; corrected takes it away, which is "
        f"exact where log-density is wrong by a constant at each noise level. Latency: median of {TURNS} ratios."
    )


def main() -> None:
    """Train, measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", choices=NAMES, default=list(NAMES), help="those to train; others are read")
    parser.add_argument("--cpu-minutes", type=float, default=8.0, help="training time of each")
    parser.add_argument("--preset", choices=PRESETS, default="S")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("-n", type=int, default=100, help="molecules to draw")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--held-out", type=int, default=600, help="test molecules")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("--runs", type=Path, default=Path("runs/unified"), help="networks")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = (qm9.load(options.data, split) for split in ("train", "test"))
    distribution, few = distribution_of("qm9", train), choose(test, options.held_out, options.seed)
    for name in options.only:
        torch.manual_seed(options.seed)
        network = build(PRESETS[options.preset], (distribution,))
        config = config_of(network.config, options.batch, options.seed)
        spent = trained(network, train, name, config, 60 * options.cpu_minutes)
        save_pretrained(options.runs / name, Checkpoint(network, (distribution,), spent, {}))
    checkpoints = {name: from_pretrained(options.runs / name) for name in NAMES}
    records = {name: measure(name, checkpoint, few, options) for name, checkpoint in checkpoints.items()}
    n_atoms, latency = int(np.bincount(test.sizes).argmax()), {}
    for size in (1, LARGE):
        alike = test.select(np.flatnonzero(test.sizes == n_atoms)[:size])
        networks = {name: checkpoint.network for name, checkpoint in checkpoints.items()}
        latency[f"{len(alike)} x {n_atoms} atoms"] = latencies(networks, alike, TURNS)
    shared = {
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.unified --preset {options.preset} --cpu-minutes {options.cpu_minutes:g} "
        f"-n {options.n} --held-out {options.held_out} --seed {options.seed}",
        "note": note(options),
    }
    tables = {
        "unified": ("One network for score and density, or one for each?", COLUMNS, rows(records)),
        "unified_goals": ("One network for score and density: which goals does it keep?",
                          ["goal", "measured", "bound", "kept"], goal_rows(records, latency)),
    }  # fmt: skip
    options.output.mkdir(parents=True, exist_ok=True)
    for name, (title, columns, found) in tables.items():
        print(title, *(" | ".join(map(str, row)) for row in found), sep="\n")
        result = {"title": title, "columns": columns, "rows": found, **shared}
        write_text(options.output / f"{name}.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
