"""Checks tell good candidates from bad ones, and each result names check, value and threshold."""

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem

from molscore.molecules import Molecule
from molscore.molecules.bonds import doubts, separated_charges
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.conformers import embed
from molscore.molecules.identity import TrainingIndex
from molscore.screening.checks import (
    CheckResult,
    candidate_summary,
    density_filter,
    filtered,
    inspect,
    mark_duplicates,
    mark_surplus,
    ranked,
)


def apart() -> Molecule:
    """Two water molecules, far from each other."""
    water = embed("O")[0]
    return Molecule(np.tile(water.numbers, 2), np.concatenate([water.positions, water.positions + 20.0]))


def test_a_real_molecule_passes() -> None:
    candidate = inspect(embed("C[C@H](N)O")[0], 3, TrainingIndex.make(["CC(N)O"]))
    assert candidate.passed and candidate.valid and candidate.connected
    assert candidate.novel is False and candidate.index == 3 and "@" in candidate.smiles
    assert repr(candidate) == f"Candidate({candidate.smiles})"
    assert inspect(embed("CCO")[0], 0, TrainingIndex.make(["CC(N)O"])).novel is True
    assert inspect(embed("CCO")[0], 0).novel is None


def test_noise_and_pieces_are_turned_down(rng) -> None:
    noise = inspect(Molecule([6, 6, 8, 1, 1], 3 * rng.standard_normal((5, 3))), 0)
    assert not noise.passed and not noise.valid and noise.smiles == "" and noise.mol is None
    assert str(noise.verdict).startswith("valid: ")
    pieces = inspect(apart(), 0)
    assert pieces.valid and not pieces.connected
    assert str(pieces.verdict) == "connected: 2 pieces (1 piece)" and repr(pieces).endswith(f"{str(pieces.verdict)!r})")


def test_missing_hydrogens_do_not_pass_as_charges() -> None:
    """Hexane without one hydrogen at each end can only be read as a pair of charged carbons."""
    hexane = embed("CCCCCC")[0]
    kept = np.delete(np.arange(20), [6, 19])
    candidate = inspect(Molecule(hexane.numbers[kept], hexane.positions[kept]), 0)
    assert candidate.valid and candidate.connected and not candidate.passed
    assert candidate.verdict.check == "charges" and set(candidate.verdict.value.split()) == {"C+", "C-"}
    assert inspect(hexane, 0).passed


@pytest.mark.parametrize(
    "smiles", ["C[N+](=O)[O-]", "C[N+](C)(C)[O-]", "C[N+]#[C-]", "CN=[N+]=[N-]", "C=[N+]=[N-]", "CCO"]
)
def test_charges_that_are_a_way_to_write_bonds_pass(smiles) -> None:
    assert separated_charges(Chem.MolFromSmiles(smiles)) == []
    assert inspect(embed(smiles)[0], 0).passed


ALONE = [("[CH2+]CC[CH2-]", "C+ C-"), ("[CH2-]CCC1=C(O)CC[OH+]1", "C- O+"), ("[O-]C[O+]1CC1", "O- O+")]
YLIDE = [
    ("C[CH-][O+]=C", "C- O+"),
    ("CNC(=O)[n+]1co[n-]1", "N+ N-"),
    ("N#Cc1[nH+][n-]oc1=O", "N+ N-"),
]  # a carbanion beside an oxonium is no way to write a bond
ZWITTERIONS = [("[NH3+]CC(=O)[O-]", "N+ O-"), ("C[N+](C)(C)CC(=O)[O-]", "N+ O-"), ("C[S+](C)CC[O-]", "O- S+")]


@pytest.mark.parametrize(("smiles", "charges"), ALONE + ZWITTERIONS + YLIDE)
def test_charges_that_stand_alone_are_seen_and_zwitterions_turned_down(smiles, charges) -> None:
    assert sorted(separated_charges(Chem.MolFromSmiles(smiles))) == sorted(charges.split())
    if (smiles, charges) in ZWITTERIONS:
        candidate = inspect(embed(smiles)[0], 0)
        assert candidate.valid and not candidate.passed
        assert candidate.verdict.check == "charges" and sorted(candidate.verdict.value.split()) == charges.split()


STRAINED = ["C1#CC=CC=C1", "C1#CC=CN=C1", "C1#CCCCC1", "C1CCC#CCC1", "C1=C=CCCC1", "C1=C=CC=CC1"]


@pytest.mark.parametrize("smiles", [*STRAINED, "C1CCCC#CCC1"])
def test_linear_atoms_in_small_rings_are_turned_down(smiles, monkeypatch) -> None:
    """Arynes, cycloalkynes and cyclic allenes of fewer than eight atoms, which hardly have a geometry to read."""
    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    monkeypatch.setattr("molscore.screening.checks.mol_from_molecule", lambda _: graph)
    numbers = [atom.GetAtomicNum() for atom in graph.GetAtoms()]
    candidate = inspect(Molecule(numbers, 9.0 * np.arange(3 * len(numbers)).reshape(-1, 3)), 0)
    assert candidate.passed == (smiles not in STRAINED)
    assert candidate.passed or (candidate.verdict.check == "ring" and "in a ring of" in candidate.verdict.value)


@pytest.mark.parametrize("smiles", ["c1ccccc1C#C", "C=C=CC1CC1", "C#CC1CC1", "c1ccc2nsnc2c1", "O=C1C=CC(=O)C=C1"])
def test_linear_atoms_elsewhere_pass(smiles) -> None:
    assert inspect(embed(smiles)[0], 0).passed


@pytest.mark.parametrize(
    ("smiles", "found"),
    [
        ("CC1=S=C(C)C=C1", "S of valence 4 with a double bond to C"),
        ("CC1=[SH]C=CC=C1", "S of valence 4 with a double bond to C"),
        ("CP(C)(C)=C", "P of valence 5 with a double bond to C"),
        ("CS(=O)(=O)N", None),
        ("CS(C)=O", None),
        ("CS(C)(=N)=O", None),
        ("CP(O)(O)=S", None),
        ("CC(C)=S", None),
        ("c1ccsc1", None),
        ("FS(F)(F)(F)(F)C", None),
        ("C[S+](C)[CH-]C", None),
    ],
)
def test_hypervalent_atoms_have_double_bonds_to_oxygen_nitrogen_and_sulfur(smiles, found) -> None:
    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    apart = 9.0 * np.arange(3 * graph.GetNumAtoms()).reshape(-1, 3)
    assert doubts(graph, apart).get("hypervalent") == found


def test_atoms_that_clash_are_named() -> None:
    """Two ends of one molecule driven into each other: each end is whole, and the bonds fit."""
    molecule = embed("CCCCCC")[0]
    graph = mol_from_molecule(molecule)
    assert doubts(graph, molecule.positions) == {}
    last = [5, *(atom.GetIdx() for atom in graph.GetAtomWithIdx(5).GetNeighbors() if atom.GetAtomicNum() == 1)]
    clashing = molecule.positions.copy()
    clashing[last] += clashing[0] - clashing[5] + [1.0, 0.0, 1.4]
    found = doubts(graph, clashing)
    assert list(found) == ["clash"] and "Å apart, not bonded" in found["clash"]
    assert "C0" in found["clash"] or "H" in found["clash"]


def test_what_is_outside_the_data_does_not_pass_the_percentile_filter() -> None:
    """It has no percentile: it is turned down with the reason, and passes where no percentile is asked for."""
    inside = replace(inspect(embed("CCO")[0], 0), percentile=50.0)
    outside = replace(inside, percentile=None, outside="4 rings are more than 3, the most in tiny")
    unlikely, bare = replace(inside, percentile=0.5), replace(inside, percentile=None)
    found = filtered([inside, outside, unlikely, bare], 1.0)
    assert [c.verdict.check for c in found] == ["passed", "outside", "percentile", "passed"]
    assert "4 rings" in str(found[1].verdict)
    assert all(c.passed for c in filtered([inside, outside, unlikely, bare], 0.0))
    assert candidate_summary(found) == "4 drawn, 2 passed; turned down by check: outside 1, percentile 1"
    assert "1 outside the data, without a percentile" in candidate_summary([inside, outside])


def test_what_passed_after_enough_had_is_surplus_and_not_turned_down_by_a_check() -> None:
    """In the order of drawing, whatever the percentile."""
    ethanol = inspect(embed("CCO")[0], 0)
    drawn = [replace(ethanol, index=index, percentile=float(index)) for index in range(8)]
    found = mark_surplus(filtered(drawn, 1.0), 5)
    assert [c.verdict.check for c in found] == ["percentile"] + ["passed"] * 5 + ["surplus"] * 2
    assert candidate_summary(found) == "8 drawn, 7 passed, 5 asked for; turned down by check: percentile 1"
    assert candidate_summary(mark_surplus(drawn, 5)) == "8 drawn, 8 passed, 5 asked for"
    assert candidate_summary(mark_surplus(drawn, 8)) == "8 drawn, 8 passed"


def test_only_the_first_of_a_kind_is_unique() -> None:
    smiles = ["CCO", "CC", "CCO", "OCC"]
    drawn = [inspect(embed(text)[0], index) for index, text in enumerate(smiles)]
    marked = mark_duplicates([*drawn, inspect(apart(), 4), inspect(apart(), 5)])
    assert [c.unique for c in marked] == [True, True, False, False, True, False]
    assert [c.unique for c in mark_duplicates(marked)] == [c.unique for c in marked]  # a later round changes nothing
    assert str(marked[2].verdict) == "unique: same SMILES as the draw of index 0 (different from all before)"
    assert marked[5].verdict.check == "connected"
    unlikely = replace(drawn[0], verdict=CheckResult("percentile", 0.01, "at least 1"))
    marked = mark_duplicates([unlikely, drawn[2]])  # what passes is no repetition of what did not
    assert [(c.unique, c.passed) for c in marked] == [(False, False), (True, True)]


@pytest.fixture
def judged(rng) -> list:
    """100 candidates with different percentiles, ten of them turned down."""
    one = inspect(embed("CCO")[0], 0)
    values = rng.permutation(100)
    drawn = [replace(one, index=i, percentile=float(p), log_likelihood=float(-p)) for i, p in enumerate(values)]
    down = CheckResult("connected", "2 pieces", "1 piece")
    return [replace(c, verdict=down) if c.index % 10 == 0 else c for c in drawn]


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.65, 0.999, 1.0])
def test_the_filter_keeps_the_most_likely_share(judged, keep) -> None:
    before = {c.index: c for c in judged if c.passed}
    after = {c.index: c for c in density_filter(judged, keep) if c.passed}
    assert abs(len(after) - keep * len(before)) <= 0.5 or len(after) == 1
    dropped = [c.percentile for index, c in before.items() if index not in after]
    assert min(c.percentile for c in after.values()) > max(dropped, default=-1)
    assert sum(c.verdict.check == "connected" for c in density_filter(judged, keep)) == 10
    assert density_filter([], keep) == []


def test_the_best_come_first_and_likelihood_breaks_ties(judged) -> None:
    order = ranked(judged)
    assert [c.passed for c in order] == [True] * 90 + [False] * 10
    percentiles = [c.percentile for c in order[:90]]
    assert percentiles == sorted(percentiles, reverse=True)
    level = density_filter([replace(c, percentile=50.0) for c in judged], 0.5)
    dropped = [c.log_likelihood for c in level if c.verdict.check == "percentile"]
    assert min(c.log_likelihood for c in level if c.passed) > max(dropped)
