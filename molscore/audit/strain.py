"""Does a strained geometry get a lower density? Rank correlation of -log_density with strain energy within molecules.

Displacements of different lengths are ranked alike by anything that grows with length, so the length itself is the
control, and there are displacements of one length, where only the direction tells.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from molscore.audit.displacements import along_modes, at_random, conformers
from molscore.audit.options import Options, chosen
from molscore.audit.record import Part, Table
from molscore.datasets.store import MoleculeSet
from molscore.errors import MolscoreError
from molscore.evaluation.bootstrap import bootstrap_interval
from molscore.evaluation.energies import ForceField, has_xtb, xtb_energies
from molscore.molecules.molecule import Molecule
from molscore.screening.model import Model

__all__ = ["correlation", "strain"]

GEOMETRIES = 16  # of each kind, a molecule
MODES_WIDTH = DIRECTIONS_WIDTH = 0.05  # Å
RESOLUTIONS = (0.02, 0.05, 0.1)  # Å
LEAST = 5  # geometries that a rank correlation needs
KINDS = {
    "length": "random directions, 0.02 to 0.2 Å",
    "direction": f"random directions, all {DIRECTIONS_WIDTH:g} Å",
    "modes": f"single modes of MMFF94s, soft to stiff, all {MODES_WIDTH:g} Å",
    "conformers": "relaxed conformers (ETKDGv3, MMFF94s)",
}
NOTE = (
    "Spearman's rank correlation between -log-density and the strain energy over the geometries of one molecule; "
    "mean over molecules with a 95 % bootstrap interval. Å are root mean squares over coordinates. The control is the "
    "length of the displacement in place of the density. QM9 is a set of minima, not an ensemble at some temperature: "
    "its density need not know how stiff a coordinate is, or which conformer lies lower."
)


class Geometries(NamedTuple):
    """Geometries of one molecule and what they cost."""

    kind: str
    members: list[Molecule]
    lengths: NDArray[np.float64]  # (G,) Å
    energies: dict[str, NDArray[np.float64]]  # (G,) kcal/mol by method


def strain(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """The correlations for `options.strained` held-out molecules."""
    resolutions = sorted({*RESOLUTIONS, options.resolution})
    found: dict[tuple[str, str], list[list[float]]] = {}
    for molecule in chosen(held_out, options.strained, options.seed):
        for group in _geometries(molecule, options.seed):
            negative = [-model.log_density(group.members, resolution) for resolution in resolutions]
            for method, energies in group.energies.items():
                values = [correlation(numbers, energies) for numbers in [*negative, group.lengths]]
                found.setdefault((group.kind, method), []).append(values)
    columns = ["geometries", "energy", "molecules", *(f"at {r:g} Å" for r in resolutions), "control: length"]
    rows = []
    for kind, label in KINDS.items():
        for method in ("MMFF94s", "GFN2-xTB"):
            if (kind, method) in found:
                values = np.array(found[kind, method])
                rows.append([label, method, len(values), *(_mean(column, options.seed) for column in values.T)])
    note = NOTE if has_xtb() else f"{NOTE} GFN2-xTB was left out: tblite is not installed."
    title = "Strain: does the density of a molecule fall where its energy rises?"
    return Part("strain", title, [Table("mean Spearman correlation", columns, rows)], [], note)


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's correlation over what is finite in both; NaN where too little is, or nothing varies."""
    fine = np.isfinite(first) & np.isfinite(second)
    if fine.sum() < LEAST or np.ptp(first[fine]) < 1e-9 or np.ptp(second[fine]) < 1e-9:
        return float("nan")
    return float(spearmanr(first[fine], second[fine]).statistic)


def _geometries(molecule: Molecule, seed: int) -> Iterator[Geometries]:
    """Every kind for one molecule, those without readable bonds or force field left out."""
    try:
        field = ForceField(molecule)
    except MolscoreError:
        return
    rng = np.random.default_rng([seed, molecule.n_atoms, len(field.modes[0])])
    kinds = {
        "length": at_random(molecule, GEOMETRIES, rng),
        "direction": at_random(molecule, GEOMETRIES, rng, DIRECTIONS_WIDTH),
        "modes": along_modes(molecule, field, GEOMETRIES, rng, MODES_WIDTH),
    }
    for kind, positions in kinds.items():
        energies = {"MMFF94s": field.energies(positions)}
        if has_xtb():
            energies["GFN2-xTB"] = xtb_energies(molecule, positions)
        lengths = np.sqrt(np.square(positions - molecule.positions).mean((1, 2)))
        yield Geometries(kind, [Molecule(molecule.numbers, x) for x in positions], lengths, energies)
    relaxed = conformers(molecule, GEOMETRIES, seed)
    if len(relaxed) >= LEAST:
        energies = {"MMFF94s": np.array([conformer.properties["energy"] for conformer in relaxed])}
        if has_xtb():
            energies["GFN2-xTB"] = xtb_energies(relaxed[0], [conformer.positions for conformer in relaxed])
        yield Geometries("conformers", relaxed, np.zeros(len(relaxed)), energies)


def _mean(values: NDArray[np.float64], seed: int) -> str | None:
    fine = values[np.isfinite(values)]
    if not len(fine):
        return None
    low, high = bootstrap_interval(lambda rows: float(fine[rows].mean()), len(fine), 1000, seed)
    return f"{fine.mean():.2f} [{low:.2f}, {high:.2f}]"
