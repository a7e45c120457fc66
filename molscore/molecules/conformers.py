"""Geometries for molecules that come without one: ETKDGv3 distance geometry, then the MMFF94s force field.

References: Wang, Witek, Landrum, Riniker, J. Chem. Inf. Model. 2020, 60, 2044 (ETKDGv3); Halgren,
J. Comput. Chem. 1999, 20, 720 (MMFF94s).
"""

import base64
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from molscore.errors import ConformerError, FragmentError, InputError, MolscoreError, OvertimeError, ParseError
from molscore.molecules.chem import fragments, from_smiles, mol_from_molecule, placed, unlabelled
from molscore.molecules.molecule import Molecule
from molscore.molecules.neighbours import check_geometry, overlap
from molscore.molecules.workers import Crashed, Late, Reply, Workers, shared

__all__ = ["ConformerPool", "answer", "at_minimum", "embed"]

_STEPS_PER_ROUND = 200
_ROUNDS = 10
_SEEDS = 2**30
_LONGEST = 10**6  # seconds that RDKit can count
_PLACE = "molscore_place"
_LARGEST_FORCE = 2.0  # kcal/mol/Å, at what counts as a minimum
_VARIANTS = (("MMFF94s", True), ("MMFF94", True), ("MMFF94s", False))  # without charges: as OMEGA does


def embed(
    smiles_or_mol: str | Chem.Mol, n_conformers: int = 1, seed: int = 0, time_limit: float = 30.0, label: str = ""
) -> list[Molecule]:
    """Up to `n_conformers` geometries with explicit hydrogens, lowest force-field energy first.

    Atoms are in the order given, hydrogens that were left out at the end; the geometry itself depends on the molecule
    alone, not on how its SMILES string is written, and not on atom maps or isotopes. Mirror images have mirrored ones.
    ``properties`` hold ``energy`` (kcal/mol) and ``force_field``: MMFF94s, or UFF for what MMFF94s does not know.
    There are fewer where some fail, or where the time is over before all are relaxed. Raises `ParseError` or
    `TooLargeError` for a bad SMILES string, `FragmentError` for several pieces, `OvertimeError` when no geometry is
    found within `time_limit` seconds, which above 40 atoms or so only `ConformerPool` keeps, else `ConformerError`.
    A molecule without a name is named by its `label` there, else by its SMILES.
    """
    graph = from_smiles(smiles_or_mol) if isinstance(smiles_or_mol, str) else smiles_or_mol
    name = graph.GetProp("_Name") if graph.HasProp("_Name") else ""
    label = name or label or (smiles_or_mol if isinstance(smiles_or_mol, str) else Chem.MolToSmiles(graph))
    if (pieces := fragments(graph)) != 1:
        raise FragmentError(f"{label!r} is in {pieces} pieces: there is no geometry for them together")
    deadline = time.monotonic() + time_limit
    with rdBase.BlockLogs():
        try:
            mol, order, mirror = _canonical(graph)
            found, late = _distance_geometry(mol, n_conformers, seed, time_limit, deadline)
            energies, force_field = _minimise(mol, found, deadline)
            if force_field == "MMFF94s" and not all(_has_bond_lengths(mol, i) for i in found):
                energies, force_field = _minimise(mol, found, deadline, mmff=False)
        except (RuntimeError, ValueError) as error:
            raise ConformerError(f"{label!r}: {' '.join(str(error).split())}") from None
    if not found:
        if late:
            raise OvertimeError(f"{label!r}: no conformer was found within {time_limit:g} s")
        raise ConformerError(f"{label!r}: no conformer fits its bonds and stereochemistry")
    whole = Chem.RenumberAtoms(mol, order)
    sign = -1 if mirror else 1
    made = [
        placed(whole, sign * whole.GetConformer(i).GetPositions(), name, energy=energy, force_field=force_field)
        for energy, i in sorted(zip(energies, found, strict=False))
    ]
    if not (sound := [molecule for molecule in made if not overlap(molecule)]):
        raise ConformerError(f"{label!r}: by {force_field}, atoms {overlap(made[0])}")
    return sound


def _canonical(graph: Chem.Mol) -> tuple[Chem.Mol, list[int], bool]:
    """What every spelling, labelling and mirror image of a molecule is embedded from.

    Atom maps and isotopes are left out, hydrogens are implicit as far as they can be, and of the molecule and its
    mirror image the one whose canonical SMILES comes first is taken. Returns that molecule with hydrogens, where each
    atom of the usual order is in it, and whether it is the mirror image.
    """
    whole = Chem.AddHs(unlabelled(graph))
    for atom in whole.GetAtoms():
        atom.SetIntProp(_PLACE, atom.GetIdx())
    bare = Chem.RemoveHs(whole)
    image = _mirrored(bare)
    texts = Chem.MolToSmiles(bare), Chem.MolToSmiles(image)
    mirror = texts[1] < texts[0]
    mol, written = _parsed(texts[mirror]), _written(image if mirror else bare)
    if mol is None or mol.GetNumAtoms() != len(written):
        return whole, list(range(whole.GetNumAtoms())), False
    places = [bare.GetAtomWithIdx(i).GetIntProp(_PLACE) for i in written]
    order = {place: i for i, place in enumerate(places)}
    mol = Chem.AddHs(mol)
    for place, i in list(order.items()):
        missing = [n.GetIdx() for n in whole.GetAtomWithIdx(place).GetNeighbors() if n.GetIdx() not in order]
        added = [n.GetIdx() for n in mol.GetAtomWithIdx(i).GetNeighbors() if n.GetIdx() >= len(written)]
        order |= dict(zip(sorted(missing), sorted(added), strict=True))
    return mol, [order[place] for place in range(whole.GetNumAtoms())], mirror


def _mirrored(mol: Chem.Mol) -> Chem.Mol:
    """The mirror image of a graph."""
    image = Chem.Mol(mol)
    for atom in image.GetAtoms():
        atom.InvertChirality()
    return image


def _parsed(smiles: str) -> Chem.Mol | None:
    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False
    return Chem.MolFromSmiles(smiles, parameters)


def _written(mol: Chem.Mol) -> list[int]:
    """Atoms in the order in which the SMILES string that was last made of a molecule has them."""
    return list(mol.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"])


def _distance_geometry(
    mol: Chem.Mol, n_conformers: int, seed: int, time_limit: float, deadline: float
) -> tuple[list[int], bool]:
    """Conformer ids of ETKDGv3, and whether time ran out; strained cages succeed only from random coordinates."""
    allowed, late = time_limit / 2, False
    for random_coordinates in (False, True):
        parameters = rdDistGeom.ETKDGv3()
        parameters.randomSeed = _mixed(seed)
        parameters.enableSequentialRandomSeeds = True
        parameters.timeout = max(1, round(min(allowed, _LONGEST)))
        parameters.useRandomCoords = random_coordinates
        found = list(rdDistGeom.EmbedMultipleConfs(mol, n_conformers, parameters))
        late = late or -1 in found  # for which time ran out
        if conformers := [i for i in found if i >= 0]:
            return conformers, late
        allowed = deadline - time.monotonic()
        if allowed <= 0:
            break
    return [], late


def _mixed(seed: int) -> int:
    """A seed for RDKit, which takes multiples of it for further conformers: at 0 they would all be the same."""
    return 1 + int(np.random.SeedSequence(seed % 2**64).generate_state(1)[0]) % _SEEDS


def _has_bond_lengths(mol: Chem.Mol, conformer: int) -> bool:
    """Whether bonds are about as long as they should be: RDKit's MMFF94s makes N2 1.46 Å long."""
    try:
        check_geometry(placed(mol, mol.GetConformer(conformer).GetPositions()))
    except MolscoreError:
        return False
    return True


def _minimise(mol: Chem.Mol, conformers: list[int], deadline: float, mmff: bool = True) -> tuple[list[float], str]:
    """Relax the conformers in place; energies in kcal/mol and the name of the force field.

    Once the time is over no further one is begun, so that there can be fewer energies than conformers.
    """
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94s") if mmff else None
    energies = []
    for conformer in conformers:
        if energies and time.monotonic() > deadline:
            break
        if properties is not None:
            field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties, confId=conformer)
        else:
            field = rdForceFieldHelpers.UFFGetMoleculeForceField(mol, confId=conformer)
        for _ in range(_ROUNDS):
            if not field.Minimize(maxIts=_STEPS_PER_ROUND) or time.monotonic() > deadline:
                break
        energies.append(field.CalcEnergy())
    return energies, "MMFF94s" if properties is not None else "UFF"


def answer(smiles: str, graph: str | None, n_conformers: int, seed: int, time_limit: float) -> dict[str, Any]:
    """What a worker process says of a SMILES string, or of its `graph` in RDKit's binary form as base64: what its
    conformers share, and of each its positions (N, 3) Å."""
    parsed = smiles if graph is None else Chem.Mol(base64.b64decode(graph))
    found = embed(parsed, n_conformers, seed, time_limit, label=smiles)
    shared = {name: getattr(found[0], name) for name in ("name", "charge", "unpaired")}
    conformers = [{"positions": m.positions.tolist(), "properties": m.properties} for m in found]
    return {"shared": {"numbers": found[0].numbers.tolist(), **shared}, "conformers": conformers}


def _packed(graph: Chem.Mol) -> str:
    return base64.b64encode(graph.ToBinary(Chem.PropertyPickleOptions.AllProps)).decode()


def at_minimum(molecule: Molecule) -> bool:
    """Whether a geometry is a minimum of MMFF94 or a variant of it; False where no bonds fit it.

    The root mean square of the force on a coordinate tells: 0 for conformers of RDKit, at most 1.8 kcal/mol/Å with
    positions rounded to 0.001 Å, and above 3.3 for 99 % of the B3LYP geometries of QM9.
    """
    try:
        return _least_force(mol_from_molecule(molecule, max_iterations=1000, time_limit=1.0)) < _LARGEST_FORCE
    except ParseError:
        return False


def _least_force(mol: Chem.Mol) -> float:
    """Root mean square force on a coordinate in kcal/mol/Å, of the variant where it is least; inf for unknown atoms."""
    least = float("inf")
    with rdBase.BlockLogs():
        for variant, charges in _VARIANTS:
            properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant=variant)
            if properties is None:
                return least
            properties.SetMMFFEleTerm(charges)
            field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
            least = min(least, float(np.sqrt(np.mean(np.square(field.CalcGrad())))))
    return least


class ConformerPool(AbstractContextManager):
    """`embed` in worker processes, started when first needed and stopped on `close` or at the end of a ``with`` block.

    Args:
        workers: number of processes; None is the one that all such pools share and none stops.
        seed: of the geometries; the same seed gives the geometries of `embed`.
        time_limit: seconds a molecule. A process that overstays twice that is killed, and started again.
        conformers: of each molecule.
    """

    def __init__(
        self, workers: int | None = None, seed: int = 0, time_limit: float = 30.0, conformers: int = 1
    ) -> None:
        if (workers is not None and workers < 1) or not time_limit > 0 or conformers < 1:
            raise InputError(
                "a pool needs a worker, a time limit above zero and a conformer at least, "
                f"not {workers}, {time_limit} and {conformers}"
            )
        self.workers, self.seed, self.time_limit, self.conformers = workers, seed, time_limit, conformers
        self._workers = shared(__name__) if workers is None else Workers(__name__, workers)

    def embed(
        self,
        smiles: Sequence[str],
        graphs: Sequence[Chem.Mol] | None = None,
        progress: Callable[[], object] = lambda: None,
    ) -> list[list[Molecule] | MolscoreError]:
        """Geometries as `embed` gives them, or why there are none, for each SMILES string, in order; with the `graphs`
        of the strings, where they have been parsed, they are not parsed again."""
        options = {"n_conformers": self.conformers, "seed": self.seed, "time_limit": self.time_limit}
        parsed = [None] * len(smiles) if graphs is None else map(_packed, graphs)
        requests = [{"smiles": s, "graph": graph, **options} for s, graph in zip(smiles, parsed, strict=True)]
        replies = self._workers.map(requests, 2 * self.time_limit, progress)
        return [self._molecules(text, reply) for text, reply in zip(smiles, replies, strict=True)]

    def _molecules(self, smiles: str, reply: Reply) -> list[Molecule] | MolscoreError:
        match reply:
            case Late():
                return OvertimeError(f"{smiles!r}: no conformer was found within {self.time_limit:g} s")
            case Crashed():
                return ConformerError(f"{smiles!r}: RDKit crashed")
            case MolscoreError():
                return reply
        return [Molecule(**reply["shared"], **conformer) for conformer in reply["conformers"]]

    def close(self) -> None:
        """Stop the processes; a later call starts them again."""
        if self.workers is not None:
            self._workers.close()

    def __exit__(self, *_: object) -> None:
        self.close()
