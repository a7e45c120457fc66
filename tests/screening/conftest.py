"""The tiny model and its molecules."""

from pathlib import Path

import pytest

from molscore.molecules import Molecule
from molscore.screening.model import Model
from tests import tiny


@pytest.fixture
def model() -> Model:
    """A tiny model with every table."""
    return tiny.model()


@pytest.fixture
def library() -> list[Molecule]:
    """Its molecules, 27 geometries of several sizes."""
    return list(tiny.geometries())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a checkpoint folder."""
    return tiny.saved(tmp_path_factory.mktemp("models"))
