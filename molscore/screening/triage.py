"""Which records a model can judge, found before any geometry is made, and which of them are the same molecule.

Most rows of a real library are not for the model at hand. They cost one parse each, about 0.1 ms.
"""

from collections import Counter
from typing import NamedTuple

from molscore.errors import ChargeError, FragmentError, MolscoreError, ParseError, RadicalError
from molscore.molecules.chem import from_smiles, radicals
from molscore.molecules.distribution import Distribution
from molscore.molecules.files.record import Record
from molscore.molecules.formula import check_formula
from molscore.molecules.identity import geometry_key, graph_key
from molscore.molecules.molecule import Molecule
from molscore.molecules.smiles import Outline, outline, shown
from molscore.screening.admission import admit_counts, check_extent

__all__ = ["Triage", "triage"]


class Triage(NamedTuple):
    """What is known of a record before its geometry is looked at."""

    n_atoms: int | None = None
    key: str = ""
    """See `molscore.molecules.identity`; empty for a record that cannot be judged."""
    error: MolscoreError | None = None
    """Why it cannot."""


def triage(record: Record, distribution: Distribution) -> Triage:
    """Whether a model of `distribution` can judge a usable record.

    What could be mended comes first: pieces, then size and elements, then charge, unpaired electrons and formula.
    """
    n_atoms = None
    try:
        if record.molecule is not None:
            n_atoms = record.molecule.n_atoms
            return Triage(n_atoms, _check_geometry(record.molecule, record.outline, distribution))
        if not record.smiles:
            raise ParseError("the row has neither a geometry nor a SMILES string")
        found = outline(record.smiles)
        n_atoms = found.n_atoms
        return Triage(n_atoms, _check_graph(record.smiles, found, distribution))
    except MolscoreError as error:
        return Triage(n_atoms, error=error)


def _check_geometry(molecule: Molecule, bonds: Outline | None, distribution: Distribution) -> str:
    """Key of a geometry; raises why it cannot be judged."""
    counts = Counter(molecule.symbols)
    _check(bonds or Outline(counts, 0, 1), distribution, molecule.label)
    check_extent(molecule)
    check_formula(counts)
    return geometry_key(molecule)


def _check_graph(smiles: str, found: Outline, distribution: Distribution) -> str:
    """Key of the molecule of a SMILES string; raises why it cannot be judged."""
    label = shown(smiles)
    _check(found, distribution, label)
    graph = from_smiles(smiles)
    if unpaired := radicals(graph):
        raise RadicalError(f"{label} has unpaired electrons ({unpaired}): the model knows closed shells")
    check_formula(found.counts)
    return graph_key(graph)


def _check(found: Outline, distribution: Distribution, label: str) -> None:
    if found.pieces != 1:
        raise FragmentError(f"{label} is in {found.pieces} pieces: there is no geometry for them together")
    admit_counts(found.counts, distribution, label)
    if found.charge:
        raise ChargeError(f"{label} has a net charge of {found.charge:+d}: the model knows neutral molecules")
