"""Drawing molecules: formulas first, then positions from noise by a sampler that follows the score."""

from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from molscore.diffusion.gaussian import centre
from molscore.errors import InputError, SizeError
from molscore.molecules.batch import element_index, size_groups
from molscore.molecules.elements import atomic_number, parse_formula
from molscore.molecules.formula import check_formula
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admit
from molscore.screening.cores import side_by_side
from molscore.screening.passes import BATCH
from molscore.screening.samplers import SAMPLERS, Fields

if TYPE_CHECKING:
    from molscore.screening.model import Model

__all__ = ["draw_formulas", "draw_positions", "formula_counts"]


def formula_counts(model: "Model", formula: str) -> NDArray[np.int64]:
    """Atoms of each element of the distribution, (E,).

    Raises `FormulaError` for what no molecule can be, `ElementError` or `SizeError` for what this model cannot make.
    """
    counts = parse_formula(formula)
    check_formula(counts)
    numbers = np.repeat([atomic_number(symbol) for symbol in counts], list(counts.values()))
    admit(numbers, model.distribution, f"formula {formula}")
    return np.array([counts.get(symbol, 0) for symbol in model.distribution.elements])


def draw_formulas(model: "Model", n: int, seed: int, formula: str | None, n_atoms: int | None) -> NDArray[np.int64]:
    """Element counts of n molecules, (n, E): all of one formula, of one size, or as the distribution has them."""
    if formula is not None and n_atoms is not None:
        raise InputError("give a formula or a number of atoms, not both")
    if formula is not None:
        return np.tile(formula_counts(model, formula), (n, 1))
    if n_atoms is not None and not 2 <= n_atoms <= model.max_atoms:
        raise SizeError(f"{n_atoms} atoms: {model.distribution.name} molecules have 2 to {model.max_atoms}")
    rng = np.random.default_rng(seed)
    counts = np.asarray(model.composition.sample(n, rng, n_atoms))
    while (single := counts.sum(1) < 2).any():  # one atom has no geometry to draw
        counts[single] = model.composition.sample(int(single.sum()), rng, n_atoms)
    return counts


def draw_positions(
    model: "Model",
    counts: NDArray[np.integer],
    seed: int,
    steps: int,
    sampler: str,
    progress: bool = False,
    tick: Callable[[], object] = bool,
    temperature: float = 1.0,
    guidance: float = 0.0,
) -> list[Molecule]:
    """Molecules of the given element counts (n, E), in order. What is not finite becomes all atoms at one point.

    `tick` is called before each evaluation of the network; what it raises ends the job. Annealed Langevin alone has a
    `temperature`, also as the beginning of `mala`; `guidance` is the weight of `Denoised.guided` in the score.
    """
    order = sorted(range(counts.shape[1]), key=lambda k: _atom_order(model.distribution.elements[k]))
    symbols = np.array(model.distribution.elements)
    compositions = [np.repeat(symbols[order], row[order]) for row in counts]
    groups = list(size_groups(counts.sum(1), BATCH))
    molecules: list[Molecule | None] = [None] * len(counts)
    device = model.network.sigma_N.device
    total = len(groups) * SAMPLERS[sampler].evaluations(steps)
    shown = None if progress else True  # None: on a terminal alone, so that a log or an error is not mixed with it
    with tqdm(total=total, unit="evaluation", desc="generate", disable=shown, leave=False) as bar:
        done, ended, lock = 0, Event(), Lock()

        def evaluating() -> None:
            with lock:
                tick()
                bar.update(1)
            if ended.is_set():
                raise InterruptedError("another batch has failed")

        def draw(i: int) -> NDArray[np.float64]:
            generator = _generator(device, seed, i)
            members = [compositions[row] for row in groups[i]]
            return _sample(model, members, steps, sampler, temperature, guidance, generator, evaluating)

        for i, positions in side_by_side(draw, range(len(groups)), device, ended):
            rows = groups[i]
            for row, x in zip(rows, positions, strict=True):
                numbers = [atomic_number(symbol) for symbol in compositions[row]]
                x = x[: len(numbers)]
                name = f"{model.name}-{seed}-{row}"
                molecules[row] = Molecule(numbers, x if np.isfinite(x).all() else np.zeros_like(x), name)
            done += len(rows)
            bar.set_postfix(molecules=f"{done}/{len(counts)}")
    return molecules


def _atom_order(symbol: str) -> tuple[bool, int]:
    """Heavy atoms first, hydrogen last."""
    return symbol == "H", atomic_number(symbol)


def _generator(device: torch.device, seed: int, batch: int) -> torch.Generator:
    """Noise of one batch, independent of that of other batches and other seeds."""
    state = np.random.SeedSequence([seed, batch]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


@torch.no_grad()
def _sample(
    model: "Model",
    members: Sequence[NDArray[np.str_]],
    steps: int,
    sampler: str,
    temperature: float,
    guidance: float,
    generator: torch.Generator,
    tick: Callable[[], object],
) -> NDArray[np.float64]:
    """Positions (B, N, 3) in Å of molecules with the given element symbols."""
    network, device = model.network, model.network.sigma_N.device
    sizes = torch.tensor([len(symbols) for symbols in members], device=device)
    mask = torch.arange(int(sizes.max()), device=device) < sizes[:, None]
    table = element_index(network.elements)
    elements = torch.zeros(mask.shape, dtype=torch.long, device=device)
    flat = [int(table[atomic_number(symbol)]) for symbols in members for symbol in symbols]
    elements[mask] = torch.tensor(flat, device=device)
    context = model.context.at(sizes)

    def score_fn(y: Tensor, sigma: Tensor) -> Tensor:
        tick()
        denoised = network.denoise(y, elements, mask, sigma, context).guided(guidance)
        return (denoised - y) / sigma.square()[:, None, None]

    def density_fn(y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        tick()
        tick()  # the derivative
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            U = network.energy(y, network.denoise(y, elements, mask, sigma, context), mask)
            (gradient,) = torch.autograd.grad(U.sum(), y)
        return -U.detach(), -centre(gradient, mask)

    prior = context.sigma_N
    y = SAMPLERS[sampler].run(Fields(score_fn, density_fn), mask, steps, prior, generator, temperature)
    return y.cpu().double().numpy()
