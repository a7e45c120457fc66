"""What callers hand over, checked by its type, so that an error says what is wanted and what was given instead."""

import os
from numbers import Integral, Real
from typing import Any

from molscore.errors import InputError

__all__ = ["check_number", "check_path", "check_text", "check_whole", "type_of"]


def type_of(value: object) -> str:
    """The type of a value with its article: ``a str``, ``an int``."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def check_number(name: str, value: Any, unit: str = "") -> None:
    """Raise `InputError` for what is no number."""
    if not isinstance(value, Real):
        raise InputError(f"{name} is a number{unit and f' in {unit}'}, not {_shown(value)}")


def check_whole(name: str, value: Any, least: int | None = None) -> None:
    """Raise `InputError` for what is no whole number, or less than one."""
    if not isinstance(value, Integral) or (least is not None and value < least):
        bound = "" if least is None else f", at least {least}"
        raise InputError(f"{name} must be a whole number{bound}, not {value!r:.80}")


def check_text(name: str, value: Any, example: str) -> None:
    """Raise `InputError` for what is no string."""
    if not isinstance(value, str):
        raise InputError(f"{name} is a string such as {example!r}, not {_shown(value)}")


def check_path(name: str, value: Any) -> None:
    """Raise `InputError` for what is no path: a string or a `Path`."""
    if not isinstance(value, (str, os.PathLike)):
        raise InputError(f"{name} is a path, not {_shown(value)}")


def _shown(value: object) -> str:
    return type_of(value) if value is None else f"{type_of(value)} ({value!r:.80})"
