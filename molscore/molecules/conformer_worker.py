"""A small program that makes conformers, one SMILES string after another, run as a process that can be killed.

It writes one line when it is ready. Request on standard input: one line of JSON with ``smiles``, ``conformers`` (how
many), ``seed`` and ``time_limit`` (seconds). Reply on standard output: one line of JSON with ``numbers`` (N,),
``name``, ``charge``, ``unpaired`` and ``conformers``, a list of ``positions`` (N, 3) in Å and ``properties``; or
``kind``, the name of an error class, and ``error``, its message. JSON spells floats so that they read back the same.
"""

import json
import sys
from typing import Any, TextIO

from molscore.errors import MolscoreError
from molscore.molecules.conformers import embed

__all__ = ["READY", "main"]

READY = "ready\n"


def main(source: TextIO, sink: TextIO) -> None:
    """Say that it is ready, then answer requests until the input ends."""
    sink.write(READY)
    sink.flush()
    for line in source:
        sink.write(json.dumps(_reply(json.loads(line))) + "\n")
        sink.flush()


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    try:
        found = embed(request["smiles"], request["conformers"], request["seed"], request["time_limit"])
    except MolscoreError as error:
        return {"kind": type(error).__name__, "error": str(error)}
    return {
        "numbers": found[0].numbers.tolist(),
        "name": found[0].name,
        "charge": found[0].charge,
        "unpaired": found[0].unpaired,
        "conformers": [{"positions": m.positions.tolist(), "properties": m.properties} for m in found],
    }


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
