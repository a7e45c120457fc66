"""The worked example of docs/likelihood.md: its terms add up, and its numbers are the shipped model's."""

import numpy as np

from benchmarks.isomers import ISOMERS, PAGE, RESOLUTIONS, numbers, page
from molscore.molecules.conformers import embed
from molscore.screening.model import load
from tests import tiny

TERMS = ("log p(N)", "log p(formula)", "log_density", "permutations")


def shown(text: str, label: str) -> list[float]:
    """The numbers of a row of the example."""
    row = next(line for line in text.splitlines() if line.startswith("|") and label in line)
    return [float(cell) for cell in row.strip("| ").split(" | ")[1:]]


def example() -> str:
    return PAGE.read_text(encoding="utf-8").partition("<!-- isomers -->")[2].partition("<!-- /isomers -->")[0]


def test_the_terms_add_up() -> None:
    molecules = [embed(smiles)[0] for smiles in ISOMERS.values()]
    found = numbers(tiny.model(), molecules)
    assert np.allclose(sum(found[name] for name in TERMS), found["log_likelihood"])
    assert not np.allclose(sum(found[name] for name in TERMS[:3]), found["log_likelihood"])
    assert len({molecule.formula for molecule in molecules}) == 1
    text = page(tiny.model())
    assert np.allclose(shown(text, "**`log_likelihood`**"), found["log_likelihood"], atol=0.006)
    assert len(shown(text, "| 0.02 |")) == 3 and "e^" in text


def test_the_page_shows_the_shipped_model() -> None:
    """`make pages` writes it again after the model has changed."""
    model, text = load("qm9"), example()
    assert model.weights[:12] in text
    molecules = [embed(smiles)[0] for smiles in ISOMERS.values()]
    assert np.allclose(shown(text, "`log_density`"), model.log_density(molecules, 0.05), atol=0.1)
    for resolution in RESOLUTIONS:
        assert np.allclose(shown(text, f"| {resolution:g} |")[:2], model.log_density(molecules, resolution), atol=0.1)
