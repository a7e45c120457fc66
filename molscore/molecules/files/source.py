"""Where rows come from: formats by suffix, text files plain or gzipped, and standard input."""

import gzip
import io
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from molscore.errors import InputError
from molscore.molecules.atomic import reason_of

__all__ = ["Lines", "format_of", "open_lines"]

_FORMATS = {".smi": "smi", ".csv": "csv", ".sdf": "sdf", ".xyz": "xyz", ".extxyz": "xyz", ".parquet": "parquet"}
_GZIPPED = (".smi", ".csv", ".sdf", ".xyz", ".extxyz")


class Lines(Iterator[str]):
    """Lines with their endings; lines can be pushed back to be read again."""

    def __init__(self, source: Iterable[str]) -> None:
        self._source = iter(source)
        self._pending: deque[str] = deque()

    def __next__(self) -> str:
        return self._pending.popleft() if self._pending else next(self._source)

    def push(self, lines: Iterable[str]) -> None:
        """Put lines back, the first of them to come next."""
        self._pending.extendleft(reversed(list(lines)))


def format_of(path: str) -> tuple[str, bool]:
    """Format by suffix (``smi csv sdf xyz parquet``) and whether it is gzipped; raises `InputError` for others."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[:-1] if zipped else suffixes)[-1:]
    if not suffix or suffix[0] not in _FORMATS or (zipped and suffix[0] not in _GZIPPED):
        raise InputError(f"{path}: unknown file type; use {' '.join(_FORMATS)}, or .csv.gz .sdf.gz .smi.gz .xyz.gz")
    return _FORMATS[suffix[0]], zipped


def open_lines(path: str, zipped: bool = False) -> Lines:
    """Lines of a UTF-8 text file, ``-`` being standard input; raises `InputError` when it is unreadable or blank."""
    lines = Lines(_decoded(path, zipped))
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    else:
        raise InputError(f"{'standard input' if path == '-' else path} is empty")
    lines.push(head)
    return lines


def _decoded(path: str, zipped: bool) -> Iterator[str]:
    """Lines as text; bytes that are not UTF-8 become U+FFFD, and spoil their own row at most."""
    try:
        with _opened(path, zipped) as binary:
            text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="")
            yield from text
            text.detach()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None


def _opened(path: str, zipped: bool) -> AbstractContextManager[BinaryIO]:
    """The bytes of a file; standard input is left open afterwards."""
    if path == "-":
        return nullcontext(sys.stdin.buffer)
    return gzip.open(path) if zipped else open(path, "rb")
