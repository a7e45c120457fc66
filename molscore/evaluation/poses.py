"""PoseBusters' tests of a geometry by itself, where that package is installed.

Lenient ones: bond lengths and angles may be a quarter off. Bonds are those that `mol_from_molecule` reads.

References:
    Buttenschoen, Morris, Deane 2024, https://doi.org/10.1039/D3SC04185A
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rdkit import rdBase

from molscore.errors import InputError
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.molecule import Molecule

if TYPE_CHECKING:
    from posebusters import PoseBusters

__all__ = ["has_posebusters", "pose_tests"]


def has_posebusters() -> bool:
    """Whether PoseBusters is installed."""
    return find_spec("posebusters") is not None


def pose_tests(molecule: Molecule) -> dict[str, bool]:
    """Whether the molecule passes each test of the configuration ``mol``, by the test's name; about 0.3 s.

    A test that comes to no result, such as an energy without parameters, is not passed. Some molecules take for ever
    (their conformers are embedded): a caller with many needs a time limit.
    Raises `ParseError` where no bonds can be read, `InputError` without PoseBusters.
    """
    if not has_posebusters():
        raise InputError('PoseBusters is not installed: pip install "molscore-discoformer[poses]"')
    mol = mol_from_molecule(molecule)
    with rdBase.BlockLogs():
        (row,) = _busters().bust([mol]).to_dict("records")
    return {name: bool(value == 1) for name, value in row.items()}  # NaN is a test without a result


@cache
def _busters() -> PoseBusters:
    from posebusters import PoseBusters

    config = PoseBusters("mol").config
    for module in config["modules"]:
        if module["function"] == "energy_ratio":
            module["parameters"]["num_threads"] = 1  # its own default takes every core
    return PoseBusters(config)
