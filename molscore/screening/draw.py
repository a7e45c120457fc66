"""Drawing molecules: formulas first, then positions from noise by a sampler that follows the score."""

from collections.abc import Callable
from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from molscore.errors import InputError, SizeError
from molscore.molecules.batch import size_groups
from molscore.molecules.elements import atomic_number, check_formula, parse_formula
from molscore.molecules.molecule import Molecule
from molscore.screening.admission import admit
from molscore.screening.candidate import Candidate
from molscore.screening.cores import side_by_side
from molscore.screening.field import Field
from molscore.screening.fragment import Fragment
from molscore.screening.guides import Guide, log_weights
from molscore.screening.passes import BATCH
from molscore.screening.samplers import Plan, Sampling, Steering, sample

if TYPE_CHECKING:
    from molscore.screening.model import Model

__all__ = ["Wanted", "draw_formulas", "draw_positions", "formula_counts"]


def formula_counts(model: "Model", formula: str) -> NDArray[np.int64]:
    """Atoms of each element of the distribution, (E,).

    Raises `FormulaError` for what no molecule can be, `ElementError` or `SizeError` for what this model cannot make.
    """
    counts = parse_formula(formula)
    check_formula(counts)
    numbers = np.repeat([atomic_number(symbol) for symbol in counts], list(counts.values()))
    admit(numbers, model.distribution, f"formula {formula}")
    return np.array([counts.get(symbol, 0) for symbol in model.distribution.elements])


def draw_formulas(
    model: "Model", n: int, seed: int, formula: str | None, n_atoms: int | None, fragment: Fragment | None = None
) -> NDArray[np.int64]:
    """Element counts of n molecules, (n, E): all of one formula, of one size, or as the distribution has them.

    With a fragment: those that have its atoms and more.
    """
    if formula is not None and n_atoms is not None:
        raise InputError("give a formula or a number of atoms, not both")
    if formula is not None:
        return np.tile(formula_counts(model, formula), (n, 1))
    if n_atoms is not None and not 2 <= n_atoms <= model.max_atoms:
        raise SizeError(f"{n_atoms} atoms: {model.distribution.name} molecules have 2 to {model.max_atoms}")
    if fragment is not None:
        return fragment.draw_formulas(model, n, seed, n_atoms)
    rng = np.random.default_rng(seed)
    counts = np.asarray(model.composition.sample(n, rng, n_atoms))
    while (single := counts.sum(1) < 2).any():  # one atom has no geometry to draw
        counts[single] = model.composition.sample(int(single.sum()), rng, n_atoms)
    return counts


class Wanted(NamedTuple):
    """What molecules are wanted, beyond those of the distribution."""

    fragment: Fragment | None = None
    """Atoms that stay where they are."""
    guide: Guide | None = None
    """Draws are from p times its exponential."""
    moves: int = 8
    """By which such draws are found, and with a fragment those whose bonds fit; each costs a third of a draw."""

    def steering(self, field: Field) -> Steering:
        """The same for one batch."""
        if self.fragment is None and self.guide is None:
            return Steering()
        fixed = None if self.fragment is None else torch.from_numpy(self.fragment.positions).float()
        guide = self.guide or _nothing_more
        return Steering(fixed, lambda x: log_weights(guide, field.molecules(x)).to(x.device), self.moves)


def _nothing_more(candidate: Candidate) -> float:
    """The guide of those who want bonds that fit, which every guide asks for."""
    return 0.0


def draw_positions(
    model: "Model",
    counts: NDArray[np.integer],
    seed: int,
    sampling: Sampling,
    progress: bool = False,
    tick: Callable[[], object] = bool,
    wanted: Wanted | None = None,
) -> list[Molecule]:
    """Molecules of the given element counts (n, E), in order: atoms of a fragment first, heavy ones, then hydrogen.

    What is not finite becomes all atoms at one point. `tick` is called before each evaluation of the network; what it
    raises ends the job.
    """
    elements = np.array([atomic_number(symbol) for symbol in model.distribution.elements])
    order = sorted(range(len(elements)), key=lambda k: (elements[k] == 1, elements[k]))
    wanted = wanted or Wanted()
    fragment, rest, first = wanted.fragment, counts, np.zeros(0, dtype=np.int64)
    if fragment is not None:
        rest, first = fragment.rest_of(model, counts), fragment.numbers
    numbers = [np.concatenate([first, np.repeat(elements[order], row[order])]) for row in rest]
    groups = list(size_groups(counts.sum(1), BATCH))
    molecules: list[Molecule | None] = [None] * len(counts)
    device = model.network.sigma_N.device
    total = round(len(groups) * Plan.of(sampling).evaluations)
    shown = None if progress else True  # None: on a terminal alone, so that a log or an error is not mixed with it
    with tqdm(total=total, unit="evaluation", desc="generate", disable=shown, leave=False) as bar:
        done, ended, lock = 0, Event(), Lock()

        def evaluating() -> None:
            with lock:
                tick()
                bar.update(1)
            if ended.is_set():
                raise InterruptedError("another batch has failed")

        def draw(i: int) -> list[Molecule]:
            field = Field(model.network, [numbers[row] for row in groups[i]], model.context, evaluating)
            return field.molecules(sample(field, sampling, _generator(device, seed, i), wanted.steering(field)))

        for i, found in side_by_side(draw, range(len(groups)), device, ended):
            for row, molecule in zip(groups[i], found, strict=True):
                x = molecule.positions if fragment is None else fragment.put_back(molecule.positions)
                molecules[row] = Molecule(molecule.numbers, x, f"{model.name}-{seed}-{row}")
            done += len(groups[i])
            bar.set_postfix(molecules=f"{done}/{len(counts)}")
    return molecules


def _generator(device: torch.device, seed: int, batch: int) -> torch.Generator:
    """Noise of one batch, independent of that of other batches and other seeds."""
    state = np.random.SeedSequence([seed, batch]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))
