"""Formula first, or elements diffused together with the positions? At equal size and equal training time of the CPU."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from benchmarks.clocked import config_of, trained
from benchmarks.joint_network import JointNetwork, joint_langevin, joint_objective
from benchmarks.machine import describe
from benchmarks.unified_measures import generation
from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.datasets.statistics import distribution_of, formula_counts
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.levels import noise_levels
from molscore.errors import FormulaError
from molscore.evaluation.metrics import Metrics, evaluate
from molscore.molecules import SYMBOLS, Batch, Distribution, Molecule, check_formula, size_groups, to_molecules
from molscore.molecules.atomic import write_text
from molscore.nn import PRESETS, FormulaPmf, ModelConfig, build, from_pretrained
from molscore.screening.samplers import SIGMA_MAX, SIGMA_MIN

__all__ = ["COLUMNS", "built", "draw", "possible_share", "row_of"]

RESULTS = Path(__file__).parent / "results" / "generation"
COLUMNS = ["elements", "parameters", "training CPU s", "molecules seen", "temperature", "guidance", "evaluations",
           "atom stability %", "molecule stability %", "valid %", "unique of valid %",
           "formula possible %"]  # fmt: skip
FIGURES = ("atom_stability", "molecule_stability", "validity", "uniqueness")
FORMULA_FIRST, JOINT = "formula first", "diffused with the positions"


def built(config: ModelConfig, distribution: Distribution, frequencies: np.ndarray) -> JointNetwork:
    """The joint network at its random start; `frequencies` (E,) of the elements."""
    plain = build(config, (distribution,))
    return JointNetwork(config, plain.elements, plain.sigma_N, torch.from_numpy(frequencies).float())


def draw(
    network: JointNetwork, sizes: np.ndarray, seed: int, steps: int, temperature: float, guidance: float
) -> list[Molecule]:
    """One molecule of each size, small ones first; what is not finite becomes all atoms at one point."""
    levels, found = noise_levels(steps, SIGMA_MIN, SIGMA_MAX), []
    for i, rows in enumerate(tqdm(list(size_groups(sizes, 64)), desc="draw", disable=None, leave=False)):
        generator = torch.Generator().manual_seed(1_000_003 * seed + i)
        of = torch.from_numpy(sizes[rows])
        mask = torch.arange(int(of.max())) < of[:, None]
        y, elements = joint_langevin(network, mask, levels, generator, temperature, guidance)
        y[~y.isfinite().all(2).all(1)] = 0.0
        found += to_molecules(Batch(y, elements, mask), network.elements)
    return found


def possible_share(molecules: list[Molecule]) -> float:
    """Percent whose formula a neutral closed-shell molecule can have."""
    return 100 * float(np.mean([_is_possible(molecule) for molecule in molecules]))


def _is_possible(molecule: Molecule) -> bool:
    numbers, counts = np.unique(molecule.numbers, return_counts=True)
    try:
        check_formula({SYMBOLS[z]: int(n) for z, n in zip(numbers, counts, strict=True)})
    except FormulaError:
        return False
    return True


def row_of(
    name: str, spent: dict[str, Any], setting: list[float], metrics: dict[str, Any], possible: float
) -> list[Any]:
    """One row of the table."""
    cells = [name, spent["parameters"], round(spent["cpu_seconds"]), spent["molecules"], *setting]
    for figure in FIGURES:
        if metrics[figure] is None:
            cells.append(None)
            continue
        low, high = metrics["intervals"][figure]
        cells.append(f"{metrics[figure]:.1f} [{low:.1f}, {high:.1f}]")
    return [*cells, f"{possible:.1f}"]


def train_joint(options: argparse.Namespace) -> None:
    """Train and keep the weights under `options.runs`."""
    train = load_data(options.data, "train")
    distribution = distribution_of("qm9", train)
    torch.manual_seed(options.seed)
    network = built(PRESETS[options.preset], distribution, frequencies_of(train, distribution))
    config = config_of(PRESETS[options.preset], options.batch, options.seed)
    spent = trained(network, train, joint_objective, config, 60 * options.cpu_minutes, "joint")
    options.runs.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, weights_of(options))
    facts = {"cpu_seconds": spent.cpu_seconds, "molecules": spent.molecules, "steps": spent.steps}
    write_text(options.runs / "joint.json", json.dumps(facts) + "\n")


def frequencies_of(molecules: MoleculeSet, distribution: Distribution) -> np.ndarray:
    """Share of each element among all atoms, (E,)."""
    counts = formula_counts(molecules, distribution.elements).sum(0)
    return counts / counts.sum()


def weights_of(options: argparse.Namespace) -> Path:
    """Where the joint network's weights are kept."""
    return options.runs / "joint.safetensors"


def measure_joint(options: argparse.Namespace, rows: list[list]) -> None:
    """Rows of the joint network, recorded one by one."""
    train = load_data(options.data, "train")
    distribution = distribution_of("qm9", train)
    network = built(PRESETS[options.preset], distribution, frequencies_of(train, distribution)).eval()
    network.load_state_dict(load_file(weights_of(options)))
    spent = json.loads((options.runs / "joint.json").read_text(encoding="utf-8"))
    spent["parameters"] = sum(p.numel() for p in network.parameters())
    sizes = FormulaPmf(distribution).sample(options.n, np.random.default_rng(options.seed)).sum(1)
    sizes = np.maximum(sizes, 2)  # one atom has no geometry to draw
    for temperature, guidance, steps in settings_of(options):
        molecules = draw(network, sizes, options.seed, steps, temperature, guidance)
        metrics: Metrics = evaluate(MoleculeSet.from_molecules(molecules))
        setting = [temperature, guidance, steps]
        add(options, rows, row_of(JOINT, spent, setting, metrics.to_dict(), possible_share(molecules)))


def measure_formula_first(options: argparse.Namespace, rows: list[list]) -> None:
    """Rows of the score-only network of `benchmarks.unified`."""
    checkpoint = from_pretrained(options.formula_first)
    spent = {**checkpoint.info, "parameters": sum(p.numel() for p in checkpoint.network.parameters())}
    for temperature, guidance, steps in settings_of(options):
        drawn = generation(checkpoint, options.n, options.seed, steps, temperature, guidance)
        add(options, rows, row_of(FORMULA_FIRST, spent, [temperature, guidance, steps], drawn["metrics"], 100.0))


def settings_of(options: argparse.Namespace) -> list[tuple[float, float, int]]:
    """Temperature, guidance and evaluations of each row."""
    pairs = [tuple(map(float, text.split(","))) for text in options.settings]
    return [(temperature, guidance, steps) for temperature, guidance in pairs for steps in options.steps]


def add(options: argparse.Namespace, rows: list[list], row: list) -> None:
    """Print a row and record all so far."""
    rows.append(row)
    print(" | ".join(str(cell) for cell in row), flush=True)
    result = {
        "title": "Formula first, or elements diffused together with the positions?",
        "columns": COLUMNS,
        "rows": rows,
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.joint --preset {options.preset} --cpu-minutes {options.cpu_minutes:g} "
        f"-n {options.n} --steps {' '.join(map(str, options.steps))} --settings {' '.join(options.settings)} "
        f"--seed {options.seed}",
        "note": f"{options.n} molecules a row, nothing filtered; brackets are 95 % intervals, one training seed. Both "
        f"networks have the same size (preset {options.preset}; the joint one also reads elements off), learned "
        "denoising alone for the same CPU time on one core, and are drawn by the same annealed Langevin sampler on the "
        "same noise levels. Formula first draws N, then the formula, then positions, and its formulas are possible by "
        "construction. The other draws N and then both: one-hot elements times 0.25 get the same noise as positions "
        "in Å (EDM's scale), and the likeliest element at the end. Temperature and guidance are for positions.",
    }
    options.output.mkdir(parents=True, exist_ok=True)
    write_text(options.output / "joint.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Train the joint network, then draw from both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-minutes", type=float, default=10.0, help="training time")
    parser.add_argument("--measure", action="store_true", help="measure the joint network that is trained already")
    parser.add_argument("--train", action="store_true", help="train only")
    parser.add_argument("--preset", choices=PRESETS, default="S")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--settings", nargs="+", default=["1,0", "0.6,4"], help="temperature,guidance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("--formula-first", type=Path, default=Path("runs/unified/score"))
    parser.add_argument("--runs", type=Path, default=Path("runs/joint"))
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not options.measure:
        train_joint(options)
    if not options.train:
        rows: list[list] = []
        measure_joint(options, rows)
        measure_formula_first(options, rows)


if __name__ == "__main__":
    main()
