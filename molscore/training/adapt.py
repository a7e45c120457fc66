"""A model of one's own library in minutes: a token and low-rank adapters learnt beside a base that stays as it is.

The objective is that of training (`molscore.training.losses`); statistics, percentiles and the list of known molecules
are the library's. A tenth of it is held out: the best of what was learnt, by the loss there, is what is kept.
"""

import math
import shutil
import time
from collections.abc import Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from molscore.arguments import check_number, check_text, check_whole
from molscore.datasets.assembly import left_out_path
from molscore.datasets.from_file import library_set
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.statistics import distribution_of
from molscore.diffusion.gaussian import generator_of
from molscore.errors import CheckpointError, ElementError, InputError, MolscoreError
from molscore.molecules.batch import size_groups
from molscore.molecules.chem import mol_from_molecule, smiles_of
from molscore.molecules.convert import as_molecules
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.files import scan
from molscore.nn.adapter import RANK, adaptable, learnt, merge
from molscore.nn.checkpoint import Adapter, Checkpoint, check_vacant, started_from
from molscore.screening.model import Model, load
from molscore.screening.reference import MMFF
from molscore.screening.tables import kind_of_set, with_tables
from molscore.screening.validation import is_valid
from molscore.training.config import DataConfig, TrainConfig
from molscore.training.data import Batches
from molscore.training.loop import load_state, save_state
from molscore.training.losses import Noised, denoising_loss, dual_loss, with_noise
from molscore.training.optim import Optimiser

__all__ = ["adapt", "adapt_to_file"]

FEWEST = 20  # molecules
HELD_OUT = 0.1  # of the library, unless it has a split
JUDGED, TABLED = 64, 400  # held-out molecules: by whose loss one stops, and of whom percentiles are
CHECKS, PATIENCE = 12, 3  # looks at the held-out loss in the time given; so many without a gain end it
LR_TOKEN, LR_FACTORS, LR_OFFSET = 5e-3, 4e-3, 2e-4  # of AdamW; they fall to zero over the time given
_OBJECTIVE = TrainConfig((DataConfig("library"),), "", batch=32, density_share=0.5)


def adapt(
    model: Model | str | Path,
    molecules: Any,
    distribution: str = "library",
    minutes: float = 10.0,
    steps: int = 0,
    seed: int = 0,
    blocks: bool = True,
    state: str | Path | None = None,
    progress: bool = False,
) -> Model:
    """The model of a library, learnt beside a base in at most so many minutes of training; unsaved.

    Args:
        model: the base, as `molscore.load` takes it: a saved one, which the adapter then names by its hash.
        molecules: a `MoleculeSet`, whose split ``train`` is learnt and ``valid`` held out if it has the column, or
            molecules of any kind, 20 or more.
        distribution: what the library is called.
        minutes: of training, at most; above zero.
        steps: end by these instead of by the clock, where given: the same seed then gives the same adapter.
        blocks: whether low-rank adapters are learnt; else the token alone is.
        state: file that a run which is cut short can be carried on from, if it is given again.

    ``checkpoint.info`` says what the held-out loss was before and after. The base's numbers do not change.
    Raises `ElementError` listing the elements that the base has no embedding for, `InputError` for too few molecules
    or a base that is an adapter itself.
    """
    check_number("minutes", minutes)
    for name, value in (("steps", steps), ("seed", seed)):
        check_whole(name, value, 0)
    check_text("distribution", distribution, "library")
    if not minutes > 0:
        raise InputError(f"minutes must be above zero, not {minutes}")
    base = load(model)
    check_base(base)
    library, known = _as_set(molecules), base.network.elements
    if lacking := [SYMBOLS[number] for number in np.unique(library.numbers) if SYMBOLS[number] not in known]:
        raise ElementError(
            f"the base has no embedding for {', '.join(lacking)}; it knows {', '.join(known)}: leave such molecules out"
        )
    train, held_out = _split(library, seed)
    adaptation = _Adaptation(base, distribution_of(distribution, train), train, held_out, seed, blocks)
    before = adaptation.run(60 * minutes, steps, None if state is None else Path(state), progress)
    network = merge(started_from(base.checkpoint, [adaptation.distribution]), adaptation.best)
    judged = held_out.select(np.arange(min(len(held_out), TABLED)))
    info = {
        "base": base.name,
        "token_from": adaptation.start,
        "training_molecules": len(train),
        "held_out_molecules": len(held_out),
        "percentile_molecules": sum(is_valid(molecule, adaptation.distribution) for molecule in judged),
        "steps": adaptation.step,
        "seconds": round(adaptation.seconds),
        "held_out_loss": {"before": round(before, 4), "after": round(adaptation.lowest, 4)},
    }
    adapter = Adapter(base.source, base.weights, adaptation.best)
    checkpoint = Checkpoint(network.eval(), (adaptation.distribution,), info, {}, adapter)
    kind = kind_of_set(judged)
    smiles = () if kind == MMFF else judged.columns["smiles"]
    known, trained = ([text for text in each.columns["smiles"] if text] for each in (library, train))
    return with_tables(Model(checkpoint, distribution), judged, smiles, known, trained, kind=kind)


def adapt_to_file(
    base: str,
    library: str,
    output: str,
    distribution: str | None = None,
    minutes: float = 10.0,
    smiles_column: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    resume: bool = False,
    device: str = "cpu",
) -> list[str]:
    """`adapt` to the molecules of a file, as a model folder `output`; says what was written.

    What outlives a kill, the library with its geometries and the state of the run, lies in ``OUTPUT.parts``. Raises
    `InputError` where that is of an earlier run and `resume` is not given, and where `output` is a model already.
    """
    work = Path(f"{output}.parts")
    held = any(work.glob("*"))
    if work.exists() and not resume:
        raise InputError(f"{work} is of an earlier run: add --resume to carry on, or remove it")
    if not held:
        check_vacant(output)
        _check_rows(library, smiles_column)
    model = load(base, device=device)
    check_base(model)
    made, listed = left_out_path(work / "library.parquet"), Path(f"{output}.left_out.csv")
    name = distribution or Path(library).name.partition(".")[0]
    try:
        molecules = library_set(library, work / "library.parquet", smiles_column, seed, workers, resume)
        adapted = adapt(model, molecules, name, minutes, seed=seed, state=work / "state.pt", progress=True)
    except (InputError, ElementError) as error:
        if held:  # of an earlier run, which may be resumed
            raise
        reason = str(error)
        if _keep_list(made, listed):
            told = str(made) in reason
            reason = reason.replace(str(made), str(listed)) if told else f"{reason}; {listed} lists the rows left out"
        shutil.rmtree(work, ignore_errors=True)
        raise type(error)(reason) from None
    info = adapted.checkpoint.info
    adapted.save_pretrained(output, f"An adapter of {info['base']} to {name}, made by `molscore adapt`.")
    said = [f"rows that were left out are listed in {listed}"] if _keep_list(made, listed) else []
    shutil.rmtree(work, ignore_errors=True)
    return [*said, _summary(output, info)]


def _check_rows(library: str, smiles_column: str | None) -> None:
    """Raise `InputError` for a file of too few rows, before geometries are made."""
    if library != "-" and (n := sum(1 for _ in islice(scan(library, smiles_column).rows, FEWEST))) < FEWEST:
        raise InputError(f"{library}: {n} rows are too few to adapt to: {FEWEST} molecules at least")


def _keep_list(made: Path, listed: Path) -> bool:
    """Put the list of rows left out, if there is one, in the place of an earlier one; whether there is one."""
    listed.unlink(missing_ok=True)
    if there := made.is_file():
        shutil.move(made, listed)
    return there


def _summary(output: str, info: Mapping[str, Any]) -> str:
    """What was learnt, in a line."""
    before, after = info["held_out_loss"].values()
    said = f"saved {output}: {info['training_molecules']} molecules in {info['steps']} steps; "
    said += f"loss of {info['held_out_molecules']} held out: {before:g} -> {after:g}"
    if not after < before:
        said += f", which did not fall: nothing was learnt, the weights are those of {info['token_from']}"
        said += ", the statistics the library's"
    return f"{said}; percentiles are among {info['percentile_molecules']} molecules"


def check_base(model: Model) -> None:
    """Raise `InputError` for a model that adapters cannot name as their base."""
    if model.checkpoint.adapter is not None or model.weights == "unsaved":
        what = "an adapter" if model.checkpoint.adapter else "not saved"
        raise InputError(f"model {model.name} is {what}: a base is a saved model of its own")


def _as_set(molecules: Any) -> MoleculeSet:
    """A library as a `MoleculeSet` with the column ``smiles``: SMILES are read off geometries where none are given."""
    if not isinstance(molecules, MoleculeSet):
        molecules = MoleculeSet.from_molecules(as_molecules(molecules))
    if "smiles" in molecules.columns:
        return molecules
    return molecules.with_columns(smiles=[_smiles(molecule) for molecule in molecules])


def _smiles(molecule: Any) -> str:
    try:
        return smiles_of(mol_from_molecule(molecule))
    except MolscoreError:
        return ""


def _split(library: MoleculeSet, seed: int) -> tuple[MoleculeSet, MoleculeSet]:
    """What is learnt and what is held out, in an order drawn at random."""
    order = np.random.default_rng(seed).permutation(len(library))
    if "split" in library.columns:
        splits = library.columns["split"][order]
        parts = order[splits == "train"], order[splits == "valid"]
    else:
        n = max(1, round(HELD_OUT * len(order)))
        parts = order[n:], order[:n]
    if sum(map(len, parts)) < FEWEST or not all(map(len, parts)):
        raise InputError(
            f"{len(parts[0])} molecules to learn and {len(parts[1])} held out are too few: {FEWEST} in all at least, "
            "and one of each"
        )
    return library.select(parts[0]), library.select(parts[1])


def _job_of(base: Model, train: MoleculeSet, held_out: MoleculeSet, *options: object) -> str:
    """What a run depends on, the time given to it aside."""
    content = sha256(repr((base.weights, *options)).encode())
    for part in (train, held_out):
        for array in (part.sizes, part.numbers, part.positions):
            content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


class _Adaptation:
    """One run: the network that learns, what it learns from, and the best so far."""

    def __init__(
        self, base: Model, distribution: Any, train: MoleculeSet, held_out: MoleculeSet, seed: int, blocks: bool
    ) -> None:
        torch.set_flush_denormal(True)
        torch.manual_seed(seed)
        self.distribution, self.seed, self.job = distribution, seed, _job_of(base, train, held_out, seed, blocks)
        self.network = started_from(base.checkpoint, [distribution])
        self.train, self.batches = train, Batches([train.sizes], [1.0], _OBJECTIVE.batch, seed)
        fits = held_out.select(held_out.sizes <= distribution.max_atoms)
        if not len(fits):
            raise InputError(f"all held-out molecules are larger than those to learn ({distribution.max_atoms} atoms)")
        judged, generator = fits.select(np.arange(min(len(fits), JUDGED))), torch.Generator().manual_seed(seed)
        batches = (judged.batch(rows, self.network.elements) for rows in size_groups(judged.sizes, 16))
        self.judged = [with_noise(x, _OBJECTIVE, generator, density=True) for x in batches]  # the same noise every time
        self.start = self._nearest(base.checkpoint)
        self.network = adaptable(self.network, RANK, blocks).train()
        token, offset = self.network.distribution_token.weight, self.network.noise_offset
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        factors = [p for p in self.parameters if p is not token and p is not offset]
        groups = [{"params": [token], "lr": LR_TOKEN}, {"params": [offset], "lr": LR_OFFSET}]
        groups += [{"params": factors, "lr": LR_FACTORS}] if factors else []
        self.optimiser = Optimiser(torch.optim.AdamW(groups, weight_decay=0.0))
        self.step, self.seconds, self.lowest, self.worse = 0, 0.0, math.inf, 0
        self.best: dict[str, Tensor] = {}

    def _nearest(self, base: Checkpoint) -> str:
        """Begin at the token of the base's distribution that the held-out molecules are likest to; its name."""

        def begin_at(row: int) -> float:
            with torch.no_grad():
                self.network.distribution_token.weight[0] = base.network.distribution_token.weight[row]
                self.network.noise_offset[0] = base.network.noise_offset[row]
            return self.loss()

        nearest = int(np.argmin([begin_at(row) for row in range(len(base.distributions))]))
        begin_at(nearest)
        return base.distributions[nearest].name

    def _terms(self, noisy: Noised, density: bool) -> Tensor:
        sizes = noisy.x.sizes
        context = self.network.context(torch.zeros_like(sizes), sizes)
        if density:
            return dual_loss(self.network, noisy, context, _OBJECTIVE)[0]
        return denoising_loss(self.network.denoise, noisy, context, None, _OBJECTIVE)[0]

    def loss(self) -> float:
        """The objective on held-out molecules."""
        total = sum(len(noisy.ln_sigma) * float(self._terms(noisy, density=True).detach()) for noisy in self.judged)
        return total / sum(len(noisy.ln_sigma) for noisy in self.judged)

    def one_step(self, progress: float) -> None:
        """One step of the optimiser at a learning rate that falls with progress."""
        generator = generator_of("cpu", self.seed, self.step)
        chosen = self.batches.at(self.step)
        dual = max(1, round(_OBJECTIVE.density_share * len(chosen.rows)))
        for rows, density in ((chosen.rows[dual:], False), (chosen.rows[:dual], True)):
            if len(rows):
                x = self.train.batch(rows, self.network.elements, pad_to=chosen.width)
                noisy = with_noise(x, _OBJECTIVE, generator, density)
                self._terms(noisy, density).backward(inputs=self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, _OBJECTIVE.clip)
        self.optimiser.step(min(1.0, (self.step + 1) / 10) * (1 - progress))
        self.step += 1

    def run(self, limit: float, steps: int, path: Path | None, progress: bool) -> float:
        """Learn for `steps`, or `limit` seconds, saving to `path` at each look at the held-out loss; that before."""
        before = self._resume(path) if path is not None and path.is_file() else self._look(self.loss())
        began = time.monotonic() - self.seconds

        def done() -> float:
            return self.step / steps if steps else self.seconds / limit

        looks = int(CHECKS * done())
        with tqdm(total=100, unit="%", desc="adapt", disable=None if progress else True, leave=False) as bar:
            while done() < 1 and self.worse < PATIENCE:
                self.one_step(done())
                self.seconds = time.monotonic() - began
                if done() >= (looks + 1) / CHECKS:
                    looks = int(CHECKS * done())
                    self._look(self.loss())
                    if path is not None:
                        save_state(path, self._state(before))
                bar.update(min(100, int(100 * done())) - bar.n)
                bar.set_postfix(steps=self.step, held_out=round(self.lowest, 3), before=round(before, 3))
        return before

    def _look(self, loss: float) -> float:
        """Keep what has been learnt where it is the best so far."""
        if loss < self.lowest:
            self.lowest, self.best, self.worse = loss, learnt(self.network), 0
        else:
            self.worse += 1
        return loss

    def _state(self, before: float) -> dict[str, Any]:
        names = ("job", "step", "seconds", "lowest", "worse", "best", "start")
        held = {name: getattr(self, name) for name in names}
        return {**held, "before": before, "now": learnt(self.network), "optimiser": self.optimiser.state_dict()}

    def _resume(self, path: Path) -> float:
        state = load_state(path)
        try:
            if state["job"] != self.job:
                raise InputError(f"{path} is of another library, base or seed: remove it to start anew")
            before, now = state.pop("before"), state.pop("now")
            self.optimiser.load_state_dict(state.pop("optimiser"))
            for parameter, value in zip(self.parameters, now.values(), strict=True):
                parameter.data.copy_(value)
            for name, value in state.items():
                setattr(self, name, value)
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} is not a state of this adaptation: {error}") from None
        return before
