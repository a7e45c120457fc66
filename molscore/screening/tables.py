"""Making what a trained model carries beside its weights: tables of held-out molecules, the list of known molecules."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray

from molscore.datasets.assembly import INPUT
from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError, ParseError
from molscore.molecules.chem import graph_counts, mol_from_molecule
from molscore.molecules.conformers import ConformerPool
from molscore.molecules.identity import TrainingIndex
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import topology
from molscore.molecules.workers import cores
from molscore.screening.columns import GIVEN, MMFF
from molscore.screening.predictor import Predictor, degrees_of_freedom, element_counts, log_permutations
from molscore.screening.reference import (
    COARSER,
    EXCESS_AT,
    LEAST_MOLECULES,
    AtomShares,
    ExpectedDensity,
    FormulaPercentiles,
    Percentiles,
    References,
    Support,
    Tables,
)
from molscore.screening.ring_systems import RingSystems
from molscore.screening.validation import is_valid

__all__ = ["RESOLUTIONS", "kind_of_set", "make_references", "of_every_size", "with_tables", "with_tables_of"]

RESOLUTIONS = (0.02, 0.05, 0.1, 0.2)  # Å
HELD_OUT = 4096  # molecules, about, that tables are made of where there are more


def kind_of_set(data: MoleculeSet) -> str:
    """What kind its geometries are of: what its metadata call ``kind``, `MMFF` where all were made here, else given."""
    made = "geometry" in data.columns and (data.columns["geometry"] != INPUT).all()
    return data.metadata.get("kind", MMFF if made else GIVEN)


def with_tables_of(model: Predictor, data: MoleculeSet, kind: str | None = None) -> Predictor:
    """The model with every table of the data set that its distribution was learnt from; unsaved.

    What `molscore train` ends with, and how the tables of a trained model are made anew. Percentiles and what is
    expected are those of the split ``valid``, ring systems are counted over ``train`` alone, and all of the data set
    is known. `kind` is that of its geometries, `kind_of_set` unless given.
    """
    kind = kind or kind_of_set(data)
    held_out = data.split("valid")
    held_out = held_out.select(of_every_size(held_out.sizes))
    known, trained, to_place = (each.columns["smiles"] for each in (data, data.split("train"), held_out))
    return with_tables(model, held_out, () if kind == MMFF else to_place, known, trained, kind=kind)


def of_every_size(sizes: NDArray[np.integer]) -> NDArray[np.intp]:
    """About `HELD_OUT` rows: all of the rare sizes, whose percentiles rest on few, and the others evenly."""
    found = []
    for size, n in zip(*np.unique(sizes, return_counts=True), strict=True):
        wanted = max(min(n, LEAST_MOLECULES), n * min(1.0, HELD_OUT / len(sizes)))
        found.append(np.flatnonzero(sizes == size)[np.linspace(0, n - 1, round(wanted)).astype(int)])
    return np.sort(np.concatenate(found))


def with_tables(
    model: Predictor,
    held_out: Iterable[Molecule],
    held_out_smiles: Iterable[str] = (),
    known_smiles: Iterable[str] = (),
    trained_smiles: Iterable[str] = (),
    resolutions: Sequence[float] = RESOLUTIONS,
    kind: str = "dft",
) -> Predictor:
    """The model with tables of molecules like those held out and trained on, and the list of known ones; unsaved.

    Args:
        model: of the distribution that the tables are of.
        held_out: in geometries of the data set's own `kind`; a few thousand, none of them trained on.
        held_out_smiles: to make geometries of, as for SMILES that are judged, unless the data set's are of that kind.
        known_smiles: all of the data set; what is not among them is novel.
        trained_smiles: those trained on, whose ring systems are counted.
    """
    geometries = {kind: held_out}
    if smiles := list(held_out_smiles):
        with ConformerPool(cores()) as pool:
            geometries[MMFF] = [found[0] for found in pool.embed(smiles) if isinstance(found, list)]
    extras = make_references(model, geometries, resolutions).to_extras()
    if known := list(known_smiles):
        extras[f"known.{model.distribution.name}"] = torch.from_numpy(TrainingIndex.make(known).pack())
    if trained := list(trained_smiles):
        extras[f"rings.{model.distribution.name}"] = RingSystems.of(trained, model.distribution.elements).pack()
    return model.with_extras(extras)


def make_references(
    model: Predictor, geometries: Mapping[str, Iterable[Molecule]], resolutions: Sequence[float] = RESOLUTIONS
) -> References:
    """Tables of held-out molecules of the model's distribution, by kind of geometry, that of the data set first.

    Seven passes a molecule for four resolutions. Those that the model cannot judge are left out; raises `InputError`
    where there are no others.
    """
    held = {
        kind: [molecule for molecule in molecules if is_valid(molecule, model.distribution)]
        for kind, molecules in geometries.items()
    }
    for kind, molecules in held.items():
        if not molecules:
            raise InputError(f"there are no molecules in {kind} geometries to make reference tables from")
    tables = {kind: _tables(model, molecules, resolutions) for kind, molecules in held.items()}
    return References(model.distribution, tables, Support.of(next(iter(held.values()))))


def _tables(model: Predictor, molecules: Sequence[Molecule], resolutions: Sequence[float]) -> Tables:
    sizes = np.arange(2, model.max_atoms + 1)
    n_atoms = np.array([molecule.n_atoms for molecule in molecules])
    rotatable = np.array([topology(molecule).rotatable for molecule in molecules])
    counts = element_counts(molecules, model.distribution.elements)
    shares = {resolution: model.atom_contributions(molecules, resolution) for resolution in resolutions}
    densities = {resolution: np.array([share.sum() for share in held]) for resolution, held in shares.items()}
    fine = np.stack(list(densities.values()))
    coarse = np.stack([_at(model, molecules, COARSER * resolution, densities) for resolution in resolutions])
    likelihoods = fine + model.composition.log_prob(counts) + log_permutations(counts)
    size = Percentiles.of(likelihoods, n_atoms, rotatable, resolutions, sizes)
    difference = (fine - coarse) / degrees_of_freedom(molecules)
    standardised = [
        size.standardised(row, n_atoms, rotatable, resolution)
        for row, resolution in zip(likelihoods, resolutions, strict=True)
    ]
    return Tables(
        size,
        FormulaPercentiles.of(np.stack(standardised), counts, resolutions),
        Percentiles.of(difference, n_atoms, rotatable, resolutions, sizes),
        AtomShares.of(list(shares.values()), molecules, resolutions),
        _expected_density(molecules, _at(model, molecules, EXCESS_AT, densities)),
    )


def _expected_density(molecules: Sequence[Molecule], log_density: NDArray[np.float64]) -> ExpectedDensity:
    """Of those whose bonds can be read."""
    readable, counts = [], []
    for row, molecule in enumerate(molecules):
        with suppress(ParseError):
            counts.append(graph_counts(mol_from_molecule(molecule)))
            readable.append(row)
    if not readable:
        return ExpectedDensity(np.zeros(6))
    return ExpectedDensity.of(log_density[readable], np.array(counts))


def _at(
    model: Predictor, molecules: Sequence[Molecule], resolution: float, known: Mapping[float, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Log-densities at a resolution, (M,), which may be one of those `known` already."""
    near = (values for value, values in known.items() if np.isclose(value, resolution, rtol=1e-4))
    found = next(near, None)
    return model.log_density(molecules, resolution) if found is None else found
