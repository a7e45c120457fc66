"""Where rows come from: formats by suffix, text plain or gzipped in UTF-8, UTF-16 or Windows-1252, standard input."""

import codecs
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
_GZIP = b"\x1f\x8b"
_REFUSED = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"PAR1": "a Parquet table, whose name should end in .parquet",
}
_LONGEST_MAGIC = max(map(len, _REFUSED))
_ELSE_1252 = "molscore-windows-1252"

codecs.register_error(
    _ELSE_1252, lambda error: (error.object[error.start : error.end].decode("cp1252", "replace"), error.end)
)


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
    name = Path(path.lower())
    zipped = name.suffix == ".gz"
    suffix = Path(name.stem).suffix if zipped else name.suffix
    if suffix not in _FORMATS or (zipped and suffix == ".parquet"):
        raise InputError(f"{path}: unknown file type; use {' '.join(_FORMATS)}, or .csv.gz .sdf.gz .smi.gz .xyz.gz")
    return _FORMATS[suffix], zipped


def open_lines(path: str) -> Lines:
    """Lines of a text file, ``-`` being standard input; raises `InputError` when it is unreadable or blank.

    The first bytes tell whether it is gzipped and whether it is UTF-16, as Excel saves it. Else it is UTF-8, and bytes
    that are not are taken for Windows-1252, which is Latin-1 and more.
    """
    raw: BinaryIO | None = None
    if path != "-":
        try:
            raw = open(path, "rb")  # noqa: SIM115 (closed after its last line)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    size = 0 if raw is None else os.fstat(raw.fileno()).st_size

    def share() -> float | None:
        return None if not size else 1.0 if raw.closed else min(1.0, raw.tell() / size)

    lines = Lines(_decoded(sys.stdin.buffer, path, False) if raw is None else _decoded(raw, path, True), share)
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            lines.push(head)
            return lines
    raise InputError(f"{'standard input' if path == '-' else path} is empty")


def _decoded(source: BinaryIO, path: str, close: bool) -> Iterator[str]:
    """Lines of bytes, which are unpacked first where they are gzipped; standard input is left open."""
    try:
        binary = io.BufferedReader(source)
        head = binary.peek(_LONGEST_MAGIC)
        for magic, kind in _REFUSED.items():
            if head.startswith(magic):
                raise InputError(f"{getattr(source, 'name', 'the input')} is {kind}: unpack it, or save it as CSV")
        unpacked = gzip.GzipFile(fileobj=binary) if head.startswith(_GZIP) else binary
        wide = unpacked.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        text = io.TextIOWrapper(
            unpacked,
            newline="",
            encoding="utf-16" if wide else "utf-8-sig",
            errors="replace" if wide else _ELSE_1252,
        )
        yield from text
        text.detach()
        binary.detach()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    finally:
        if close:
            source.close()
