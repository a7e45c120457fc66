"""How stable are draws, and how like real molecules, by the settings of the sampler? One row for each.

    python -m benchmarks.samplers -n 1000 --settings "" guidance=1 "temperature=0.6,corrected=none" "guided=0.1:2"

A setting names fields of `molscore.screening.sample.Sampling`; an empty one is the default. With --keep each gets a
row of what passes the checks and one of its best share too, and with --data a row of real molecules comes first. With
--save draws are kept as files, which --drawn takes: their rows are of all files together.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors
from torch import Tensor

from benchmarks.record import record
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.molecule_set import load as load_data
from molscore.evaluation.edm import stability
from molscore.evaluation.intervals import wilson_interval
from molscore.molecules.molecule import Molecule
from molscore.nn.discoformer import Denoised
from molscore.screening.checks import Candidate, density_filter, inspect, mark_duplicates
from molscore.screening.columns import DRAWN
from molscore.screening.generate import judge
from molscore.screening.model import Model, load
from molscore.screening.sample import Sampling, draw_formulas, draw_positions

__all__ = ["COLUMNS", "row_of", "sampling_of"]

COLUMNS = ["setting", "molecules", "evaluations", "stable %", "bad bonding %", "unique of valid %", "novel %",
           "aromatic %", "rings", "rotatable", "bridgeheads", "C=C %", "CPU s a molecule"]  # fmt: skip
NOTE = (
    "N and formula drawn from the model, the same for every row, nothing filtered unless the row says so (kept: "
    "the best share, by density_excess, of those that pass every check). Brackets are 95 % intervals. Bad "
    "bonding: no neutral closed-shell bonds fit, or several pieces, or a charged carbon or oxonium; aromatic % and "
    "so on are of the others. Evaluations of the network a molecule, as counted, with those of what is sent back."
)
DOUBLE = Chem.MolFromSmarts("[C;!a]=[C;!a]")
Row = list[Any]


def sampling_of(text: str) -> Sampling:
    """From a text such as ``guidance=1,guided=0.1:2,corrected=none``; empty is the default."""
    kinds = {field.name: type(field.default) for field in fields(Sampling)}
    given: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, value = part.split("=")
        if name not in kinds:
            raise SystemExit(f"{name!r} is no field of Sampling; there are {', '.join(kinds)}")
        pair = kinds[name] is tuple
        given[name] = (None if value == "none" else tuple(map(float, value.split(":")))) if pair else kinds[name](value)
    return Sampling(**given)


def row_of(name: str, candidates: Sequence[Candidate], n_evaluations: float | None, seconds: float | None) -> Row:
    """Cells of one setting: shares of all with 95 % intervals, means over those whose bonds make sense."""
    good = [c for c in candidates if c.valid and c.connected and c.verdict.check != "charges"]
    mols = [c.mol for c in good]
    n, stable = len(candidates), int(stability(candidates).molecules.sum())
    low, high = wilson_interval(stable / n, n)
    evaluations = None if n_evaluations is None else round(n_evaluations, 1)
    cells = [name, n, evaluations, f"{100 * stable / n:.1f} [{low:.1f}, {high:.1f}]"]
    cells.append(f"{100 * (n - len(good)) / n:.1f}")
    novel = [c.novel for c in good if c.novel is not None]
    cells.append(f"{100 * len({c.smiles for c in good}) / max(len(good), 1):.1f}")
    cells.append(f"{100 * np.mean(novel):.1f}" if novel else None)
    cells += [
        f"{100 * _mean(any(bond.GetIsAromatic() for bond in mol.GetBonds()) for mol in mols):.1f}",
        f"{_mean(rdMolDescriptors.CalcNumRings(mol) for mol in mols):.2f}",
        f"{_mean(rdMolDescriptors.CalcNumRotatableBonds(Chem.RemoveHs(mol)) for mol in mols):.2f}",
        f"{_mean(rdMolDescriptors.CalcNumBridgeheadAtoms(mol) for mol in mols):.2f}",
        f"{100 * _mean(mol.HasSubstructMatch(DOUBLE) for mol in mols):.1f}",
        None if seconds is None else f"{seconds / n:.2f}",
    ]
    return cells


def _mean(values: Any) -> float:
    return float(np.mean([float(value) for value in values] or [np.nan]))


@contextmanager
def counted(model: Model) -> Iterator[list[int]]:
    """Molecules of each evaluation of the network."""
    denoise, evaluated = model.network.denoise, list[int]()

    def counting(y: Tensor, *rest: Any) -> Denoised:
        evaluated.append(len(y))
        return denoise(y, *rest)

    model.network.denoise = counting  # type: ignore[method-assign]
    yield evaluated
    model.network.denoise = denoise  # type: ignore[method-assign]


def candidates_of(model: Model, molecules: Sequence[Molecule]) -> list[Candidate]:
    """The molecules, checked."""
    return mark_duplicates(inspect(molecule, index, model.training_index) for index, molecule in enumerate(molecules))


def main() -> None:
    """Measure, print and record, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--distribution", default=None)
    parser.add_argument("-n", type=int, default=240, help="molecules a setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", nargs="+", default=[""])
    parser.add_argument("--keep", type=float, help="best share, by density_excess, of those that pass the checks")
    parser.add_argument("--drawn", type=Path, nargs="+", default=[], help="draws of the one setting, saved before")
    parser.add_argument("--data", type=Path, help="QM9, for a row of 2,000 real test molecules")
    parser.add_argument("--save", type=Path, help="folder of the molecules drawn, a Parquet file a setting")
    parser.add_argument("-o", "--output", type=Path, help="JSON; the table of the docs is generation/samplers.json")
    options = parser.parse_args()
    model, rows, given = load(options.model, options.distribution), [], " ".join(sys.argv[1:])

    def add(row: Row) -> None:
        rows.append(row)
        print(" | ".join("–" if cell is None else str(cell) for cell in row), flush=True)
        if options.output:
            title = f"Samplers of {model.distribution.name}: stability and fidelity by settings"
            note = f"{NOTE} Weights sha256 {model.weights[:12]}."
            record(options.output, title, COLUMNS, rows, f"python -m benchmarks.samplers {given}", note)

    print(" | ".join(COLUMNS))
    if options.data:
        test = load_data(options.data, "test")
        real = test.select(np.random.default_rng(0).permutation(len(test))[:2000])
        add(row_of("QM9 test split, real", candidates_of(model, list(real)), None, None))

    def add_kept(name: str, found: Sequence[Candidate]) -> None:
        if options.keep:
            passed = [c for c in found if c.passed]
            add(row_of(f"{name}, what passes the checks", passed, None, None))
            judged = density_filter(judge(model, passed, 0.05, "log_likelihood"), options.keep, DRAWN)
            add(row_of(f"{name}, kept {options.keep:.0%}", [c for c in judged if c.passed], None, None))

    if options.drawn:
        drawn = MoleculeSet.concatenate([load_data(path) for path in options.drawn])
        found, n_seeds = candidates_of(model, list(drawn)), len(options.drawn)
        name = f"{options.settings[0] or 'default'}, {n_seeds} seeds"
        add(row_of(name, found, drawn.columns["evaluations"].mean(), drawn.columns["seconds"].sum()))
        add_kept(name, found)
    counts = draw_formulas(model, options.n, options.seed, None, None)
    for text in options.settings if not options.drawn else ():
        with counted(model) as evaluated:
            started = time.process_time()
            molecules = draw_positions(model, counts, options.seed, sampling_of(text), progress=True)
            seconds = time.process_time() - started
        found, evaluations = candidates_of(model, molecules), sum(evaluated) / options.n
        add(row_of(text or "default", found, evaluations, seconds))
        add_kept(text or "default", found)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            cost = {"evaluations": [evaluations] * options.n, "seconds": [seconds / options.n] * options.n}
            path = options.save / f"{text or 'default'}-{options.seed}.parquet"
            MoleculeSet.from_molecules(molecules, cost).save(path)


if __name__ == "__main__":
    main()
