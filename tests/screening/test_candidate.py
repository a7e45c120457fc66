"""Checks tell good candidates from bad ones, and every verdict names check, value and threshold."""

from dataclasses import replace

import numpy as np
import pytest

from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.molecules.identity import TrainingIndex
from molscore.screening.candidate import Verdict, inspect, mark_duplicates, ranked
from molscore.screening.generate import density_filter


def apart() -> Molecule:
    """Two water molecules, far from each other."""
    water = embed("O")[0]
    return Molecule(np.tile(water.numbers, 2), np.concatenate([water.positions, water.positions + 20.0]))


def test_a_real_molecule_passes() -> None:
    candidate = inspect(embed("C[C@H](N)O")[0], 3, TrainingIndex.make(["CC(N)O"]))
    assert candidate.passed and candidate.valid and candidate.connected
    assert candidate.novel is False
    assert candidate.index == 3
    assert "@" in candidate.smiles
    assert inspect(embed("CCO")[0], 0, TrainingIndex.make(["CC(N)O"])).novel is True
    assert inspect(embed("CCO")[0], 0).novel is None


def test_noise_and_pieces_are_turned_down(rng) -> None:
    noise = inspect(Molecule([6, 6, 8, 1, 1], 3 * rng.standard_normal((5, 3))), 0)
    assert not noise.passed and not noise.valid and noise.smiles == "" and noise.mol is None
    assert str(noise.verdict).startswith("valid: ")
    pieces = inspect(apart(), 0)
    assert pieces.valid and not pieces.connected
    assert str(pieces.verdict) == "connected: 2 pieces (1 piece)"


def stripped(smiles: str, *hydrogens: int) -> Molecule:
    """A real molecule without some of its hydrogens, counted from the last."""
    molecule = embed(smiles)[0]
    kept = np.delete(np.arange(molecule.n_atoms), [molecule.n_atoms - 1 - h for h in hydrogens])
    return Molecule(molecule.numbers[kept], molecule.positions[kept])


def test_missing_hydrogens_do_not_pass_as_charges() -> None:
    """Hexane without one hydrogen at each end can only be read as a pair of charged carbons."""
    candidate = inspect(stripped("CCCCCC", 0, 13), 0)
    assert candidate.valid and candidate.connected and not candidate.passed
    assert candidate.verdict.check == "charges"
    assert set(candidate.verdict.value.split()) == {"C+", "C-"}
    assert inspect(embed("CCCCCC")[0], 0).passed


def test_only_the_first_of_a_kind_is_unique() -> None:
    smiles = ["CCO", "CC", "CCO", "OCC"]
    drawn = [inspect(embed(text)[0], index) for index, text in enumerate(smiles)]
    marked = mark_duplicates([*drawn, inspect(apart(), 4), inspect(apart(), 5)])
    assert [c.unique for c in marked] == [True, True, False, False, True, False]
    assert [c.unique for c in mark_duplicates(marked)] == [c.unique for c in marked]  # a later round changes nothing
    assert str(marked[2].verdict) == "unique: same SMILES as number 0 (different from all before)"
    assert marked[5].verdict.check == "connected"


@pytest.fixture
def judged(rng) -> list:
    """100 candidates with different percentiles, ten of them turned down."""
    one = inspect(embed("CCO")[0], 0)
    values = rng.permutation(100)
    drawn = [replace(one, index=i, percentile=float(p), log_likelihood=float(-p)) for i, p in enumerate(values)]
    down = Verdict("connected", "2 pieces", "1 piece")
    return [replace(c, verdict=down) if c.index % 10 == 0 else c for c in drawn]


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.65, 0.999, 1.0])
def test_the_filter_keeps_the_most_likely_share(judged, keep) -> None:
    before = {c.index: c for c in judged if c.passed}
    after = {c.index: c for c in density_filter(judged, keep) if c.passed}
    assert abs(len(after) - keep * len(before)) <= 0.5 or len(after) == 1
    dropped = [c.percentile for index, c in before.items() if index not in after]
    assert min(c.percentile for c in after.values()) > max(dropped, default=-1)
    assert sum(c.verdict.check == "connected" for c in density_filter(judged, keep)) == 10


def test_likelihood_breaks_ties(judged) -> None:
    level = [replace(c, percentile=50.0) for c in judged]
    kept = [c for c in density_filter(level, 0.5) if c.passed]
    dropped = [c for c in density_filter(level, 0.5) if c.verdict.check == "percentile"]
    assert min(c.log_likelihood for c in kept) > max(c.log_likelihood for c in dropped)


def test_a_filter_of_nothing_keeps_nothing() -> None:
    assert density_filter([], 0.5) == []


def test_those_that_passed_come_first_and_best_first(judged) -> None:
    order = ranked(judged)
    assert [c.passed for c in order] == [True] * 90 + [False] * 10
    percentiles = [c.percentile for c in order[:90]]
    assert percentiles == sorted(percentiles, reverse=True)


def test_it_shows_its_smiles_and_why_it_was_turned_down() -> None:
    assert repr(inspect(embed("CCO")[0], 0)) == "Candidate(CCO)"
    assert repr(inspect(apart(), 0)).endswith("verdict='connected: 2 pieces (1 piece)')")
