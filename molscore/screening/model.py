"""`Model`: a trained network in use, for one of its distributions."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore.errors import CheckpointError, DistributionError, InputError
from molscore.molecules.convert import as_molecules
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.nn.checkpoint import Checkpoint, from_pretrained, save_pretrained
from molscore.nn.composition import FormulaPmf, FormulasGiven
from molscore.nn.context import DistributionContext
from molscore.nn.heads import Estimate
from molscore.screening import passes
from molscore.screening.admission import admit_all, element_counts
from molscore.screening.bundled import bundled_names, name_of, resolved
from molscore.screening.candidate import Candidate
from molscore.screening.criteria import Case, check_order, criterion
from molscore.screening.draw import Wanted
from molscore.screening.fragment import Fragment
from molscore.screening.generate import Request, generate
from molscore.screening.like import reference_molecules
from molscore.screening.likelihood import Terms, log_permutations
from molscore.screening.reference import References
from molscore.screening.samplers import Sampling

__all__ = ["Model", "load"]

DEFAULT_SIGMA = 0.05


class Model:
    """Estimates, log-likelihoods and samples of a checkpoint, for one distribution (the first, unless named).

    Molecules are SMILES, RDKit ``Mol``, PyG ``Data``, ASE ``Atoms`` or `Molecule`, one or several; those without a
    geometry get one (ETKDGv3 and MMFF94s). Errors are `MolscoreError` and name the row, from 0.
    """

    def __init__(
        self, checkpoint: Checkpoint, name: str = "unsaved", distribution: str | None = None, weights: str = "unsaved"
    ) -> None:
        # exp(-u^2) of distant atoms underflows, and a CPU takes 100 times longer over denormal numbers
        torch.set_flush_denormal(True)
        self.checkpoint, self.name, self.weights = checkpoint, name, weights
        self.source = name  # what `load` was given: an adapter names its base so
        self.network = checkpoint.network.eval()
        names = [known.name for known in checkpoint.distributions]
        if distribution is not None and distribution not in names:
            raise DistributionError(f"model {name} holds no distribution {distribution!r}; it holds {', '.join(names)}")
        index = 0 if distribution is None else names.index(distribution)
        self.distribution = checkpoint.distributions[index]
        network = self.network
        token, offset = network.distribution_token.weight[index].detach(), network.noise_offset[index].detach()
        self.context = DistributionContext(token, network.sigma_N[index], offset)
        self.plain: Model | None = None  # of a model that was `given` references: the one before
        self.like: Sequence[Molecule] = ()  # and these

    @classmethod
    def from_pretrained(cls, name_or_folder: str | Path = "qm9", distribution: str | None = None) -> "Model":
        """A bundled model by its name or that of one of its distributions, else a folder.

        Raises `CheckpointError` for what is neither.
        """
        folder, distribution = resolved(name_or_folder, distribution)
        try:
            checkpoint = from_pretrained(folder, lambda name: resolved(name, None)[0])
        except CheckpointError as error:
            raise CheckpointError(f"{error}{bundled_names()}") from None
        weights = folder / "model.safetensors"
        digest = sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "unknown"
        model = cls(checkpoint, name_of(folder), distribution, digest)
        model.source = str(name_or_folder) if folder != Path(name_or_folder) else str(folder.resolve())
        return model

    def save_pretrained(self, folder: str | Path, card: str = "") -> Path:
        """Write the checkpoint folder; raises `OutputError` where that cannot be done."""
        return save_pretrained(folder, self.checkpoint, card)

    def with_extras(self, extras: Mapping[str, Tensor]) -> "Model":
        """The same model with more tables, such as `References.to_extras` makes; unsaved."""
        checkpoint = self.checkpoint._replace(extras={**self.checkpoint.extras, **extras})
        return Model(checkpoint, self.name, self.distribution.name)

    def given(self, references: Any) -> "Model":
        """The model of molecules like some references: a file of them, or molecules of any kind, in any order.

        The reference encoder moves the token by what the trunk says of them, and formulas are as
        `molscore.nn.composition.FormulasGiven` says. Any number can be given; it was trained with 1 to 16, and more
        are read all at once, by the same attention. Percentiles are of the plain distribution, so that this model has
        none. Raises the error of the first reference that the model cannot judge, named by its row.
        """
        if self.plain is not None:
            raise InputError("the model has been given references already: give all of them to the plain one")
        found = self.molecules(reference_molecules(references))
        model = copy(self)
        model.plain, model.like = self, tuple(found)
        model.context = passes.given(self.network, found, self.context)
        model.composition = FormulasGiven(self.composition, element_counts(found, self.distribution.elements))
        model.references = None
        return model

    @property
    def max_atoms(self) -> int:
        """Atoms of the largest molecule that the model judges."""
        return self.distribution.max_atoms

    @property
    def resolutions(self) -> list[float]:
        """Å: the resolutions that have percentiles, none where the checkpoint holds no reference."""
        return [] if self.references is None else self.references.resolutions.tolist()

    @cached_property
    def composition(self) -> FormulaPmf:
        """p(N) and p(formula | N)."""
        return FormulaPmf(self.distribution)

    @cached_property
    def references(self) -> References | None:
        """Tables of held-out molecules, where the checkpoint has them."""
        return References.from_extras(self.checkpoint.extras, self.distribution)

    @cached_property
    def known(self) -> TrainingIndex | None:
        """The molecules that are not novel, where the checkpoint has a list: all of the data set, or of training."""
        name, extras = self.distribution.name, self.checkpoint.extras
        table = extras.get(f"known.{name}", extras.get("known"))
        if table is None:
            return None
        whole = table.dtype == torch.uint8  # older models have those of training, eight bytes each
        return TrainingIndex.unpack(table.cpu().numpy().copy(), name if whole else f"the training molecules of {name}")

    def molecules(self, molecules: Any) -> list[Molecule]:
        """What was given as `Molecule` objects that the model can judge; raises naming the first that it cannot."""
        found = as_molecules(molecules)
        if not found:
            raise InputError("there are no molecules to judge")
        admit_all(found, self.distribution)
        return found

    def estimate(self, molecules: Any, sigma: float = DEFAULT_SIGMA) -> Estimate:
        """One pass, both heads: score (M, N, 3) in 1/Å, zero at padding, and log_density (M,) in nats."""
        return passes.estimate(self.network, self.molecules(molecules), passes.check_sigma(sigma), self.context)

    def scores(self, molecules: Any, sigma: float = DEFAULT_SIGMA) -> list[NDArray[np.float32]]:
        """The score of each molecule by itself, (N_i, 3) in 1/Å."""
        found = self.molecules(molecules)
        score = passes.estimate(self.network, found, passes.check_sigma(sigma), self.context).score.numpy()
        return [rows[: molecule.n_atoms].copy() for rows, molecule in zip(score, found, strict=True)]

    def log_density(self, molecules: Any, resolution: float = DEFAULT_SIGMA) -> NDArray[np.float64]:
        """log p_resolution(positions | elements, N) in nats, (M,)."""
        return passes.log_densities(
            self.network, self.molecules(molecules), passes.check_sigma(resolution), self.context
        )

    def terms(self, molecules: Any, resolution: float = DEFAULT_SIGMA) -> Terms:
        """The terms of the log-likelihood, each (M,) nats."""
        found = self.molecules(molecules)
        counts = element_counts(found, self.distribution.elements)
        density = passes.log_densities(self.network, found, passes.check_sigma(resolution), self.context)
        return Terms(self.composition.log_prob(counts), density, log_permutations(counts))

    def log_likelihood(self, molecules: Any, resolution: float = DEFAULT_SIGMA) -> NDArray[np.float64]:
        """Log-probability of the whole unordered molecule in nats, (M,); see `molscore.screening.likelihood`."""
        return self.terms(molecules, resolution).log_likelihood

    def percentile(self, molecules: Any, resolution: float = DEFAULT_SIGMA) -> NDArray[np.float64]:
        """Where each log-likelihood stands among reference molecules of like size and flexibility, 0 to 100, (M,).

        NaN for a molecule outside what the model has learnt, see `References.outside`.
        """
        check_order(self, "percentile", resolution)
        found = self.molecules(molecules)
        values = criterion(Case(self, found, self.terms(found, resolution), resolution), "percentile")
        return np.where([self.references.outside(molecule) != "" for molecule in found], np.nan, values)

    def atom_contributions(self, molecules: Any, resolution: float = DEFAULT_SIGMA) -> list[NDArray[np.float64]]:
        """What each atom adds to the log_density, (N_i,) nats; their sum is the log_density."""
        sigma = passes.check_sigma(resolution)
        return passes.atom_log_densities(self.network, self.molecules(molecules), sigma, self.context)

    def bonds(self, molecules: Any, sigma: float = DEFAULT_SIGMA) -> list[NDArray[np.uint16]]:
        """The bonds that the network sees in each geometry, (E_i, 3): two atoms, counted from 0, and the order.

        Orders are 1, 2, 3, or 4 for aromatic, the likeliest of each pair for itself: no perception by RDKit that could
        hang, and no promise that valences fit.
        """
        return passes.bonds(self.network, self.molecules(molecules), passes.check_sigma(sigma), self.context)

    def generate(
        self,
        n: int,
        seed: int = 0,
        *,
        formula: str | None = None,
        n_atoms: int | None = None,
        keep_atoms: Any = None,
        guide: Callable[[Candidate], float] | None = None,
        steps: int = 50,
        sampler: str = "sde",
        temperature: float = 1.0,
        guidance: float = 1.0,
        min_percentile: float = 1.0,
        keep: float = 1.0,
        by: str | None = None,
        novel: bool = False,
        resolution: float = DEFAULT_SIGMA,
        progress: bool = False,
    ) -> list[Candidate]:
        """n molecules that pass the checks and the density filter, best first; the same seed gives the same ones.

        Fewer where the search was given up, as for a formula of few isomers: see `molscore.screening.generate`, whose
        `generate` returns those turned down as well, and whose `Request` and `Sampling` explain the arguments.
        `keep_atoms` is what `Fragment.of` takes, and its atoms come first in each molecule; `guide` a function that
        adds to the log-likelihood, such as `guide_of("qed")` of `molscore.screening.guides`.
        """
        fragment = None if keep_atoms is None else Fragment.of(keep_atoms)
        sampling = Sampling(steps=steps, sampler=sampler, temperature=temperature, guidance=guidance)
        wanted = Wanted(fragment, guide)
        request = Request(n, seed, formula, n_atoms, sampling, wanted, min_percentile, keep, by, novel, resolution)
        return [candidate for candidate in generate(self, request, progress) if candidate.passed]

    def __reduce__(self) -> tuple[Any, ...]:
        """What makes a copy in another process; tables that are made of the checkpoint are made there again."""
        if self.plain is not None:
            return Model.given, (self.plain, self.like)
        return Model, (self.checkpoint, self.name, self.distribution.name, self.weights)

    def __repr__(self) -> str:
        elements = " ".join(self.distribution.elements)
        return f"Model({self.name!r}, distribution={self.distribution.name!r}, {elements}, 2 to {self.max_atoms} atoms)"


def load(model: "Model | str | Path" = "qm9", distribution: str | None = None) -> Model:
    """A bundled model by its name, or a model folder; a `Model` is returned as it is.

    Raises `CheckpointError` or `DistributionError`, `InputError` for a `Model` of another distribution.
    """
    if not isinstance(model, Model):
        return Model.from_pretrained(model, distribution)
    if distribution not in (None, model.distribution.name):
        raise InputError(f"the model is loaded for {model.distribution.name}, not for {distribution}")
    return model
