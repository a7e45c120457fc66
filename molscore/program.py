"""What commands share: they start quickly, their errors are one line each, some options are those of several.

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
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from molscore import refuse_namesake
from molscore.errors import MolscoreError
from molscore.molecules.atomic import reason_of
from molscore.molecules.suffixes import OUTPUTS, SUFFIXES

__all__ = [
    "Program", "as_json", "by_column", "command_line", "conformers", "device", "distribution", "folders",
    "import_to_judge", "like", "loads_a_model", "model", "output", "outputs", "resolution", "resumable", "say", "seed",
    "smiles_column", "start", "workers",
]  # fmt: skip

_TORCH = "2.13."  # others are imported whole: what they need of themselves has not been tried
_META = "torch._meta_registrations"
# options that leave the rows of a result as they are
_WITHOUT_EFFECT = ("outputs", "workers", "as_json", "resume", "engine", "shard")


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
    shared(f"molscore.molecules.{worker}").start()


def import_to_judge() -> None:
    """Import torch and pyarrow without what judging molecules has no use for; drawing has, for its random numbers."""
    from importlib.metadata import version

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


def say(*lines: str) -> None:
    """On standard error: standard output is for results."""
    click.echo("\n".join(lines), err=True)


@contextmanager
def resumable(resume: bool, folder: str | Path, pattern: str) -> Iterator[None]:
    """A run that saves files of a pattern as it goes: says where there are none to resume, and, interrupted, that some
    are kept."""
    if resume and not any(Path(folder).glob(pattern)):
        say(f"there is nothing to resume in {folder}: the run begins anew")
    try:
        yield
    except KeyboardInterrupt:
        if any(Path(folder).glob(pattern)):
            say(f"what is done is kept in {folder}: the same command with --resume carries on")
        raise


def command_line(context: click.Context) -> str:
    """The command line without what leaves the result as it is: the same job is written the same way."""
    words = ["molscore", context.info_name]
    for parameter in context.command.params:
        value = context.params[parameter.name]
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif parameter.name not in _WITHOUT_EFFECT and value not in (None, parameter.get_default(context)):
            words += [parameter.opts[-1]] if value is True else [parameter.opts[-1], str(value)]
    return shlex.join(words)


def _file(context: click.Context, option: click.Parameter, path: str | None) -> str | None:
    """The name of a file of molecules; raises `InputError` where it is none."""
    if path is not None:
        from molscore.molecules.files import format_of

        format_of(path)
    return path


model = click.option(
    "--model", default="organic", help="A bundled model, one of its distributions (qm9, leads, ligands), or a folder."
)
distribution = click.option(
    "--distribution", default=None, help="One of the model's; its first, of organic qm9, by default."
)
device = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="cpu", help="What computes; auto: the best."
)
like = click.option(
    "--like", default=None, callback=_file, help="FILE of references: molecules whose distribution is meant."
)
output = click.option("-o", "--output", default="-", help=f"File, by suffix {SUFFIXES}; - is CSV to stdout.")
outputs = click.option(
    "-o", "--output", "outputs", multiple=True, default=("-",), show_default=False,
    help=f"File, by suffix {OUTPUTS}; may be repeated. CSV to stdout unless given.",
)  # fmt: skip
resolution = click.option(
    "--resolution",
    type=float,
    default=0.05,
    help="Noise width in Å at which densities are read; info lists those with percentiles.",
)
smiles_column = click.option(
    "-s",
    "--smiles",
    "smiles_column",
    default=None,
    help="Column of SMILES; found by its name, else by its values, by default.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
by_column = click.option("--by", help="Column to order by; unless given, what the parts were made for.")
folders = click.argument("folders", nargs=-1, required=True)
seed = click.option("--seed", type=int, default=0, help="Of geometries for SMILES.")
conformers = click.option("--conformers", type=int, default=1, help="Of each SMILES, put together by log-mean-exp.")
workers = click.option("--workers", type=int, default=None, help="Processes for such geometries; one a core.")


def loads_a_model(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which model is meant and where it computes; the command gets a function that loads it."""

    @wraps(command)
    def loading(*arguments: Any, model: str, distribution: str | None, device: str, **options: Any) -> Any:
        def load() -> Any:
            from molscore.screening.predictor import Predictor

            return Predictor.load(model, distribution, device)

        return command(*arguments, load=load, **options)

    return model(distribution(device(loading)))
