"""Where rows come from: formats by suffix, text files plain or gzipped, and standard input."""

import gzip
import io
import os
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from molscore.errors import InputError
from molscore.molecules.atomic import reason_of

__all__ = ["Lines", "format_of", "open_lines"]

_FORMATS = {".smi": "smi", ".csv": "csv", ".sdf": "sdf", ".xyz": "xyz", ".extxyz": "xyz", ".parquet": "parquet"}
_GZIPPED = (".smi", ".csv", ".sdf", ".xyz", ".extxyz")


class Lines(Iterator[str]):
    """Lines with their endings; lines can be pushed back to be read again.

    `share` says how much of the source has been read, 0 to 1, or None where that is not known.
    """

    def __init__(self, source: Iterable[str], share: Callable[[], float | None] = lambda: None) -> None:
        self._source, self.share = iter(source), share
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
    source = _Source(path, zipped)
    lines = Lines(source.lines(), source.share)
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    else:
        raise InputError(f"{'standard input' if path == '-' else path} is empty")
    lines.push(head)
    return lines


class _Source:
    """Bytes of a file, plain or gzipped, or of standard input, which is left open afterwards."""

    def __init__(self, path: str, zipped: bool) -> None:
        self.path, self.zipped = path, zipped
        self._raw: BinaryIO | None = None
        self._size = 0

    def lines(self) -> Iterator[str]:
        """Lines as text; bytes that are not UTF-8 become U+FFFD, and spoil their own row at most."""
        try:
            if self.path == "-":
                yield from _decoded(sys.stdin.buffer)
                return
            with open(self.path, "rb") as raw:
                self._raw, self._size = raw, os.fstat(raw.fileno()).st_size
                yield from _decoded(gzip.GzipFile(fileobj=raw) if self.zipped else raw)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self.path}: cannot be read ({reason_of(error)})") from None

    def share(self) -> float | None:
        """How much of the file has been read, 0 to 1."""
        if self._raw is None or not self._size:
            return None
        return 1.0 if self._raw.closed else min(1.0, self._raw.tell() / self._size)


def _decoded(binary: BinaryIO) -> Iterator[str]:
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="")
    yield from text
    text.detach()
