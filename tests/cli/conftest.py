"""The command line on a tiny model in a folder of its own, and what is said of its answers."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from molscore.cli import main
from tests import tiny

Run = Callable[..., Result]


def table(path: str | Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def assert_one_line(done: Result, *words: str) -> None:
    """Refused in one line that holds the words."""
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stderr.startswith("molscore: error: ")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n")
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **extra: CliRunner().invoke(main, [str(argument) for argument in arguments], **extra)


@pytest.fixture
def likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that finds real molecules: geometries of the library, each slightly shaken."""
    import numpy as np

    from molscore.molecules import Molecule
    from molscore.screening import generate, like

    def draw(model: object, counts: np.ndarray, seed: int, *rest: object) -> list[Molecule]:
        rng = np.random.default_rng(seed)
        held = tiny.geometries()
        chosen = [held[i] for i in rng.permutation(len(counts)) % len(held)]
        noisy = [m.positions + 0.01 * rng.standard_normal(m.positions.shape) for m in chosen]
        return [Molecule(m.numbers, x, f"tiny-{i}") for i, (m, x) in enumerate(zip(chosen, noisy, strict=True))]

    for module in (generate, like):
        monkeypatch.setattr(module, "draw_positions", draw)
