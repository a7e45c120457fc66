"""Before a command runs: another package of our name is refused, and imports are made short.

Of the seconds that `molscore rank` takes for ten molecules most go into imports. RDKit's process starts beside them,
and a command that only judges leaves out two, of which it has no use:

- torch._meta_registrations, a third of the import of torch: what operators do to tensors without data, written in
  Python for the compiler and for the device ``meta``.
- pandas, half a second: pyarrow imports it to ask whether the first list that it is given is of pandas. It asks once,
  and imports pandas all the same for whoever wants a DataFrame of it.

Only the command line does so, in a process of its own: whoever imports `molscore` has torch and pyarrow whole.
"""

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from molscore.errors import InputError

__all__ = ["import_to_judge", "refuse_namesake", "start"]

_TORCH = "2.13."  # others are imported whole: what they need of themselves has not been tried
_META = "torch._meta_registrations"


def refuse_namesake(folders: Iterable[str] | None = None) -> None:
    """Raise `InputError` where PyPI's `molscore`, another project imported by the same name, is installed beside this.

    It is looked for in `folders`, by default `sys.path`.
    """
    for folder in sys.path if folders is None else folders:
        for found in Path(folder or ".").glob("molscore-*.dist-info"):
            raise InputError(
                f"{found.parent} also holds PyPI's package molscore, another project imported by the same name; "
                "pip uninstall molscore, then install molscore-discoformer again, or use an environment for each"
            )


def start(worker: str) -> None:
    """Begin the process that answers for ``bonds`` or ``conformers``, to get ready while others import."""
    from molscore.molecules.workers import shared

    gc.set_threshold(100_000)  # imports make a million objects that stay: looked through often, they cost half a second
    shared(f"molscore.molecules.{worker}").start()


def import_to_judge() -> None:
    """Import torch and pyarrow without what judging molecules has no use for; drawing has, for its random numbers."""
    from importlib.metadata import version

    if "torch" not in sys.modules and version("torch").startswith(_TORCH):
        sys.modules[_META] = ModuleType(_META)
        import torch  # noqa: F401

        del sys.modules[_META]  # for whoever imports it later
    with _absent("pandas"):
        import pyarrow

        pyarrow.array([])


class _Absent(MetaPathFinder):
    """Ends the search for one package with nothing found."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, *_: Any) -> None:
        if name == self.package:
            raise ModuleNotFoundError(name)


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """As if a package were not installed, unless it has been imported."""
    finder = _Absent(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
