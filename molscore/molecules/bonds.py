"""Bonds of a geometry, and what real molecules hardly have although their bonds fit.

Bonds are found by RDKit in a process of its own, so that no molecule can hang or crash the caller. Its search for bond
orders can run for ever (rdkit issues 7922 and 9227), so it is bounded twice: by a number of iterations, which gives the
same answer on every machine, and by a time limit after which the process is killed.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from molscore.errors import MolscoreError, ParseError
from molscore.molecules.molecule import Molecule
from molscore.molecules.workers import Crashed, Late, shared

__all__ = ["ASKED", "BOND_TYPES", "Bonds", "answer", "bare_mol", "doubts", "perceive_bonds", "separated_charges"]

BOND_TYPES = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}

# Tightest first: a generous factor joins atoms across small rings, a tight one loses a stretched bond and leaves
# fragments. 1.3 and connect-the-dots (None) are RDKit's own defaults.
_COVALENT_FACTORS = (1.15, 1.2, 1.25, 1.3, None)

_READINGS = 64  # that are looked at for the usual one, of molecules with charges
_VALENCES = Chem.GetPeriodicTable()
_LONE_PAIRS = ("N", "O", "P", "S", "Se", "As")
_POSITIVE, _NEGATIVE = ("N", "P", "S", "Se", "As"), ("N", "O", "S", "Se")  # elements that often bear such a charge

SMALLEST = 8  # atoms of a ring that holds a linear atom: cyclooctyne is the smallest cycloalkyne that can be kept
CLASH = 1.3  # Å between atoms that are not bonded; those of QM9 are 1.49 Å apart and more
CLASH_FAR = 1.3  # sums of covalent radii between atoms three bonds or more apart

ASKED = {
    "charges": "only next to the opposite charge, as in nitro groups",
    "ring": f"triple and cumulated bonds in rings of {SMALLEST} atoms or more",
    "clash": f"{CLASH:g} Å, three bonds apart {CLASH_FAR:g} sums of covalent radii too",
}
"""What each check asks, by its name."""


class Bonds(NamedTuple):
    """One Kekulé reading of a geometry."""

    pairs: NDArray[np.int32]  # (M, 2) atom indices
    orders: NDArray[np.int32]  # (M,) 1, 2 or 3
    charges: NDArray[np.int32]  # (N,) formal charges, summing to zero


def perceive_bonds(molecule: Molecule, max_iterations: int = 10_000, time_limit: float = 5.0) -> Bonds:
    """Bonds of a neutral closed-shell molecule with all its hydrogens; `time_limit` in seconds.

    Of several readings (covalent radii times 1.15 to 1.3, then connect-the-dots) the first connected one is taken: for
    99.81 % of the QM9 test split that of its SMILES, 98.8 % with noise of 0.05 Å, in about 1 ms. Raises `ParseError`
    when there is no such reading or none within the limits.
    """
    atoms = {"numbers": molecule.numbers.tolist(), "positions": molecule.positions.tolist()}
    (found,) = shared(__name__).map([{**atoms, "max_iterations": max_iterations}], time_limit)
    match found:
        case Late():
            raise ParseError(f"{molecule.label}: no bonds found within {time_limit:g} s")
        case Crashed():
            raise ParseError(f"{molecule.label}: RDKit crashed while looking for bonds")
        case MolscoreError():
            raise ParseError(f"{molecule.label}: no neutral closed-shell bonds fit this geometry ({found})")
    bonds = np.array(found["bonds"], dtype=np.int32).reshape(-1, 3)
    return Bonds(bonds[:, :2], bonds[:, 2], np.array(found["charges"], dtype=np.int32))


def answer(numbers: Sequence[int], positions: Sequence[Sequence[float]], max_iterations: int) -> dict[str, Any]:
    """What a worker process says of a geometry: ``bonds``, (M, 3) atoms and order, and formal ``charges`` (N,)."""
    with rdBase.BlockLogs():
        try:
            mol = _kekule_reading(Molecule(numbers, positions), max_iterations)
        except Exception as error:  # the process outlives anything that RDKit raises
            raise ParseError(str(error).strip().split("\n")[0]) from None
    bonds = [(*pair, _order(mol, pair)) for pair in _pairs(mol)]
    return {"bonds": bonds, "charges": _charges(mol)}


def _kekule_reading(molecule: Molecule, max_iterations: int) -> Chem.Mol:
    """Closed-shell molecule with Kekulé bonds: the first connected reading, else the first one of neutral pieces.

    Raises `ValueError` with the reason of the last attempt.
    """
    atoms = bare_mol(molecule)
    seen: set[tuple[tuple[int, int], ...]] = set()
    in_pieces, reason = None, "no bonds were found"
    for factor in _COVALENT_FACTORS:
        mol = Chem.RWMol(atoms)
        rdDetermineBonds.DetermineConnectivity(mol, useVdw=factor is not None, covFactor=factor or 1.3)
        pairs = tuple(_pairs(mol))
        if pairs in seen:
            continue
        seen.add(pairs)
        try:
            mol = _with_orders(mol, molecule.numbers, max_iterations)
            check = Chem.Mol(mol)
            Chem.SanitizeMol(check)
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            continue
        if any(check.GetAtomWithIdx(atom).GetNumRadicalElectrons() for atom in range(check.GetNumAtoms())):
            reason = "only an open-shell reading was found"
            continue
        pieces = Chem.GetMolFrags(mol)
        if len(pieces) == 1:
            return mol
        if any(sum(mol.GetAtomWithIdx(i).GetFormalCharge() for i in piece) for piece in pieces):
            reason = "only charged pieces were found"
        else:
            in_pieces = in_pieces or mol
    if in_pieces is None:
        raise ValueError(reason)
    return in_pieces


def _with_orders(skeleton: Chem.RWMol, numbers: NDArray[np.int64], max_iterations: int) -> Chem.RWMol:
    """The skeleton, bonds of no order between atoms of `numbers` (N,), with orders and charges: the same molecule
    however its atoms are numbered.

    RDKit takes the first reading that it comes to, which is another one where atoms and bonds are numbered otherwise,
    and comes to none for half of the orders of a dinitrobenzene. So it is asked in an order that depends on the
    skeleton alone, light atoms first, which misses none of these. Raises what RDKit raises where it finds none.
    """
    order = np.lexsort((list(Chem.CanonicalRankAtoms(skeleton, breakTies=True)), numbers))
    mol = Chem.RWMol(Chem.RenumberAtoms(skeleton, order.tolist()))
    pairs = _pairs(mol)
    for pair in pairs:
        mol.RemoveBond(*pair)
    for pair in pairs:
        mol.AddBond(*pair, Chem.BondType.SINGLE)
    rdDetermineBonds.DetermineBondOrders(mol, charge=0, embedChiral=False, maxIterations=max_iterations)
    if any(_charges(mol)):
        _Resonance(mol).settle()
    return Chem.RWMol(Chem.RenumberAtoms(mol, np.argsort(order).tolist()))


def _pairs(mol: Chem.Mol) -> list[tuple[int, int]]:
    """The two atoms of each bond, in order; by numbers, for RDKit's iterators over bonds and atoms are slow."""
    bonds = (mol.GetBondWithIdx(bond) for bond in range(mol.GetNumBonds()))
    pairs = ((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds)
    return sorted((min(pair), max(pair)) for pair in pairs)


def _order(mol: Chem.Mol, pair: tuple[int, int]) -> int:
    return int(mol.GetBondBetweenAtoms(*pair).GetBondTypeAsDouble())


def _charges(mol: Chem.Mol) -> list[int]:
    return [mol.GetAtomWithIdx(atom).GetFormalCharge() for atom in range(mol.GetNumAtoms())]


class _Reading(NamedTuple):
    """Where multiple bonds and charges are."""

    orders: tuple[int, ...]  # of each bond
    charges: tuple[int, ...]  # of each atom


class _Resonance:
    """The readings of one skeleton that differ by where multiple bonds and charges are.

    One becomes another where a charge moves along bonds that gain and lose an order in turn,

        [O-]C=C-C=[S+] -> O=C-C=C-S     R[N-][N+]#N -> RN=[N+]=[N-]     C[N+](C)=CN=[N-] -> CN(C)C=[N+]=[N-]

    or where two of opposite sign meet in the bond between them, where RDKit's valences allow that, as of [S+][O-] and
    not of [N+][O-].
    """

    def __init__(self, mol: Chem.RWMol) -> None:
        self.mol = mol
        self.symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
        self.bonds = _pairs(mol)
        self.around: list[list[tuple[int, int]]] = [[] for _ in self.symbols]  # the bonds of each atom, and to whom
        for bond, (first, second) in enumerate(self.bonds):
            self.around[first].append((bond, second))
            self.around[second].append((bond, first))

    def settle(self) -> None:
        """Give the molecule the reading that chemists write: the one of the least `_cost` among the nearest."""
        start = _Reading(tuple(_order(self.mol, pair) for pair in self.bonds), tuple(_charges(self.mol)))
        best = (self._cost(start), start)
        seen, waiting = {start}, [best]
        for _ in range(_READINGS):
            if not waiting or not any(best[1].charges):
                break
            for other in self._others(heappop(waiting)[1]):
                if other not in seen:
                    seen.add(other)
                    heappush(waiting, (self._cost(other), other))
            best = min([best, *waiting[:1]])
        self._write(self.mol, best[1])

    def _others(self, reading: _Reading) -> Iterator[_Reading]:
        """The readings that are one move away."""
        for atom, charge in enumerate(reading.charges):
            if charge:
                yield from self._moved(reading, atom)
        for bond, (first, second) in enumerate(self.bonds):
            for plus, minus in ((first, second), (second, first)):
                if reading.charges[plus] > 0 > reading.charges[minus]:
                    for change, atom in ((1, plus), (-1, minus)):  # the one whose valence is then another
                        valence = change + sum(reading.orders[held] for held, _ in self.around[atom])
                        allowed = valence in _VALENCES.GetValenceList(self.symbols[atom])
                        if allowed and reading.orders[bond] + change in BOND_TYPES:
                            yield self._changed(reading, {bond: change}, {plus: -1, minus: 1})

    def _moved(self, reading: _Reading, start: int) -> Iterator[_Reading]:
        """Readings in which the charge of an atom has moved elsewhere, or met another there."""
        sign = 1 if reading.charges[start] > 0 else -1
        paths = deque([([start], [])])
        reached: set[tuple[int, int]] = set()
        while paths:
            atoms, bonds = paths.popleft()
            change = sign if len(bonds) % 2 else -sign  # of the next bond: a negative atom gains the first
            if bonds and change == -sign and self._takes(reading, atoms[-1], sign):
                orders = {bond: sign if place % 2 else -sign for place, bond in enumerate(bonds)}
                yield self._changed(reading, orders, {start: -sign, atoms[-1]: sign})
            for bond, other in self.around[atoms[-1]]:
                if (
                    other not in atoms
                    and (other, change) not in reached
                    and reading.orders[bond] + change in BOND_TYPES
                ):
                    reached.add((other, change))
                    paths.append(([*atoms, other], [*bonds, bond]))

    def _takes(self, reading: _Reading, atom: int, sign: int) -> bool:
        """Whether a charge can move to an atom: to its opposite; a negative one anywhere, a positive to a lone pair."""
        charge = reading.charges[atom]
        return charge == -sign or (charge == 0 and (sign < 0 or self.symbols[atom] in _LONE_PAIRS))

    @staticmethod
    def _changed(reading: _Reading, orders: dict[int, int], charges: dict[int, int]) -> _Reading:
        found = _Reading(*map(list, reading))
        for values, changes in zip(found, (orders, charges), strict=True):
            for place, change in changes.items():
                values[place] += change
        return _Reading(*map(tuple, found))

    def _cost(self, reading: _Reading) -> tuple[int, ...]:
        """What is unusual about a reading, the weightiest first: charges, such at elements that seldom bear them, such
        without the opposite beside them, what is not aromatic, negative ones that are not at an end."""
        charges = reading.charges
        charged = [atom for atom, charge in enumerate(charges) if charge]
        alone = [a for a in charged if not any(charges[a] * charges[b] < 0 for _, b in self.around[a])]
        mol = Chem.Mol(self.mol)
        self._write(mol, reading)
        try:
            Chem.SanitizeMol(mol)
        except (ValueError, RuntimeError):
            return (len(charges) + 1,)
        return (
            len(charged),
            sum(self.symbols[a] not in (_POSITIVE if charges[a] > 0 else _NEGATIVE) for a in charged),
            len(alone),
            -sum(atom.GetIsAromatic() for atom in mol.GetAtoms()),
            sum(len(self.around[a]) for a in charged if charges[a] < 0),
        )

    def _write(self, mol: Chem.Mol, reading: _Reading) -> None:
        for pair, order in zip(self.bonds, reading.orders, strict=True):
            mol.GetBondBetweenAtoms(*pair).SetBondType(BOND_TYPES[order])
        for atom, charge in enumerate(reading.charges):
            mol.GetAtomWithIdx(atom).SetFormalCharge(charge)


def bare_mol(molecule: Molecule) -> Chem.RWMol:
    """RDKit molecule of the atoms in their geometry, without bonds and without implicit hydrogens."""
    mol = Chem.RWMol()
    for number in molecule.numbers.tolist():
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    conformer = Chem.Conformer(molecule.n_atoms)
    conformer.Set3D(True)
    conformer.SetPositions(molecule.positions)
    mol.AddConformer(conformer)
    if molecule.name:
        mol.SetProp("_Name", molecule.name)
    return mol


def doubts(mol: Chem.Mol, positions: NDArray[np.floating]) -> dict[str, str]:
    """What is implausible in a molecule in one piece at positions (N, 3) Å, by the name of the check.

    The graph has all hydrogens. Of QM9's test split, 13,082 molecules, 40 are turned down for charges, none for a ring
    and 3 for a clash (bonds that perception misses); of 1,848 of the PDB's ligands 12, 3 and 4.
    """
    found = {
        "charges": " ".join(separated_charges(mol)),
        "ring": _strained_ring(mol),
        "clash": _clash(mol, np.asarray(positions)),
    }
    return {name: value for name, value in found.items() if value}


def separated_charges(mol: Chem.Mol) -> list[str]:
    """Charged atoms whose charge is not how a bond is written, such as ``N+``, and oxonium, in atom order.

    Nitro groups, N-oxides, isocyanides, azides and diazo groups have none: there a negative atom with no other
    neighbour stands beside the positive one. What is left are zwitterions (3 in 1,000 of QM9), ylides, and readings
    of a geometry that has a hydrogen too many or too few.
    """

    def written(atom: Chem.Atom) -> bool:
        pairs = [(atom, other) for other in atom.GetNeighbors() if atom.GetFormalCharge() * other.GetFormalCharge() < 0]
        return any(min(pair, key=Chem.Atom.GetFormalCharge).GetTotalDegree() == 1 for pair in pairs)

    def oxonium(atom: Chem.Atom) -> bool:
        return atom.GetAtomicNum() == 8 and atom.GetFormalCharge() > 0 and atom.GetDegree() > 1

    return [
        f"{atom.GetSymbol()}{'+' if atom.GetFormalCharge() > 0 else '-'}"
        for atom in mol.GetAtoms()
        if atom.GetFormalCharge() and (oxonium(atom) or not written(atom))
    ]


def _strained_ring(mol: Chem.Mol) -> str:
    """The first ring too small for a linear atom that it holds, as in arynes, cycloalkynes and cyclic allenes."""
    for ring in mol.GetRingInfo().BondRings():
        if len(ring) < SMALLEST:
            bonds = [mol.GetBondWithIdx(index) for index in ring]
            if any(bond.GetBondType() == Chem.BondType.TRIPLE for bond in bonds):
                return f"a triple bond in a ring of {len(ring)}"
            doubly = [bond for bond in bonds if bond.GetBondType() == Chem.BondType.DOUBLE]
            ends = Counter(end for bond in doubly for end in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            if any(n > 1 and mol.GetAtomWithIdx(end).GetAtomicNum() in (6, 7) for end, n in ends.items()):
                return f"two double bonds at one atom in a ring of {len(ring)}"
    return ""


def _clash(mol: Chem.Mol, x: NDArray[np.floating]) -> str:
    """The closest pair of atoms that clash, in words."""
    bonds, symbols = Chem.GetDistanceMatrix(mol), [atom.GetSymbol() for atom in mol.GetAtoms()]
    radii = covalent_radii[[atom.GetAtomicNum() for atom in mol.GetAtoms()]]
    distance = np.linalg.norm(x[:, None] - x, axis=-1)
    near = (distance < CLASH) | ((distance < CLASH_FAR * (radii[:, None] + radii)) & (bonds > 2))
    near &= bonds > 1
    if not near.any():
        return ""
    i, j = sorted(np.unravel_index(np.argmin(np.where(near, distance, np.inf)), near.shape))
    return f"{symbols[i]}{i} and {symbols[j]}{j} {distance[i, j]:.2f} Å apart, not bonded"
