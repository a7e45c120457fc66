"""What callers hand over, checked by its type, so that an error says what is wanted and what was given instead."""

import os
from numbers import Integral, Real
from typing import Any

from molscore.errors import InputError

__all__ = ["check_number", "check_path", "check_text", "check_whole", "type_of", "with_type"]


def type_of(value: object) -> str:
    """The type of a value with its article: ``a str``, ``an int``; None is ``None``."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def check_number(name: str, value: Any, unit: str = "") -> None:
    """Raise `InputError` for what is no number."""
    if not isinstance(value, Real):
        raise InputError(f"{name} is a number{unit and f' in {unit}'}, not {with_type(value)}")


def check_whole(name: str, value: Any, least: int | None = None) -> None:
    """Raise `InputError` for what is no whole number, or less than one."""
    if not isinstance(value, Integral) or (least is not None and value < least):
        bound = "" if least is None else f", at least {least}"
        raise InputError(f"{name} must be a whole number{bound}, not {value!r:.80}")


def check_text(name: str, value: Any, example: str) -> None:
    """Raise `InputError` for what is no string."""
    if not isinstance(value, str):
        raise InputError(f"{name} is a string such as {example!r}, not {with_type(value)}")


def check_path(name: str, value: Any) -> None:
    """Raise `InputError` for what is no path."""
    if not isinstance(value, (str, os.PathLike)):
        raise InputError(f"{name} is a string or a Path, not {with_type(value)}")


def with_type(value: object) -> str:
    """A value with its type: ``a str ('0.05')``."""
    return "None" if value is None else f"{type_of(value)} ({value!r:.80})"
