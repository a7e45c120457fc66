"""The whole state of a run in one file, replaced atomically, so that a kill at any moment costs minutes at most."""

import os
from pathlib import Path
from typing import Any

import torch

from molscore.errors import CheckpointError, OutputError

__all__ = ["load_state", "save_state"]


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, lists, dicts) beside `path`, then rename over it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.part")  # one name, so that what a kill leaves is overwritten
        with scratch.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def load_state(path: Path) -> dict[str, Any]:
    """Inverse of `save_state`; raises CheckpointError for a file that is none."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # torch raises several kinds for a file that is not its own
        line = " ".join(str(error).split())[:120]
        raise CheckpointError(f"{path} is not the state of a training run: {line}") from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is not the state of a training run: it holds a {type(state).__name__}")
    return state
