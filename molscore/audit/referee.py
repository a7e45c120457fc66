"""Is log_density what the score says it is? Against the probability-flow ODE, an independent path to the same number.

The molecules are of the formulas with most members, so that there are ranks within a formula. Each batch is of one
formula, and goes to disk: an interrupted audit carries on, and several processes share the work (`Options.share`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from molscore.audit.agreement import Wording, agreement_part
from molscore.audit.density import Density, ModelDensity, noise_of
from molscore.audit.judged import Judged, Notebook, read_all
from molscore.audit.options import Options
from molscore.audit.record import Part
from molscore.datasets.store import MoleculeSet
from molscore.diffusion.likelihood import flow_log_density
from molscore.nn.discoformer import DiScoFormer
from molscore.screening.model import Model

__all__ = ["Referee", "by_formula", "flow", "judge", "referee"]

BATCH, PASSES = 4, 3  # molecules judged at a time; passes of the model that are timed, of which the middle one counts
Referee = Callable[[Density, Tensor, Sequence[int], float], tuple[Tensor, Tensor]]


def flow(density: Density, y: Tensor, rows: Sequence[int], sigma: float, nodes: int) -> tuple[Tensor, Tensor]:
    """Log-density of y (B, N, 3) along one path, (B,) nats, and its standard error: none. Nothing hangs on `rows`."""
    with torch.no_grad():
        found = flow_log_density(density.score, y, sigma, density.mask, density.prior, nodes=nodes)
    return found, torch.zeros_like(found)


def digest(network: DiScoFormer) -> str:
    """Names the weights alone: tables that are made later change nothing that the referee says."""
    found = sha256()
    for _, weights in sorted(network.state_dict().items()):
        found.update(weights.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


def referee(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """Judge this process's share of `options.referee` molecules, then report on what all shares have judged."""
    key = f"{digest(model.network)}-{options.resolution:g}-{options.nodes}-{options.seed}"
    notebook = Notebook(options.output, key, options.share)
    judge(model, held_out, options, notebook, partial(flow, nodes=options.nodes))
    title = "Referee: does log-density agree with the probability-flow ODE?"
    wording = Wording("referee", title, f"one path a molecule, {options.nodes} exact traces")
    return agreement_part(read_all(options.output, key), options.resolution, wording)


def judge(
    model: Model, held_out: MoleculeSet, options: Options, notebook: Notebook, referee: Referee, batch: int = BATCH
) -> None:
    """Judge what the notebook lacks of this process's share, formula by formula, `batch` molecules at a time."""
    done = {row.row for row in read_all(notebook.folder, notebook.key)}
    i, n = options.share
    mine = [rows for k, rows in enumerate(by_formula(held_out, options.referee)) if k % n == i - 1]
    left = [[row for row in rows.tolist() if row not in done] for rows in mine]
    with tqdm(total=sum(map(len, mine)), initial=sum(map(len, mine)) - sum(map(len, left)), desc="referee",
              unit="molecule") as bar:  # fmt: skip
        for some in _batches(left, batch):
            notebook.add(_judged(model, held_out, some, options, referee))
            bar.update(len(some))


def by_formula(molecules: MoleculeSet, n: int) -> list[NDArray[np.int64]]:
    """Rows of n molecules, by formula: the formulas with most members, about as many formulas as members of each."""
    keys: dict[str, list[int]] = {}
    for row in range(len(molecules)):
        keys.setdefault(molecules[row].formula, []).append(row)
    most = sorted(keys.values(), key=len, reverse=True)
    each, found = max(2, round(n**0.5)), []
    for rows in most:
        if n <= 0:
            break
        found.append(np.array(rows[: min(each, n)]))
        n -= len(found[-1])
    return found


def _batches(formulas: Sequence[Sequence[int]], batch: int) -> Iterator[list[int]]:
    for rows in formulas:
        yield from (list(rows[start : start + batch]) for start in range(0, len(rows), batch))


def _judged(
    model: Model, held_out: MoleculeSet, rows: list[int], options: Options, referee: Referee
) -> Iterator[Judged]:
    """Both numbers for the same positions, one after the other on the same machine."""
    batch = held_out.batch(rows, model.network.elements).to(model.network.sigma_N.device)
    density = ModelDensity(model, batch)
    y = batch.positions + options.resolution * noise_of(batch.mask, rows, options.seed, 5)
    sigma, seconds = y.new_full((len(rows),), options.resolution), []
    with torch.no_grad():
        for _ in range(PASSES):
            started = time.perf_counter()
            U = density.estimate(y, sigma)[1]
            _wait(y)
            seconds.append((time.perf_counter() - started) / len(rows))
    started = time.perf_counter()
    truth, errors = referee(density, y, rows, options.resolution)
    _wait(y)
    slow = (time.perf_counter() - started) / len(rows)
    for row, u, value, error in zip(rows, U.tolist(), truth.tolist(), errors.tolist(), strict=True):
        molecule = held_out[row]
        yield Judged(row, molecule.formula, molecule.n_atoms, -u, value, error, float(np.median(seconds)), slow)


def _wait(y: Tensor) -> None:
    """Until the accelerator has done what was asked of it."""
    if y.is_cuda:
        torch.cuda.synchronize(y.device)
