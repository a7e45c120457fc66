"""Flat layouts of molecules as people draw them: hydrogens on heteroatoms only, atoms that do not lie on each other."""

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdCoordGen, rdDepictor, rdMolDescriptors

__all__ = ["collisions", "depict", "without_hydrogens"]

_TOO_NEAR = 0.3  # mean bond lengths between an atom and another, or a bond that is not its own


def depict(mol: Chem.Mol) -> Chem.Mol:
    """The molecule without drawn hydrogens, with a 2D conformer and wedges; atoms keep their order and properties.

    RDKit's own layout (ring systems from templates) is kept unless atoms or bonds collide in it, as they do in many
    cages; then CoordGen's is taken if it has fewer collisions.
    """
    with rdBase.BlockLogs():
        flat = without_hydrogens(mol)
        rdDepictor.Compute2DCoords(flat, useRingTemplates=True)
        if collisions(flat)[0]:
            other = Chem.Mol(flat)
            rdCoordGen.AddCoords(other)
            flat = min(flat, other, key=collisions)
        Chem.Kekulize(flat, clearAromaticFlags=True)
        _forget_cages(flat)
        Chem.WedgeMolBonds(flat, flat.GetConformer())
    return flat


def without_hydrogens(mol: Chem.Mol) -> Chem.Mol:
    """The graph with every hydrogen implicit that can be, those that hold a double bond's stereo included."""
    rules = Chem.RemoveHsParameters()
    rules.removeDefiningBondStereo = True
    return Chem.RemoveHs(mol, rules)


def _forget_cages(flat: Chem.Mol) -> None:
    """Take the configuration off atoms where rings fuse to a cage, which dictates it: nobody draws wedges there."""
    rings, bridgeheads = flat.GetRingInfo(), []
    rdMolDescriptors.CalcNumBridgeheadAtoms(flat, bridgeheads)
    for atom in flat.GetAtoms():
        if atom.GetIdx() in bridgeheads or rings.NumAtomRings(atom.GetIdx()) > 2:
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)


def collisions(flat: Chem.Mol) -> tuple[int, int]:
    """How many atoms lie on another atom or on a bond of others, and how many bonds cross, in a 2D conformer."""
    points = flat.GetConformer().GetPositions()[:, :2]
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in flat.GetBonds()]).reshape(-1, 2)
    if len(bonds) < 2:
        return 0, 0
    start, end = points[bonds[:, 0]], points[bonds[:, 1]]
    along = end - start
    near = _TOO_NEAR * np.linalg.norm(along, axis=1).mean()
    foreign = (np.arange(len(points))[:, None, None] != bonds).all(-1)  # (atoms, bonds)
    offset = points[:, None] - start
    place = np.clip((offset * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12), 0, 1)
    apart = np.linalg.norm(offset - place[..., None] * along, axis=-1)
    on_others = int((foreign & (apart < near)).any(axis=1).sum())
    side = _side(start[:, None], end[:, None], start) * _side(start[:, None], end[:, None], end)
    apart_bonds = (bonds[:, None, :, None] != bonds[None, :, None, :]).all((-1, -2))
    return on_others, int((apart_bonds & (side < 0) & (side.T < 0)).sum()) // 2


def _side(a: NDArray[np.float64], b: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """On which side of the line from a to b a point p lies, by its sign."""
    u, v = b - a, p - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
