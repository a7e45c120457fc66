"""Ring systems given references: what series a molecule is of, as a factor of its likelihood.

c, the set of a molecule's ring systems, is a function of its geometry, by the bonds that the network reads. So the
likelihood of a formula f and positions x has p(c | f) within it, and with references R another can take its place:

    p(f, x | R) = p(f | R) p(x | f) p(c | f, R) / q(c | f)

    q(c | f) = q(c) / (n_1/M + sum_{c' fits f} q(c')),   q(c) = n_c/M where n_c > 1,  else (n_1/M) / (n_1 + n_1^2/2n_2)
    p(c | f, R) = (ALPHA q(c | f) + sum_k [eta (c = c_k) + (1 - eta) kappa(c | c_k, f)]) / (ALPHA + K)
    eta = (1 + references that share c with another) / (2 + K), or 0 where c_k does not fit f
    kappa(c | c_k, f) = sqrt(q(c)) exp(-|c - c_k|/WIDTH) / sum_{c' fits f} sqrt(q(c')) exp(-|c' - c_k|/WIDTH)

q counts the M molecules of the data; sets seen once or never share what Good and Turing leave them, n_1/M, among as
many as Chao estimates. |c - c_k| counts ring systems that only one of the two has; c fits f where f has its ring atoms
and as many rings and double bonds. eta is Laplace's rule of succession: among references that are all of one series
the next is likely of it too, and of references that are all unlike each other little is copied. p(f, x | R) integrates
to one as far as the model draws the ring systems of a formula as often as the data have them.
Sources: Good 1953, doi 10.1093/biomet/40.3-4.237; Chao 1984, Scand. J. Stat. 11, 265.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem
from torch import Tensor

from molscore.molecules.chem import AROMATIC, atoms_of_ring_systems, from_smiles, ring_systems, smiles_of_ring
from molscore.molecules.elements import max_valence
from molscore.molecules.resonance import BOND_TYPES

__all__ = ["RingSystems", "RingSystemsGiven", "signature", "signature_of_bonds", "systems_of_bonds"]

ALPHA, WIDTH = 1.0, 0.7  # as of formulas
_BONDS = BOND_TYPES | {AROMATIC: Chem.BondType.AROMATIC}

Floats, Ints = NDArray[np.float64], NDArray[np.int64]


def signature(graph: Chem.Mol) -> str:
    """The ring systems of a graph, in order, a space between them; hydrogens and charges are nothing to them."""
    return " ".join(sorted({_bare(ring) for ring in ring_systems(graph)}))


def signature_of_bonds(numbers: Iterable[int], bonds: ArrayLike) -> str:
    """The same of atomic numbers (N,) and bonds (E, 3) as `Predictor.bonds` gives them."""
    return signature(_graph(numbers, bonds))


def systems_of_bonds(numbers: Iterable[int], bonds: ArrayLike) -> list[tuple[str, tuple[int, ...]]]:
    """Each ring system with its atoms."""
    graph = _graph(numbers, bonds)
    return [(_bare(smiles_of_ring(graph, atoms)), tuple(atoms)) for atoms in atoms_of_ring_systems(graph)]


def _graph(numbers: Iterable[int], bonds: ArrayLike) -> Chem.Mol:
    graph = Chem.RWMol()
    for number in numbers:
        graph.AddAtom(Chem.Atom(int(number)))
    for first, second, order in np.asarray(bonds).tolist():
        graph.AddBond(first, second, _BONDS[order])
        if order == AROMATIC:
            graph.GetAtomWithIdx(first).SetIsAromatic(True)
            graph.GetAtomWithIdx(second).SetIsAromatic(True)
    Chem.FastFindRings(graph)
    return graph


@lru_cache(maxsize=2**16)
def _bare(ring: str) -> str:
    """One SMILES for a ring system, whatever is known of its hydrogens and charges."""
    graph, bare = Chem.MolFromSmiles(ring, sanitize=False), Chem.RWMol()
    for atom in graph.GetAtoms():
        plain = Chem.Atom(atom.GetAtomicNum())
        plain.SetIsAromatic(atom.GetIsAromatic())
        plain.SetNoImplicit(True)
        bare.AddAtom(plain)
    for bond in graph.GetBonds():
        bare.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType())
    Chem.FastFindRings(bare)
    return Chem.MolToSmiles(bare)


class RingSystems:
    """q(c) of a distribution, and which sets of ring systems fit a formula.

    Args:
        counts: how many molecules of the data have each set of ring systems, those of more than one alone.
        once: n_1, the sets of one molecule; they and those that no molecule has share n_1/M.
        elements: those of the distribution, which formulas are counted in.
    """

    def __init__(self, counts: dict[str, int], once: int, elements: Sequence[str]) -> None:
        self.counts, self.once, self.elements = counts, once, tuple(elements)
        molecules, twice = sum(counts.values()) + once, max(sum(n == 2 for n in counts.values()), 1)
        self.rest = once / molecules
        self.rare = np.log(max(once, 1) / molecules / (max(once, 1) + once**2 / (2 * twice)))  # ln q of each of these
        self.names = sorted(counts)
        self.log_q = np.log([counts[name] / molecules for name in self.names] or np.zeros(0))

    @classmethod
    def of(cls, smiles: Iterable[str], elements: Sequence[str]) -> "RingSystems":
        """From the molecules of a data set."""
        counts = Counter(signature(from_smiles(each)) for each in smiles)
        return cls({name: n for name, n in counts.items() if n > 1}, sum(n == 1 for n in counts.values()), elements)

    def pack(self) -> Tensor:
        """As a checkpoint keeps it, uint8."""
        lines = [str(self.once), *(f"{n} {name}" for name, n in sorted(self.counts.items()))]
        return torch.frombuffer(bytearray("\n".join(lines).encode()), dtype=torch.uint8)

    @classmethod
    def unpack(cls, table: Tensor, elements: Sequence[str]) -> "RingSystems":
        """Inverse of `pack`."""
        once, *lines = bytes(table.cpu().numpy()).decode().split("\n")
        pairs = (line.partition(" ") for line in lines)
        return cls({name: int(n) for n, _, name in pairs}, int(once), elements)

    def needs(self, names: Sequence[str]) -> Ints:
        """What each set asks of a formula, (C, E + 1): atoms of each element, then rings and double bonds."""
        parts = {part: _needs(part, self.elements) for name in names for part in name.split()}
        nothing = np.zeros(len(self.elements) + 1, dtype=np.int64)
        needed = [sum((parts[part] for part in name.split()), nothing) for name in names]
        return np.array(needed).reshape(-1, len(nothing))

    def offers(self, counts: ArrayLike) -> Ints:
        """What formulas (B, E) have of these, (B, E + 1)."""
        counts = np.asarray(counts, dtype=np.int64)
        bonds = np.array([max_valence(symbol, ()) - 2 for symbol in self.elements])
        return np.column_stack([counts, np.maximum(counts @ bonds // 2 + 1, 0)])


@lru_cache(maxsize=2**16)
def _needs(ring: str, elements: tuple[str, ...]) -> Ints:
    graph = Chem.MolFromSmiles(ring, sanitize=False)
    atoms = Counter(atom.GetSymbol() for atom in graph.GetAtoms())
    rings = graph.GetNumBonds() - graph.GetNumAtoms() + 1
    return np.array([*(atoms[symbol] for symbol in elements), rings])


class RingSystemsGiven:
    """ln p(c | f, R) - ln q(c | f); see the module's text.

    Args:
        plain: q.
        references: the signature of each.
    """

    def __init__(self, plain: RingSystems, references: Sequence[str]) -> None:
        self.plain, self.references = plain, Counter(references)
        given = self.references
        extra = sorted(set(given) - set(plain.names))
        self.names = {name: row for row, name in enumerate([*plain.names, *extra])}
        self.log_q = np.concatenate([plain.log_q, np.full(len(extra), plain.rare)])
        self.rest = max(plain.rest - len(extra) * np.exp(plain.rare), 0.0)  # of sets in no table: they fit always
        self.needs = plain.needs(list(self.names))
        sets = [frozenset(name.split()) for name in self.names]
        distance = np.array([[len(sets[self.names[name]] ^ other) for other in sets] for name in given])
        self.kernels = np.exp(self.log_q / 2 - distance / WIDTH)  # (K', C)
        self.times = np.array(list(given.values()))  # (K',)
        self.own = np.array([self.names[name] for name in given])  # (K',) rows of these
        self.eta = (1 + self.times[self.times > 1].sum()) / (2 + self.times.sum())

    def share_with(self, ring_system: str) -> float:
        """Share of the references that have a ring system."""
        having = sum(n for name, n in self.references.items() if ring_system in name.split())
        return having / self.references.total()

    def log_ratio(self, signatures: Sequence[str], counts: ArrayLike) -> Floats:
        """Of molecules by their signatures and element counts (B, E): (B,) nats."""
        found, K = np.zeros(len(signatures)), self.times.sum()
        for rows, fits, q, p in self._by_formula(counts):
            for row in rows:
                at = self.names.get(signatures[row])
                found[row] = np.log(p[at] / q[at] if at is not None and fits[at] else ALPHA / (ALPHA + K))
        return found

    def draw(self, counts: ArrayLike, rng: np.random.Generator) -> list[str | None]:
        """c from p(c | f, R) for each of the formulas (B, E): a signature of a reference, or None for any other."""
        found: list[str | None] = [None] * len(np.asarray(counts))
        theirs = list(self.references)
        for rows, _, _, p in self._by_formula(counts):
            shares = np.append(p[self.own], max(1 - p[self.own].sum(), 0.0))
            for row, chosen in zip(rows, rng.choice(len(shares), len(rows), p=shares / shares.sum()), strict=True):
                found[row] = theirs[chosen] if chosen < len(theirs) else None
        return found

    def _by_formula(self, counts: ArrayLike) -> Iterator[tuple[Ints, NDArray[np.bool_], Floats, Floats]]:
        """Of each formula f: its rows, which c fit, and q(c | f) and p(c | f, R) (C,) where they do, else 0."""
        formulas, which = np.unique(self.plain.offers(counts), axis=0, return_inverse=True)
        q, K = np.exp(self.log_q), self.times.sum()
        for f, offer in enumerate(formulas):
            fits = (self.needs <= offer).all(1)
            q_f = q * fits / ((q * fits).sum() + self.rest)
            sums = np.maximum((self.kernels * fits).sum(1), 1e-300)
            eta = self.eta * fits[self.own]
            kappa = (self.times * (1 - eta) / sums) @ self.kernels * fits
            kappa[self.own] += self.times * eta
            yield np.flatnonzero(which.reshape(-1) == f), fits, q_f, (ALPHA * q_f + kappa) / (ALPHA + K)
