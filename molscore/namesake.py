"""The other `molscore` of PyPI: both packages are imported by this name, so that one environment cannot hold both."""

import sys
from collections.abc import Iterable
from pathlib import Path

from molscore.errors import InputError

__all__ = ["refuse_namesake"]


def refuse_namesake(folders: Iterable[str] | None = None) -> None:
    """Raise `InputError` where the distribution `molscore` is installed in one of `folders`, by default `sys.path`."""
    for folder in sys.path if folders is None else folders:
        for found in Path(folder or ".").glob("molscore-*.dist-info"):
            raise InputError(
                f"{found.parent} also holds PyPI's package molscore, another project imported by the same name; "
                "pip uninstall molscore, then install molscore-discoformer again, or use an environment for each"
            )
