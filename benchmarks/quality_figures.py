"""Figures of one sample of molecules by name; real and generated samples are judged by the same ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.quality_pool import Answer
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.bonds import bonds_of
from molscore.evaluation.composition import composition_counts, composition_distances
from molscore.evaluation.geometry import geometry_distances, mean_distances
from molscore.evaluation.stability import stability
from molscore.evaluation.validity import edm_smiles

__all__ = ["Figures", "Lists", "Sample", "bond_figures", "composition_figures", "geometry_figures", "list_figures",
           "xtb_figures"]  # fmt: skip

Figures = dict[str, float | None]
COMPOSITION = {"formula": "formulas", "size": "sizes", "element": "elements", "bond": "bond orders",
               "rings": "rings per molecule", "ring size": "ring sizes"}  # fmt: skip
GEOMETRY = {"bond": ("bond lengths", "pm", 100.0), "angle": ("angles", "°", 1.0), "dihedral": ("dihedrals", "°", 1.0)}
RING_SIZES = (3, 4, 5, 6)


class Sample(NamedTuple):
    """Molecules that were drawn together."""

    molecules: MoleculeSet
    lost: int = 0
    """Rows of the file that hold no geometry: drawn all the same, and failed."""

    @property
    def n(self) -> int:
        """Molecules that percentages are of."""
        return len(self.molecules) + self.lost


class Lists(NamedTuple):
    """SMILES of real molecules, as `edm_smiles` makes them."""

    training: set[str | None]
    everything: set[str | None]


def list_figures(sample: Sample, lists: Lists) -> Figures:
    """Stability and validity, and where the different molecules stand: among those trained on, on QM9's list."""
    bonds = bonds_of(sample.molecules)
    smiles = [text for text in edm_smiles(sample.molecules, bonds) if text is not None]
    unique = set(smiles)
    listed = unique & lists.everything
    return {
        "hold a geometry, %": _percent(len(sample.molecules), sample.n),
        "stable (EDM), %": _percent(int(stability(sample.molecules, bonds).molecules.sum()), sample.n),
        "valid (EDM), %": _percent(len(smiles), sample.n),
        "unique, of the valid, %": _percent(len(unique), len(smiles)),
        "novel: not in the training set, of the unique, %": _percent(len(unique - lists.training), len(unique)),
        "on QM9's list, of the unique, %": _percent(len(listed), len(unique)),
        "not in the training set, of those on the list, %": _percent(len(listed - lists.training), len(listed)),
    }


def geometry_figures(sample: Sample, reference: MoleculeSet) -> Figures:
    """Wasserstein-1 distances to the reference's bond lengths, angles and dihedrals, by type, and means over types."""
    found = geometry_distances(sample.molecules, reference, min_share=0.02)
    means = mean_distances(found)
    figures: Figures = {}
    for kind, (name, unit, scale) in GEOMETRY.items():
        distance = means.get(kind, (None, 0.0))[0]
        figures[f"{name}, {unit} from real ones"] = None if distance is None else scale * distance
    for item in found:
        if item.kind == "bond":
            distance = None if item.distance is None else 100.0 * item.distance
            figures[f"bond lengths {item.label}, pm from real ones"] = distance
    return figures


def composition_figures(sample: Sample, reference: MoleculeSet) -> Figures:
    """Total variation from the reference's composition and rings, and what the rings are."""
    distances = composition_distances(sample.molecules, reference)
    figures: Figures = {
        f"{COMPOSITION[item.kind]}, % away from real ones": None if item.distance is None else 100 * item.distance
        for item in distances
    }
    counts = composition_counts(sample.molecules)
    rings, sizes = counts["rings"], counts["ring size"]
    total = sum(sizes.values())
    figures["rings per molecule"] = sum(n * molecules for n, molecules in rings.items()) / sum(rings.values())
    for size in RING_SIZES:
        figures[f"rings of {size} atoms, of all rings, %"] = _percent(sizes[size], total)
    others = total - sum(sizes[size] for size in RING_SIZES)
    figures["rings of more atoms, of all rings, %"] = _percent(others, total)
    return figures


def bond_figures(sample: Sample, answers: Sequence[Answer]) -> Figures:
    """PoseBusters, aromatic rings and MMFF94s; a molecule without bonds or an answer passes nothing, and is counted."""
    given = [found for found in answers if found is not None]
    read = [found for found in given if found["readable"]]
    names = list(dict.fromkeys(name for found in read for name in found["tests"]))
    figures: Figures = {}
    if names:
        passed = sum(all(found["tests"].values()) for found in read)
        figures["PoseBusters: pass all tests, %"] = _percent(passed, sample.n)
    figures["no bonds of a neutral closed shell, %"] = _percent(len(given) - len(read) + sample.lost, sample.n)
    figures["out of time, %"] = _percent(len(answers) - len(given), sample.n)
    for name in names:
        failed = sum(not found["tests"][name] for found in read)
        figures[f"PoseBusters: fail {name.replace('_', ' ')}, %"] = _percent(failed, sample.n)
    aromatic = sum(found["aromatic"] for found in read)
    figures["with an aromatic ring, of those with bonds, %"] = _percent(aromatic, len(read))
    return figures | _relaxations("MMFF94s", [found["mmff"] for found in read], sample.n)


def xtb_figures(answers: Sequence[Answer]) -> Figures:
    """GFN2-xTB on the molecules that were asked for."""
    return _relaxations("GFN2-xTB", [None if found is None else found["xtb"] for found in answers], len(answers))


def _relaxations(method: str, found: Sequence[Sequence[float] | None], n: int) -> Figures:
    """How many of n were relaxed; median and quartiles of what that released and moved."""
    values = np.array([pair for pair in found if pair is not None], dtype=np.float64).reshape(-1, 2)
    figures: Figures = {f"{method}: could be relaxed, %": _percent(len(values), n)}
    for column, what in enumerate(("kcal/mol released per heavy atom", "Å moved by heavy atoms")):
        for share, name in ((50, "median"), (25, "lower quartile"), (75, "upper quartile")):
            value = float(np.percentile(values[:, column], share)) if len(values) else None
            figures[f"{method}: {what}, {name}"] = value
    return figures


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
