"""Does steering hold what it should, and what does it cost? Fragments and linkers of real molecules, and guides.

python -m benchmarks.steering --data data/qm9.parquet -n 20 --draws 6
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rdkit import Chem

from molscore.datasets import qm9
from molscore.datasets.molecule_set import load as load_data
from molscore.errors import ParseError
from molscore.evaluation.stability import stability
from molscore.molecules.chem import mol_from_molecule, smiles_of
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import topology
from molscore.screening.checks import Candidate, inspect, mark_duplicates
from molscore.screening.fragment import Fragment
from molscore.screening.generate import judge
from molscore.screening.guidance import GUIDES, guide_of
from molscore.screening.model import Model, load
from molscore.screening.sample import Sampling, Wanted, draw_formulas, draw_positions

__all__ = ["cuts"]

BOND = Chem.MolFromSmarts("[!#1;!$([*]#*)]-;!@[!#1;!$([*]#*)]")  # single, acyclic, between heavy atoms


def cuts(mol: Chem.Mol, linker: bool) -> Iterator[list[int]]:
    """Atoms that stay when one bond is cut and the smaller side taken away, or two and what lies between them."""
    bonds = [mol.GetBondBetweenAtoms(*pair).GetIdx() for pair in mol.GetSubstructMatches(BOND)]
    pairs = [(a, b) for i, a in enumerate(bonds) for b in bonds[i + 1 :]] if linker else [(a,) for a in bonds]
    for chosen in pairs:
        pieces = sorted(Chem.GetMolFrags(Chem.FragmentOnBonds(mol, chosen, addDummies=False)), key=len)
        if linker and len(pieces) == 3:
            ends = {
                a
                for b in chosen
                for a in (mol.GetBondWithIdx(b).GetBeginAtomIdx(), mol.GetBondWithIdx(b).GetEndAtomIdx())
            }
            middle = max(pieces, key=lambda piece: len(ends & set(piece)))
            outer = [piece for piece in pieces if piece is not middle]
            if all(_heavy(mol, piece) >= 2 for piece in outer):
                yield sorted(sum(outer, ()))
        elif not linker and _heavy(mol, pieces[0]) >= 2:
            yield sorted(pieces[1])


def _heavy(mol: Chem.Mol, atoms: Sequence[int]) -> int:
    return sum(mol.GetAtomWithIdx(a).GetAtomicNum() > 1 for a in atoms)


def regrown(model: Model, molecule: Molecule, kept: list[int], draws: int, sampling: Sampling) -> list[Candidate]:
    """Draws of the molecule's own formula around some of its atoms."""
    fragment = Fragment(molecule.numbers[kept], molecule.positions[kept])
    counts = np.array([[molecule.symbols.count(symbol) for symbol in model.distribution.elements]]).repeat(draws, 0)
    drawn = draw_positions(model, counts, 0, sampling, wanted=Wanted(fragment))
    assert all(np.abs(m.positions[: len(kept)] - fragment.positions).max() < 0.05 for m in drawn)
    return mark_duplicates(inspect(m, i) for i, m in enumerate(drawn))


def main() -> None:
    """Print a line a question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--data", type=Path, default=qm9.DEFAULT_PATH)
    parser.add_argument("-n", type=int, default=20, help="fragments, and as many linkers")
    parser.add_argument("--draws", type=int, default=6, help="of each")
    parser.add_argument("--guided", type=int, default=64, help="molecules for each guide")
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    model, sampling = load(options.model), Sampling(steps=options.steps)
    test = load_data(options.data, "test")
    order = np.random.default_rng(0).permutation(len(test))
    for linker in (False, True):
        found: list[list[Candidate]] = []
        recovered = 0
        for row in order.tolist():
            try:
                mol = mol_from_molecule(test[row])
            except ParseError:
                continue
            if kept := next(cuts(mol, linker), None):
                found.append(regrown(model, test[row], kept, options.draws, sampling))
                recovered += smiles_of(mol) in {c.smiles for c in found[-1]}
            if len(found) == options.n:
                break
        drawn = sum(found, [])
        sound = 100 * np.mean([c.verdict.check in ("passed", "unique") for c in drawn])
        print(
            f"{'linkers' if linker else 'fragments'}: {len(found)}, {len(drawn)} drawn; all held within 0.05 Å; "
            f"bonds that fit {sound:.0f} %, unique too {100 * np.mean([c.passed for c in drawn]):.0f} %; "
            f"stable {stability(drawn).molecule_stability:.0f} %; the molecule itself found for {recovered}",
            flush=True,
        )
    counts = draw_formulas(model, options.guided, 1, None, None)
    for text in ("", *GUIDES, "logp=2"):
        drawn = draw_positions(model, counts, 1, sampling, wanted=Wanted(guide=guide_of(text)) if text else None)
        good = [c for c in judge(model, [inspect(m, i) for i, m in enumerate(drawn)], 0.05) if c.passed]
        like = [c.n_atoms for c in good], [topology(c).rotatable for c in good]
        median = model.references.of(model.references.own).size.value_at(50.0, *like, 0.05)
        values = {name: np.mean([p.value(c.mol) for c in good]) for name, p in GUIDES.items()}
        cost = np.median(median - np.array([c.log_likelihood for c in good]))
        print(
            f"guide {text or 'none'}: stable {stability(drawn).molecule_stability:.0f} %, passed {len(good)}, "
            + ", ".join(f"{name} {value:.2f}" for name, value in values.items())
            + f"; likelihood cost, median {cost:.1f} nats",
            flush=True,
        )


if __name__ == "__main__":
    main()
