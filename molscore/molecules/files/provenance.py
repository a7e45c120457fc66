"""Where an output file comes from (model, version, command, seed, resolution), kept with the file."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from molscore.molecules.atomic import write_text
from molscore.molecules.files.row import text_of

__all__ = ["keep_sidecar", "sidecar_of", "tags_of"]


def tags_of(provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    """Provenance as tags ``molscore_model``, ``molscore_seed`` …, whose prefix keeps them apart from data."""
    return {f"molscore_{key}": value for key, value in (provenance or {}).items()}


def sidecar_of(path: Path) -> Path:
    """The file that holds the provenance of a format without room for it: ``<path>.provenance.json``."""
    return path.with_name(f"{path.name}.provenance.json")


def keep_sidecar(path: Path, provenance: Mapping[str, Any] | None) -> None:
    """Write the sidecar, or remove one that would speak of an earlier file."""
    if provenance:
        write_text(sidecar_of(path), json.dumps(dict(provenance), indent=2, default=text_of) + "\n")
    else:
        with suppress(OSError):
            sidecar_of(path).unlink()
