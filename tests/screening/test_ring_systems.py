"""Ring systems given references: a distribution that sums to one within a formula and leans to the references."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rdkit import Chem

from molscore.cli import main
from molscore.errors import InputError
from molscore.molecules.chem import from_smiles
from molscore.screening.explain import explain_like
from molscore.screening.like import draw_like
from molscore.screening.model import load
from molscore.screening.ring_systems import ALPHA, RingSystems, RingSystemsGiven, signature, signature_of_bonds
from molscore.screening.sample import Sampling, draw_formulas, draw_positions

ELEMENTS = ("H", "C", "N", "O")
BENZENE, CYCLOPROPANE, UNSEEN, NONE = (
    signature(from_smiles(smiles)) for smiles in ("Cc1ccccc1", "CC1CC1", "C1CCCC1", "CCO")
)
DATA = ["CCO", "CCCO", "CCC"] * 4 + ["CC1CC1", "C1CC1"] * 2 + ["c1ccccc1", "Cc1ccccc1", "C1CCC1", "c1ccncc1"]
C7H8, C3H6 = (8, 7, 0, 0), (6, 3, 0, 0)  # counts of H, C, N, O


@pytest.fixture
def plain() -> RingSystems:
    return RingSystems.of(DATA, ELEMENTS)


@pytest.mark.parametrize("references", [[BENZENE], [BENZENE, BENZENE, CYCLOPROPANE], [UNSEEN]])
@pytest.mark.parametrize("formula", [C7H8, C3H6])
def test_sums_to_one_within_a_formula(plain: RingSystems, references: list[str], formula: tuple[int, ...]) -> None:
    given = RingSystemsGiven(plain, references)
    fits = (given.needs <= plain.offers([formula])).all(1)
    names = [name for name, fit in zip(given.names, fits, strict=True) if fit]
    q = np.exp(given.log_q[fits]) / (np.exp(given.log_q[fits]).sum() + given.rest)
    p = q * np.exp(given.log_ratio(names, [formula] * len(names)))
    elsewhere = np.exp(given.log_ratio(["C1CCCCCC1"], [formula]))[0]  # the factor of all that is in no table
    assert p.sum() + (1 - q.sum()) * elsewhere == pytest.approx(1.0)
    assert q.sum() == pytest.approx(1 - given.rest, abs=0.2)


def test_leans_to_the_references_and_their_order_does_not_matter(plain: RingSystems) -> None:
    one, many = (RingSystemsGiven(plain, [BENZENE] * n) for n in (1, 16))
    mine, other = (given.log_ratio([BENZENE, NONE], [C7H8, C7H8]) for given in (one, many))
    assert other[0] > mine[0] > 0 > mine[1] > other[1]
    assert np.log(ALPHA / (ALPHA + 16)) < other[1] < -0.4  # of another kind they have a share, by the kernel
    mixed = [BENZENE, CYCLOPROPANE, NONE]
    there, back = (RingSystemsGiven(plain, order).log_ratio(mixed, [C7H8] * 3) for order in (mixed, mixed[::-1]))
    np.testing.assert_allclose(there, back)


def test_one_series_says_more_than_unlike_references_and_a_system_that_no_data_have_the_most(plain) -> None:
    one, unlike = (RingSystemsGiven(plain, given) for given in ([BENZENE] * 4, [BENZENE, CYCLOPROPANE, NONE, UNSEEN]))
    assert (one.eta, unlike.eta) == (5 / 6, 1 / 6)
    assert one.log_ratio([BENZENE], [C7H8])[0] > unlike.log_ratio([BENZENE], [C7H8])[0]
    assert UNSEEN not in plain.counts
    found = RingSystemsGiven(plain, [UNSEEN]).log_ratio([UNSEEN], [(14, 7, 0, 0)])[0]
    assert found > RingSystemsGiven(plain, [BENZENE]).log_ratio([BENZENE], [C7H8])[0]


def test_draws_follow_the_probabilities_within_a_formula(plain: RingSystems) -> None:
    given = RingSystemsGiven(plain, [BENZENE, BENZENE, CYCLOPROPANE, UNSEEN])
    rng, n = np.random.default_rng(0), 4000
    drawn = given.draw([C7H8] * n, rng)
    fits = (given.needs <= plain.offers([C7H8])).all(1)
    q = np.exp(given.log_q) / (np.exp(given.log_q[fits]).sum() + given.rest)
    for name in (BENZENE, CYCLOPROPANE):
        p = q[given.names[name]] * np.exp(given.log_ratio([name], [C7H8]))[0]
        assert drawn.count(name) / n == pytest.approx(p, abs=4 * (p * (1 - p) / n) ** 0.5)
    assert not {BENZENE, UNSEEN} & set(given.draw([C3H6] * 200, rng))  # neither fits three carbons


def test_what_does_not_fit_a_formula_has_no_share_of_it(plain: RingSystems) -> None:
    needs, offers = plain.needs([BENZENE, CYCLOPROPANE, NONE]), plain.offers([C3H6, (8, 3, 0, 0)])
    assert [bool((need <= offers[0]).all()) for need in needs] == [False, True, True]
    assert [bool((need <= offers[1]).all()) for need in needs] == [False, False, True]  # propane: no ring


def test_the_network_s_bonds_and_a_smiles_string_have_one_signature() -> None:
    for smiles in ("Cc1ccc2[nH]ccc2c1", "C1=CCNC1", "c1nc[nH]n1", "C1CC1c1ccccc1", "CCO"):
        graph = Chem.AddHs(from_smiles(smiles))
        orders = [4 if bond.GetIsAromatic() else int(bond.GetBondTypeAsDouble()) for bond in graph.GetBonds()]
        ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in graph.GetBonds()]
        bonds = [(*pair, order) for pair, order in zip(ends, orders, strict=True)]
        numbers = [atom.GetAtomicNum() for atom in graph.GetAtoms()]
        assert signature_of_bonds(numbers, bonds) == signature(from_smiles(smiles))
    assert signature(from_smiles("C1CC1c1ccccc1")).count(" ") == 1


def test_a_table_survives_its_file(plain: RingSystems) -> None:
    again = RingSystems.unpack(plain.pack(), ELEMENTS)
    assert (again.counts, again.once, again.rare) == (plain.counts, plain.once, plain.rare)
    assert NONE == ""
    assert again.counts[NONE] == 12


def test_what_speaks_for_a_molecule_adds_up_to_log_ratio(tmp_path: Path) -> None:
    model = load("qm9")
    given = model.given(["Cc1ccccc1", "Oc1ccccc1"])
    found, other = (explain_like(given, smiles) for smiles in ("Nc1ccccc1", "NC1CC1"))
    for one in (found, other):
        ratio = given.log_likelihood(one.molecule) - model.log_likelihood(one.molecule)
        assert one.formula + one.rings == pytest.approx(float(ratio[0]), abs=1e-3)
    ((name, atoms, share),) = found.systems
    assert name == BENZENE and len(atoms) == 6
    assert (share, other.systems[0][2]) == (1.0, 0.0)
    assert found.rings > 1 > other.rings
    found.draw(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    with pytest.raises(InputError, match="no references"):
        explain_like(model, "CCO")


def test_a_reference_is_not_copied() -> None:
    series = ["Cc1ccc[nH]1", "OCc1ccc[nH]1", "CCc1ccc[nH]1", "N#Cc1ccc[nH]1"]
    model = load("qm9")
    gain, without = (
        model.given(references).log_likelihood(series[0])[0] - model.log_likelihood(series[0])[0]
        for references in (series, series[1:])
    )
    assert gain > 3 and abs(gain - without) < gain / 2


@pytest.mark.slow
def test_draws_in_the_manner_of_references_have_their_ring_systems() -> None:
    pyrrole = signature(from_smiles("Cc1ccc[nH]1"))
    model = load("qm9")
    given = model.given(["Cc1ccc[nH]1", "OCc1ccc[nH]1", "CCc1ccc[nH]1", "N#Cc1ccc[nH]1"])
    counts = draw_formulas(given, 16, 0, None, None)
    like = given.signatures(draw_like(given, counts, 0, Sampling()))
    plain = model.signatures(draw_positions(model, counts, 0, Sampling()))
    assert like.count(pyrrole) >= 4 > plain.count(pyrrole)


def test_the_command_explains_by_references(tmp_path: Path) -> None:
    (tmp_path / "series.smi").write_text("Cc1ccccc1\nOc1ccccc1\n")
    done = CliRunner().invoke(main, ["explain", "Nc1ccccc1", "--like", str(tmp_path / "series.smi")])
    assert done.exit_code == 0, done.output
    assert "ring systems" in done.output and "in all" in done.output
