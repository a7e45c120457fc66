"""A program that judges molecules, one JSON line in and one out, so that one that hangs or crashes costs only itself.

In: {"task": "bonds" or "xtb", "numbers": (N,), "positions": (N, 3) in Å}. Out: a line when it is
ready, then what `answer` gives.
"""

import json
import os
import sys
from typing import Any

from molscore.errors import MolscoreError, ParseError
from molscore.evaluation.poses import has_posebusters, pose_tests
from molscore.evaluation.relaxation import Relaxation, relax_mmff, relax_xtb
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.molecule import Molecule

__all__ = ["answer"]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """For the task `xtb` its relaxation; for `bonds` what is read off the bonds, which can be None each.

    ``tests``: PoseBusters' by name, empty without bonds; ``aromatic``: whether there is an aromatic ring; ``mmff``.
    """
    molecule = Molecule(request["numbers"], request["positions"])
    if request["task"] == "xtb":
        return {"xtb": _numbers(relax_xtb(molecule))}
    try:
        aromatic = any(atom.GetIsAromatic() for atom in mol_from_molecule(molecule).GetAtoms())
    except ParseError:
        return {"readable": False, "tests": {}, "aromatic": None, "mmff": None}
    tests = pose_tests(molecule) if has_posebusters() else {}
    try:
        mmff = _numbers(relax_mmff(molecule))
    except MolscoreError:
        mmff = None
    return {"readable": True, "tests": tests, "aromatic": aromatic, "mmff": mmff}


def _numbers(found: Relaxation) -> list[float] | None:
    """Energy and displacement, or None where no minimum was reached."""
    return [found.energy, found.rmsd] if found.converged else None


def main() -> None:
    """Answer until the input ends; what libraries print goes nowhere."""
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    sink.write("ready\n")
    sink.flush()
    for line in sys.stdin:
        sink.write(json.dumps(answer(json.loads(line))) + "\n")
        sink.flush()


if __name__ == "__main__":
    main()
