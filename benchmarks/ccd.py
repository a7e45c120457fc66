"""Real molecules from outside QM9: the PDB's Chemical Component Dictionary, out of the package `biotite`.

    pip install biotite
    python -m benchmarks.ccd -o data/ccd.parquet
    molscore audit --outside data/ccd.parquet --part usefulness

Ideal coordinates of mixed origin (force fields mostly, no quantum chemistry). The dictionary is in the public domain
(Westbrook et al. 2015, doi:10.1093/bioinformatics/btu789).
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from molscore.errors import MolscoreError
from molscore.molecules.elements import atomic_number
from molscore.molecules.files import write
from molscore.molecules.molecule import Molecule

__all__ = ["components", "neutral_molecules"]

COORDINATES = [f"pdbx_model_Cartn_{axis}_ideal" for axis in "xyz"]


def components() -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.float64], NDArray[np.int64]]:
    """Of every atom: component, element symbol, ideal position (A, 3) in Å, NaN where there is none, formal charge."""
    from biotite.structure.info import get_ccd

    atoms = get_ccd()["chem_comp_atom"]
    positions = np.stack([atoms[name].as_array(np.float32, masked_value=np.nan) for name in COORDINATES], axis=1)
    charges = atoms["charge"].as_array(np.int64, masked_value=0)
    return atoms["comp_id"].as_array(), atoms["type_symbol"].as_array(), positions.astype(np.float64), charges


def neutral_molecules(
    names: NDArray[np.str_],
    symbols: NDArray[np.str_],
    positions: NDArray[np.float64],
    charges: NDArray[np.int64],
    elements: Sequence[str],
    largest: int,
) -> Iterator[Molecule]:
    """Components without net charge that have a position for every atom, known elements and up to `largest` atoms."""
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    known = np.isin(np.char.capitalize(symbols), elements)
    for first, last in zip(starts, [*starts[1:], len(names)], strict=True):
        rows = slice(first, last)
        if not 2 <= last - first <= largest or not known[rows].all() or charges[rows].sum():
            continue
        try:
            numbers = [atomic_number(str(symbol).capitalize()) for symbol in symbols[rows]]
            yield Molecule(numbers, positions[rows], str(names[first]))
        except MolscoreError:
            continue  # no position for an atom


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", default="data/ccd.parquet", help=".parquet, .xyz or .sdf")
    parser.add_argument("--elements", nargs="+", default=["H", "C", "N", "O", "F"])
    parser.add_argument("--largest", type=int, default=29, help="atoms, hydrogens included")
    options = parser.parse_args()
    found = neutral_molecules(*components(), options.elements, options.largest)
    rows = ((molecule, {"name": molecule.name}, None) for molecule in found)
    print(f"{write(options.output, rows, {'source': 'Chemical Component Dictionary, PyPI biotite'})} written")


if __name__ == "__main__":
    main()
