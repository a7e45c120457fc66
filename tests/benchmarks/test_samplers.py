"""The table of samplers: settings are read from words, and a row says what molecules are like."""

from benchmarks.samplers import COLUMNS, candidates_of, row_of
from molscore.molecules.conformers import embed
from tests import tiny


def test_a_row_says_what_molecules_are_like() -> None:
    smiles = ("c1ccccc1", "C1CC2CC1CC2", "CCCO", "CCCO")
    row = dict(
        zip(COLUMNS, row_of("x", candidates_of(tiny.model(), [embed(s)[0] for s in smiles]), 50, 8.0), strict=True)
    )
    assert row["molecules"] == 4 and row["evaluations"] == 50 and row["CPU s a molecule"] == "2.00"
    assert (row["bad bonding %"], row["unique of valid %"], row["aromatic %"]) == ("0.0", "75.0", "25.0")
    assert (row["rings"], row["rotatable"], row["bridgeheads"], row["C=C %"]) == ("0.75", "0.50", "0.50", "0.0")
