"""What any command does: it starts quickly, and its errors are one line each.

Of the seconds that `molscore rank` takes for ten molecules most go into imports. RDKit's process starts beside them,
and a command that only judges leaves out two, of which it has no use:

- torch._meta_registrations, a third of the import of torch: what operators do to tensors without data, written in
  Python for the compiler and for the device ``meta``.
- pandas, half a second: pyarrow imports it to ask whether the first list that it is given is of pandas. It asks once,
  and imports pandas all the same for whoever wants a DataFrame of it.

Only the command line does so, in a process of its own: whoever imports `molscore` has torch and pyarrow whole.
"""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from types import ModuleType
from typing import Any

import click

from molscore import refuse_namesake
from molscore.errors import MolscoreError
from molscore.molecules.atomic import reason_of

__all__ = ["Program", "import_to_judge", "start"]

_TORCH = "2.13."  # others are imported whole: what they need of themselves has not been tried
_META = "torch._meta_registrations"


class Program(click.Group):
    """A group whose errors are one line each: exit code 2 for what a user can mend, 130 when interrupted."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> None:
        """Run a command and leave with its exit code."""
        extra["standalone_mode"] = False
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # as every file that is written
        try:
            refuse_namesake()
            code = super().main(args, prog_name or "molscore", **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except (MolscoreError, click.ClickException) as error:
            message = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"molscore: error: {' '.join(message.split())}", err=True)
            code = 2
        except BrokenPipeError:  # whoever reads the output has seen enough
            _abandon_stdout()
            code = 1
        except OSError as error:  # a full disk, a folder that cannot be entered, too many open files
            where = error.filename or "standard output or a temporary file"
            click.echo(f"molscore: error: {where}: {reason_of(error)}", err=True)
            _abandon_stdout()
            code = 2
        except (click.Abort, KeyboardInterrupt):
            click.echo("molscore: interrupted", err=True)
            code = 130
        sys.exit(code if isinstance(code, int) else 0)


def _abandon_stdout() -> None:
    """Let what is left in the buffer of standard output go nowhere, so that the interpreter's end does not fail."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def start(worker: str) -> None:
    """Begin the process that answers for ``bonds`` or ``conformers``, to get ready while others import."""
    from molscore.molecules.workers import shared

    gc.set_threshold(100_000)  # imports make a million objects that stay: looked through often, they cost half a second
    shared(worker).start()


def import_to_judge() -> None:
    """Import torch and pyarrow without what judging molecules has no use for; drawing has, for its random numbers."""
    if "torch" not in sys.modules and version("torch").startswith(_TORCH):
        sys.modules[_META] = ModuleType(_META)
        import torch  # noqa: F401

        del sys.modules[_META]  # for whoever imports it later
    sys.meta_path.insert(0, _NoPandas)
    try:
        import pyarrow

        pyarrow.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Ends the search for pandas with nothing found, unless it has been imported."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
