"""What decides quality beyond stability? Drawn molecules and real ones measured by the same figures.

The slow figures are taken in processes that are killed when a molecule takes too long, as RDKit can hang.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pebble import ProcessPool
from tqdm import tqdm

from benchmarks.machine import describe
from molscore.datasets import qm9
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.molecule_set import load as load_data
from molscore.errors import MolscoreError, ParseError
from molscore.evaluation.bonds import bonds_of
from molscore.evaluation.checks import Relaxation, has_posebusters, has_xtb, pose_tests, relax_mmff, relax_xtb
from molscore.evaluation.distances import composition_counts, composition_distances, geometry_distances, mean_distances
from molscore.evaluation.run import geometries_of
from molscore.evaluation.stability import stability
from molscore.evaluation.validity import edm_smiles
from molscore.molecules.atomic import write_text
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.molecule import Molecule

__all__ = ["Lists", "Sample", "bond_answer", "bond_figures", "cell", "measured", "real_samples", "rows_of"]

RESULT = Path(__file__).parent / "results" / "generation" / "quality.json"
REAL = "QM9 test molecules"
VERSIONS = ("rdkit", "posebusters", "tblite", "ase")
Row = list[str | None]
NOTE = """Each sample, drawn or real, is measured in the same way; mean ± standard deviation over samples. Nothing is \
filtered unless the column says so, and every molecule that was drawn is counted: one without a geometry, without \
bonds, or that ran out of time has failed. Distances are to {reference:,} other real test molecules (Wasserstein-1; \
total variation where in % away), so the real column is the floor that sampling alone gives and that no generator can \
beat; the floor of a smaller sample is higher. Bonds of lengths, angles, dihedrals and rings are read by EDM's rule, \
which bounds their lengths; PoseBusters (configuration mol, all tests; one that comes to no result is not passed) and \
MMFF94s use RDKit's reading of the bonds. Energies are of relaxing to the nearest minimum.{some}{missing} \
Novel, and what {unseen:.0f} % has to do with it: QM9 lists each of its molecules once, so its test molecules are all \
but 100 % novel by construction, which says nothing. A perfect sampler of the whole list would draw the molecules that \
it was trained on as readily as the others and be {unseen:.0f} % novel, the share of the list that is not in the \
training set. A model above that also draws molecules that are not on the list, which is neither good nor bad by \
itself. The last of the three rows is the fair one: {unseen:.0f} % there for a model that remembers none of its \
examples, less for one that does."""

Figures = dict[str, float | None]
Answer = dict[str, Any] | None  # None: the molecule outran its time, or took its process down
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


def bond_answer(molecule: Molecule) -> dict[str, Any]:
    """What is read off the bonds: PoseBusters' tests by name, whether there is an aromatic ring, MMFF94s."""
    try:
        aromatic = any(atom.GetIsAromatic() for atom in mol_from_molecule(molecule).GetAtoms())
    except ParseError:
        return {"readable": False, "tests": {}, "aromatic": None, "mmff": None}
    tests = pose_tests(molecule) if has_posebusters() else {}
    try:
        mmff = _numbers(relax_mmff(molecule))
    except MolscoreError:
        mmff = None
    return {"readable": True, "tests": tests, "aromatic": aromatic, "mmff": mmff}


def xtb_answer(molecule: Molecule) -> dict[str, Any]:
    """Its relaxation by GFN2-xTB."""
    return {"xtb": _numbers(relax_xtb(molecule))}


def _numbers(found: Relaxation) -> list[float] | None:
    """Energy and displacement, or None where no minimum was reached."""
    return [found.energy, found.rmsd] if found.converged else None


def measured(
    molecules: Sequence[Molecule], answer: Callable[[Molecule], dict[str, Any]], workers: int, limit: float
) -> list[Answer]:
    """One answer a molecule, in their order; `limit` in seconds a molecule."""
    with ProcessPool(workers) as pool:
        tasks = [pool.schedule(answer, args=[molecule], timeout=limit) for molecule in molecules]
        return [None if task.exception() else task.result() for task in tqdm(tasks, desc=answer.__name__)]


def real_samples(test: MoleculeSet, n: int, count: int) -> tuple[list[Sample], MoleculeSet]:
    """`count` samples of up to n real molecules and the others, at least half of all, as the reference."""
    n = min(n, len(test) // (2 * count))
    order = np.random.default_rng(0).permutation(len(test))
    samples = [Sample(test.select(order[k * n : (k + 1) * n])) for k in range(count)]
    return samples, test.select(order[count * n :])


def some_of(molecules: MoleculeSet, n: int) -> MoleculeSet:
    """n of the molecules at random."""
    return molecules.select(np.random.default_rng(0).permutation(len(molecules))[:n])


def part(sample: Sample, n: int) -> Sample:
    """About n of a sample, those without a geometry in their proportion; all of it where n is 0."""
    if not 0 < n < sample.n:
        return sample
    lost = round(n * sample.lost / sample.n)
    return Sample(some_of(sample.molecules, n - lost), lost)


def rows_of(columns: Sequence[Sequence[Figures]]) -> list[Row]:
    """A row for each figure, a cell for each column's samples."""
    names = dict.fromkeys(name for column in columns for figures in column for name in figures)
    return [[name, *(cell([figures.get(name) for figures in column]) for column in columns)] for name in names]


def cell(values: Sequence[float | None]) -> str | None:
    """Mean ± standard deviation; one value alone; None where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if len(known) == 1:
        return f"{known[0]:.3g}"
    mean, deviation = np.mean(known), np.std(known, ddof=1)
    return f"{mean:.3g} ± {deviation if deviation > 1e-9 * abs(mean) else 0:.2g}"


def _stages(options: argparse.Namespace, lists: Lists, reference: MoleculeSet) -> list[Callable[[Sample], Figures]]:
    """Quick figures first."""

    def bonds(sample: Sample) -> Figures:
        some = part(sample, options.poses)
        return bond_figures(some, measured(list(some.molecules), bond_answer, options.workers, options.limit))

    def xtb(sample: Sample) -> Figures:
        some = some_of(sample.molecules, options.xtb)
        return xtb_figures(measured(list(some), xtb_answer, options.workers, options.limit))

    quick = [
        lambda sample: list_figures(sample, lists),
        lambda sample: geometry_figures(sample, reference),
        lambda sample: composition_figures(sample, reference),
    ]
    return [*quick, bonds, *([xtb] if options.xtb and has_xtb() else [])]


def _note(options: argparse.Namespace, reference: int, unseen: float) -> str:
    missing = "" if has_posebusters() else " PoseBusters is not installed: its rows are missing."
    if options.xtb and not has_xtb():
        missing += " tblite is not installed: the rows of GFN2-xTB are missing."
    some = f" PoseBusters and MMFF94s on {options.poses} molecules of each sample." if options.poses else ""
    some += f" GFN2-xTB on {options.xtb} molecules of each sample." if options.xtb and has_xtb() else ""
    return NOTE.format(reference=reference, some=some, missing=missing, unseen=unseen) + f" {options.note}".rstrip()


def _versions() -> dict[str, str | None]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    # fmt: off
    parser.add_argument("--set", nargs="+", action="append", required=True, metavar=("NAME", "FILE"),
                        help="a column: its name, then its files of drawn molecules, one a seed; may be repeated")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a molecule, of the slow figures")
    parser.add_argument("--poses", type=int, default=0,
                        help="molecules of each sample for PoseBusters and MMFF94s, about 0.5 s each; 0: all")
    parser.add_argument("--xtb", type=int, default=100, help="molecules of each sample for GFN2-xTB, about 1 s each")
    parser.add_argument("--slow-real", type=int, default=1, help="real samples that the slow figures are taken on")
    parser.add_argument("--workers", type=int, default=1, help="processes for the slow figures")
    # fmt: on
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH, help="QM9 with its split")
    parser.add_argument("--note", default="", help="a sentence for the end of the note, such as whose weights drew")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    return parser.parse_args()


def main() -> None:
    """Measure, print and record, after every stage."""
    options = _arguments()
    drawn = {name: [_sample(path) for path in paths] for name, *paths in options.set}
    train, test = load_data(options.data, "train"), load_data(options.data, "test")
    valid = load_data(options.data, "valid")
    training = set(edm_smiles(train, progress=True))
    lists = Lists(training, training | set(edm_smiles(test)) | set(edm_smiles(valid)))
    unseen = 100 * (1 - len(train) / (len(train) + len(valid) + len(test)))
    count, n = max(map(len, drawn.values())), max(s.n for samples in drawn.values() for s in samples)
    real, reference = real_samples(test, n, count)
    compared = len(reference) - min(n, len(reference) // 2)  # as many as were drawn are held apart, see `compare`
    columns, rows = {REAL: real, **drawn}, []
    sizes = ", ".join(f"{len(samples)} x {samples[0].n:,} {name}" for name, samples in columns.items())
    for stage in _stages(options, lists, reference):
        slow = stage.__name__ in ("bonds", "xtb")
        kept = {name: s[: options.slow_real] if slow and name == REAL else s for name, s in columns.items()}
        fresh = rows_of([[stage(sample) for sample in samples] for samples in kept.values()])
        rows += fresh
        for row in fresh:
            print(" | ".join(str(value) for value in row), flush=True)
        result = {
            "title": "Quality: what decides it beyond stability?",
            "columns": ["figure", *columns],
            "rows": rows,
            "machine": {**describe(), **_versions()},
            "command": f"python -m benchmarks.quality --poses {options.poses} --xtb {options.xtb} "
            f"--slow-real {options.slow_real} "
            + " ".join(f'--set "{name}" {" ".join(Path(p).name for p in paths)}' for name, *paths in options.set),
            "note": f"Samples: {sizes}. {_note(options, compared, unseen)}",
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _sample(path: str) -> Sample:
    molecules, left_out = geometries_of(path)
    return Sample(molecules, left_out.total())


if __name__ == "__main__":
    main()
