"""Does dual score matching give a normalised density? A small network against mixtures whose density is known."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.machine import describe
from molscore.diffusion import SymmetrisedMixture
from molscore.molecules import Batch, Distribution
from molscore.nn import DiScoFormer, ModelConfig, build
from molscore.training import TrainConfig, denoising_loss, dual_loss, noised
from molscore.training.average import Average
from molscore.training.optimiser import Optimiser

__all__ = ["errors", "molecules", "trained"]

SMALL = ModelConfig(dim=64, vectors=16, heads=4, coarse_blocks=1, fine_blocks=2, pair_dim=32, basis=32)
ELEMENTS = (1, 0, 0, 0, 2)  # C, three H, O: indices into the table H, C, O
OBJECTIVES = {"dual": {}, "without the time score": {"weight_time": 0.0}}
COLUMNS = ["objective", "σ Å", "RMSE nats", "bias nats", "RMSE without bias", "largest mode-weight error nats",
           "deviation of the true log-density"]  # fmt: skip
RESULT = Path(__file__).parent / "results" / "toy_density.json"


def molecules(seed: int = 0, modes: int = 3, width: float = 0.08) -> SymmetrisedMixture:
    """Shapes of CH3O, weights 1 : 2 : 3 ..., averaged over rotations, mirror images and exchanges of hydrogens."""
    generator, shapes = torch.Generator().manual_seed(seed), []
    while len(shapes) < modes:
        x = 1.3 * torch.randn(len(ELEMENTS), 3, generator=generator, dtype=torch.float64)
        if torch.pdist(x).min() > 0.9:
            shapes.append(x)
    weights = torch.arange(1, modes + 1, dtype=torch.float64)
    return SymmetrisedMixture(weights, torch.stack(shapes), torch.full((modes,), width**2), ELEMENTS)


def batch_of(positions: Tensor) -> Batch:
    """Positions (B, 5, 3) as the network takes them."""
    mask = torch.ones(positions.shape[:2], dtype=torch.bool)
    return Batch(positions.float(), torch.tensor(ELEMENTS).expand(len(positions), -1), mask)


def trained(mixture: SymmetrisedMixture, config: TrainConfig, label: str) -> DiScoFormer:
    """A network trained on fresh samples by the losses and the optimiser of `molscore train`; averaged weights."""
    sizes = range(2, len(ELEMENTS) + 1)
    toy = Distribution("toy", ("H", "C", "O"), {(3, 1, 1): 1}, dict.fromkeys(sizes, mixture.deviation))
    torch.manual_seed(config.seed)
    network = build(config.model, (toy,))
    optimiser, average = Optimiser(network.named_parameters(), config), Average(network, config.ema)
    generator = torch.Generator().manual_seed(config.seed)
    token = torch.zeros(config.batch, dtype=torch.long)
    for step in tqdm(range(config.steps), desc=label, file=sys.stderr):
        x = batch_of(mixture.sample(config.batch, generator)[0])
        denoising_loss(network.denoise, noised(x, config, config.uniform_share, generator), token, 0.25)[0].backward()
        if step >= config.density_start:
            few = noised(Batch(*(t[: config.density_batch] for t in x)), config, 0.5, generator)
            dual_loss(network, few, token[: config.density_batch], config)[0].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimiser.step(step)
        average.update(network, step)
    network.load_state_dict({**network.state_dict(), **average.weights})
    return network.eval()


def errors(network: DiScoFormer, mixture: SymmetrisedMixture, sigma: float, n: int, seed: int) -> list[float]:
    """RMSE, bias, RMSE without bias, largest mode-weight error, deviation of the truth: all in nats, over n samples.

    The weight that the network gives a mode is off by the mean error in that mode, less the mean error overall.
    """
    y, mode = mixture.sample(n, torch.Generator().manual_seed(seed), sigma)
    truth, x = mixture.log_density(y, sigma), batch_of(y)
    with torch.no_grad():
        found = network(*x, torch.full((n,), sigma), torch.zeros(n, dtype=torch.long)).log_density.double()
    error = found - truth
    bias, rmse = error.mean(), error.square().mean().sqrt()
    modes = torch.stack([error[mode == k].mean() for k in mode.unique()]) - bias
    return [float(value) for value in (rmse, bias, error.std(), modes.abs().max(), truth.std())]


def main() -> None:
    """Train with each objective, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--density-start", type=float, default=0.2, help="share of the steps on the score alone")
    parser.add_argument("--modes", type=int, default=3)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1.0, 5.0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    mixture, rows = molecules(modes=options.modes), []
    base = TrainConfig(
        data="", out="", model=SMALL, seed=options.seed, steps=options.steps, batch=options.batch,
        density_batch=options.batch, density_start=int(options.density_start * options.steps), ema=0.998,
        sigma_min=0.02, sigma_max=40.0, weight_density=1.0,
    )  # fmt: skip
    for objective in options.objectives:
        network = trained(mixture, replace(base, **OBJECTIVES[objective]), objective)
        for sigma in options.sigmas:
            found = errors(network, mixture, sigma, options.samples, options.seed + 1)
            rows.append([objective, sigma, *(f"{value:.3f}" for value in found)])
            print(" | ".join(map(str, rows[-1])), flush=True)
    result = {
        "title": "Density: does the density head find a density that is known?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.toy_density --steps {options.steps} --batch {options.batch} "
        f"--modes {options.modes} --samples {options.samples} --seed {options.seed}",
        "note": f"{options.modes} shapes of five atoms averaged over rotations, mirror images and like atoms (d = 12), "
        f"{options.samples} exact samples for each σ, one training seed. The control has no time score: nothing ties "
        "its constant at one noise level to the next.",
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
