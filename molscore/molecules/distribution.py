"""A named data distribution: its statistics, and the exact probabilities of sizes and formulas that they make.

p(N) and p(formula | N) are smoothed, and each sums to one.

    p(formula | N) = prod_k p(n_k | N, n_1 ... n_{k-1}),      hydrogen last, so that what is left of N decides it

Each factor interpolates between contexts, from none at all to the whole history (Witten-Bell):

    p_l(n) = (c_l(n) + T_l p_{l-1}(n)) / sum_n' (c_l(n') + T_l p_{l-1}(n')),      p_0 uniform over what is allowed

c_l counts n in context l, which is nothing, then (N, atoms left), then (n_1 ... n_{k-1}), then (N, n_1 ... n_{k-1});
T_l is the number of distinct n there. The last context counts molecules, the others count the histories that lead to n
(Kneser-Ney). Allowed is what a neutral closed-shell molecule can complete, and what was observed.
Source: Witten and Bell 1991, doi 10.1109/18.87000; Chen and Goodman 1999, doi 10.1006/csla.1999.0128.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from molscore.errors import DistributionError, InputError, SizeError
from molscore.molecules.elements import VALENCES, atomic_number, max_valence

__all__ = ["Distribution", "FormulaPmf", "FormulasGiven", "smoothed_sizes"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CHUNK = 16_384
_MULTIPLIERS = np.random.default_rng(0).integers(2**62, size=128) * 2 + 1  # of an element's place; the last of N
# By the likelihood of the formula of a molecule of QM9 given 1, 4 and 16 others of its ring systems, neighbourhood or
# formula, 60 clusters each (ALPHA 0.3 to 3, WIDTH 0.4 to 1.5; kernels without q, with its root, with q itself).
# These gain, by ring systems, 0.3, 0.6, 1.0 nats for molecules of validation and 1.2, 2.4, 3.5 for those held out.
ALPHA, WIDTH = 1.0, 0.7
_IMPOSSIBLE = -(10**6)


@dataclass(frozen=True)
class Distribution:
    """Sizes, formulas and spread of the molecules of one data set.

    Raises `InputError` when the parts do not fit together.
    """

    name: str  # short name, such as qm9
    elements: tuple[str, ...]  # element symbols, in the order of the counts below
    formula_counts: dict[tuple[int, ...], int]  # molecules of each formula, which is the count of each of `elements`
    sigma_N: dict[int, float]  # Å: sqrt(E[‖x‖² | N] / 3(N-1)), smoothed over N, for every N from 2 to `max_atoms`

    def __post_init__(self) -> None:
        if len(set(self.elements)) != len(self.elements) or not self.elements:
            raise InputError(f"distribution {self.name!r}: elements {self.elements} are empty or repeat")
        for symbol in self.elements:
            atomic_number(symbol)
        for formula, n in self.formula_counts.items():
            if len(formula) != len(self.elements) or min(formula) < 0 or sum(formula) < 1 or n < 1:
                raise InputError(f"distribution {self.name!r}: formula {formula} × {n} does not fit {self.elements}")
        for size, sigma in self.sigma_N.items():
            if size < 2 or not 0 < sigma < float("inf"):
                raise InputError(f"distribution {self.name!r}: σ_N of {sigma} Å at N = {size} is not usable")
        missing = [size for size in range(2, self.max_atoms + 1) if size not in self.sigma_N]
        if missing:
            raise InputError(f"distribution {self.name!r}: no σ_N for N = {missing[0]}")

    def __repr__(self) -> str:
        counted = f"{self.n_molecules:,} molecules of {len(self.formula_counts):,} formulas"
        return f"Distribution({self.name!r}, {' '.join(self.elements)}, {counted}, up to {self.max_atoms} atoms)"

    @cached_property
    def max_atoms(self) -> int:
        """Atoms in the largest molecule."""
        return max((sum(formula) for formula in self.formula_counts), default=0)

    @property
    def n_molecules(self) -> int:
        """Molecules counted."""
        return sum(self.formula_counts.values())


class _Support:
    """Which partial formulas of up to `max_atoms` atoms of `elements`, decided in that order, can still be completed.

        reach[k, r, e, o] = the most bonds of r atoms of elements k, k+1, ... with an electron count of parity e,
                            o telling whether oxygen or fluorine is among the elements before k
                          = max over n of  n valence_k(o)
                                           + reach[k + 1, r - n, e - n Z_k mod 2, o or (k in O, F and n > 0)]

    A formula of N atoms is possible when its electrons are even and its valences add up to 2(N - 1) or more: the
    conditions of `molscore.molecules.elements.check_formula`.

    Heavier halogens change their valence beside oxygen and fluorine, so those two must come before them.
    """

    def __init__(self, elements: Sequence[str], max_atoms: int) -> None:
        self.max_atoms = max_atoms
        self.odd_electrons = np.array([atomic_number(symbol) % 2 for symbol in elements])
        self.oxidiser = np.array([symbol in ("O", "F") for symbol in elements])
        self.valence = np.array([[max_valence(symbol, ()), max_valence(symbol, ("O",))] for symbol in elements])
        self.reach = np.full((len(elements) + 1, max_atoms + 1, 2, 2), _IMPOSSIBLE)
        self.reach[-1, 0, 0] = 0
        for k in range(len(elements) - 1, -1, -1):
            for n in range(max_atoms + 1):
                for oxidised in (0, 1):
                    after = oxidised | int(self.oxidiser[k] and n > 0)
                    rest = self.reach[k + 1, : max_atoms + 1 - n, :, after] + n * self.valence[k, oxidised]
                    if n * self.odd_electrons[k] % 2:
                        rest = rest[:, ::-1]
                    best = self.reach[k, n:, :, oxidised]
                    np.maximum(best, rest, out=best)

    def possible(self, sizes: Ints) -> NDArray[np.bool_]:
        """Whether there is a formula of so many atoms, (B,)."""
        return self.reach[0, sizes, 0, 0] >= 2 * (sizes - 1)

    def allowed(self, before: Ints, sizes: Ints) -> NDArray[np.bool_]:
        """Whether later elements can complete each number of atoms of element k, (B, max_atoms + 1).

        `before` (B, k) are the atoms of the elements before it, of `sizes` (B,) in all.
        """
        k, n = before.shape[1], np.arange(self.max_atoms + 1)
        oxidised = before[:, self.oxidiser[:k]].any(1).astype(int)
        left = (sizes - before.sum(1))[:, None] - n
        odd = ((before @ self.odd_electrons[:k])[:, None] + n * self.odd_electrons[k]) % 2
        bonds = (before * self.valence[:k, oxidised].T).sum(1)[:, None] + n * self.valence[k, oxidised][:, None]
        oxidised_after = oxidised[:, None] | (self.oxidiser[k] & (n > 0))
        reach = self.reach[k + 1, np.maximum(left, 0), odd, oxidised_after]
        return (left >= 0) & (bonds + reach >= 2 * (sizes - 1)[:, None])


class _Counts(NamedTuple):
    """How often each n follows each of C contexts."""

    keys: Ints  # (C,) ascending
    table: Floats  # (C + 1, max_atoms + 1), row -1 of zeros for contexts never seen

    @classmethod
    def of(cls, keys: Ints, n: Ints, weights: ArrayLike, width: int) -> "_Counts":
        unique, row = np.unique(keys, return_inverse=True)
        table = np.zeros((len(unique) + 1, width))
        np.add.at(table, (row, n), weights)
        return cls(unique, table)

    def after(self, keys: Ints) -> Floats:
        """c_l(n) in the contexts `keys` (B,), (B, max_atoms + 1)."""
        at = np.searchsorted(self.keys, keys)
        found = self.keys[np.minimum(at, len(self.keys) - 1)] == keys
        return self.table[np.where(found, at, -1)]


class FormulaPmf:
    """p(N) over 1 ... max_atoms and p(formula | N) of a distribution.

    Counts are (B, E), in the order of `distribution.elements`; logarithms are in nats. Raises DistributionError where
    there is nothing to count.
    """

    def __init__(self, distribution: Distribution) -> None:
        if not distribution.formula_counts:
            raise DistributionError(f"distribution {distribution.name!r} has no formulas")
        self.elements, self.max_atoms = distribution.elements, distribution.max_atoms
        # Oxygen and fluorine first: the valence of heavier halogens depends on them.
        self._order = sorted(
            range(len(self.elements)), key=lambda k: (self.elements[k] == "H", self.elements[k] not in ("O", "F"))
        )
        self._support = _Support([self.elements[k] for k in self._order], self.max_atoms)
        self.formulas = np.array(list(distribution.formula_counts), dtype=np.int64)  # (F, E), those observed
        formulas, sizes = self.formulas[:, self._order], self.formulas.sum(1)
        molecules = np.array(list(distribution.formula_counts.values()), dtype=np.float64)
        self._counts = [self._count(k, formulas, sizes, molecules) for k in range(len(self.elements) - 1)]
        seen = np.bincount(sizes, weights=molecules, minlength=self.max_atoms + 1)
        size = np.arange(self.max_atoms + 1)
        self._p_size = smoothed_sizes(seen, (size > 0) & (self._support.possible(size) | (seen > 0)))

    def _contexts(self, before: Ints, sizes: Ints) -> tuple[Ints, ...]:
        """Keys of the contexts of n_k, from none to the whole history, (B,) each; before (B, k): n_1 ... n_{k-1}.

        A history's key is a sum of its counts times large odd numbers, modulo 2^64.
        """
        shape, left = before @ _MULTIPLIERS[: before.shape[1]], sizes - before.sum(1)
        return np.zeros_like(sizes), sizes * (self.max_atoms + 1) + left, shape, shape + sizes * _MULTIPLIERS[-1]

    def _count(self, k: int, formulas: Ints, sizes: Ints, molecules: Floats) -> list[_Counts]:
        """The counts of n_k in each context, of observed formulas (F, E), each standing for so many molecules."""
        n, width = formulas[:, k], self.max_atoms + 1
        *shorter, history = self._contexts(formulas[:, :k], sizes)
        once = np.unique(history + n * _MULTIPLIERS[k], return_index=True)[1]
        found = [_Counts.of(keys[once], n[once], 1.0, width) for keys in shorter]
        return [*found, _Counts.of(history, n, molecules, width)]

    def _factor(self, before: Ints, sizes: Ints) -> Floats:
        """p(n_k | before), (B, max_atoms + 1), after `before` (B, k); zero rows where nothing can be completed."""
        contexts = zip(self._counts[before.shape[1]], self._contexts(before, sizes), strict=True)
        counts = [found.after(keys) for found, keys in contexts]
        allowed = self._support.allowed(before, sizes) | (counts[-1] > 0)
        p = allowed / np.maximum(allowed.sum(1, keepdims=True), 1)
        for c in counts:
            c = c * allowed
            p = c + (c > 0).sum(1, keepdims=True).clip(1) * p
            p /= np.maximum(p.sum(1, keepdims=True), 1e-300)
        return p

    def log_prob_size(self, sizes: ArrayLike) -> Floats:
        """log p(N), (B,); -inf outside 1 ... max_atoms."""
        sizes = np.asarray(sizes, dtype=np.int64)
        inside = (sizes >= 1) & (sizes <= self.max_atoms)
        with np.errstate(divide="ignore"):
            return np.log(np.where(inside, self._p_size[np.where(inside, sizes, 0)], 0.0))

    def log_prob_formula(self, counts: ArrayLike) -> Floats:
        """log p(formula | N), (B,); -inf for what no neutral closed-shell molecule can be, unless it was observed."""
        counts = np.asarray(counts, dtype=np.int64)
        if counts.ndim != 2 or counts.shape[1] != len(self.elements):
            raise InputError(f"counts must have shape (B, {len(self.elements)}), not {counts.shape}")
        unique, row = np.unique(counts[:, self._order], axis=0, return_inverse=True)
        chunks = [self._log_prob_formula(unique[i : i + _CHUNK]) for i in range(0, len(unique), _CHUNK)]
        return np.concatenate([np.zeros(0), *chunks])[row]

    def _log_prob_formula(self, counts: Ints) -> Floats:
        sizes = counts.sum(1)
        inside = (sizes >= 1) & (sizes <= self.max_atoms) & (counts >= 0).all(1)
        counts, sizes = np.where(inside[:, None], counts, 0), np.where(inside, sizes, 1)
        total = np.where(inside & (self._p_size[sizes] > 0), 0.0, -np.inf)
        for k in range(len(self._counts)):
            p = self._factor(counts[:, :k], sizes)[np.arange(len(counts)), counts[:, k]]
            with np.errstate(divide="ignore"):
                total += np.log(p)
        return total

    def log_prob(self, counts: ArrayLike) -> Floats:
        """log p(N) + log p(formula | N), (B,)."""
        counts = np.asarray(counts, dtype=np.int64)
        return self.log_prob_formula(counts) + self.log_prob_size(counts.sum(-1))

    def sample(self, n: int, rng: np.random.Generator, n_atoms: int | None = None) -> Ints:
        """Draw n formulas, (n, E) counts; of `n_atoms` atoms if that is given, else N ~ p(N). Raises SizeError."""
        if n_atoms is not None and not np.isfinite(self.log_prob_size(n_atoms)):
            raise SizeError(f"no molecule of {n_atoms} atoms: sizes run from 1 to {self.max_atoms} atoms")
        sizes = np.full(n, n_atoms) if n_atoms is not None else rng.choice(len(self._p_size), size=n, p=self._p_size)
        chunks = [self._sample(sizes[i : i + _CHUNK], rng) for i in range(0, n, _CHUNK)]
        return np.concatenate([np.zeros((0, len(self.elements)), dtype=np.int64), *chunks])

    def _sample(self, sizes: Ints, rng: np.random.Generator) -> Ints:
        counts = np.zeros((len(sizes), len(self.elements)), dtype=np.int64)
        for k in range(len(self._counts)):
            cumulative = self._factor(counts[:, :k], sizes).cumsum(1)
            u = rng.random((len(sizes), 1)) * (1 - 1e-12) * cumulative[:, -1:]
            counts[:, k] = (cumulative <= u).sum(1)
        counts[:, -1] = sizes - counts.sum(1)
        return counts[:, np.argsort(self._order)]


class FormulasGiven:
    """Sizes and formulas given K references, with the interface of `FormulaPmf`.

        p(f | R) = (ALPHA q(f) + sum_k kappa(f | f_k)) / (ALPHA + K),      q(f) = p(N) p(formula | N)
        kappa(f | f_k) = sqrt(q(f)) exp(-|f - f_k|/WIDTH) / sum_f' sqrt(q(f')) exp(-|f' - f_k|/WIDTH)

    kappa is over the formulas of the distribution and of the references, and zero for others. The distance |f - f_k|
    is that of the counts of heavy atoms, summed over elements, and of the rings and double bonds that they leave.

    Args:
        plain: q.
        references: (K, E) counts of elements.
    """

    def __init__(self, plain: FormulaPmf, references: ArrayLike) -> None:
        self.plain, self.elements, self.max_atoms = plain, plain.elements, plain.max_atoms
        given, n = np.unique(np.asarray(references, dtype=np.int64), axis=0, return_counts=True)
        self.table = np.unique(np.concatenate([plain.formulas, given]), axis=0)
        heavy = np.array([symbol != "H" for symbol in self.elements])
        bonds = np.array([VALENCES.get(atomic_number(symbol), 2) - 2 for symbol in self.elements])

        def features(counts: Ints) -> Ints:
            return np.column_stack([counts[:, heavy], counts @ bonds // 2])

        points, weights = features(self.table), np.zeros(len(self.table))
        log_q = plain.log_prob(self.table)
        log_q = np.maximum(log_q, log_q[np.isfinite(log_q)].min())  # a reference may be what q thinks impossible
        for point, times in zip(features(given), n, strict=True):
            log_kappa = log_q / 2 - np.abs(points - point).sum(1) / WIDTH
            kappa = np.exp(log_kappa - log_kappa.max())
            weights += times * kappa / kappa.sum()
        self.share = ALPHA / (ALPHA + n.sum())  # of q
        self.weights = weights / n.sum()
        self._sizes = np.bincount(self.table.sum(1), self.weights, self.max_atoms + 1)
        self._row = {formula: row for row, formula in enumerate(map(tuple, self.table.tolist()))}

    def log_prob(self, counts: ArrayLike) -> Floats:
        """log p(N | R) + log p(formula | N, R), (B,)."""
        counts = np.asarray(counts, dtype=np.int64)
        rows = np.array([self._row.get(formula, -1) for formula in map(tuple, counts.tolist())], dtype=np.int64)
        near = np.where(rows >= 0, self.weights[rows], 0.0)
        return self._mixed(self.plain.log_prob(counts), near)

    def log_prob_size(self, sizes: ArrayLike) -> Floats:
        """log p(N | R), (B,); -inf outside 1 ... max_atoms."""
        sizes = np.asarray(sizes, dtype=np.int64)
        near = np.where((sizes >= 0) & (sizes <= self.max_atoms), self._sizes[np.clip(sizes, 0, self.max_atoms)], 0.0)
        return self._mixed(self.plain.log_prob_size(sizes), near)

    def _mixed(self, log_q: Floats, near: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.logaddexp(np.log(self.share) + log_q, np.log((1 - self.share) * near))

    def sample(self, n: int, rng: np.random.Generator, n_atoms: int | None = None) -> Ints:
        """Draw n formulas, (n, E) counts; of `n_atoms` atoms if that is given, else N ~ p(N | R). Raises SizeError."""
        share, weights = self.share, self.weights
        if n_atoms is not None:
            weights = weights * (self.table.sum(1) == n_atoms)
        if not weights.any():
            return self.plain.sample(n, rng, n_atoms)
        if n_atoms is not None:
            share *= float(np.exp(self.plain.log_prob_size(n_atoms) - self.log_prob_size(n_atoms)))
        counts = self.table[rng.choice(len(weights), size=n, p=weights / weights.sum())]
        from_q = rng.random(n) < share
        counts[from_q] = self.plain.sample(int(from_q.sum()), rng, n_atoms)
        return counts


def smoothed_sizes(counts: NDArray[np.floating], possible: NDArray[np.bool_]) -> Floats:
    """p(N) from counts (S,) of sizes 0 ... S-1: Witten-Bell towards nine tenths of a histogram blurred by 2 atoms."""
    size = np.arange(len(counts))
    blurred = np.exp(-(((size[:, None] - size) / 2.0) ** 2) / 2) @ counts
    blurred, uniform = blurred * possible, possible / possible.sum()
    p = counts + (counts > 0).sum() * (0.9 * blurred / blurred.sum() + 0.1 * uniform)
    return p / p.sum()
