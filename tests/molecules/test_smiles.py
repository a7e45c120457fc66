"""The outline of a string says what its graph says, and no string takes RDKit long."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molscore.errors import MolscoreError, ParseError, PatternError, TooLargeError
from molscore.molecules.chem import atomic_numbers, charge, fragments, from_smiles, radicals
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.smiles import MAX_RINGS, outline, outline_of, ring_count, shown
from tests.molecules.conftest import LIBRARY

ODD = ("[2H]C", "[13CH4]", "[Na+].[Cl-]", "C1.C1", "[O-][N+](=O)C", "[H][H]", "[U+4]", "[O][O]", "[H+]", "CC |$a;b$|")
C60 = (
    "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10"
    "c5c5c1c1c6c6c%11c2c2c7c3c3c8c4c4c9c5c1c1c6c2c3c41"
)


def ladder(rungs: int) -> str:
    """Squares in a row: as many rings as it has rungs but one."""
    inner = "".join(f"C%({i})" for i in range(1, rungs - 1))
    back = "".join(f"C%({i})" for i in range(rungs - 2, 0, -1))
    return f"C%(999){inner}CC{back}C%(999)"


def complete(n: int) -> str:
    """Uranium atoms each bound to all others."""
    atoms = range(1, n + 1)
    rings = [[f"%({min(i, j)}{max(i, j):02d})" for j in atoms if abs(i - j) > 1] for i in atoms]
    return "".join("[U]" + "".join(closures) for closures in rings)


def verdict(function, text: str) -> type | None:
    try:
        function(text)
    except MolscoreError as error:
        return type(error)
    return None


@pytest.mark.parametrize("text", [*LIBRARY, *ODD, C60])
def test_the_outline_is_that_of_the_graph(text) -> None:
    found, mol = outline(text), from_smiles(text)
    assert found.counts == dict(Counter(SYMBOLS[number] for number in atomic_numbers(mol)))
    assert found.n_atoms == len(atomic_numbers(mol))
    assert found[1:] == (charge(mol), fragments(mol), radicals(mol)) == outline_of(mol)[1:]


@given(st.text("CNOFBScnos()=#123[]+-@/\\.H*%", max_size=25))
def test_what_the_outline_refuses_the_graph_refuses_and_the_other_way_round(text) -> None:
    assert verdict(outline, text) == verdict(from_smiles, text)


@pytest.mark.parametrize(
    "text", ["CC(C)(C)(C)C", "c1cccc1", "c1ccccc1(C)C", "C1CC", "(", "lemon", "1234", "NaN", "\x00", "é"]
)
def test_what_cannot_be_sanitised_is_unparsable(text) -> None:
    assert verdict(outline, text) is verdict(from_smiles, text) is ParseError


@pytest.mark.parametrize("text", ["*CC", "C[*:1]", "CC* |$;;R1$|", "C~C"])
def test_a_pattern_is_no_molecule(text) -> None:
    assert verdict(from_smiles, text) is verdict(outline, text) is PatternError


def test_rings_are_counted_before_they_are_looked_for() -> None:
    """RDKit needs minutes for the rings of the last; a hundred and less, the control, are looked for."""
    assert ring_count(from_smiles(C60)) == 31
    assert ring_count(from_smiles(ladder(40))) == 39
    assert verdict(outline, ladder(MAX_RINGS)) is None
    assert verdict(outline, ladder(MAX_RINGS + 2)) is TooLargeError
    started = time.process_time()
    for text in (ladder(900), complete(35)):
        assert verdict(outline, text) is verdict(from_smiles, text) is TooLargeError
    assert time.process_time() - started < 2.0
    assert verdict(outline, complete(5)) is None


@pytest.mark.parametrize("text", ["C" * 100_000, "C" * 10_001, "C(" * 50_000, "\x00" * 20_000])
def test_enormous_strings_are_not_read(text) -> None:
    started = time.process_time()
    for function in (outline, from_smiles):
        with pytest.raises(TooLargeError, match="at most are read"):
            function(text)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text", ["C" * 9_000, "C(" * 4_900, "[" * 9_000, "C1" * 4_000, "=" * 9_000, ".".join(["C"] * 4_000)]
)
def test_long_strings_are_read_quickly_and_quoted_in_part(text) -> None:
    started = time.process_time()
    try:
        assert outline(text).n_atoms > 4_000
    except MolscoreError as error:
        assert len(str(error)) < 400
    assert time.process_time() - started < 2.0


def test_messages_quote_the_beginning_of_a_long_string() -> None:
    assert shown("CCO") == "'CCO'"
    assert len(shown("C" * 9_000)) == 82
