"""`Predictor`: a trained network for one of its distributions: estimates, densities and log-likelihoods of molecules.

    log p(molecule) = log p(N) + log p(formula | N) + log p_sigma(positions | elements, N) + sum_k ln n_k!

The last term makes it the density of an unordered molecule: the n_k! orders of the atoms of element k are one.

Molecules of any sizes go through the network in padded batches of like size, as many batches at once as there are
cores. One batch over several cores shares out its large products and does the rest on one of them; several at once keep
all of them busy. Each is computed by a single thread, so that numbers do not depend on how many cores there are.

Everything that generates, ranks and explains is built on it; `molscore.screening.model.Model` is the whole of these.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molscore import __version__
from molscore.arguments import check_number
from molscore.errors import CheckpointError, DistributionError, InputError
from molscore.molecules.batch import Batch, collate, element_index, size_groups
from molscore.molecules.chem import shown
from molscore.molecules.convert import as_molecule, each, reference_molecules
from molscore.molecules.distribution import FormulaPmf, FormulasGiven
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.nn.backbone import LN_SIGMA_RANGE
from molscore.nn.checkpoint import Checkpoint, from_pretrained
from molscore.nn.discoformer import REFERENCE_SIGMA, Context, DiScoFormer, DistributionContext
from molscore.nn.heads import Estimate
from molscore.screening.info import DEFAULT, bundled_names, name_of, resolved
from molscore.screening.reference import References
from molscore.screening.ring_systems import RingSystems, RingSystemsGiven, signature, signature_of_bonds
from molscore.screening.validation import validate

__all__ = [
    "BATCH", "RESOLUTION", "Inputs", "Judgeable", "Predictor", "Terms", "batches", "check_resolution",
    "degrees_of_freedom", "device_named", "element_counts", "log_permutations", "side_by_side",
]  # fmt: skip

RESOLUTION = 0.05  # Å, at which densities are read unless another is asked for
BATCH = 32  # molecules a pass: of what a core keeps at hand, more are no faster

Item, Result = TypeVar("Item"), TypeVar("Result")


class Terms(NamedTuple):
    """What a log-likelihood is made of, each (M,) nats."""

    log_composition: NDArray[np.float64]  # log p(N) + log p(formula | N)
    log_density: NDArray[np.float64]  # log p_sigma(positions | elements, N)
    log_permutations: NDArray[np.float64]  # sum_k ln n_k!
    # log p(ring systems | formula, references) - log q(ring systems | formula), where references are given
    log_series: NDArray[np.float64] | float = 0.0

    @property
    def log_likelihood(self) -> NDArray[np.float64]:
        """Their sum."""
        return self.log_composition + self.log_density + self.log_permutations + self.log_series


class Judgeable(list[Molecule]):
    """Molecules that a model can judge, so that nobody looks into them again; see `Predictor.molecules`."""


class Inputs(NamedTuple):
    """Arguments of one pass of the network, and which molecules they are."""

    rows: NDArray[np.int64]  # (B,) indices of the molecules
    batch: Batch
    sigma: Tensor  # (B,) Å
    context: Context

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Context]:
        """What the network is called with."""
        return (*self.batch, self.sigma, self.context)


class Predictor:
    """Estimates and log-likelihoods of a checkpoint, for one distribution (the first, unless named).

    Molecules are SMILES, RDKit ``Mol``, PyG ``Data``, ASE ``Atoms`` or `Molecule`, one or several; those without a
    geometry get one (ETKDGv3 and MMFF94s). Errors are `MolscoreError` and name the molecule, one of several by its
    place: ``molecules[2]``.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        name: str = "unsaved",
        distribution: str | None = None,
        weights: str = "unsaved",
        device: str | torch.device = "cpu",
    ) -> None:
        # exp(-u^2) of distant atoms underflows, and a CPU takes 100 times longer over denormal numbers
        torch.set_flush_denormal(True)
        self.checkpoint, self.name, self.weights = checkpoint, name, weights
        self.source = name  # what `load` was given: an adapter names its base so
        self.network = network = checkpoint.network.eval().to(device_named(device))
        names = [held.name for held in checkpoint.distributions]
        if distribution is not None and distribution not in names:
            raise DistributionError(f"model {name} holds no distribution {distribution!r}; it holds {', '.join(names)}")
        index = 0 if distribution is None else names.index(distribution)
        self.distribution = checkpoint.distributions[index]
        token, offset = network.distribution_token.weight[index].detach(), network.noise_offset[index].detach()
        self.context = DistributionContext(token, network.sigma_N[index], offset)
        self.plain: Self | None = None  # of one that was `given` references: the one before
        self.series: RingSystemsGiven | None = None  # its factor of ring systems, where the checkpoint has a table
        self.like: Sequence[Molecule] = ()  # and these

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | Path = DEFAULT, distribution: str | None = None, device: str | torch.device = "cpu"
    ) -> Self:
        """A bundled model by its name or that of one of its distributions, else a folder.

        Raises `CheckpointError` for what is neither, and `DistributionError` for a distribution that the model has not,
        or that is not the one that the name means.
        """
        folder, distribution = resolved(name_or_folder, distribution)
        try:
            checkpoint = from_pretrained(folder, lambda name: resolved(name, None)[0])
        except CheckpointError as error:
            raise CheckpointError(f"{error}{bundled_names()}") from None
        weights = folder / "model.safetensors"
        digest = sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "unknown"
        model = cls(checkpoint, name_of(folder), distribution, digest, device)
        model.source = str(name_or_folder) if folder != Path(name_or_folder) else str(folder.resolve())
        return model

    @classmethod
    def load(
        cls,
        model: "Predictor | str | Path" = DEFAULT,
        distribution: str | None = None,
        device: str | torch.device | None = None,
    ) -> Self:
        """A bundled model by its name, or a model folder; one that is loaded is returned as it is.

        `device` is ``auto``, ``cpu``, ``cuda`` or ``mps``, cpu unless given.
        Raises `CheckpointError` or `DistributionError`, and `InputError` for one loaded otherwise than it is asked for.
        """
        if not isinstance(model, Predictor):
            return cls.from_pretrained(model, distribution, device or "cpu")
        if distribution not in (None, model.distribution.name):
            raise InputError(f"the model is loaded for {model.distribution.name}, not for {distribution}")
        if device is not None and device_named(device).type != model.device.type:
            raise InputError(f"the model is loaded on {model.device}, not on {device}")
        return model

    def with_extras(self, extras: Mapping[str, Tensor]) -> Self:
        """The same with more tables, such as `References.to_extras` makes; unsaved."""
        checkpoint = self.checkpoint._replace(extras={**self.checkpoint.extras, **extras})
        return type(self)(checkpoint, self.name, self.distribution.name, device=self.device)

    def given(self, references: Any) -> Self:
        """The model of molecules like some references: a file of them, or molecules of any kind, in any order.

        Formulas are as `molscore.molecules.distribution.FormulasGiven` says and ring systems as
        `molscore.screening.ring_systems` does; a reference encoder that was trained moves the token. Percentiles are
        of the plain distribution, so that this model has none. Raises the error of the first reference that the model
        cannot judge, named by its file and row, or its place in the list.
        """
        if self.plain is not None:
            raise InputError("the model has been given references already: give all of them to the plain one")
        found = Judgeable(reference_molecules(references, self._judgeable))
        model = copy(self)
        model.plain, model.like = self, tuple(found)
        if self.network.reference_encoder.trained:
            model.context = self.context._replace(token=self.context.token + self._shift(found))
        if (systems := self.ring_systems) is not None:
            model.series = RingSystemsGiven(systems, self.signatures(found))
        model.composition = FormulasGiven(self.composition, element_counts(found, self.distribution.elements))
        model.references = None
        return model

    def _shift(self, references: Sequence[Molecule]) -> Tensor:
        """What references add to the token, (dim,), as they are seen from it."""
        states = torch.zeros(len(references), 2 * self.network.config.dim, device=self.device)
        for inputs, state in self._passes(
            references, REFERENCE_SIGMA, lambda i: self.network.state(*i.batch, i.context)
        ):
            states[torch.from_numpy(inputs.rows)] = state
        # in an order of their own, so that sums of floats do not depend on that of the references
        states = states[np.lexsort(states.cpu().numpy().T)]
        present = torch.ones(1, len(states), dtype=torch.bool, device=self.device)
        with torch.no_grad():
            return self.network.reference_encoder(states[None], present)[0]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.network.sigma_N.device

    @property
    def max_atoms(self) -> int:
        """Atoms of the largest molecule that the model judges."""
        return self.distribution.max_atoms

    @property
    def atoms_with_percentile(self) -> list[int]:
        """Atoms of the smallest and the largest molecule that has percentiles, none without references."""
        return [] if self.references is None else [int(self.references.support.fewest), self.distribution.max_atoms]

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
    def ring_systems(self) -> RingSystems | None:
        """How often the data have which ring systems, where the checkpoint says."""
        table = self.checkpoint.extras.get(f"rings.{self.distribution.name}")
        return None if table is None else RingSystems.unpack(table, self.distribution.elements)

    @cached_property
    def training_index(self) -> TrainingIndex | None:
        """The molecules that are not novel, all of the data set, where the checkpoint has a list of them."""
        table = self.checkpoint.extras.get(f"known.{self.distribution.name}")
        return None if table is None else TrainingIndex.unpack(table.cpu().numpy(), self.distribution.name)

    def molecules(self, molecules: Any) -> Judgeable:
        """What was given as `Molecule` objects that the model can judge; raises naming the first that it cannot."""
        if isinstance(molecules, Judgeable):
            return molecules
        if not (found := each(molecules, self._judgeable)):
            raise InputError("there are no molecules to judge")
        return Judgeable(found)

    def _judgeable(self, given: Any) -> Molecule:
        molecule = as_molecule(given)
        validate(molecule, self.distribution, shown(given) if isinstance(given, str) else molecule.label)
        return molecule

    def _passes(
        self, molecules: Sequence[Molecule], sigma: float, work: Callable[[Inputs], Result]
    ) -> Iterator[tuple[Inputs, Result]]:
        """What `work` makes of each batch of the molecules at a noise level in Å."""
        return side_by_side(work, batches(self.network, molecules, sigma, self.context), self.device)

    def estimate(self, molecules: Any, sigma: float = RESOLUTION) -> Estimate:
        """One pass, both heads: score (M, N, 3) in 1/Å, zero at padding, and log_density (M,) in nats."""
        found, sigma = self.molecules(molecules), check_resolution(sigma)
        score = torch.zeros(len(found), max(molecule.n_atoms for molecule in found), 3)
        log_density = torch.zeros(len(found))
        for inputs, estimate in self._passes(found, sigma, lambda i: self.network(*i.arguments)):
            rows = torch.from_numpy(inputs.rows)
            score[rows, : estimate.score.shape[1]] = estimate.score.cpu()
            log_density[rows] = estimate.log_density.cpu()
        return Estimate(score, log_density)

    def scores(self, molecules: Any, resolution: float = RESOLUTION) -> list[NDArray[np.float32]]:
        """The score of each molecule by itself, (N_i, 3) in 1/Å."""
        found = self.molecules(molecules)
        score = self.estimate(found, resolution).score.numpy()
        return [rows[: molecule.n_atoms].copy() for rows, molecule in zip(score, found, strict=True)]

    def log_density(self, molecules: Any, resolution: float = RESOLUTION) -> NDArray[np.float64]:
        """log p_resolution(positions | elements, N) in nats, (M,)."""
        return self.estimate(molecules, resolution).log_density.double().numpy()

    def terms(self, molecules: Any, resolution: float = RESOLUTION) -> Terms:
        """The terms of the log-likelihood, each (M,) nats."""
        found = self.molecules(molecules)
        return self._terms(found, self.log_density(found, resolution))

    def terms_given(self, molecules: Any, terms: Terms, resolution: float = RESOLUTION) -> Terms:
        """Those of a model that was `given` references, by the passes of the plain one where they serve."""
        if not torch.equal(self.context.token, self.plain.context.token):
            return self.terms(molecules, resolution)
        return self._terms(self.molecules(molecules), terms.log_density)

    def _terms(self, molecules: Sequence[Molecule], log_density: NDArray[np.float64]) -> Terms:
        counts = element_counts(molecules, self.distribution.elements)
        series = 0.0 if self.series is None else self.series.log_ratio(self.signatures(molecules), counts)
        return Terms(self.composition.log_prob(counts), log_density, log_permutations(counts), series)

    def log_series(self, molecule: Any) -> float:
        """How much likelier its ring systems are among the references, in nats, by its RDKit graph `mol`."""
        counts = element_counts([molecule], self.distribution.elements)
        return float(self.series.log_ratio([signature(molecule.mol)], counts)[0])

    def signatures(self, molecules: Any) -> list[str]:
        """The ring systems of each molecule, by the bonds that the network sees."""
        found = self.molecules(molecules)
        return [signature_of_bonds(m.numbers, bonds) for m, bonds in zip(found, self.bonds(found), strict=True)]

    def log_likelihood(self, molecules: Any, resolution: float = RESOLUTION) -> NDArray[np.float64]:
        """Log-probability of the whole unordered molecule in nats, (M,): the sum of its `terms`."""
        return self.terms(molecules, resolution).log_likelihood

    def atom_contributions(self, molecules: Any, resolution: float = RESOLUTION) -> list[NDArray[np.float64]]:
        """What each atom adds to the log_density, (N_i,) nats; their sum is the log_density."""
        found, sigma = self.molecules(molecules), check_resolution(resolution)
        shares: list[NDArray[np.float64]] = [np.zeros(0)] * len(found)

        def energies(inputs: Inputs) -> Tensor:
            y, _, mask = inputs.batch
            return self.network.atom_energies(y, self.network.denoise(*inputs.arguments), mask)

        for inputs, energy in self._passes(found, sigma, energies):
            real_atoms = inputs.batch.mask.cpu().numpy()
            for row, values, real in zip(inputs.rows, -energy.cpu().double().numpy(), real_atoms, strict=True):
                shares[row] = values[real]
        return shares

    def bonds(self, molecules: Any, resolution: float = RESOLUTION) -> list[NDArray[np.uint16]]:
        """The bonds that the network sees in each geometry, (E_i, 3): two atoms, counted from 0, and the order.

        Orders are 1, 2, 3, or 4 for aromatic, the likeliest of each pair for itself: no perception by RDKit that could
        hang, and no promise that valences fit.
        """
        found, sigma = self.molecules(molecules), check_resolution(resolution)
        bonds: list[NDArray[np.uint16]] = [np.zeros((0, 3), dtype=np.uint16)] * len(found)
        for inputs, orders in self._passes(found, sigma, lambda i: self.network.denoise(*i.arguments).bonds.argmax(-1)):
            for row, matrix in zip(inputs.rows, orders.cpu().numpy(), strict=True):
                n = found[row].n_atoms
                first, second = np.nonzero(np.triu(matrix[:n, :n], 1))
                bonds[row] = np.stack([first, second, matrix[first, second]], axis=1).astype(np.uint16)
        return bonds

    def provenance(self, command: str, seed: int, resolution: float) -> dict[str, Any]:
        """What made a file. There is no time in it, so that the same seed gives the same bytes."""
        return {
            "model": self.name,
            "distribution": self.distribution.name,
            "weights": f"sha256:{self.weights}",
            "version": __version__,
            "command": command,
            "seed": seed,
            "resolution": resolution,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """What makes a copy in another process; tables that are made of the checkpoint are made there again."""
        if self.plain is not None:
            return type(self).given, (self.plain, self.like)
        return type(self), (self.checkpoint, self.name, self.distribution.name, self.weights, str(self.device))

    def __repr__(self) -> str:
        elements = " ".join(self.distribution.elements)
        kind, atoms = type(self).__name__, f"2 to {self.max_atoms} atoms"
        given = f", given {len(self.like)} references" if self.like else ""
        return f"{kind}({self.name!r}, distribution={self.distribution.name!r}, {elements}, {atoms}{given})"


def log_permutations(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """sum_k ln n_k! of element counts (M, E): (M,)."""
    return torch.lgamma(torch.from_numpy(np.asarray(counts) + 1.0)).numpy().sum(-1)


def degrees_of_freedom(molecules: Sequence[Molecule]) -> NDArray[np.int64]:
    """d = 3(N - 1) of each molecule, (M,)."""
    return 3 * (np.array([molecule.n_atoms for molecule in molecules]) - 1)


def element_counts(molecules: Sequence[Molecule], elements: Sequence[str]) -> NDArray[np.int64]:
    """Atoms of each of `elements` in each molecule, (M, len(elements))."""
    index = element_index(elements)
    return np.stack([np.bincount(index[m.numbers], minlength=len(elements)) for m in molecules])


def device_named(name: str | torch.device) -> torch.device:
    """A device by its name, ``auto`` being the best there is; raises `InputError` for one that is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    kind = str(name).partition(":")[0]
    if kind not in there:
        raise InputError(f"device {str(name)!r} is none of {', '.join(('auto', *there))}")
    if not there[kind]:
        raise InputError(f"this machine has no {kind} device that torch can use; give cpu or auto")
    try:
        return torch.device(name)
    except RuntimeError:
        raise InputError(f"device {str(name)!r} is none: give cpu, cuda, cuda:1 and the like") from None


def check_resolution(resolution: float) -> float:
    """A noise level in Å as a number; raises `InputError` outside what the network has a notion of."""
    low, high = np.exp(LN_SIGMA_RANGE)
    check_number("a resolution", resolution, "Å")
    if not low * 0.999 <= resolution <= high * 1.001:
        raise InputError(f"a resolution lies between {low:.3g} and {high:.3g} Å, not at {resolution}")
    return float(resolution)


def batches(
    network: DiScoFormer, molecules: Sequence[Molecule], sigma: float, context: DistributionContext
) -> Iterator[Inputs]:
    """Batches of molecules of nearly equal size, small ones first."""
    device = network.sigma_N.device
    for rows in size_groups([molecule.n_atoms for molecule in molecules], BATCH):
        batch = collate([molecules[row] for row in rows], network.elements).to(device)
        yield Inputs(rows, batch, torch.full((len(rows),), sigma, device=device), context.at(batch.sizes))


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], device: torch.device, ended: Event | None = None
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in order; `work` runs in torch.get_num_threads() threads at once.

    Grad mode and denormal numbers are matters of a thread: here no gradient is kept and denormals are flushed. On an
    accelerator, and where torch has one thread, everything happens in the caller's. The first error ends the rest:
    what has not begun never does, and long work can look at `ended` to stop before its time.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        torch.set_flush_denormal(True)
        for item in items:
            with torch.no_grad():
                result = work(item)
            yield item, result
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads, "molscore", initializer=_alone)
    try:
        for item in items:
            waiting.append((item, pool.submit(torch.no_grad()(work), item)))
            if len(waiting) > threads:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        if ended is not None:
            ended.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a thread's setting is the default of those that come after it


def _alone() -> None:
    """One core for this thread."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
