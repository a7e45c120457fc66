"""Pictures of molecules, SVG or PNG: one, a grid, and one with a weight on every atom."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdCoordGen, rdDepictor, rdMolDescriptors

from molscore.errors import InputError, MolscoreError, OutputError
from molscore.molecules.atomic import replacing
from molscore.molecules.chem import from_smiles, mol_from_molecule, without_hydrogens
from molscore.molecules.molecule import Molecule

__all__ = ["collisions", "depict", "draw_grid", "draw_weights", "svg_of", "weights_picture"]

_RED, _BLUE = np.array([0.85, 0.25, 0.2]), np.array([0.2, 0.4, 0.85])
_SIZE, _LEGEND_LINE = (480, 400), 22  # pixels: of one molecule with weights, of a line under it
_TOO_NEAR = 0.3  # mean bond lengths between an atom and another, or a bond that is not its own


def draw_grid(
    mols: Sequence[Molecule | Chem.Mol | str],
    legends: Sequence[str],
    path: str | Path,
    per_row: int = 5,
    cell: tuple[int, int] = (240, 220),
) -> None:
    """Molecules (or RDKit molecules, or SMILES) side by side, `cell` pixels each, a legend of one or more lines under
    each; SVG by suffix, else PNG.

    A molecule without readable bonds is shown as a note that says so. Raises `OutputError` when the picture
    cannot be drawn or written.
    """
    if not mols or len(legends) != len(mols):
        raise InputError(f"{len(legends)} legends do not go with {len(mols)} molecules")
    graphs = [_flat(mol) for mol in mols]
    columns = min(per_row, len(graphs))
    rows = -(-len(graphs) // columns)
    texts = ["\n".join(" ".join(line.split()) for line in str(legend).splitlines()) for legend in legends]
    canvas = _canvas(_kind(path), columns * cell[0], rows * cell[1], cell)
    canvas.drawOptions().legendFraction = max(1 + text.count("\n") for text in texts) * _LEGEND_LINE / cell[1]
    with rdBase.BlockLogs():
        canvas.DrawMolecules(graphs, legends=texts)
    _save(_finished(canvas), path)


def svg_of(mol: Molecule | Chem.Mol | str, size: tuple[int, int] = (240, 180)) -> str:
    """One molecule as an SVG element to put into a page, on no background, `size` pixels."""
    canvas = _canvas("svg", *size, size)
    canvas.drawOptions().clearBackground = False
    with rdBase.BlockLogs():
        canvas.DrawMolecule(_flat(mol))
    picture = _finished(canvas).decode()
    return picture[picture.index("<svg") :]  # without the XML declaration


Molecule._repr_svg_ = svg_of
"""How notebooks show a molecule; the package imports this module in one."""


def draw_weights(
    mol: Molecule | Chem.Mol | str, weights: ArrayLike, path: str | Path, legend: str = "", full: float | None = None
) -> None:
    """Write `weights_picture`, SVG by suffix, else PNG; raises as it does, and `OutputError`."""
    _save(weights_picture(mol, weights, _kind(path), legend, full), path)


def weights_picture(
    mol: Molecule | Chem.Mol | str, weights: ArrayLike, kind: str, legend: str = "", full: float | None = None
) -> bytes:
    """One molecule, atoms numbered and coloured by weight: red above zero, blue below, white at zero.

    `weights` has one value an atom, in the order of `mol`, which the numbers are of; those of hydrogens that are not
    drawn are added to their neighbour. `full` is the weight from which on a colour is full; None takes the largest of
    this molecule. Raises `InputError` for another number of weights, `ParseError` when no bonds can be read.
    """
    graph = _graph(mol)
    values = np.array(weights, dtype=np.float64)
    if values.shape != (graph.GetNumAtoms(),) or not np.isfinite(values).all():
        raise InputError(f"weights of shape {values.shape} are not {graph.GetNumAtoms()} finite numbers, one an atom")
    for atom in graph.GetAtoms():
        atom.SetProp("atomNote", str(atom.GetIdx()))
    flat = _flat(graph)
    drawn = [int(atom.GetProp("atomNote")) for atom in flat.GetAtoms()]
    for hidden in set(range(len(values))) - set(drawn):
        values[graph.GetAtomWithIdx(hidden).GetNeighbors()[0].GetIdx()] += values[hidden]
    kept = values[drawn]
    shades = np.clip(kept / (full or max(np.abs(kept).max(initial=0.0), 1e-12)), -1.0, 1.0)
    colours = {i: tuple((1 + abs(s) * ((_RED if s > 0 else _BLUE) - 1)).tolist()) for i, s in enumerate(shades)}
    canvas = _canvas(kind, *_SIZE, _SIZE)
    options = canvas.drawOptions()
    options.continuousHighlight = False
    options.fillHighlights = True
    options.legendFraction = (1 + legend.count("\n")) * _LEGEND_LINE / _SIZE[1]
    canvas.DrawMolecule(
        flat,
        legend=legend,
        highlightAtoms=list(colours),
        highlightAtomColors=colours,
        highlightAtomRadii=dict.fromkeys(colours, 0.45),
        highlightBonds=[],
    )
    return _finished(canvas)


def _graph(mol: Molecule | Chem.Mol | str) -> Chem.Mol:
    """A graph of our own to draw on; a molecule that knows its bonds (`mol`) lends them."""
    if isinstance(mol, Molecule):
        known = getattr(mol, "mol", None)
        return mol_from_molecule(mol) if known is None else Chem.Mol(known)
    return from_smiles(mol) if isinstance(mol, str) else Chem.Mol(mol)


def _flat(mol: Molecule | Chem.Mol | str) -> Chem.Mol:
    """Layout in the plane; a note in its place when there is no graph."""
    try:
        return depict(_graph(mol))
    except (MolscoreError, RuntimeError, ValueError):
        note = Chem.MolFromSmiles("*")
        note.GetAtomWithIdx(0).SetProp("atomLabel", "no bonds")
        return depict(note)


def _kind(path: str | Path) -> str:
    return "svg" if Path(path).suffix.lower() == ".svg" else "png"


def _canvas(kind: str, width: int, height: int, cell: tuple[int, int]) -> Any:
    """RDKit's canvas, which needs the system's X11 client libraries though no display."""
    try:
        from rdkit.Chem.Draw import rdMolDraw2D
    except ImportError as error:
        raise OutputError(f"no pictures without the system libraries libX11 and libXrender ({error})") from None
    canvas = {"svg": rdMolDraw2D.MolDraw2DSVG, "png": rdMolDraw2D.MolDraw2DCairo}[kind](width, height, *cell)
    canvas.drawOptions().legendFontSize = 14
    canvas.drawOptions().prepareMolsBeforeDrawing = False  # `depict` has done it, and hydrogens stay where it put them
    return canvas


def _finished(canvas: Any) -> bytes:
    canvas.FinishDrawing()
    drawn = canvas.GetDrawingText()
    return drawn.encode() if isinstance(drawn, str) else drawn


def _save(picture: bytes, path: str | Path) -> None:
    with replacing(path) as fresh:
        fresh.write_bytes(picture)


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
