"""e3nn's spherical harmonics and Wigner 3j symbols, imported without the compiler and the computer algebra.

Half of the time that a command of ours would take to start goes into two imports of e3nn's that nothing here needs:

- `torch.compiler.disable`, which marks one function of its constructors, imports torch._dynamo. While e3nn is imported
  the decorator only leaves the mark that torch._dynamo looks for, so that the function stays out of compiled graphs.
- harmonics as functions of angles import sympy. They are imported when they are first asked for.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

__all__ = ["SphericalHarmonics", "wigner_3j"]

_ANGULAR = "e3nn.o3._angular_spherical_harmonics"


class _Later(ModuleType):
    """A module that stands in for one to be imported later, and knows which names are wanted of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.wanted: list[str] = []

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
        self.wanted.append(name)


def _mark(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    function._torchdynamo_disable = True
    return function


def _import_o3() -> ModuleType:
    """e3nn.o3, whole for everybody who asks it for more."""
    if "e3nn.o3" in sys.modules:
        return sys.modules["e3nn.o3"]
    later = sys.modules[_ANGULAR] = _Later(_ANGULAR)
    disable, torch.compiler.disable = torch.compiler.disable, _mark
    try:
        o3 = import_module("e3nn.o3")
    finally:
        torch.compiler.disable = disable
        del sys.modules[_ANGULAR]

    def find(name: str) -> Any:
        if name not in later.wanted:
            raise AttributeError(f"module 'e3nn.o3' has no attribute {name!r}")
        return getattr(import_module(_ANGULAR), name)

    for name in later.wanted:
        delattr(o3, name)
    o3.__getattr__ = find
    return o3


_o3 = _import_o3()
SphericalHarmonics, wigner_3j = _o3.SphericalHarmonics, _o3.wigner_3j
