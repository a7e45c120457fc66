"""Which records a model can judge, found before any geometry is made, and which of them are the same molecule.

Most rows of a real library are not for the model at hand. They cost one parse each, about 0.1 ms.
"""

from typing import NamedTuple

from molscore.errors import MolscoreError, ParseError
from molscore.molecules.chem import contents_of, from_smiles, shown
from molscore.molecules.distribution import Distribution
from molscore.molecules.files.record import Record
from molscore.molecules.identity import geometry_key, graph_key
from molscore.screening.admission import validate

__all__ = ["Triage", "triage"]


class Triage(NamedTuple):
    """What is known of a record before its geometry is looked at."""

    n_atoms: int | None = None
    key: str = ""
    """See `molscore.molecules.identity`; empty for a record that cannot be judged."""
    error: MolscoreError | None = None
    """Why it cannot."""


def triage(record: Record, distribution: Distribution) -> Triage:
    """Whether a model of `distribution` can judge a usable record; the reasons come in the order of `validate`."""
    n_atoms = None
    try:
        if (molecule := record.molecule) is not None:
            n_atoms = molecule.n_atoms
            validate(molecule, distribution, molecule.label, whole_geometry=True)
            return Triage(n_atoms, geometry_key(molecule))
        if not record.smiles:
            raise ParseError("the row has neither a geometry nor a SMILES string")
        graph = from_smiles(record.smiles)
        found = contents_of(graph)
        n_atoms = found.n_atoms
        validate(found, distribution, shown(record.smiles))
        return Triage(n_atoms, graph_key(graph))
    except MolscoreError as error:
        return Triage(n_atoms, error=error)
