"""What decides quality beyond stability? Drawn molecules and real ones judged by the same figures."""

import argparse
import json
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from benchmarks.quality_figures import (
    Figures,
    Lists,
    Sample,
    bond_figures,
    composition_figures,
    geometry_figures,
    list_figures,
    xtb_figures,
)  # fmt: skip
from benchmarks.quality_pool import Answers, judged, keys_of
from molscore.datasets import qm9
from molscore.datasets.load import load as load_data
from molscore.datasets.store import MoleculeSet
from molscore.evaluation.energies import has_xtb
from molscore.evaluation.library import geometries_of
from molscore.evaluation.poses import has_posebusters
from molscore.evaluation.validity import edm_smiles
from molscore.molecules.atomic import write_text

__all__ = ["cell", "chosen", "part", "real_samples", "rows_of"]

RESULT = Path(__file__).parent / "results" / "generation" / "quality.json"
REAL = "QM9 test molecules"
VERSIONS = ("rdkit", "posebusters", "tblite", "ase")
Row = list[str | None]
NOTE = """Each sample, drawn or real, is judged in the same way; mean ± standard deviation over samples. Nothing is \
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


def real_samples(test: MoleculeSet, n: int, count: int) -> tuple[list[Sample], MoleculeSet]:
    """`count` samples of up to n real molecules and the others, at least half of all, as the reference."""
    n = min(n, len(test) // (2 * count))
    order = np.random.default_rng(0).permutation(len(test))
    samples = [Sample(test.select(order[k * n : (k + 1) * n])) for k in range(count)]
    return samples, test.select(order[count * n :])


def chosen(molecules: MoleculeSet, n: int) -> MoleculeSet:
    """n of the molecules at random, and the same ones whatever their order."""
    return molecules.select(np.argsort(keys_of(molecules))[:n])


def part(sample: Sample, n: int) -> Sample:
    """About n of a sample, those without a geometry in their proportion; all of it where n is 0."""
    if not 0 < n < sample.n:
        return sample
    lost = round(n * sample.lost / sample.n)
    return Sample(chosen(sample.molecules, n - lost), lost)


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
    answers = Answers(options.answers)

    def bonds(sample: Sample) -> Figures:
        some = part(sample, options.poses)
        return bond_figures(some, judged(some.molecules, "bonds", answers, options.workers, options.limit))

    def xtb(sample: Sample) -> Figures:
        some = chosen(sample.molecules, options.xtb)
        return xtb_figures(judged(some, "xtb", answers, options.workers, options.limit))

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
    parser.add_argument("--answers", type=Path, default=Path("runs/quality.jsonl"),
                        help="where slow figures are kept, so that a run that was cut short carries on")
    # fmt: on
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH, help="QM9 with its split")
    parser.add_argument("--note", default="", help="a sentence for the end of the note, such as whose weights drew")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    return parser.parse_args()


def main() -> None:
    """Judge, print and record, after every stage."""
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
