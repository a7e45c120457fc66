"""The training loop: batches and noise from (seed, step), so that an unbroken run and a resumed one are the same."""

import csv
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, distributed, nn
from tqdm import tqdm

from molscore.arguments import type_of
from molscore.datasets.clusters import cluster_keys
from molscore.datasets.molecule_set import load
from molscore.datasets.statistics import distribution_of
from molscore.diffusion.gaussian import generator_of
from molscore.errors import CheckpointError, InputError, OutputError
from molscore.molecules.atomic import make_folder, replacing
from molscore.molecules.batch import Batch, size_groups
from molscore.nn.checkpoint import Checkpoint, build, check_vacant, from_pretrained, save_pretrained, started_from
from molscore.nn.discoformer import Context, DiScoFormer
from molscore.training.config import TrainConfig
from molscore.training.data import Batches, Chosen, Clusters
from molscore.training.losses import denoising_loss, dual_loss, with_noise
from molscore.training.optim import Average, Optimiser, learning_rate

__all__ = ["Processes", "Trainer", "load_state", "save_state", "train"]

LOG_EVERY = 50  # steps
Evaluate = Callable[[Checkpoint], dict[str, float]]


class Processes(NamedTuple):
    """Where this process stands among those that `torchrun` started to train together, each on batches of its own.

    One flat all-reduce instead of DistributedDataParallel, whose hooks do not see second derivatives.
    """

    rank: int
    world: int
    device: torch.device

    @classmethod
    def join(cls) -> "Processes":
        """Join the group that torchrun's environment describes, or be alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        if world == 1:
            return cls(0, 1, device)
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if cuda else "gloo")
        return cls(distributed.get_rank(), world, device)

    def average_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace every gradient by its mean over processes; one that is absent here counts as zero."""
        if self.world == 1:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        for p, mean in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            p.grad = mean.view_as(p)


class Trainer:
    """Network, optimiser, average and place in the data of one run."""

    def __init__(self, config: TrainConfig, processes: Processes) -> None:
        # products of exp(-u^2) with gradients underflow; a CPU takes 100 times longer over denormal numbers
        torch.set_flush_denormal(True)
        torch.backends.cuda.matmul.allow_tf32 = True
        self.config, self.processes, self.step, self.seconds, self.molecules = config, processes, 0, 0.0, 0
        self.data = [load(part.path, "train") for part in config.data]
        for part, molecules in zip(config.data, self.data, strict=True):
            if molecules.sizes.min() < 2:
                raise InputError(f"{part.path}: training needs molecules, of two atoms or more each")
        self.distributions = tuple(
            distribution_of(part.name, molecules) for part, molecules in zip(config.data, self.data, strict=True)
        )
        torch.manual_seed(config.seed)
        if config.init:
            self.network = started_from(from_pretrained(config.init), self.distributions).train()
        else:
            self.network = build(config.model, self.distributions)
        device = processes.device
        self.network.to(device)
        self.parameters = list(self.network.parameters())
        self.optimiser = Optimiser.of(self.network, config)
        self.average = Average(self.network, config.ema)
        sizes, weights = [molecules.sizes for molecules in self.data], [part.weight for part in config.data]
        self.batches = Batches(sizes, weights, config.batch, config.seed)
        rng, self.clusters = np.random.default_rng(config.seed), []
        for molecules in self.data if config.references else ():
            keys, weights = cluster_keys(molecules)
            pool = np.sort(rng.permutation(len(molecules))[: config.references_pool])
            self.clusters.append(Clusters(keys, pool, weights, device))
        self.teacher: dict[str, Tensor] = {}  # weights that the references' states are made with
        self.states: list[Tensor] = []  # (P, 2 dim) of each data set's pool of references

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        hours = self.config.hours
        return min(1.0, self.seconds / (3600 * hours) if hours else self.step / self.config.steps)

    def one_step(self) -> dict[str, Tensor]:
        """Take one optimiser step and return the parts of the loss, on the device."""
        config, (rank, _, device), progress = self.config, self.processes, self.progress
        generator = generator_of(device, config.seed, self.step, rank)
        if config.references and progress >= config.references_start:
            if not self.teacher or self.step % config.references_every == 0:
                self.teacher = {name: value.clone() for name, value in self.average.weights.items()}
                self.states = []
            self.states = self.states or self._reference_states()
        chosen = self.batches.at(self.step, rank)
        dual = round(config.density_share * len(chosen.rows)) if progress >= config.density_start else 0
        parts = {}
        for terms, rows in ((self._denoising_terms, chosen.rows[dual:]), (self._density_terms, chosen.rows[:dual])):
            if len(rows):
                loss, found = terms(chosen._replace(rows=rows), generator)
                loss.backward(inputs=self.parameters)  # not to y, which requires a gradient too
                parts |= found
        self.processes.average_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, config.clip)
        self.optimiser.step(learning_rate(self.step, progress, config))
        self.average.update(self.network, self.step)
        self.step += 1
        self.molecules += len(chosen.rows) * self.processes.world
        return parts

    def _denoising_terms(self, chosen: Chosen, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        config, data, device = self.config, self.data[chosen.dataset], self.processes.device
        x, bonds = self._batch(chosen), None
        noisy = with_noise(x, config, generator, density=False)
        if config.weight_bonds and data.bonds is not None:
            bonds = data.bond_orders(chosen.rows, chosen.width).to(device, torch.long)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            return denoising_loss(self.network.denoise, noisy, self._context(x, chosen, generator), bonds, config)

    def _density_terms(self, chosen: Chosen, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = self._batch(chosen)
        noisy = with_noise(x, self.config, generator, density=True)
        return dual_loss(self.network, noisy, self._context(x, chosen, generator), self.config)

    def _batch(self, chosen: Chosen) -> Batch:
        molecules = self.data[chosen.dataset].batch(chosen.rows, self.network.elements, pad_to=chosen.width)
        return molecules.to(self.processes.device)

    def _context(self, x: Batch, chosen: Chosen, generator: torch.Generator) -> Context:
        """The data set's own context, moved by references where a molecule is given some."""
        context = self.network.context(torch.full_like(x.sizes, chosen.dataset), x.sizes)
        if not self.states:
            return context
        rows, config = torch.from_numpy(chosen.rows).to(x.sizes), self.config
        clusters, states = self.clusters[chosen.dataset], self.states[chosen.dataset]
        places, present = clusters.draw(rows, config.references, config.references_share, generator)
        return self.network.given(context, states[places], present)

    def _reference_states(self) -> list[Tensor]:
        """The teacher's `state` of all that may be references; the encoder is told their mean and deviation.

        Each process makes its share of them.
        """
        teacher, (rank, world, device), found = self._copy(self.teacher), self.processes, []
        for k, (data, clusters) in enumerate(zip(self.data, self.clusters, strict=True)):
            pool = clusters.pool.cpu().numpy()
            states = torch.zeros(len(pool), 2 * teacher.config.dim, device=device)
            for places in size_groups(data.sizes[pool[rank::world]], self.config.batch):
                places = rank + world * places
                x = data.batch(pool[places], teacher.elements).to(device)
                with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16):
                    context = teacher.context(torch.full_like(x.sizes, k), x.sizes)
                    states[places] = teacher.state(*x, context).float()
            if world > 1:
                distributed.all_reduce(states)
            found.append(states)
        self.network.reference_encoder.standardise(torch.cat(found))
        return found

    def _copy(self, weights: dict[str, Tensor]) -> DiScoFormer:
        network = deepcopy(self.network)
        network.load_state_dict(weights, strict=False)
        return network.eval()

    def state_dict(self) -> dict:
        """Everything that the next step depends on."""
        return {
            "config": json.dumps(self.config.to_dict()),
            "step": self.step,
            "seconds": self.seconds,
            "molecules": self.molecules,
            "network": self.network.state_dict(),
            "average": self.average.weights,
            "optimiser": self.optimiser.state_dict(),
            "teacher": self.teacher,
        }

    def load_state_dict(self, state: dict) -> None:
        """Inverse of `state_dict`."""
        self.step, self.seconds, self.molecules = state["step"], state["seconds"], state["molecules"]
        self.network.load_state_dict(state["network"])
        for name, value in self.average.weights.items():
            value.copy_(state["average"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.teacher, self.states = {n: w.to(self.processes.device) for n, w in state["teacher"].items()}, []

    def resume(self, path: Path) -> None:
        """Carry on from a saved state; raises CheckpointError where it is of another network or no state at all."""
        state = load_state(path)
        try:
            self.load_state_dict(state)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            line = " ".join(str(error).split())[:120]
            raise CheckpointError(f"{path} is not a state of this configuration: {line}") from None

    def checkpoint(self) -> Checkpoint:
        """The model with averaged weights, in a network of its own."""
        info = {
            "step": self.step,
            "seconds": round(self.seconds),
            "molecules": self.molecules,
            "processes": self.processes.world,
            "config": self.config.to_dict(),
        }
        return Checkpoint(self._copy(self.average.weights).cpu(), self.distributions, info, {})


class Log:
    """Rows of figures in a CSV file; on resume, rows after the step resumed from are dropped."""

    FIELDS = (
        "step", "seconds", "molecules",
        "denoising", "distance", "bonds", "space", "time", "consistency", "slope", "figures",
    )  # fmt: skip

    def __init__(self, path: Path, step: int) -> None:
        rows = list(self._whole_rows(path, step)) if path.is_file() else []
        with replacing(path) as fresh, fresh.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        self.writer = csv.DictWriter(path.open("a", newline="", buffering=1), self.FIELDS)

    def _whole_rows(self, path: Path, step: int) -> Iterator[dict[str, str]]:
        """Rows up to a step, without what a kill has cut short."""
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                whole = row.keys() == set(self.FIELDS) and None not in row.values() and row["step"].isdigit()
                if whole and int(row["step"]) <= step:
                    yield row

    def write(self, **row: object) -> None:
        """Add one row."""
        self.writer.writerow(row)


def train(config: TrainConfig, resume: bool = False, evaluate: Evaluate | None = None) -> Checkpoint:
    """Run to the end, saving `out/state.pt` as it goes and `out/model` at the end and at every evaluation.

    `resume` carries on from the state in `config.out`. Raises InputError where there is one and `resume` is not given,
    and where there is none beside a model.
    """
    processes, out = Processes.join(), Path(config.out)
    state_path = out / "state.pt"
    if state_path.exists() and not resume:
        raise InputError(f"{state_path} exists: add --resume to carry on, or choose another `out`")
    if not state_path.exists():
        check_vacant(out / "model")
    make_folder(out)
    trainer = Trainer(config, processes)
    if resume and state_path.exists():
        trainer.resume(state_path)
    lead = processes.rank == 0
    log = Log(out / "log.csv", trainer.step) if lead else None
    bar = tqdm(
        total=None if config.hours else config.steps, initial=trainer.step, unit="step", disable=not lead,
        file=sys.stderr, mininterval=2,
    )  # fmt: skip
    saved, started = time.monotonic(), time.monotonic() - trainer.seconds
    seen: dict[str, list[Tensor]] = defaultdict(list)  # parts of the loss since the last row of the log
    while trainer.progress < 1:
        for name, value in trainer.one_step().items():
            seen[name].append(value)
        trainer.seconds = time.monotonic() - started
        bar.update()
        if not lead:
            seen.clear()
            continue
        if trainer.step % LOG_EVERY == 0:
            means = {name: round(float(torch.stack(values).mean()), 5) for name, values in seen.items()}
            bar.set_postfix(means)
            log.write(step=trainer.step, seconds=round(trainer.seconds, 1), molecules=trainer.molecules, **means)
            seen.clear()
        last = trainer.progress >= 1
        evaluated = last or trainer.step % config.evaluate_every == 0
        if evaluated:
            checkpoint = trainer.checkpoint()
            save_pretrained(out / "model", checkpoint)
            if evaluate is not None:
                figures = evaluate(checkpoint)
                log.write(step=trainer.step, seconds=round(trainer.seconds, 1), figures=json.dumps(figures))
                tqdm.write(f"step {trainer.step}: {figures}", file=sys.stderr)
        # After the model: a kill in between repeats the last steps, and cannot leave a finished run without its model.
        if evaluated or time.monotonic() - saved > 60 * config.save_minutes:
            save_state(state_path, trainer.state_dict())
            saved = time.monotonic()
    bar.close()
    return trainer.checkpoint()


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists, dicts) beside `path`, then rename over it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.part")  # one name, so that what a kill leaves is overwritten
        with scratch.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def load_state(path: Path) -> dict[str, Any]:
    """Inverse of `save_state`; raises CheckpointError for a file that is none."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # torch raises several kinds for a file that is not its own
        line = " ".join(str(error).split())[:120]
        raise CheckpointError(f"{path} is not the state of a training run: {line}") from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is not the state of a training run: it holds {type_of(state)}")
    return state
