"""Does steering hold what it should, and what does it cost? Fragments and linkers of real molecules, and guides.

python -m benchmarks.steering --data data/qm9.parquet -n 20 --draws 6
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from benchmarks.record import RESULTS, record
from molscore.datasets import qm9
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.molecule_set import load as load_data
from molscore.errors import ParseError
from molscore.evaluation.edm import stability
from molscore.molecules.chem import mol_from_molecule, smiles_of
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import topology
from molscore.screening.checks import Candidate, inspect, mark_duplicates
from molscore.screening.fragment import Fragment
from molscore.screening.generate import judge
from molscore.screening.guidance import GUIDES, guide_of, property_of
from molscore.screening.model import Model, load
from molscore.screening.sample import Sampling, Wanted, draw_formulas, draw_positions

__all__ = ["cuts"]

HELD = 0.05  # Å

BOND = Chem.MolFromSmarts("[!#1;!$([*]#*)]-;!@[!#1;!$([*]#*)]")  # single, acyclic, between heavy atoms


def cuts(mol: Chem.Mol, linker: bool) -> Iterator[list[int]]:
    """Atoms that stay when one bond is cut and the smaller side taken away, or two and what lies between them."""
    bonds = [mol.GetBondBetweenAtoms(*pair).GetIdx() for pair in mol.GetSubstructMatches(BOND)]
    pairs = [(a, b) for i, a in enumerate(bonds) for b in bonds[i + 1 :]] if linker else [(a,) for a in bonds]
    for chosen in pairs:
        pieces = sorted(Chem.GetMolFrags(Chem.FragmentOnBonds(mol, chosen, addDummies=False)), key=len)
        if linker and len(pieces) == 3:
            ends = [{bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} for bond in map(mol.GetBondWithIdx, chosen)]
            middle = next(piece for piece in pieces if all(end & set(piece) for end in ends))
            outer = [piece for piece in pieces if piece is not middle]
            if all(_heavy(mol, piece) >= 2 for piece in outer):
                yield sorted(sum(outer, ()))
        elif not linker and _heavy(mol, pieces[0]) >= 2:
            yield sorted(pieces[1])


def _heavy(mol: Chem.Mol, atoms: Sequence[int]) -> int:
    return sum(mol.GetAtomWithIdx(a).GetAtomicNum() > 1 for a in atoms)


def regrown(model: Model, molecule: Molecule, kept: list[int], draws: int) -> tuple[list[Candidate], bool]:
    """Draws of the molecule's own formula around some of its atoms, and whether all hold these."""
    fragment = Fragment.lacking(Molecule(molecule.numbers[kept], molecule.positions[kept]))
    counts = np.array([[molecule.symbols.count(symbol) for symbol in model.distribution.elements]]).repeat(draws, 0)
    drawn = draw_positions(model, counts, 0, Sampling(), wanted=Wanted(fragment))
    held = all(np.abs(m.positions[: len(kept)] - fragment.positions).max() < HELD for m in drawn)
    return mark_duplicates(inspect(m, i) for i, m in enumerate(drawn)), held


def kept_row(model: Model, molecules: MoleculeSet, linker: bool, n: int, draws: int) -> list[Any]:
    """Cells of n fragments, or of n pairs to be linked, each of another molecule."""
    found: list[Candidate] = []
    n_cut = n_held = n_recovered = 0
    started = time.process_time()
    for molecule in molecules:
        try:
            mol = mol_from_molecule(molecule)
        except ParseError:
            continue
        if kept := next(cuts(mol, linker), None):
            drawn, held = regrown(model, molecule, kept, draws)
            found += drawn
            n_cut, n_held = n_cut + 1, n_held + held
            n_recovered += smiles_of(mol) in {candidate.smiles for candidate in drawn}
        if n_cut == n:
            break
    seconds = (time.process_time() - started) / len(found)
    valid = sum(c.verdict.check in ("passed", "unique") for c in found)
    shares = [100 * valid / len(found), stability(found).molecule_stability, 100 * sum(c.unique for c in found) / valid]
    name = "linkers between two" if linker else "fragments"
    cells = [f"{share:.0f}" for share in shares]
    return [name, len(found), f"{n_held} of {n_cut}", *cells, f"{n_recovered} of {n_cut}", f"{seconds:.1f}"]


def guide_row(model: Model, text: str, counts: np.ndarray, plain: list[Candidate]) -> tuple[list[Any], list[Candidate]]:
    """Cells of one guide beside draws without one, and its draws that pass."""
    drawn = draw_positions(model, counts, 1, Sampling(), wanted=Wanted(guide=guide_of(text)) if text else None)
    good = [c for c in judge(model, [inspect(m, i) for i, m in enumerate(drawn)], 0.05) if c.passed]
    like = [c.n_atoms for c in good], [topology(c).rotatable for c in good]
    median = model.references.of(model.references.own).size.value_at(50.0, *like, 0.05)
    cost = np.median(median - np.array([c.log_likelihood for c in good]))
    cells: list[Any] = [None, None, None]
    if text:
        (value, scale, *_), goal = property_of(text)
        sets = [[value(c.mol) if goal is None else abs(value(c.mol) - goal) for c in row] for row in (plain, good)]
        before, after = map(np.mean, sets)
        cells = [f"{before:.3g}", f"{after:.3g}", f"{(after - before) * (1 if goal is None else -1) / scale:+.1f}"]
        text = text if goal is None else f"{text} (distance)"
    shares = stability(drawn).molecule_stability, 100 * len(good) / len(drawn)
    return [text or "none", len(drawn), *cells, *(f"{share:.0f}" for share in shares), f"{cost:.1f}"], good


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["fragments", "guides"], help="fragments, guides or both")
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("-n", type=int, default=20, help="fragments, and as many linkers")
    parser.add_argument("--draws", type=int, default=6, help="of each")
    parser.add_argument("--guided", type=int, default=48, help="molecules for each guide")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "generation", help="folder of the tables")
    options = parser.parse_args()
    model = load(options.model)
    weights = f"Weights sha256 {model.weights[:12]}."
    if "fragments" in options.what:
        test = load_data(options.data, "test")
        test = test.select(np.random.default_rng(0).permutation(len(test)))
        rows = [kept_row(model, test, linker, options.n, options.draws) for linker in (False, True)]
        columns = ["cut out of QM9 test molecules", "draws", f"held within {HELD} Å", "valid %", "stable %",
                   "unique of valid %", "molecule found again", "CPU s a draw"]  # fmt: skip
        note = (
            "A single bond outside rings is cut and the smaller side, two heavy atoms at least, drawn anew around the "
            "rest; or two are cut and what links the sides is. The formula is the molecule's own, so that often few "
            "isomers fit. Valid: the checks of `generate`; stable: EDM's rule; unique: within the draws around one "
            "fragment; found again: the molecule that was cut is among the draws. Nothing is filtered. " + weights
        )
        command = f"python -m benchmarks.steering fragments -n {options.n} --draws {options.draws}"
        title = "Steering: atoms that stay (`--keep-atoms`)"
        print(*(" | ".join(map(str, row)) for row in rows), sep="\n", flush=True)
        record(options.output / "steering_fragments.json", title, columns, rows, command, note)
    if "guides" in options.what:
        counts = draw_formulas(model, options.guided, 1, None, None)
        first, plain = guide_row(model, "", counts, [])
        rows = [first]
        columns = ["guide", "draws", "mean without", "mean with", "gain in deviations of QM9", "stable %", "pass %",
                   "likelihood cost, median nats"]  # fmt: skip
        note = (
            "The same formulas for every row, strength 3, nothing filtered. Means and costs are over draws that pass "
            "the checks; the cost is how much less likely a draw is than the median of real molecules of its size and "
            "flexibility, negative where it is likelier. " + weights
        )
        command = f"python -m benchmarks.steering guides --guided {options.guided}"
        title = "Steering: guides (`--guide`)"
        for text in (*GUIDES, "logp=2", "shape=CCCCCCC"):
            rows.append(guide_row(model, text, counts, plain)[0])
            print(*rows[-1], sep=" | ", flush=True)
            record(options.output / "steering_guides.json", title, columns, rows, command, note)


if __name__ == "__main__":
    main()
