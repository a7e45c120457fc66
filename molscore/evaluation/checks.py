"""Slow checks of single molecules: strain by MMFF94s and GFN2-xTB, and PoseBusters' tests of a geometry by itself.

References:
    Halgren 1999, https://doi.org/10.1002/(SICI)1096-987X(199905)20:7<720::AID-JCC7>3.0.CO;2-X (MMFF94s)
    Bannwarth, Ehlert, Grimme 2019, https://doi.org/10.1021/acs.jctc.8b01176 (GFN2-xTB)
    Buttenschoen, Morris, Deane 2024, https://doi.org/10.1039/D3SC04185A (PoseBusters)
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from rdkit import rdBase
from rdkit.Chem import rdForceFieldHelpers

from molscore.errors import InputError, MolscoreError
from molscore.evaluation.intervals import wilson_interval
from molscore.molecules.ase import to_ase
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.molecule import Molecule
from molscore.molecules.workers import Crashed, Late, Workers

__all__ = [
    "answer", "check_all", "pose_tests", "relax_mmff", "relax_xtb", "strain", "summary",
]  # fmt: skip

_STRAINS = {"strain": "MMFF94s", "strain_xtb": "GFN2-xTB"}
_KCAL_PER_EV = 23.060547830619
_FORCE = 0.02  # eV/Å, below which xTB's geometry counts as relaxed
_MMFF_STEPS, _XTB_STEPS = 5000, 250
_MISSING = {
    "tblite": 'GFN2-xTB comes from the package tblite: pip install "molscore-discoformer[xtb]"',
    "posebusters": 'PoseBusters is not installed: pip install "molscore-discoformer[poses]"',
}


def check_all(
    molecules: Sequence[Molecule],
    mmff: bool = False,
    xtb: bool = False,
    poses: bool = False,
    workers: int = 1,
    time_limit: float = 120.0,
) -> list[dict[str, Any]]:
    """Columns of each molecule: ``strain`` and ``strain_xtb`` (kcal/mol), ``poses`` (passed, or the tests that failed).

    A molecule that takes more than `time_limit` seconds says so in ``poses`` and has no numbers.
    Raises `InputError` at once where tblite or PoseBusters is wanted and missing.
    """
    if xtb:
        _need("tblite")
    if poses:
        _need("posebusters")
    wanted = [name for name, on in zip(_CHECKS, (mmff, xtb, poses), strict=True) if on]
    if not xtb and not poses:  # the force field does not hang
        return [_checked(molecule, wanted) for molecule in molecules]
    requests = [
        {"numbers": each.numbers.tolist(), "positions": each.positions.tolist(), "name": each.name, "wanted": wanted}
        for each in molecules
    ]
    pool = Workers(__name__, workers)
    try:
        replies = pool.map(requests, time_limit)
    finally:
        pool.close()
    late = {name: "out of time" if name == "poses" else None for name in wanted}
    return [late if isinstance(reply, Late | Crashed) else reply for reply in replies]


def answer(wanted: Sequence[str], **fields: Any) -> dict[str, Any]:
    """What a worker process says of a molecule of these fields: the columns that are wanted."""
    return _checked(Molecule(**fields), wanted)


def _checked(molecule: Molecule, wanted: Sequence[str]) -> dict[str, Any]:
    return {name: _CHECKS[name](molecule) for name in wanted}


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lines for people: the median strain with its quartiles, the share that passes all tests."""
    lines = []
    for name, method in _STRAINS.items():
        if rows and name in rows[0]:
            values = [row[name] for row in rows if row[name] is not None]
            low, middle, high = np.percentile(values, [25, 50, 75]) if values else [math.nan] * 3
            lines.append(f"strain, {method:<12}{middle:7.2f} kcal/mol, quartiles {low:.2f} and {high:.2f}; "
                         f"{len(values)} of {len(rows)} relaxed")  # fmt: skip
    if rows and "poses" in rows[0]:
        share = sum(row["poses"] == "passed" for row in rows) / len(rows)
        low, high = wilson_interval(share, len(rows))
        lines.append(f"{'PoseBusters':<20}{100 * share:7.2f} %   [{low:.2f}, {high:.2f}]")
    return lines


def strain(molecule: Molecule, relax: Callable[[Molecule], float | None] | None = None) -> float | None:
    """kcal/mol that a molecule releases on the way to the nearest minimum, of MMFF94s by default; None without one."""
    try:
        released = (relax or relax_mmff)(molecule)
    except MolscoreError:
        return None
    return round(released, 2) if released is not None and math.isfinite(released) else None


def relax_mmff(molecule: Molecule) -> float | None:
    """kcal/mol above the nearest minimum of MMFF94s, with the bonds that the molecule's own geometry shows.

    None where no minimum is reached. Raises `ParseError` where no bonds can be read, `InputError` for atoms that
    MMFF94s has no parameters for.
    """
    mol = mol_from_molecule(molecule)
    with rdBase.BlockLogs():
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94s")
        if properties is None:
            raise InputError(f"{molecule.label}: MMFF94s has no parameters for some of its atoms")
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
    field.Initialize()
    before = field.CalcEnergy()
    return None if field.Minimize(maxIts=_MMFF_STEPS) else before - field.CalcEnergy()


def relax_xtb(molecule: Molecule) -> float | None:
    """kcal/mol above the nearest minimum of GFN2-xTB, without any bonds being asked for; seconds a molecule.

    None where no minimum is reached or the electrons do not converge. Raises `InputError` without tblite.
    """
    _need("tblite")
    from ase.calculators.calculator import CalculatorError
    from ase.optimize import LBFGS
    from tblite.ase import TBLite

    atoms = to_ase(molecule)
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    try:
        before = atoms.get_potential_energy()
        converged = LBFGS(atoms, logfile=None).run(fmax=_FORCE, steps=_XTB_STEPS)
        return float(before - atoms.get_potential_energy()) * _KCAL_PER_EV if converged else None
    except (CalculatorError, RuntimeError):
        return None


def pose_tests(molecule: Molecule) -> dict[str, bool]:
    """Whether the molecule passes each test of PoseBusters' configuration ``mol``, by the test's name; about 0.3 s.

    Lenient ones: bond lengths and angles may be a quarter off. Bonds are those that `mol_from_molecule` reads. A test
    that comes to no result, such as an energy without parameters, is not passed. Some molecules take for ever (their
    conformers are embedded): a caller with many needs a time limit.
    Raises `ParseError` where no bonds can be read, `InputError` without PoseBusters.
    """
    _need("posebusters")
    mol = mol_from_molecule(molecule)
    with rdBase.BlockLogs():
        (row,) = _busters().bust([mol]).to_dict("records")
    return {name: bool(value == 1) for name, value in row.items()}  # NaN is a test without a result


@cache
def _busters() -> Any:
    from posebusters import PoseBusters

    config = PoseBusters("mol").config
    for module in config["modules"]:
        if module["function"] == "energy_ratio":
            module["parameters"]["num_threads"] = 1  # its own default takes every core
    return PoseBusters(config)


def _failed_poses(molecule: Molecule) -> str:
    try:
        return ", ".join(name for name, passed in pose_tests(molecule).items() if not passed) or "passed"
    except MolscoreError as error:
        return str(error)


_CHECKS: dict[str, Callable[[Molecule], Any]] = {
    "strain": strain,
    "strain_xtb": lambda molecule: strain(molecule, relax_xtb),
    "poses": _failed_poses,
}


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise InputError(_MISSING[package])
