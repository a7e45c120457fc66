"""What lets a command answer sooner: it imports what it uses, and waits for nothing that it does not.

Of the seconds that `molscore rank` takes for ten molecules most go into imports. `prepare` leaves out two of them, of
which no command that only draws or judges has any use, and lets RDKit's process start meanwhile:

- torch._meta_registrations, a third of the import of torch: what operators do to tensors without data, written in
  Python for the compiler and for the device ``meta``.
- pandas, half a second: pyarrow imports it to ask whether the first list that it is given is of pandas. It asks once,
  and imports pandas all the same for whoever wants a DataFrame of it.

Only the command line does so, in a process of its own: whoever imports `molscore` has torch and pyarrow whole.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

__all__ = ["prepare"]

_META = "torch._meta_registrations"


def prepare(worker: str | None) -> None:
    """Import torch and pyarrow for a command that asks `worker`, ``bonds`` or ``conformers``, for its molecules."""
    gc.set_threshold(100_000)  # imports make a million objects that stay: looked through often, they cost half a second
    if worker is not None:
        from molscore.molecules.workers import shared

        shared(worker).start()
    if "torch" not in sys.modules:
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
