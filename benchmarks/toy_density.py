"""Does dual score matching give a normalised density? A small network against densities that are known."""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.machine import describe
from benchmarks.toy_targets import SYMBOLS, TARGETS, Target, plain_mixture
from molscore.datasets.store import MoleculeSet
from molscore.diffusion import flow_log_density
from molscore.molecules import Batch, Distribution, Molecule
from molscore.molecules.atomic import write_text
from molscore.molecules.elements import atomic_number
from molscore.nn import Checkpoint, DiScoFormer, ModelConfig, build
from molscore.training import TrainConfig, add_gradients
from molscore.training.average import Average
from molscore.training.offset import with_noise_offset
from molscore.training.optimiser import Optimiser

__all__ = ["errors", "kept", "passes", "referee_errors", "trained"]

SMALL = ModelConfig(dim=64, vectors=16, heads=4, coarse_blocks=1, fine_blocks=2, pair_dim=32, basis=32)
OBJECTIVES = {"dual": {}, "without the time score": {"weight_time": 0.0, "weight_fokker_planck": 0.0}}
PER_DEGREE, BIAS, MODES = 0.02, 0.5, 0.2  # bounds in nats: RMSE for each degree of freedom, |bias|, mode weights
COLUMNS = ["density", "d", "objective", "steps", "σ Å", "RMSE nats", "bound 0.02 d", "bias nats",
           "largest mode-weight error nats", "deviation of the true log-density", "within bounds"]  # fmt: skip
REFEREE = "referee (ODE) on the exact score"
OFFSET_SAMPLES = 524_288  # the noise of the fit falls as its root, and a toy is cheap
THEN = ", then "  # between the commands that made the rows of one file
RESULT = Path(__file__).parent / "results" / "density" / "known.json"


def batch_of(positions: Tensor, elements: tuple[int, ...]) -> Batch:
    """Positions (B, N, 3) as the network takes them."""
    mask = torch.ones(positions.shape[:2], dtype=torch.bool)
    return Batch(positions.float(), torch.tensor(elements).expand(len(positions), -1), mask)


def trained(target: Target, config: TrainConfig, label: str) -> DiScoFormer:
    """A network trained on fresh samples as `molscore train` trains: losses, optimiser, averaged weights, offset."""
    mixture, elements = target.mixture, target.elements
    counts = tuple(elements.count(k) for k in range(len(SYMBOLS)))
    sizes = range(2, len(elements) + 1)
    toy = Distribution("toy", SYMBOLS, {counts: 1}, dict.fromkeys(sizes, mixture.deviation))
    torch.manual_seed(config.seed)
    network = build(config.model, (toy,))
    optimiser, average = Optimiser(network.named_parameters(), config), Average(network, config.ema)
    generator = torch.Generator().manual_seed(config.seed)
    for step in tqdm(range(config.steps), desc=label, file=sys.stderr, mininterval=10):
        x = batch_of(mixture.sample(config.batch, generator)[0], elements)
        add_gradients(network, x, config, config.density_batch * (step >= config.density_start), generator)
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimiser.step(step)
        average.update(network, step)
    network.load_state_dict({**network.state_dict(), **average.weights})
    if config.weight_time:  # the control, which knows of no time score, must not get it here
        x = mixture.sample(OFFSET_SAMPLES, generator)[0].numpy()
        numbers = [atomic_number(SYMBOLS[k]) for k in elements]
        fresh = MoleculeSet.from_molecules([Molecule(numbers, positions) for positions in x])
        with_noise_offset(Checkpoint(network.eval(), (toy,), {}, {}), fresh, (config.sigma_min, config.sigma_max),
                          samples=OFFSET_SAMPLES)  # fmt: skip
    return network.eval()


def errors(network: DiScoFormer, target: Target, sigma: float, n: int, seed: int) -> list[float]:
    """RMSE, bias, largest mode-weight error, deviation of the truth: all in nats, over n samples.

    The weight that the network gives a mode is off by the mean error in that mode, less the mean error overall.
    """
    y, mode = target.mixture.sample(n, torch.Generator().manual_seed(seed), sigma)
    truth, x = target.mixture.log_density(y, sigma), batch_of(y, target.elements)
    with torch.no_grad():
        found = network(*x, torch.full((n,), sigma), torch.zeros(n, dtype=torch.long)).log_density.double()
    return _summary(found - truth, mode, truth)


def referee_errors(sigma: float, n: int, seed: int) -> list[float]:
    """The same figures of the referee, on the exact score of a plain mixture."""
    mixture = plain_mixture()
    y, mode = mixture.sample(n, torch.Generator().manual_seed(seed), sigma)
    mask, prior = mixture.mask.expand(n, -1), torch.full((n,), mixture.deviation, dtype=torch.float64)
    truth = mixture.log_density(y, sigma)
    return _summary(flow_log_density(mixture.score, y, sigma, mask, prior) - truth, mode, truth)


def _summary(error: Tensor, mode: Tensor, truth: Tensor) -> list[float]:
    bias, rmse = error.mean(), error.square().mean().sqrt()
    modes = torch.stack([error[mode == k].mean() for k in mode.unique()]) - bias
    return [float(value) for value in (rmse, bias, modes.abs().max(), truth.std())]


def passes(d: int, rmse: float, bias: float, modes: float) -> bool:
    """Whether the figures keep all three bounds."""
    return rmse <= PER_DEGREE * d and abs(bias) <= BIAS and modes <= MODES


def rows_of(name: str, d: int, objective: str, steps: int, found: dict[float, list[float]]) -> Iterator[list[Any]]:
    """Rows of the table from figures at each sigma, of a network after so many steps."""
    for sigma, (rmse, bias, modes, deviation) in found.items():
        values = [f"{rmse:.3f}", f"{PER_DEGREE * d:.2f}", f"{bias:+.3f}", f"{modes:.3f}", f"{deviation:.2f}"]
        yield [name, d, objective, steps, sigma, *values, passes(d, rmse, bias, modes)]


def kept(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows of a result file against their bounds, for the table of verdicts: figure, value, bound, kept, why."""
    of_dual, of_control = ([row for row in rows if row[2] == objective] for objective in OBJECTIVES)
    worst = {
        "RMSE, in bounds of 0.02 d": (1.0, lambda row: float(row[5]) / float(row[6])),
        "|bias|, nats": (BIAS, lambda row: abs(float(row[7]))),
        "mode-weight error, nats": (MODES, lambda row: float(row[8])),
    }
    found = []
    for what, (bound, figure) in worst.items():
        largest = max(of_dual, key=figure)
        n = len({row[0] for row in of_dual})
        where = f"{largest[0]} at {largest[4]:g} Å, of {n} densities, a small network trained on each"
        word = "yes" if figure(largest) <= bound else "no"
        found.append([f"known densities: largest {what}", f"{figure(largest):.3g}", f"<= {bound:g}", word, where])
    if of_control:
        failed = sum(not row[-1] for row in of_control)
        what = "known densities, control without the time score: rows that break a bound"
        found.append([what, str(failed), ">= 1", "yes" if failed else "no", f"of {len(of_control)}"])
    return found


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The training of every network here, but for its objective."""
    return TrainConfig(
        data="", out="", model=SMALL, seed=options.seed, steps=options.steps, batch=options.batch,
        density_batch=options.batch, density_start=math.ceil(options.density_start * options.steps), ema=options.ema,
        decay=options.decay, sigma_min=0.02, sigma_max=40.0, weight_density=1.0, weight_time=options.weight_time,
        weight_slope=options.weight_slope, weight_fokker_planck=options.weight_fokker_planck,
    )  # fmt: skip


def record(path: Path, rows: list[list[Any]], options: argparse.Namespace) -> None:
    """Put rows in the result file in place of those of the same density and objective."""
    new = {(row[0], row[2]) for row in rows}
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": [], "command": ""}
    others = [row for row in old["rows"] if (row[0], row[2]) not in new]
    command = " ".join(["python -m benchmarks.toy_density", *sys.argv[1:]])
    before = old["command"].split(THEN) if others else []
    result = {
        "title": "Density: does the density head find a density that is known?",
        "columns": COLUMNS,
        "rows": [*others, *rows],
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": THEN.join([*(one for one in before if one != command), command]),
        "note": "Molecules' shapes averaged over rotations, mirror images and exchanges of like atoms, d = 3(N - 1); "
        f"{options.samples} exact samples for each σ, one training seed; of steps of {options.batch} samples, a tenth "
        "on the score alone; r(σ) from the equation of diffusion. Bounds: RMSE at most 0.02 d, |bias| at most "
        f"{BIAS:g}, mode weights within {MODES:g} nat. The control has no time score: nothing ties its constant at one "
        "noise level to the next.",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(result, indent=2, ensure_ascii=False) + "\n")


def main() -> None:
    """Train with each objective on each density, print and record after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--density-start", type=float, default=0.1, help="share of the steps on the score alone")
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--decay", type=float, default=0.9, help="share of the steps with a falling learning rate")
    parser.add_argument("--weight-time", type=float, default=4.0)
    parser.add_argument("--weight-slope", type=float, default=12.0)
    parser.add_argument("--weight-fokker-planck", type=float, default=0.0)
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1.0, 5.0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--controls", nargs="*", choices=TARGETS, default=["3"], help="without the time score too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    few = min(100, options.samples)  # the referee's path is long
    found = {sigma: referee_errors(sigma, few, options.seed) for sigma in options.sigmas}
    name = f"plain mixture of 4 modes, 5 atoms ({few} samples)"
    record(options.output, list(rows_of(name, 12, REFEREE, 0, found)), options)
    for objective, keys in zip(OBJECTIVES, (options.targets, options.controls), strict=True):
        config = replace(config_of(options), **OBJECTIVES[objective])
        for target in (TARGETS[key]() for key in keys):
            network = trained(target, config, f"{target.name}, {objective}")
            found = {sigma: errors(network, target, sigma, options.samples, options.seed + 1)
                     for sigma in options.sigmas}  # fmt: skip
            rows = list(rows_of(target.name, target.d, objective, options.steps, found))
            record(options.output, rows, options)
            for row in rows:
                print(" | ".join(map(str, row)), flush=True)


if __name__ == "__main__":
    main()
