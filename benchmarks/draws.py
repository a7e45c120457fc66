"""Molecules drawn once for each setting and seed, kept in a folder, and the likely share of them."""

import time
from pathlib import Path
from typing import NamedTuple

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from molscore.screening import generate
from molscore.screening.checks import PASSED, Candidate, density_filter
from molscore.screening.criteria import DRAWN
from molscore.screening.model import Model
from molscore.screening.sample import Sampling

__all__ = ["Draw", "Setting", "draw", "best_share"]

NUMBERS = ("log_likelihood", "percentile", "codimension", "codimension_excess")


class Setting(NamedTuple):
    """How to draw."""

    sampler: str
    temperature: float
    guidance: float
    evaluations: int

    @classmethod
    def of(cls, text: str) -> "Setting":
        """From a text such as sde,1,1,50."""
        sampler, temperature, guidance, evaluations = text.split(",")
        return cls(sampler, float(temperature), float(guidance), int(evaluations))

    @property
    def cells(self) -> list[str | float | None]:
        """The first cells of its row."""
        return [self.sampler, self.temperature if self.sampler == "sde" else None, *self[2:]]

    @property
    def sampling(self) -> Sampling:
        """The settings of the sampler."""
        sampler, temperature, guidance, steps = self
        return Sampling(sampler=sampler, temperature=temperature, guidance=guidance, steps=steps)

    @property
    def words(self) -> str:
        """For the name of a file."""
        return f"{self.sampler}-{self.temperature:g}-{self.guidance:g}-{self.evaluations}"


class Draw(NamedTuple):
    """All molecules of one seed, in the order of their drawing, none turned down."""

    molecules: MoleculeSet
    """With columns `NUMBERS`; what is not known is NaN."""
    seconds: float
    """Of drawing them: noise to checks and densities."""


def draw(model: Model, setting: Setting, n: int, seed: int, folder: Path | None) -> Draw:
    """Read from `folder` if it was drawn before by the same weights, else drawn, and saved there."""
    facts: dict[str, str] = {"weights": model.weights, "setting": setting.words, "n": str(n), "seed": str(seed)}
    path = None if folder is None else folder / f"{model.weights[:12]}-{setting.words}-{n}-{seed}.parquet"
    if path is not None and path.exists():
        saved = MoleculeSet.load(path)
        if {name: saved.metadata.get(name) for name in facts} != facts:
            raise InputError(f"{path} was not drawn by this model in this way; choose another folder")
        return Draw(saved, float(saved.metadata["seconds"]))
    started = time.perf_counter()
    candidates = generate.draw(model, n, seed, setting.sampling, progress=True)
    seconds = time.perf_counter() - started
    columns = {name: [_number(getattr(candidate, name)) for candidate in candidates] for name in NUMBERS}
    facts["seconds"] = f"{seconds:.1f}"
    found = MoleculeSet.from_molecules(candidates, columns)
    found = MoleculeSet(found.numbers, found.positions, found.sizes, found.columns, facts)
    if path is not None:
        found.save(path)
    return Draw(found, seconds)


def best_share(molecules: MoleculeSet, keep: float) -> MoleculeSet:
    """The share `keep` that `generate --keep` would keep, if no check turned any down."""
    candidates = [
        Candidate(
            numbers=molecule.numbers,
            positions=molecule.positions,
            index=row,
            verdict=PASSED,
            **{name: float(molecules.columns[name][row]) for name in NUMBERS},
        )
        for row, molecule in enumerate(molecules)
    ]
    return molecules.select([c.index for c in density_filter(candidates, keep, DRAWN) if c.passed])


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
