"""The tiny model, and a server of it that is asked without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from molscore.integrations.server.app import create_app
from molscore.integrations.server.service import Limits, Service
from molscore.molecules import Molecule
from molscore.screening.model import Model
from tests import tiny

LIMITS = Limits(body_bytes=20_000, rows=12, smiles_characters=60, generated=3, steps=4, seconds=20.0)


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


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client of a server with small limits; a fault of the server is an answer 500, as for anybody."""
    app = create_app(Service(tiny.model(), LIMITS))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as found:
        yield found
