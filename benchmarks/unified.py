"""Is one network for score and density as good as one for each? At equal size and equal training time of the CPU."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clocked import DENSITY_START, OBJECTIVES, Spent, config_of, trained
from benchmarks.formula_flow import FormulaFlow, augmented, blurred, isomers, ordered, train_flow
from benchmarks.machine import describe
from benchmarks.unified_measures import Descent, denoising_errors, densities, generation, latencies
from benchmarks.unified_table import COLUMNS, GOAL_COLUMNS, goal_rows, rows
from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.datasets.statistics import distribution_of
from molscore.datasets.store import MoleculeSet
from molscore.molecules.atomic import write_text
from molscore.nn import PRESETS, Checkpoint, build, from_pretrained, save_pretrained
from molscore.screening.model import Model

__all__ = ["STAGES", "flow_figures", "measure", "record_of", "train_network", "write_tables"]

RESOLUTION = 0.05  # Å
STAGES = (*OBJECTIVES, "flow", "latency")
RESULTS = Path(__file__).parent / "results" / "generation"
FLOW_DRAWS = 8  # turns and exchanges of each test isomer, over which the flow's nats are averaged
LARGE = 64  # molecules of the larger pass whose latency is measured
Record = dict[str, Any]


def train_network(name: str, options: argparse.Namespace, train: MoleculeSet) -> None:
    """Train one of `OBJECTIVES` and save it as a checkpoint under `options.runs`."""
    distribution = distribution_of("qm9", train)
    torch.manual_seed(options.seed)
    network = build(PRESETS[options.preset], (distribution,))
    config = config_of(PRESETS[options.preset], options.batch, options.seed)
    spent = trained(network, train, OBJECTIVES[name], config, 60 * options.cpu_minutes, name)
    info = {"cpu_seconds": spent.cpu_seconds, "steps": spent.steps, "molecules": spent.molecules}
    save_pretrained(options.runs / name, Checkpoint(network, (distribution,), info, {}))


def measure(name: str, options: argparse.Namespace, test: MoleculeSet, record: Record) -> None:
    """Fill `record` with the figures of a trained network, saving after each."""
    checkpoint = from_pretrained(options.runs / name)
    network, info = checkpoint.network, checkpoint.info
    record.update(info, parameters=sum(p.numel() for p in network.parameters()))
    rng = np.random.default_rng(options.seed)
    few = test.select(np.sort(rng.permutation(len(test))[: options.held_out]))
    config = config_of(network.config, options.batch, options.seed)
    scored = Descent(network) if name == "density" else network
    record["denoising"] = denoising_errors(scored, few, config, options.seed).tolist()
    save(options, name, record)
    if name != "score":
        model = Model(checkpoint)
        record["test"] = densities(model, few, RESOLUTION, options.seed)
        save(options, name, record)
        alike = isomers(test, options.formula)
        alike = alike.select(np.arange(min(len(alike), options.held_out)))
        record["isomers"] = densities(model, alike, RESOLUTION, options.seed)
        save(options, name, record)
    record["generation"] = {}
    n = options.n_slope if name == "density" else options.n
    settings = {"plain": 0.0} if name == "density" else {"plain": 0.0, "guided": options.guidance}
    for setting, guidance in settings.items():
        drawn = generation(
            checkpoint._replace(network=scored), n, options.seed, options.steps, options.temperature, guidance
        )
        record["generation"][setting] = drawn
        save(options, name, record)


def flow_stage(options: argparse.Namespace, train: MoleculeSet, test: MoleculeSet, record: Record) -> None:
    """Train the flow on the isomers of one formula and measure it on those held out."""
    x, kinds = ordered(isomers(train, options.formula))
    flow, spent = train_flow(x, kinds, RESOLUTION, 60 * options.cpu_minutes, options.seed)
    record.update(record_of(flow, spent))
    held, _ = ordered(isomers(test, options.formula))
    record["isomers"] = flow_figures(flow, held[: options.held_out], kinds, options.seed)
    save(options, "flow", record)


def record_of(flow: FormulaFlow, spent: Spent) -> Record:
    """What the flow is and took."""
    parameters = sum(p.numel() for p in flow.parameters())
    return {"parameters": parameters, "cpu_seconds": spent.cpu_seconds, "steps": spent.steps,
            "molecules": spent.molecules}  # fmt: skip


@torch.no_grad()
def flow_figures(flow: FormulaFlow, x: torch.Tensor, kinds: tuple[int, ...], seed: int) -> Record:
    """-log p of each isomer (M, N, 3) Å blurred, the mean over turns and exchanges that the flow is not told of."""
    generator, nats = torch.Generator().manual_seed(seed), torch.zeros(len(x), dtype=torch.float64)
    for _ in range(FLOW_DRAWS):
        shown = blurred(augmented(x, kinds, generator), RESOLUTION, generator)
        nats -= torch.cat([flow.log_density(part) for part in shown.split(256)]).double() / FLOW_DRAWS
    return {"U": nats.tolist(), "d": [flow.d] * len(x)}


def latency_stage(options: argparse.Namespace, test: MoleculeSet, record: Record) -> None:
    """Score and density of one molecule and of many, by each way in turn."""
    networks = {name: from_pretrained(options.runs / name).network for name in OBJECTIVES}
    n_atoms = int(np.bincount(test.sizes).argmax())
    for size in (1, LARGE):
        alike = test.select(np.flatnonzero(test.sizes == n_atoms)[:size])
        label = f"{len(alike)} molecule{'s' if len(alike) > 1 else ''} of {n_atoms} atoms"
        record[label] = latencies(networks, alike, RESOLUTION, options.repeats)
        save(options, "latency", record)


def save(options: argparse.Namespace, name: str, record: Record) -> None:
    """The raw record, and the tables made anew from all records that there are."""
    options.runs.mkdir(parents=True, exist_ok=True)
    write_text(options.runs / f"{name}.json", json.dumps(record) + "\n")
    write_tables(options)


def write_tables(options: argparse.Namespace) -> None:
    """Both result files."""
    records = {name: json.loads((options.runs / f"{name}.json").read_text(encoding="utf-8"))
               for name in STAGES if (options.runs / f"{name}.json").exists()}  # fmt: skip
    whole = {name: record for name, record in records.items() if name == "latency" or "cpu_seconds" in record}
    shared = {
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": f"python -m benchmarks.unified --preset {options.preset} --cpu-minutes {options.cpu_minutes:g} "
        f"-n {options.n} --n-slope {options.n_slope} --held-out {options.held_out} --seed {options.seed}",
    }
    tables = {
        "unified": {
            "title": "One network for score and density, or one for each?",
            "columns": COLUMNS, "rows": rows(whole), **shared, "note": note(options),
        },
        "unified_goals": {
            "title": "One network for score and density: which goals does it keep?",
            "columns": GOAL_COLUMNS, "rows": goal_rows(whole), **shared,
            "note": "Brackets: 95 % intervals, by drawing the same molecules (latency: the same turns) again for both; "
            f"one training seed. Latency: median of the ratios of {options.repeats} turns, the ways taken in turn.",
        },
    }  # fmt: skip
    for name, table in tables.items():
        options.output.mkdir(parents=True, exist_ok=True)
        write_text(options.output / f"{name}.json", json.dumps(table, indent=1, ensure_ascii=False) + "\n")


def note(options: argparse.Namespace) -> str:
    """What a reader must know."""
    return (
        f"Every network has the same size (preset {options.preset}) and was trained for {options.cpu_minutes:g} "
        "minutes of CPU time on one core, counted over training steps alone: far less than the shipped model. The "
        f"unified one spends the first {100 * DENSITY_START:.0f} % of it on the score alone. {options.held_out} test "
        "molecules; brackets are 95 % intervals over molecules, one training seed. Generation: annealed Langevin, "
        f"{options.steps} evaluations, temperature {options.temperature:g}, the same formulas for all (density only: "
        f"{options.n_slope} molecules); guided: guidance {options.guidance:g}, for which -grad U has no means. Bits a "
        "dimension: mean of -log2 p of the positions given the elements, over d = 3(N - 1), positions centred, in Å "
        f"and blurred by {RESOLUTION:g} Å. Time-score bias: how much too high log-density is at that blur, summed from "
        "50 Å down; corrected takes it away, which is exact where log-density is wrong by a constant at each noise "
        f"level. One formula: the isomers of {options.formula}. The flow's input is a list of coordinates of fixed "
        "length and order, so that every formula needs a flow of its own. It is normalised by construction, but not "
        "invariant: it was shown its molecules turned, mirrored and with like atoms exchanged at random, and its "
        f"figure is the mean over {FLOW_DRAWS} such showings."
    )


def main() -> None:
    """Train, measure and record each stage that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES), help="nothing: make the tables only")
    parser.add_argument("--measure", action="store_true", help="measure networks that are trained already")
    parser.add_argument("--cpu-minutes", type=float, default=10.0, help="training time of each")
    parser.add_argument("--preset", choices=PRESETS, default="S")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("-n", type=int, default=200, help="molecules to draw")
    parser.add_argument("--n-slope", type=int, default=100, help="molecules to draw by -grad U, which is slower")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--formula", default="C7H10O2", help="whose isomers the flow is of")
    parser.add_argument("--held-out", type=int, default=600, help="test molecules, and test isomers at most")
    parser.add_argument("--repeats", type=int, default=50, help="turns of the latency")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("--runs", type=Path, default=Path("runs/unified"), help="networks and raw records")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    train, test = (load_data(options.data, split) for split in ("train", "test"))
    for stage in options.only:
        record: Record = {}
        if stage == "flow":
            flow_stage(options, train, test, record)
        elif stage == "latency":
            latency_stage(options, test, record)
        else:
            if not options.measure:
                train_network(stage, options, train)
            measure(stage, options, test, record)
        for row in goal_rows({stage: record}) if stage == "latency" else rows({stage: record}):
            print(" | ".join(str(cell) for cell in row), flush=True)
    write_tables(options)


if __name__ == "__main__":
    main()
