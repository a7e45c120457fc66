"""The training loop: batches and noise from (seed, step), so that an unbroken run and a resumed one are the same."""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from molscore.datasets.load import load
from molscore.datasets.statistics import distribution_of
from molscore.errors import CheckpointError, InputError, OutputError
from molscore.molecules.atomic import reason_of, replacing
from molscore.molecules.distribution import Distribution
from molscore.nn.checkpoint import Checkpoint, build, from_pretrained, save_pretrained
from molscore.training.average import Average
from molscore.training.batches import SizeGroupedBatches
from molscore.training.compiled import compiled
from molscore.training.config import TrainConfig
from molscore.training.optimiser import Optimiser
from molscore.training.processes import Processes
from molscore.training.state import load_state, save_state
from molscore.training.step import add_gradients

__all__ = ["Trainer", "train"]

Evaluate = Callable[[Checkpoint], dict[str, float]]


class Trainer:
    """Network, optimiser, average and place in the data of one run."""

    def __init__(self, config: TrainConfig, processes: Processes) -> None:
        # products of exp(-u^2) with gradients underflow; a CPU takes 100 times longer over denormal numbers
        torch.set_flush_denormal(True)
        self.config, self.processes, self.step, self.seconds = config, processes, 0, 0.0
        self.data = load(config.data, "train")
        if not len(self.data) or self.data.sizes.min() < 2:
            raise InputError(f"{config.data}: training needs molecules, of two atoms or more each")
        self.distributions: tuple[Distribution, ...] = (distribution_of(config.distribution, self.data),)
        torch.manual_seed(config.seed)
        if config.init:
            start = from_pretrained(config.init)
            self.network, self.distributions = start.network.train(), start.distributions
        else:
            self.network = build(config.model, self.distributions)
        self.network.to(processes.device)
        if config.frozen_trunk:
            for name, p in self.network.named_parameters():
                p.requires_grad_(name.startswith("density_head."))
        self.optimiser = Optimiser(self.network.named_parameters(), config)
        self.average = Average(self.network, config.ema)
        self.batches = SizeGroupedBatches(self.data.sizes, config.batch, config.seed)
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.denoise = compiled(self.network) if config.compile else self.network.denoise

    def one_step(self) -> dict[str, float]:
        """Take one optimiser step and return the parts of the loss."""
        config, (rank, world, device) = self.config, self.processes
        generator = torch.Generator().manual_seed((config.seed * 1_000_003 + self.step) * 4_099 + rank)
        share = self.batches.at(self.step, rank, world)
        pad_to = next((size for size in config.buckets if size >= self.data.sizes[share].max()), 0)
        batch = self.data.batch(share, self.network.elements, pad_to=pad_to).to(device)
        n_dual = max(1, config.density_batch // world) if self.step >= config.density_start else 0
        parts = add_gradients(self.network, batch, config, n_dual, generator, self.denoise)
        self.processes.average_gradients(self.parameters)
        torch.nn.utils.clip_grad_norm_(self.parameters, config.clip)
        self.optimiser.step(self.step)
        self.average.update(self.network, self.step)
        self.step += 1
        return {name: part.item() for name, part in parts.items()}

    def state_dict(self) -> dict:
        """Everything that the next step depends on."""
        return {
            "config": json.dumps(self.config.to_dict()),
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Inverse of `state_dict`."""
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])

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
        network = build(self.network.config, self.distributions)
        network.load_state_dict({**self.network.state_dict(), **self.average.weights})
        info = {
            "step": self.step,
            "seconds": round(self.seconds),
            "molecules": self.step * self.config.batch,
            "processes": self.processes.world,
            "config": self.config.to_dict(),
        }
        return Checkpoint(network.eval(), self.distributions, info, {})


class Log:
    """Rows of figures in a CSV file; on resume, rows after the step resumed from are dropped."""

    FIELDS = ("step", "seconds", "denoising", "space", "time", "consistency", "slope", "fokker_planck", "figures")

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


def train(
    config: TrainConfig, resume: bool = False, evaluate: Evaluate | None = None, log_every: int = 50
) -> Checkpoint:
    """Run to `config.steps`, saving `out/state.pt` as it goes and `out/model` at the end and at every evaluation.

    `resume` carries on from the state in `config.out`. Raises InputError where there is one and `resume` is not given.
    """
    processes, out = Processes.join(), Path(config.out)
    state_path = out / "state.pt"
    if state_path.exists() and not resume:
        raise InputError(f"{state_path} exists: add --resume to carry on, or choose another `out`")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({reason_of(error)})") from None
    trainer = Trainer(config, processes)
    if resume and state_path.exists():
        trainer.resume(state_path)
    lead = processes.rank == 0
    log = Log(out / "log.csv", trainer.step) if lead else None
    bar = tqdm(total=config.steps, initial=trainer.step, unit="step", disable=not lead, file=sys.stderr, mininterval=2)
    started, saved, sums, count = time.monotonic() - trainer.seconds, time.monotonic(), {}, 0
    while trainer.step < config.steps:
        parts, count = trainer.one_step(), count + 1
        sums = {name: sums.get(name, 0.0) + value for name, value in parts.items()}
        trainer.seconds = time.monotonic() - started
        bar.update()
        if lead and trainer.step % log_every == 0:
            means = {name: round(value / count, 5) for name, value in sums.items()}
            bar.set_postfix(means)
            log.write(step=trainer.step, seconds=round(trainer.seconds, 1), **means)
            sums, count = {}, 0
        last = trainer.step == config.steps
        if lead and (last or trainer.step % config.evaluate_every == 0):
            checkpoint = trainer.checkpoint()
            save_pretrained(out / "model", checkpoint)
            if evaluate is not None:
                figures = evaluate(checkpoint)
                log.write(step=trainer.step, seconds=round(trainer.seconds, 1), figures=json.dumps(figures))
                tqdm.write(f"step {trainer.step}: {figures}", file=sys.stderr)
        # After the model: a kill in between repeats the last steps, and cannot leave a finished run without its model.
        if lead and (last or time.monotonic() - saved > 60 * config.save_minutes):
            save_state(state_path, trainer.state_dict())
            saved = time.monotonic()
    bar.close()
    return trainer.checkpoint()
