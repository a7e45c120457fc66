"""Shared fixtures: one thread, one seed, float64 where a law needs it."""

import os

# Read by the numeric libraries when they load, so set before any of them does.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import random  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from molscore.molecules import Molecule  # noqa: E402
from molscore.screening.model import Model  # noqa: E402
from tests import tiny  # noqa: E402

SEED = 0

torch.set_num_threads(1)
# The same examples on every run and no time limit per example: a slow machine must not make a law fail.
settings.register_profile("molscore", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("molscore")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed every global random generator before each test; let numbers be as small as they are, whatever ran before."""
    torch.set_flush_denormal(False)
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded numpy generator."""
    return np.random.default_rng(SEED)


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded torch generator."""
    return torch.Generator().manual_seed(SEED)


@pytest.fixture
def float64() -> Iterator[torch.dtype]:
    """Make float64 torch's default type for one test, and give it back afterwards."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch.float64
    torch.set_default_dtype(before)


@pytest.fixture
def model() -> Model:
    """The tiny model with every table."""
    return tiny.model()


@pytest.fixture
def library() -> list[Molecule]:
    """Its molecules, 27 geometries of several sizes."""
    return list(tiny.geometries())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a checkpoint folder."""
    return tiny.saved(tmp_path_factory.mktemp("models"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is given up soon, for a network of random weights finds nothing."""
    monkeypatch.setattr("molscore.screening.generate.PATIENCE", 6)
