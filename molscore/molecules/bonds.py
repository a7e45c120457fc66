"""Bonds of a geometry, and what real molecules hardly have although their bonds fit.

Bonds are found by RDKit in a process of its own, so that no molecule can hang or crash the caller. Its search for bond
orders can run for ever (rdkit issues 7922 and 9227), so it is bounded twice: by a number of iterations, which gives the
same answer on every machine, and by a time limit after which the process is killed.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from molscore.errors import MolscoreError, ParseError
from molscore.molecules.molecule import Molecule
from molscore.molecules.resonance import Resonance, charges_of, order_of, pairs_of
from molscore.molecules.workers import Crashed, Late, shared

__all__ = ["ASKED", "Bonds", "answer", "bare_mol", "doubts", "perceive_bonds", "separated_charges"]

# Tightest first: a generous factor joins atoms across small rings, a tight one loses a stretched bond and leaves
# fragments. 1.3 and connect-the-dots (None) are RDKit's own defaults.
_COVALENT_FACTORS = (1.15, 1.2, 1.25, 1.3, None)


SMALLEST = 8  # atoms of a ring that holds a linear atom: cyclooctyne is the smallest cycloalkyne that can be kept
CLASH = 1.3  # Å between atoms that are not bonded; those of QM9 are 1.49 Å apart and more
CLASH_FAR = 1.3  # sums of covalent radii between atoms three bonds or more apart

ASKED = {
    "charges": "only next to the opposite charge, as in nitro groups",
    "hypervalent": "double bonds of hypervalent S and P to O, N or S",
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
    bonds = [(*pair, order_of(mol, pair)) for pair in pairs_of(mol)]
    return {"bonds": bonds, "charges": charges_of(mol)}


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
        pairs = tuple(pairs_of(mol))
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
    pairs = pairs_of(mol)
    for pair in pairs:
        mol.RemoveBond(*pair)
    for pair in pairs:
        mol.AddBond(*pair, Chem.BondType.SINGLE)
    rdDetermineBonds.DetermineBondOrders(mol, charge=0, embedChiral=False, maxIterations=max_iterations)
    if any(charges_of(mol)):
        Resonance(mol).settle()
    return Chem.RWMol(Chem.RenumberAtoms(mol, np.argsort(order).tolist()))


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
    and 3 for a clash (bonds that perception misses); of 1,848 of the PDB's ligands 12, 3 and 4. Of the SMILES of 37,040
    ligands 22 are hypervalent, of 100,000 lead-like ones none.
    """
    found = {
        "charges": " ".join(separated_charges(mol)),
        "hypervalent": _hypervalent(mol),
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


def _hypervalent(mol: Chem.Mol) -> str:
    """The first double bond of a neutral S or P beyond its lowest valence to another element than O, N and S, in words.

    Sulfones and phosphates have none. C=S=C and C=[SH] are how a geometry with a hydrogen too few or misplaced is read.
    """
    for atom in mol.GetAtoms():
        lowest = {"P": 3, "S": 2}.get(atom.GetSymbol())
        if lowest and not atom.GetFormalCharge() and atom.GetTotalValence() > lowest:
            for bond in atom.GetBonds():
                other = bond.GetOtherAtom(atom).GetSymbol()
                if bond.GetBondType() == Chem.BondType.DOUBLE and other not in ("O", "N", "S"):
                    return f"{atom.GetSymbol()} of valence {atom.GetTotalValence()} with a double bond to {other}"
    return ""


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
