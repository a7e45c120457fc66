"""Worker processes give what `embed` gives; one that hangs or dies costs one molecule."""

import numpy as np
import pytest

from molscore.errors import ConformerError, FragmentError, InputError, OvertimeError, ParseError
from molscore.molecules import Molecule, workers
from molscore.molecules.conformers import ConformerPool, embed

HANGS = "import time; time.sleep(600)"
HANGS_LATER = "print('ready', flush=True); import time; time.sleep(600)"
DIES = "print('ready', flush=True); import sys; sys.stdin.readline()"
DIES_AT_ONCE = ""


def test_it_gives_what_embed_gives_in_order() -> None:
    smiles = ["CCO", "C1CC", "c1ccccc1", "CC.O", "C#N"]
    with ConformerPool(2, seed=5) as pool:
        found = pool.embed(smiles)
    assert [type(item) for item in found] == [list, ParseError, list, FragmentError, list]
    for text, item in zip(smiles, found, strict=True):
        if isinstance(item, list):
            assert len(item) == 1 and np.array_equal(item[0].positions, embed(text, seed=5)[0].positions)
            assert not np.array_equal(item[0].positions, embed(text, seed=6)[0].positions)


def test_it_gives_several_conformers_as_embed_does() -> None:
    with ConformerPool(1, seed=5, conformers=3) as pool:
        (found,) = pool.embed(["OCCO"])
    expected = embed("OCCO", 3, seed=5)
    assert len(found) == len(expected) == 3
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.positions, other.positions) and one.properties == other.properties
    assert not np.array_equal(found[0].positions, found[1].positions)


@pytest.mark.parametrize(
    ("program", "start", "kind", "reason"),
    [
        (HANGS, 0.3, OvertimeError, "within"),
        (HANGS_LATER, 600.0, OvertimeError, "within"),
        (DIES, 60.0, ConformerError, "crashed"),
        (DIES_AT_ONCE, 60.0, ConformerError, "crashed"),
    ],
)
def test_a_stuck_or_dead_worker_costs_its_own_molecule(monkeypatch, program, start, kind, reason) -> None:
    """Also where one follows the other: the time that a process may take to start is none that a molecule gets."""
    monkeypatch.setattr(workers, "_START_SECONDS", start)
    with ConformerPool(2, time_limit=0.1) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(workers, "_BOOT", program)
            broken = pool.embed(["CCO", "C"])
        assert all(type(item) is kind and reason in str(item) for item in broken)
        monkeypatch.setattr(workers, "_START_SECONDS", 60.0)
        pool.time_limit = 30.0
        assert isinstance(pool.embed(["CCO"])[0][0], Molecule)


def test_nothing_is_started_for_nothing(monkeypatch) -> None:
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *_, **__: pytest.fail("started a process"))
    with ConformerPool(2) as pool:
        assert pool.embed([]) == []


@pytest.mark.parametrize(
    ("workers", "limit", "conformers"), [(0, 1.0, 1), (1, 0.0, 1), (1, float("nan"), 1), (1, 1.0, 0)]
)
def test_a_pool_needs_workers_time_and_conformers(workers, limit, conformers) -> None:
    with pytest.raises(InputError):
        ConformerPool(workers, time_limit=limit, conformers=conformers)
