"""Which reading of a molecule's bonds chemists write, of those that differ by where multiple bonds and charges are."""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from rdkit import Chem

__all__ = ["BOND_TYPES", "Resonance", "charges_of", "order_of", "pairs_of"]

BOND_TYPES = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}

_READINGS = 64  # that are looked at for the usual one, of molecules with charges
_VALENCES = Chem.GetPeriodicTable()
_LONE_PAIRS = ("N", "O", "P", "S", "Se", "As")
_POSITIVE, _NEGATIVE = ("N", "P", "S", "Se", "As"), ("N", "O", "S", "Se")  # elements that often bear such a charge


def pairs_of(mol: Chem.Mol) -> list[tuple[int, int]]:
    """The two atoms of each bond, in order; by numbers, for RDKit's iterators over bonds and atoms are slow."""
    bonds = (mol.GetBondWithIdx(bond) for bond in range(mol.GetNumBonds()))
    pairs = ((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds)
    return sorted((min(pair), max(pair)) for pair in pairs)


def order_of(mol: Chem.Mol, pair: tuple[int, int]) -> int:
    """1, 2 or 3, of the bond between two atoms."""
    return int(mol.GetBondBetweenAtoms(*pair).GetBondTypeAsDouble())


def charges_of(mol: Chem.Mol) -> list[int]:
    """Formal charges, in the order of the atoms."""
    return [mol.GetAtomWithIdx(atom).GetFormalCharge() for atom in range(mol.GetNumAtoms())]


class _Reading(NamedTuple):
    """Where multiple bonds and charges are."""

    orders: tuple[int, ...]  # of each bond
    charges: tuple[int, ...]  # of each atom


class Resonance:
    """The readings of one skeleton that differ by where multiple bonds and charges are.

    One becomes another where a charge moves along bonds that gain and lose an order in turn,

        [O-]C=C-C=[S+] -> O=C-C=C-S     R[N-][N+]#N -> RN=[N+]=[N-]     C[N+](C)=CN=[N-] -> CN(C)C=[N+]=[N-]

    or where two of opposite sign meet in the bond between them, where RDKit's valences allow that, as of [S+][O-] and
    not of [N+][O-].
    """

    def __init__(self, mol: Chem.RWMol) -> None:
        self.mol = mol
        self.symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
        self.bonds = pairs_of(mol)
        self.around: list[list[tuple[int, int]]] = [[] for _ in self.symbols]  # the bonds of each atom, and to whom
        for bond, (first, second) in enumerate(self.bonds):
            self.around[first].append((bond, second))
            self.around[second].append((bond, first))

    def settle(self) -> None:
        """Give the molecule the reading that chemists write: the one of the least `_cost` among the nearest."""
        start = _Reading(tuple(order_of(self.mol, pair) for pair in self.bonds), tuple(charges_of(self.mol)))
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
