"""`Model`: what a user holds: a predictor that also saves, generates, ranks, and tells percentiles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from molscore.arguments import check_path
from molscore.nn.checkpoint import save_pretrained
from molscore.screening.checks import Candidate
from molscore.screening.criteria import Case, check_order
from molscore.screening.generate import Request, generate
from molscore.screening.info import DEFAULT
from molscore.screening.predictor import RESOLUTION, Predictor
from molscore.screening.rank.frame import rank

__all__ = ["Model", "load"]


class Model(Predictor):
    """A trained network in use, for one of its distributions. See `Predictor` for what it takes and raises."""

    def save_pretrained(self, folder: str | Path, card: str = "") -> Path:
        """Write the checkpoint folder; raises `OutputError` where that cannot be done."""
        check_path("folder", folder)
        return save_pretrained(folder, self.checkpoint, card)

    def percentile(self, molecules: Any, resolution: float = RESOLUTION) -> NDArray[np.float64]:
        """Where each log-likelihood stands among reference molecules of like size and flexibility, 0 to 100, (M,).

        NaN for a molecule outside what the model has learnt, see `References.outside`.
        """
        check_order(self, "percentile", resolution)
        found = self.molecules(molecules)
        case = Case(self, found, self.terms(found, resolution), resolution)
        return case.numbers(("percentile",), case.outside)["percentile"]

    rank = rank
    """`molscore.rank` with this model: each molecule of a library with its numbers, a row for a row."""

    def generate(
        self,
        n: int,
        seed: int = 0,
        *,
        formula: str | None = None,
        n_atoms: int | None = None,
        keep_atoms: Any = None,
        guide: Callable[[Candidate], float] | None = None,
        steps: int = 48,
        sampler: str = "sde",
        temperature: float = 1.0,
        guidance: float = 2.0,
        retries: int = 8,
        min_percentile: float = 1.0,
        keep: float = 1.0,
        by: str | None = None,
        novel: bool = False,
        smarts: str | None = None,
        resolution: float = RESOLUTION,
        progress: bool = False,
    ) -> list[Candidate]:
        """n molecules that pass the checks and the density filter, best first; the same seed gives the same ones.

        Fewer where the search was given up, as for a formula of few isomers: see `molscore.screening.generate`, whose
        `generate` returns those turned down as well, and whose `Request` and `Sampling` explain the arguments.
        `keep_atoms` is what `Fragment.of` takes, and its atoms come first in each molecule; `guide` a function that
        adds to the log-likelihood, such as `guide_of("qed")` of `molscore.screening.guidance`, and turns down
        those to which it gives minus infinity or NaN. Molecules without the pattern `smarts` are turned down, too.
        """
        wanted = {"formula": formula, "n_atoms": n_atoms, "keep_atoms": keep_atoms, "guide": guide}
        drawn = {
            "steps": steps,
            "sampler": sampler,
            "temperature": temperature,
            "guidance": guidance,
            "retries": retries,
        }
        kept = {"min_percentile": min_percentile, "keep": keep, "by": by, "novel": novel, "smarts": smarts}
        request = Request.of(n, seed=seed, resolution=resolution, **wanted, **drawn, **kept)
        return [candidate for candidate in generate(self, request, progress) if candidate.passed]


def load(
    model: Predictor | str | Path = DEFAULT, distribution: str | None = None, device: str | torch.device | None = None
) -> Model:
    """`Model.load`: a bundled model by its name, or a model folder; a `Model` is returned as it is."""
    return Model.load(model, distribution, device)
