"""Slow checks of single molecules, each in a process that can be ended: strain and PoseBusters."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from molscore.errors import InputError, MolscoreError
from molscore.evaluation.energies import XTB_MISSING, has_xtb
from molscore.evaluation.intervals import wilson_interval
from molscore.evaluation.poses import has_posebusters, pose_tests
from molscore.evaluation.relaxation import Relaxation, relax_mmff, relax_xtb
from molscore.molecules.molecule import Molecule

__all__ = ["check_all", "strain", "summary"]

_STRAINS = {"strain": "MMFF94s", "strain_xtb": "GFN2-xTB"}


def check_all(
    molecules: Sequence[Molecule],
    mmff: bool = False,
    xtb: bool = False,
    poses: bool = False,
    workers: int = 1,
    time_limit: float = 120.0,
) -> Iterator[dict[str, Any]]:
    """Columns of each molecule: ``strain`` and ``strain_xtb`` (kcal/mol), ``poses`` (passed, or the tests that failed).

    A molecule that takes more than `time_limit` seconds says so in ``poses`` and has no numbers.
    Raises `InputError` at once where tblite or PoseBusters is wanted and missing.
    """
    if xtb and not has_xtb():
        raise InputError(XTB_MISSING)
    if poses and not has_posebusters():
        raise InputError('PoseBusters is not installed: pip install "molscore-discoformer[poses]"')
    late = {"strain": None} if mmff else {}
    late |= ({"strain_xtb": None} if xtb else {}) | ({"poses": "out of time"} if poses else {})
    if not late:
        return ({} for _ in molecules)
    check = partial(_checks, mmff=mmff, xtb=xtb, poses=poses)
    if not xtb and not poses:  # the force field does not hang
        return map(check, molecules)
    return (late if columns is None else columns for columns in _limited(check, molecules, time_limit, workers))


def strain(molecule: Molecule, relax: Callable[[Molecule], Relaxation] = relax_mmff) -> float | None:
    """kcal/mol that a molecule releases on the way to the nearest minimum; None where none is reached."""
    try:
        found = relax(molecule)
    except MolscoreError:
        return None
    heavy = int((molecule.numbers > 1).sum()) or molecule.n_atoms
    return round(found.energy * heavy, 2) if found.converged and math.isfinite(found.energy) else None


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


def _checks(molecule: Molecule, mmff: bool, xtb: bool, poses: bool) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if mmff:
        columns["strain"] = strain(molecule)
    if xtb:
        columns["strain_xtb"] = strain(molecule, relax_xtb)
    if poses:
        try:
            failed = [name for name, passed in pose_tests(molecule).items() if not passed]
            columns["poses"] = ", ".join(failed) or "passed"
        except MolscoreError as error:
            columns["poses"] = str(error)
    return columns


def _limited(
    function: Callable[[Molecule], dict[str, Any]], molecules: Sequence[Molecule], seconds: float, workers: int
) -> Iterator[dict[str, Any] | None]:
    """Results in order, None for a molecule whose process had to be ended after `seconds` of work."""
    from pebble import ProcessPool

    context = multiprocessing.get_context("spawn")
    with ProcessPool(workers, initializer=_imported, context=context) as pool:
        for future in [pool.schedule(function, (molecule,), timeout=seconds) for molecule in molecules]:
            try:
                yield future.result()
            except (TimeoutError, OSError):  # late, or crashed
                yield None


def _imported() -> None:
    """Do nothing, in a process that has loaded this module for it: no molecule's time is spent on that."""
