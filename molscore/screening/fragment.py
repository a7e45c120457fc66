"""`Fragment`: atoms that stay where they are while the rest of a molecule is drawn around them.

Given the clean fragment x_f, its noisy copy is independent of everything else, so its share of the score is exact,
(x_f - y_f)/sigma^2. The rest follows the model's score where the network is shown the fragment as it is: noised to the
level like all else, as in Song et al. 2021 (arXiv 2011.13456, appendix I.2), it is recognised too late, and half as
many draws have bonds that fit. Where the fragment lies in the molecule, which is centred, the network's own guess says.
Several pieces are one fragment: what is drawn then links them.

At much noise the network takes all atoms for alike, and the rest would settle inside the fragment. So the rest begins
at 1 Å of noise, outside of it, about where bonds are missing (2 draws in 100 fit otherwise, and 40 so), and what does
not fit by 0.25 Å begins again.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from torch import Tensor

from molscore.arguments import with_type
from molscore.diffusion.gaussian import centred_noise
from molscore.diffusion.sampling import ScoreFn, denoised, score_of
from molscore.errors import FormulaError, InputError, ParseError
from molscore.molecules.chem import from_smiles
from molscore.molecules.conformers import embed
from molscore.molecules.elements import SYMBOLS, atomic_number
from molscore.molecules.files import read
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import VALENCES, open_valences
from molscore.screening.predictor import Predictor

__all__ = ["Fragment", "fixed_atoms"]

MOST_TRIES = 2**20  # formulas drawn to find those that contain a fragment
REACHES = 1.4, 0.1  # Å: from an open valence to the middle of what grows there, and more for each atom; QM9's are so
SPARE = 0.2  # bonds that an atom lacks by distances: of QM9's 95 in 100 lack less, without one hydrogen 1 in 200
SPREAD = 0.3  # Å: deviation of its atoms from there, times the root of their number

Stars = Sequence[tuple[int, NDArray[np.float64]]]
"""Of each ``*``: the atom that it is bonded to, and where it lies, Å."""


class Fragment(NamedTuple):
    """Atoms that stay."""

    numbers: NDArray[np.int64]  # (k,) atomic numbers
    positions: NDArray[np.float64]  # (k, 3) Å
    missing: NDArray[np.float64]  # (k,) bonds that each lacks
    outward: NDArray[np.float64]  # (k, 3) where the first of these points to, of length one
    released: float = 0.0  # Å of noise below which they are free; 0 for never

    @classmethod
    def of(cls, given: Any) -> "Fragment":
        """From a file, a SMILES string, or a `Molecule` or several, whose atoms keep their places towards each other.

        All atoms of an SDF or XYZ file stay, hydrogens too if it has them. A SMILES string gets a geometry, of which
        its heavy atoms stay; with ``*`` where it is to grow, its hydrogens as well. Bonds are missing where distances
        say so, and at each ``*`` of a SMILES string or an SDF file. Raises `InputError` for what has no atoms or no
        geometry, a net charge, or no bond to spare, so that nothing can grow.
        """
        if isinstance(given, (str, Path)):
            path = Path(given)
            pieces = _of_file(path) if path.suffix in (".sdf", ".mol", ".xyz") else [_of_smiles(str(given))]
        else:
            molecules = [given] if isinstance(given, Molecule) or not isinstance(given, Iterable) else given
            pieces = [_Piece(molecule) for molecule in molecules]
        for piece in pieces:
            if not isinstance(piece.molecule, Molecule):
                wanted = "a file .sdf, .mol or .xyz, a SMILES string, or a Molecule or several"
                raise InputError(f"a fragment is {wanted}, not {with_type(piece.molecule)}")
            _check_growth(piece)
        if not pieces or not all(np.isfinite(piece.molecule.positions).all() for piece in pieces):
            raise InputError("a fragment has at least one atom, and each has a place")
        numbers, positions = (
            np.concatenate([getattr(piece.molecule, part) for piece in pieces]) for part in ("numbers", "positions")
        )
        first = np.cumsum([0] + [piece.molecule.n_atoms for piece in pieces])
        stars = [(k + atom, place) for k, piece in zip(first, pieces, strict=False) for atom, place in piece.stars]
        return cls.lacking(Molecule(numbers, positions), stars)

    @classmethod
    def lacking(cls, molecule: Molecule, stars: Stars = (), released: float = 0.0) -> "Fragment":
        """All atoms of a molecule, which lacks bonds where distances say so and towards each of the `stars`."""
        missing, outward = open_valences(molecule)
        for atom in {atom for atom, _ in stars}:
            towards = np.array([place - molecule.positions[atom] for at, place in stars if at == atom])
            mean = (towards / np.linalg.norm(towards, axis=1, keepdims=True)).sum(0)
            missing[atom] = max(missing[atom], len(towards))
            outward[atom] = mean / max(np.linalg.norm(mean), 1e-9)
        return cls(molecule.numbers.astype(np.int64), molecule.positions.astype(np.float64), missing, outward, released)

    def rest_of(self, model: Predictor, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Element counts (n, E) without the fragment's; `FormulaError` where a formula lacks some of them."""
        elements = model.distribution.elements
        if foreign := sorted({SYMBOLS[z] for z in self.numbers.tolist()} - set(elements)):
            raise InputError(f"the fragment has {', '.join(foreign)}, which {model.distribution.name} has not")
        mine = np.array([(np.array(SYMBOLS)[self.numbers] == symbol).sum() for symbol in elements])
        rest = counts - mine
        if (rest < 0).any() or not rest.any(1).all():
            raise FormulaError("a formula must have the atoms of the fragment, and one more at least")
        return rest

    def draw_formulas(self, model: Predictor, n: int, seed: int, n_atoms: int | None) -> NDArray[np.int64]:
        """Element counts (n, E) from p(formula | it has the atoms of the fragment and more), by rejection.

        And at least as many rings and double bonds: hydrogens would be added to an aromatic ring otherwise.
        """
        free = np.array([VALENCES[atomic_number(symbol)] - 2 for symbol in model.distribution.elements])
        rng, found, n_found = np.random.default_rng(seed), [], 0
        for _ in range(MOST_TRIES // 2**14):
            counts = np.asarray(model.composition.sample(2**14, rng, n_atoms))
            mine = self.rest_of(model, np.full((1, counts.shape[1]), 2 * model.max_atoms))[0] - 2 * model.max_atoms
            fits = ((counts + mine) >= 0).all(1) & ((counts + mine).sum(1) > 0)
            fits &= 1 + counts @ free / 2 >= self.unsaturation
            found.append(counts[fits])
            n_found += int(fits.sum())
            if n_found >= n:
                return np.concatenate(found)[:n]
        raise InputError(
            f"of {MOST_TRIES:,} formulas of {model.distribution.name} {n_found} have the atoms of the fragment; "
            "give --formula or --n-atoms, or a smaller fragment"
        )

    @property
    def unsaturation(self) -> int:
        """Rings and double bonds that a molecule with these atoms has at least, by the bonds that they lack."""
        free = sum(VALENCES[int(z)] - 2 for z in self.numbers)
        return int(1 + np.floor((free - self.missing.round().sum()) / 2))

    def surrounded(self, mask: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
        """Centred positions (B, N, 3) at noise level `sigma`: the fragment first, the rest about its open valences.

        mask (B, N): which atoms are real. A fragment that lacks no bond has the rest around all of its atoms.
        """
        k = len(self.numbers)
        sites = np.flatnonzero(self.missing > 0.5) if (self.missing > 0.5).any() else np.arange(k)
        atoms = (mask.sum(1, keepdim=True) - k) / len(sites)  # at each, about
        positions, directions = (torch.from_numpy(a).to(mask.device).float() for a in (self.positions, self.outward))
        at = torch.from_numpy(sites).to(mask.device)[
            torch.randint(len(sites), (len(mask), mask.shape[1] - k), generator=generator, device=mask.device)
        ]
        rest = positions[at] + (REACHES[0] + REACHES[1] * atoms)[..., None] * directions[at]
        clean = torch.cat([positions.expand(len(mask), -1, -1), rest], dim=1)
        width = (sigma**2 + SPREAD**2 * atoms).sqrt().expand(-1, rest.shape[1])
        width = torch.cat([torch.full_like(width[:, :1], sigma).expand(-1, k), width], dim=1)[..., None]
        real = mask[..., None].float()
        y = (clean + width * centred_noise(mask, generator)) * real
        return (y - y.sum(1, keepdim=True) / real.sum(1, keepdim=True)) * real

    def put_back(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (N, 3), of which the first k are the fragment's, moved to where it was given."""
        if self.released:
            return positions
        k = len(self.numbers)
        moved = positions + (self.positions - positions[:k]).mean(0)
        moved[:k] = self.positions
        return moved


class _Piece(NamedTuple):
    """What is given: atoms that stay, and where more are to be attached."""

    molecule: Molecule
    stars: Stars = ()


def fixed_atoms(score_fn: ScoreFn, positions: Tensor, released: float = 0.0) -> ScoreFn:
    """The score given that the first k atoms lie, towards each other, as `positions` (k, 3) say.

    At noise below `released` in Å it is the score as it was.
    """
    shape, k = positions - positions.mean(0), len(positions)

    def given(y: Tensor, sigma: Tensor) -> Tensor:
        if released and float(sigma.max()) < released:
            return score_fn(y, sigma)
        held = shape.to(y) + y[:, :k].mean(1, keepdim=True)
        shown = torch.cat([held, y[:, k:]], dim=1)
        D = denoised(shown, sigma, score_fn(shown, sigma))
        return score_of(y, sigma, torch.cat([shape.to(y) + D[:, :k].mean(1, keepdim=True), D[:, k:]], dim=1))

    return given


def _check_growth(piece: _Piece) -> None:
    """Raise `InputError` for a charge, which no molecule here has, and for a fragment that nothing can be bonded to."""
    fragment = piece.molecule
    label = fragment.label.replace("molecule", "fragment", 1)
    if fragment.charge:
        raise InputError(
            f"{label} has a net charge of {fragment.charge:+d}, and molecules that are drawn have none: give its "
            "neutral form"
        )
    if fragment.n_atoms and not piece.stars and not (open_valences(fragment)[0] > SPARE).any():
        raise InputError(
            f"{label} has no bond to spare, so that nothing can be attached: leave out the hydrogens, or another atom, "
            "where it is to grow, or put * there; at sulfur and phosphorus beyond two and three bonds it takes the *"
        )


def _of_file(path: Path) -> list[_Piece]:
    if not path.is_file():
        raise InputError(f"{path} is not there")
    if path.suffix == ".xyz":
        records = list(read(path))
        if bad := next((record for record in records if record.molecule is None), None):
            raise InputError(f"{path}: {bad.error}")
        return [_Piece(record.molecule) for record in records]
    mols = list(Chem.SDMolSupplier(str(path), sanitize=False, removeHs=False))
    if not mols or any(mol is None or not mol.GetNumConformers() for mol in mols):
        raise InputError(f"{path}: a fragment file holds molecules with a geometry")
    return [_of_mol(mol, str(path)) for mol in mols]


def _of_mol(mol: Chem.Mol, label: str) -> _Piece:
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    positions = mol.GetConformer().GetPositions()
    return _piece(numbers, positions, numbers > 0, _stars(mol), label, Chem.GetFormalCharge(mol))


def _of_smiles(smiles: str) -> _Piece:
    try:
        mol = Chem.MolFromSmiles(smiles) if "*" in smiles else from_smiles(smiles)
    except ParseError:
        mol = None
    if mol is None:
        raise InputError(f"fragment {smiles!r} is neither a file .sdf, .mol or .xyz nor a SMILES string")
    if len(Chem.GetMolFrags(mol)) > 1:
        raise InputError(f"fragment {smiles!r} is in pieces, and does not say how they lie: give them as a file .sdf")
    if any(_bonds_of(atom) != [Chem.BondType.SINGLE] for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0):
        raise InputError(f"fragment {smiles!r}: each * stands where one single bond leads to what grows")
    stars = _stars(mol)
    for star, _ in stars:
        mol.GetAtomWithIdx(star).SetAtomicNum(6)  # as what grows there most often, and known to the force field
    Chem.SanitizeMol(mol)
    mol = Chem.AddHs(mol)
    whole = embed(mol, label=smiles)[0]
    stays = np.ones(whole.n_atoms, dtype=bool) if stars else whole.numbers > 1
    for star, atom in stars:
        stays[[star, *(a.GetIdx() for a in mol.GetAtomWithIdx(star).GetNeighbors() if a.GetIdx() != atom)]] = False
    return _piece(whole.numbers, whole.positions, stays, stars, smiles, Chem.GetFormalCharge(mol))


def _stars(mol: Chem.Mol) -> list[tuple[int, int]]:
    """Of each dummy atom that is bonded to a real one: its index, and that one's."""
    dummies = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
    return [(star.GetIdx(), a.GetIdx()) for star in dummies for a in star.GetNeighbors() if a.GetAtomicNum() > 0]


def _bonds_of(star: Chem.Atom) -> list[Chem.BondType]:
    """Of a dummy atom to real ones."""
    return [bond.GetBondType() for bond in star.GetBonds() if bond.GetOtherAtom(star).GetAtomicNum() > 0]


def _piece(
    numbers: NDArray[np.int64],
    positions: NDArray[np.float64],
    stays: NDArray[np.bool_],
    stars: list[tuple[int, int]],
    label: str,
    charge: int,
) -> _Piece:
    """The atoms that stay, and the stars that are bonded to them."""
    place = np.cumsum(stays) - 1
    molecule = Molecule(numbers[stays], positions[stays], label, charge=charge)
    return _Piece(molecule, [(int(place[atom]), positions[star]) for star, atom in stars])
