"""What do memory and time cost, by atoms and by batch, for one pass of the network and for one step of training?"""

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.record import RESULTS, record
from molscore.diffusion.gaussian import centred_noise
from molscore.molecules.atomic import replacing
from molscore.molecules.batch import Batch
from molscore.nn.backbone import PRESETS
from molscore.nn.discoformer import Context, DiScoFormer
from molscore.training.config import DataConfig, TrainConfig
from molscore.training.losses import denoising_loss, draw_ln_sigma, dual_loss, noised
from molscore.training.optim import Optimiser

__all__ = ["exponent", "molecules", "note_of", "one_pass", "point", "training_step"]

ROOT = Path(__file__).resolve().parents[1]
RESULT = RESULTS / "generation" / "scaling.json"
PLOTS = ROOT / "docs" / "figures"
ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl")
ATOMS, BATCHES = (5, 10, 18, 29, 50, 75, 100), (1, 4, 16, 64, 128, 256)
AT_BATCH, AT_ATOMS = 16, 18  # what is held while the other changes; QM9's molecules have 18 atoms on average
COLUMNS = ["what", "atoms", "batch", "ms", "ms a molecule", "MiB above the idle process", "MiB in all"]
MIB = 2**20


def molecules(batch: int, atoms: int, generator: torch.Generator) -> Batch:
    """Random positions as far apart as in molecules, random elements."""
    mask = torch.ones(batch, atoms, dtype=torch.bool)
    elements = torch.randint(len(ELEMENTS), (batch, atoms), generator=generator)
    return Batch(0.5 * atoms ** (1 / 3) * centred_noise(mask, generator), elements, mask)


@torch.no_grad()
def one_pass(network: DiScoFormer, given: Batch) -> None:
    """Score and log-density of a batch."""
    network(*given, torch.full((len(given.mask),), 0.05), context_of(network, given))


def training_step(network: DiScoFormer, optimiser: Optimiser, config: TrainConfig, given: Batch) -> None:
    """Denoising on half of the batch, the density terms on the other, as `molscore train` does by default."""
    generator, half = torch.Generator().manual_seed(0), max(1, len(given.mask) // 2)
    for rows, terms in ((slice(half, None), "denoising"), (slice(half), "density")):
        x = Batch(*(part[rows] for part in given))
        if len(x.mask):
            noisy = noised(x, draw_ln_sigma(len(x.mask), config, config.log_normal, 0.3, generator), generator)
            context = context_of(network, x)
            loss = (
                denoising_loss(network.denoise, noisy, context, None, config)
                if terms == "denoising"
                else dual_loss(network, noisy, context, config)
            )[0]
            loss.backward()
    optimiser.step(1.0)


def context_of(network: DiScoFormer, given: Batch) -> Context:
    """That of the first distribution."""
    return network.context(torch.zeros(len(given.mask), dtype=torch.long), given.sizes)


def peak_mib() -> float:
    """The most memory that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / MIB if sys.platform == "darwin" else most / 1024


def point(what: str, atoms: int, batch: int, preset: str, repeats: int) -> dict[str, float]:
    """Median seconds and peak MiB of one setting; for a process of its own, as a peak never falls."""
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    network = DiScoFormer(PRESETS[preset], ELEMENTS, torch.full((1, atoms + 1), 1.5))
    given = molecules(batch, atoms, torch.Generator().manual_seed(0))
    config = TrainConfig((DataConfig("none.parquet"),), "")
    if what == "pass":
        network.eval()
        run = lambda: one_pass(network, given)  # noqa: E731
    else:
        optimiser = Optimiser.of(network, config)
        run = lambda: training_step(network, optimiser, config, given)  # noqa: E731
    idle, seconds = peak_mib(), []
    for _ in range(repeats + 1):  # the first warms up
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return {"seconds": sorted(seconds[1:])[repeats // 2], "idle": idle, "peak": peak_mib()}


def measured(what: str, atoms: int, batch: int, preset: str, repeats: int) -> list[Any]:
    """The row of a point, measured by a fresh process; dashes where that did not survive."""
    given = json.dumps([what, atoms, batch, preset, repeats])
    command = [sys.executable, "-m", "benchmarks.scaling", "--point", given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return [what, atoms, batch, None, None, None, None]
    found = json.loads(done.stdout)
    ms = 1000 * found["seconds"]
    above = found["peak"] - found["idle"]
    return [what, atoms, batch, f"{ms:.3g}", f"{ms / batch:.3g}", f"{above:.0f}", f"{found['peak']:.0f}"]


def exponent(rows: Sequence[list[Any]], what: str, along: str, column: str) -> float | None:
    """p in column ~ along^p between the last two points of a sweep; None where there are fewer."""
    x, y, held = (COLUMNS.index(name) for name in (along, column, "atoms" if along == "batch" else "batch"))
    fixed = AT_ATOMS if along == "batch" else AT_BATCH
    ends = sorted((row[x], float(row[y])) for row in rows if row[0] == what and row[held] == fixed and row[y])[-2:]
    if len(ends) < 2 or min(ends[0][1], ends[1][1]) <= 0:
        return None
    return math.log(ends[1][1] / ends[0][1]) / math.log(ends[1][0] / ends[0][0])


def draw(rows: Sequence[list[Any]], folder: Path) -> Path:
    """Time and memory against atoms and against batch, both axes logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharex="col")
    for line, name in zip(panels, ("ms", "MiB above the idle process"), strict=True):
        for axes, along, held, fixed in zip(
            line, ("atoms", "batch"), ("batch", "atoms"), (AT_BATCH, AT_ATOMS), strict=True
        ):
            x, y, h = (COLUMNS.index(column) for column in (along, name, held))
            for what in ("pass", "training step"):
                mine = [row for row in rows if row[0] == what and row[h] == fixed and float(row[y] or 0) > 0]
                if points := sorted((row[x], float(row[y])) for row in mine):
                    axes.loglog(*zip(*points, strict=True), marker="o", markersize=4, label=what)
            axes.set(xlabel=f"{along} ({held} {fixed})", ylabel=name)
    panels[0][0].legend(frameon=False, fontsize="small")
    path = folder / "scaling.png"
    with replacing(path) as fresh:
        figure.savefig(fresh, format="png", dpi=120, metadata={"Software": None})
    return path


def note_of(rows: list[list[Any]], preset: str) -> str:
    """What a reader must know of the rows so far, their exponents among it."""
    growth = []
    for what in ("pass", "training step"):
        for along in ("atoms", "batch"):
            powers = [exponent(rows, what, along, name) for name in ("ms", "MiB above the idle process")]
            if None not in powers:
                growth.append(f"{what} by {along}: time {powers[0]:.1f}, memory {powers[1]:.1f}")
    return (
        f"A network of size {preset} with random weights and ten elements on random positions: the cost of the "
        "architecture alone, as the shipped model, of size M, ends at 29 atoms. A pass gives score and log-density; a "
        "training step is denoising on half of the batch and the density terms on the other, float32. Each row is a "
        "process of its own: its peak memory, less its peak before the first pass (0: less than loading took); times "
        "are medians. Attention and pairs are dense, so that cost turns from growing with N to growing with N². "
        f"Exponents between the last two points: {'; '.join(growth) or 'too few points'}. "
        "![time and memory](figures/scaling.png)"
    )


def main() -> None:
    """Measure, print and record after every row; with --point, be the process that measures one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="M", choices=list(PRESETS))
    parser.add_argument("--atoms", type=int, nargs="+", default=ATOMS)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--what", nargs="+", default=["pass", "training step"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--point", type=json.loads, default=None, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--plots", type=Path, default=PLOTS, help="folder of scaling.png")
    options = parser.parse_args()
    if options.point:
        print(json.dumps(point(*options.point)))
        return
    sweep = {(atoms, AT_BATCH) for atoms in options.atoms} | {(AT_ATOMS, batch) for batch in options.batches}
    rows: list[list[Any]] = []
    options.plots.mkdir(parents=True, exist_ok=True)
    title = "Scaling: time and memory by atoms and by batch"
    for what, (atoms, batch) in tqdm([(what, p) for what in options.what for p in sorted(sweep)], desc="points"):
        rows.append(measured(what, atoms, batch, options.preset, options.repeats))
        print(" | ".join(str(cell) for cell in rows[-1]), flush=True)
        note = note_of(rows, options.preset)
        record(options.output, title, COLUMNS, rows, f"python -m benchmarks.scaling --repeats {options.repeats}", note)
        draw(rows, options.plots)


if __name__ == "__main__":
    main()
