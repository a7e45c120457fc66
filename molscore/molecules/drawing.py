"""Pictures of molecules, SVG by suffix, else PNG: a grid, and one molecule with a weight on every atom."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

from molscore.errors import InputError, MolscoreError, OutputError
from molscore.molecules.atomic import replacing
from molscore.molecules.chem import from_smiles, mol_from_molecule
from molscore.molecules.molecule import Molecule

__all__ = ["draw_grid", "draw_weights"]

_RED, _BLUE = np.array([0.85, 0.25, 0.2]), np.array([0.2, 0.4, 0.85])


def draw_grid(
    mols: Sequence[Molecule | Chem.Mol | str],
    legends: Sequence[str],
    path: str | Path,
    per_row: int = 5,
    cell: tuple[int, int] = (240, 220),
) -> None:
    """Molecules (or RDKit molecules, or SMILES) side by side, `cell` pixels each, a legend under each.

    A molecule without readable bonds is shown as a note that says so. Raises `OutputError` when the picture
    cannot be drawn or written.
    """
    if not mols or len(legends) != len(mols):
        raise InputError(f"{len(legends)} legends do not go with {len(mols)} molecules")
    graphs = [_flat(mol) for mol in mols]
    columns = min(per_row, len(graphs))
    rows = -(-len(graphs) // columns)
    canvas = _canvas(path, columns * cell[0], rows * cell[1], cell)
    with rdBase.BlockLogs():
        canvas.DrawMolecules(graphs, legends=[" ".join(str(legend).split()) for legend in legends])
    _save(canvas, path)


def draw_weights(
    mol: Molecule | Chem.Mol | str,
    weights: ArrayLike,
    path: str | Path,
    legend: str = "",
    size: tuple[int, int] = (480, 400),
    full: float | None = None,
) -> None:
    """One molecule with atoms coloured by weight: red above zero, blue below, white at zero.

    `weights` has one value an atom, in the order of `mol`; those of hydrogens that are not drawn are added to their
    neighbour. `full` is the weight from which on a colour is full; None takes the largest of this molecule.
    Raises `InputError` for another number of weights, `ParseError` when no bonds can be read.
    """
    graph = _graph(mol)
    values = np.array(weights, dtype=np.float64)
    if values.shape != (graph.GetNumAtoms(),) or not np.isfinite(values).all():
        raise InputError(f"weights of shape {values.shape} are not {graph.GetNumAtoms()} finite numbers, one an atom")
    for atom in graph.GetAtoms():
        atom.SetIntProp("index", atom.GetIdx())
    flat = _flat(graph)
    drawn = [atom.GetIntProp("index") for atom in flat.GetAtoms()]
    for hidden in set(range(len(values))) - set(drawn):
        values[graph.GetAtomWithIdx(hidden).GetNeighbors()[0].GetIdx()] += values[hidden]
    kept = values[drawn]
    shades = np.clip(kept / (full or max(np.abs(kept).max(initial=0.0), 1e-12)), -1.0, 1.0)
    colours = {i: tuple((1 + abs(s) * ((_RED if s > 0 else _BLUE) - 1)).tolist()) for i, s in enumerate(shades)}
    canvas = _canvas(path, *size, size)
    canvas.drawOptions().continuousHighlight = False
    canvas.drawOptions().fillHighlights = True
    canvas.DrawMolecule(
        flat,
        legend=legend,
        highlightAtoms=list(colours),
        highlightAtomColors=colours,
        highlightAtomRadii=dict.fromkeys(colours, 0.45),
        highlightBonds=[],
    )
    _save(canvas, path)


def _graph(mol: Molecule | Chem.Mol | str) -> Chem.Mol:
    """A graph of our own to draw on."""
    if isinstance(mol, Molecule):
        return mol_from_molecule(mol)
    return from_smiles(mol) if isinstance(mol, str) else Chem.Mol(mol)


def _flat(mol: Molecule | Chem.Mol | str) -> Chem.Mol:
    """Graph with hydrogens implicit and positions in the plane; a note in its place when there is no such graph."""
    with rdBase.BlockLogs():
        try:
            flat = Chem.RemoveHs(_graph(mol))
        except (MolscoreError, RuntimeError, ValueError):
            flat = Chem.MolFromSmiles("*")
            flat.GetAtomWithIdx(0).SetProp("atomLabel", "no bonds")
        rdDepictor.Compute2DCoords(flat)
    return flat


def _canvas(path: str | Path, width: int, height: int, cell: tuple[int, int]) -> Any:
    """RDKit's canvas for a file, which needs the system's X11 client libraries though no display."""
    try:
        from rdkit.Chem.Draw import rdMolDraw2D
    except ImportError as error:
        raise OutputError(f"no pictures without the system libraries libX11 and libXrender ({error})") from None
    kind = rdMolDraw2D.MolDraw2DSVG if Path(path).suffix.lower() == ".svg" else rdMolDraw2D.MolDraw2DCairo
    canvas = kind(width, height, *cell)
    canvas.drawOptions().legendFontSize = 14
    return canvas


def _save(canvas: Any, path: str | Path) -> None:
    canvas.FinishDrawing()
    drawn = canvas.GetDrawingText()
    with replacing(path) as fresh:
        fresh.write_bytes(drawn.encode() if isinstance(drawn, str) else drawn)
