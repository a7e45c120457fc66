"""EDM's metrics: bonds read from distances, the atoms whose valence they fill, and what RDKit makes of the bonds.

Many molecules at once. A valid molecule may be in pieces or lack hydrogens (RDKit adds implicit ones): the definition
is lenient, and kept because the literature reports it. Connectivity is reported beside it.

The lengths and valences are those of ``qm9/bond_analyze.py`` in
https://github.com/ehoogeboom/e3_diffusion_for_molecules (MIT), taken there from
http://www.wiredchemist.com/chemistry/data/bond_energies_lengths.html. They are symmetric in the two elements; the
original misses the S–C double bond beside its C–S one, which its order of elements hides.

References:
    Hoogeboom et al. 2022, Equivariant Diffusion for Molecule Generation in 3D, https://arxiv.org/abs/2203.17003
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from rdkit import Chem, rdBase
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from tqdm import tqdm

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError
from molscore.molecules.elements import SYMBOLS, atomic_number
from molscore.molecules.molecule import Molecule, checked_molecules
from molscore.molecules.resonance import BOND_TYPES

__all__ = [
    "ALLOWED_VALENCES", "BOND_LENGTHS_PM", "MARGINS_PM", "DistanceBonds", "Stability", "allowed_valences", "as_set",
    "bonds_of", "edm_smiles", "piece_counts", "stability", "threshold_tables", "valences",
]  # fmt: skip


def _lengths(text: str) -> dict[tuple[str, str], int]:
    """``"C-C 154, C-H 109"`` as ``{("C", "C"): 154, ("C", "H"): 109}``."""
    terms = (term.split(" ") for term in text.split(", "))
    return {tuple(pair.split("-")): int(length) for pair, length in terms}


#: Length of a bond of order 1, 2 and 3, in pm.
BOND_LENGTHS_PM: dict[int, dict[tuple[str, str], int]] = {
    1: _lengths(
        "As-H 152, B-Cl 175, B-H 119, Br-Br 228, Br-C 194, Br-Cl 214, Br-F 178, Br-H 141, Br-N 214, Br-O 172, "
        "Br-P 222, Br-S 225, Br-Si 215, C-C 154, C-Cl 177, C-F 135, C-H 109, C-I 214, C-N 147, C-O 143, C-P 184, "
        "C-S 182, C-Si 185, Cl-Cl 199, Cl-F 166, Cl-H 127, Cl-N 175, Cl-O 164, Cl-P 203, Cl-S 207, Cl-Si 202, "
        "F-F 142, F-H 92, F-I 187, F-N 136, F-O 142, F-P 156, F-S 158, F-Si 160, H-H 74, H-I 161, H-N 101, "
        "H-O 96, H-P 144, H-S 134, H-Si 148, I-I 266, I-N 222, I-O 194, I-S 234, I-Si 243, N-N 145, N-O 140, "
        "N-P 177, N-S 168, O-O 148, O-P 163, O-S 151, O-Si 163, P-P 221, P-S 210, S-S 204, S-Si 200, Si-Si 233"
    ),
    2: _lengths("C-C 134, C-N 129, C-O 120, C-S 160, N-N 125, N-O 121, O-O 121, O-P 150, P-S 186"),
    3: _lengths("C-C 120, C-N 116, C-O 113, N-N 110"),
}

#: A pair has a bond of an order when it is closer than the length plus this, in pm.
MARGINS_PM: dict[int, int] = {1: 10, 2: 5, 3: 3}

#: Sums of bond orders at which an atom is stable. Sulphur's is 4 alone, as in the original.
ALLOWED_VALENCES: dict[str, tuple[int, ...]] = {
    "H": (1,), "C": (4,), "N": (3,), "O": (2,), "F": (1,), "B": (3,), "Al": (3,), "Si": (4,), "P": (3, 5), "S": (4,),
    "Cl": (1,), "As": (3,), "Br": (1,), "I": (1,), "Hg": (1, 2), "Bi": (3, 5),
}  # fmt: skip


@cache
def threshold_tables() -> np.ndarray:
    """``(3, 119, 119)`` pm by order and atomic numbers: a distance below it makes the bond; 0 where there is none."""
    tables = np.zeros((3, len(SYMBOLS), len(SYMBOLS)))
    for order, lengths in BOND_LENGTHS_PM.items():
        for (a, b), length in lengths.items():
            tables[order - 1, atomic_number(a), atomic_number(b)] = length + MARGINS_PM[order]
            tables[order - 1, atomic_number(b), atomic_number(a)] = length + MARGINS_PM[order]
    tables.flags.writeable = False
    return tables


@cache
def allowed_valences() -> np.ndarray:
    """``(119, V)`` bool: whether an element is stable with a sum of bond orders; the last, for more yet, never is."""
    highest = max(valence for valences in ALLOWED_VALENCES.values() for valence in valences)
    table = np.zeros((len(SYMBOLS), highest + 2), dtype=bool)
    for symbol, valences in ALLOWED_VALENCES.items():
        table[atomic_number(symbol), list(valences)] = True
    table.flags.writeable = False
    return table


def as_set(molecules: MoleculeSet | Iterable[Molecule]) -> MoleculeSet:
    """Any molecules as one set, each about its own mean; raises `InputError` when there are none."""
    if not isinstance(molecules, MoleculeSet):
        # Centred first: float32 would blur a molecule that lies far from the origin.
        molecules = MoleculeSet.from_molecules(
            Molecule(molecule.numbers, molecule.positions - molecule.positions.mean(axis=0), molecule.name)
            for molecule in checked_molecules(molecules)
        )
    if not len(molecules):
        raise InputError("there are no molecules to evaluate")
    return molecules


class DistanceBonds(NamedTuple):
    """The bonds of a molecule set, in ascending order of their first and second atom."""

    atoms: np.ndarray  # (E, 2) int64 positions in the set's flat atom list, the first smaller
    orders: np.ndarray  # (E,) int64: 1, 2 or 3


def bonds_of(molecules: MoleculeSet) -> DistanceBonds:
    """Order 1, 2 or 3 where two atoms are closer than the length of such a bond plus its margin.

    The rule is nested and strict: a pair is a double bond only if it is closer than a single bond is and triple
    only if it is closer than a double bond is. Pairs of elements without a length have no bond.
    Raises `ElementError` naming the molecule and an element that the metric does not know.
    """
    numbers, tables = molecules.numbers, threshold_tables()
    unknown = ~allowed_valences().any(axis=1)[numbers]
    if unknown.any():
        atom = int(unknown.argmax())
        raise ElementError(
            f"{molecules.label(molecules.atom_rows[atom])}: the stability metric has no bond lengths for "
            f"{SYMBOLS[numbers[atom]]}, only for {', '.join(ALLOWED_VALENCES)}"
        )
    present = np.unique(numbers)
    reach = tables[0][np.ix_(present, present)].max() / 100
    pairs = _close_pairs(molecules, reach)
    first, second = numbers[pairs[:, 0]], numbers[pairs[:, 1]]
    positions = molecules.positions.astype(np.float64)
    distance = 100 * np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    single, double, triple = (distance < tables[order, first, second] for order in range(3))
    orders = single.astype(np.int64) + (single & double) + (single & double & triple)
    bonded = orders > 0
    return DistanceBonds(pairs[bonded], orders[bonded])


def piece_counts(molecules: MoleculeSet, bonds: DistanceBonds) -> np.ndarray:
    """Pieces that the bonds make of each molecule, ``(M,)`` int64; 1 for a connected one."""
    n_atoms = len(molecules.numbers)
    graph = coo_array((np.ones(len(bonds.atoms)), (bonds.atoms[:, 0], bonds.atoms[:, 1])), shape=(n_atoms, n_atoms))
    _, piece = connected_components(graph, directed=False)
    _, first_atom = np.unique(piece, return_index=True)
    return np.bincount(molecules.atom_rows[first_atom], minlength=len(molecules))


def _close_pairs(molecules: MoleculeSet, reach: float) -> np.ndarray:
    """Pairs of atoms ``(E, 2)`` of one molecule that are nearer than about `reach` Å.

    One tree for all: each molecule lies at its own place on a fourth axis, out of reach of the others.
    """
    places = np.column_stack([molecules.positions, 10 * reach * molecules.atom_rows])
    # the tree splits just above a coordinate, and the number just above 0 is flushed to 0 where a network has been run
    places += 1 - places.min(axis=0)
    pairs = cKDTree(places).query_pairs(reach * (1 + 1e-6) + 1e-6, output_type="ndarray")
    pairs.sort(axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


class Stability(NamedTuple):
    """How many atoms of each molecule are stable."""

    stable: np.ndarray  # (M,) int64 stable atoms of each molecule
    sizes: np.ndarray  # (M,) int64 atoms of each molecule

    @property
    def molecules(self) -> np.ndarray:
        """``(M,)`` bool: every atom is stable. Nothing is asked about connectivity."""
        return self.stable == self.sizes

    @property
    def atom_stability(self) -> float:
        """Percent of all atoms, pooled over the molecules."""
        return 100 * float(self.stable.sum() / self.sizes.sum())

    @property
    def molecule_stability(self) -> float:
        """Percent of molecules all of whose atoms are stable."""
        return 100 * float(self.molecules.mean())


def stability(molecules: MoleculeSet | Iterable[Molecule], bonds: DistanceBonds | None = None) -> Stability:
    """Count the atoms whose bond orders add up to a valence of their element; `bonds` may be given if they are known.

    Raises `InputError` without molecules and `ElementError` for an element that the metric does not know.
    """
    molecules = as_set(molecules)
    total = valences(molecules, bonds_of(molecules) if bonds is None else bonds)
    table = allowed_valences()
    stable = table[molecules.numbers, np.minimum(total, table.shape[1] - 1)].astype(np.int64)
    return Stability(np.add.reduceat(stable, molecules.offsets[:-1]), molecules.sizes.astype(np.int64))


def valences(molecules: MoleculeSet, bonds: DistanceBonds) -> np.ndarray:
    """Sum of bond orders at each atom, ``(ΣN,)`` int64."""
    both = np.concatenate([bonds.atoms[:, 0], bonds.atoms[:, 1]])
    total = np.bincount(both, weights=np.tile(bonds.orders, 2), minlength=len(molecules.numbers))
    return total.astype(np.int64)


def edm_smiles(
    molecules: MoleculeSet | Iterable[Molecule], bonds: DistanceBonds | None = None, progress: bool = False
) -> list[str | None]:
    """SMILES (explicit H, no stereo) of each molecule's largest piece, None where RDKit does not accept the bonds.

    Atoms are neutral and bonds are those of `bonds_of`. SMILES compare only with others made here. About 3,000
    molecules a second; `progress` shows a bar on stderr.
    """
    molecules = as_set(molecules)
    atoms, orders = bonds_of(molecules) if bonds is None else bonds
    ends = np.searchsorted(atoms[:, 0], molecules.offsets).tolist()
    starts, found = molecules.offsets.tolist(), []
    with rdBase.BlockLogs():
        for row in tqdm(range(len(molecules)), desc="bonds to SMILES", disable=not progress):
            mol, own = Chem.RWMol(), slice(ends[row], ends[row + 1])
            for number in molecules.numbers[starts[row] : starts[row + 1]].tolist():
                mol.AddAtom(Chem.Atom(number))
            for (a, b), order in zip((atoms[own] - starts[row]).tolist(), orders[own].tolist(), strict=True):
                mol.AddBond(a, b, BOND_TYPES[order])
            found.append(_smiles(mol))
    return found


def _smiles(mol: Chem.RWMol) -> str | None:
    try:
        Chem.SanitizeMol(mol)
    except ValueError:
        return None
    pieces = Chem.GetMolFrags(mol, asMols=True)
    return Chem.MolToSmiles(max(pieces, key=Chem.Mol.GetNumAtoms) if len(pieces) > 1 else mol)
