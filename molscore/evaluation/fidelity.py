"""Do generated molecules look like real ones? What chemists see first, beside the same of the reference.

Bonds are read off the geometry of both in the same way (`mol_from_molecule`), so that no figure differs by the reading.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError, ParseError
from molscore.evaluation.edm import as_set
from molscore.evaluation.intervals import bootstrap_interval, wilson_interval
from molscore.molecules.chem import mol_from_molecule, without_hydrogens
from molscore.molecules.molecule import Molecule

__all__ = ["FIGURES", "Fidelity", "Figure", "fidelity", "graph_figures"]

_DOUBLE = Chem.MolFromSmarts("C=C")  # aliphatic carbons
# Name -> whether it is a share of molecules (else a mean number).
FIGURES = {
    "bad bonding": True,
    "aromatic ring": True,
    "C=C": True,
    "rings": False,
    "bridgehead atoms": False,
    "rotatable bonds": False,
}
_MOST = 5000  # molecules of each set
_SPLITS = 1000


@dataclass(frozen=True)
class Figure:
    """One figure of the molecules and of the reference: percent of molecules, or a mean number a molecule."""

    name: str
    share: bool
    value: float | None  # none where no molecule has bonds that can be read
    interval: tuple[float, float] | None  # 95 %, of the molecules drawn again
    reference: float
    reference_interval: tuple[float, float]
    floor: float  # what two random halves of the reference differ by, at most, 95 times in 100: less is no difference

    @property
    def faithful(self) -> bool:
        """Whether the molecules are as near to the reference as real ones are."""
        return self.value is not None and abs(self.value - self.reference) <= self.floor


@dataclass(frozen=True)
class Fidelity:
    """The table; bad bonding is of all molecules, the other figures of those whose bonds can be read."""

    n: int
    n_reference: int
    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> Figure:
        return next(figure for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        figures = {figure.name: {**asdict(figure), "faithful": figure.faithful} for figure in self.figures}
        return {"n": self.n, "n_reference": self.n_reference, "figures": figures}

    def to_text(self) -> str:
        """One line a figure, for people."""
        lines = [f"{'fidelity':<22}{f'molecules ({self.n})':>26}{f'reference ({self.n_reference})':>28}   floor"]
        for figure in self.figures:
            unit, digits = ("%", 1) if figure.share else (" ", 2)
            mean = "–" if figure.value is None else _spelt(figure.value, figure.interval, unit, digits)
            real = _spelt(figure.reference, figure.reference_interval, unit, digits)
            verdict = "" if figure.faithful else "  differs"
            lines.append(f"{figure.name:<22}{mean:>26}{real:>28}  ±{figure.floor:5.{digits}f}{verdict}")
        return "\n".join(lines)


def fidelity(molecules: MoleculeSet | Iterable[Molecule], reference: MoleculeSet | Iterable[Molecule]) -> Fidelity:
    """Figures of the molecules beside those of the reference, about 1 ms a molecule.

    Each set is thinned at random to at most 5,000 molecules. The floor compares real with real: as many reference
    molecules as there are molecules, at most half, with the others, split 1,000 times.
    Raises `InputError` for no molecules, or fewer than two reference molecules whose bonds can be read.
    """
    rng = np.random.default_rng(0)
    ours, theirs = (graph_figures(_thinned(as_set(held), rng)) for held in (molecules, reference))
    if np.isfinite(theirs[:, -1]).sum() < 2:
        raise InputError("a fidelity table needs at least two reference molecules whose bonds can be read")
    figures = []
    for (name, share), column, real in zip(FIGURES.items(), ours.T, theirs.T, strict=True):
        column, real = column[np.isfinite(column)], real[np.isfinite(real)]
        floor = (100 if share else 1) * _floor(real, len(column), rng)
        figures.append(Figure(name, share, *_mean(column, share), *_mean(real, share), floor))
    return Fidelity(len(ours), len(theirs), tuple(figures))


def graph_figures(molecules: Iterable[Molecule]) -> NDArray[np.float64]:
    """`FIGURES` of each molecule, (M, 6); shares are 0 or 1, and all but bad bonding NaN where no bonds can be read.

    Bad bonding: the geometry is not one neutral closed-shell molecule without formal charges.
    """
    return np.array([_figures_of(molecule) for molecule in molecules], dtype=np.float64).reshape(-1, len(FIGURES))


def _figures_of(molecule: Molecule) -> list[float]:
    try:
        mol = mol_from_molecule(molecule)
    except ParseError:
        return [1.0] + [np.nan] * (len(FIGURES) - 1)
    bad = any(atom.GetFormalCharge() for atom in mol.GetAtoms()) or len(Chem.GetMolFrags(mol)) > 1
    flat = without_hydrogens(mol)  # the strict rule for rotatable bonds counts those to methyl with hydrogens drawn
    return [
        float(bad),
        float(rdMolDescriptors.CalcNumAromaticRings(flat) > 0),
        float(flat.HasSubstructMatch(_DOUBLE)),
        rdMolDescriptors.CalcNumRings(flat),
        rdMolDescriptors.CalcNumBridgeheadAtoms(flat),
        rdMolDescriptors.CalcNumRotatableBonds(flat),
    ]


def _thinned(molecules: MoleculeSet, rng: np.random.Generator) -> MoleculeSet:
    if len(molecules) <= _MOST:
        return molecules
    return molecules.select(np.sort(rng.permutation(len(molecules))[:_MOST]))


def _mean(values: NDArray[np.float64], share: bool) -> tuple[float, tuple[float, float]] | tuple[None, None]:
    """The mean, in percent if it is a share, and its 95 % interval; None without values."""
    if not len(values):
        return None, None
    if share:
        return 100 * float(values.mean()), wilson_interval(float(values.mean()), len(values))
    return float(values.mean()), bootstrap_interval(lambda rows: float(values[rows].mean()), len(values))


def _floor(real: NDArray[np.float64], n: int, rng: np.random.Generator) -> float:
    """95th percentile of the difference of means between two random parts of the real values."""
    held = max(1, min(n, len(real) // 2))
    total = real.sum()
    apart = [rng.permutation(real)[:held].sum() for _ in range(_SPLITS)]
    differences = [abs(part / held - (total - part) / (len(real) - held)) for part in apart]
    return float(np.quantile(differences, 0.95))


def _spelt(mean: float, interval: tuple[float, float], unit: str, digits: int) -> str:
    low, high = interval
    return f"{mean:.{digits}f} {unit} [{low:.{digits}f}, {high:.{digits}f}]"
