"""Files that appear whole or not at all: written beside their place, then moved there in one step; text in them."""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from molscore.errors import OutputError

__all__ = ["make_folder", "reason_of", "replacing", "text_file", "write_text"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a fresh file name in the same folder; on a clean exit that file takes the place of `path`.

    On any error it is removed and what stood at `path` stays. Raises `OutputError`, and at once, where nothing can be
    written.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        raise OutputError(f"{target}: cannot be written (it is not a regular file)")
    fresh = target.with_name(f".{target.name[:128]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        fresh.touch()
        yield fresh
        os.replace(fresh, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({reason_of(error)})") from None
    finally:
        with suppress(OSError):
            fresh.unlink()


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it where they are not there; raises `OutputError`."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason_of(error)})") from None


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole text file as UTF-8, in one step."""
    with replacing(path) as fresh:
        fresh.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def text_file(path: Path, zipped: bool = False) -> Iterator[TextIO]:
    """UTF-8 text stream; gzip without name and time, so that the bytes depend on the content alone."""
    import gzip  # a command line that writes none starts without it

    with open(path, "wb") as raw:
        binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if zipped else raw
        text = io.TextIOWrapper(binary, encoding="utf-8", errors="replace", newline="")
        try:
            yield text
        finally:
            text.close()


def reason_of(error: Exception) -> str:
    """Why the system refused, without the path and the error number."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return reason.strip().split("\n")[0].lower()
