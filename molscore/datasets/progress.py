"""How far the making of a data set has come, on standard error: a bar on a terminal, a line in a while in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

__all__ = ["progress"]


def progress(rows: Iterable[Any] | None, what: str, total: int | None = None) -> tqdm:
    """The same rows, or none for a bar that is moved by hand, shown as they pass."""
    interval = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(rows, desc=what, total=total, unit="row", mininterval=interval, maxinterval=interval, leave=False)
