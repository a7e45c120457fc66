"""A server of the tiny model that is asked without a network."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from molscore.integrations.server.app import create_app
from molscore.integrations.server.service import Limits, Service
from tests import tiny

LIMITS = Limits(body_bytes=20_000, rows=12, smiles_characters=60, generated=3, steps=4, seconds=20.0)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client of a server with small limits; a fault of the server is an answer 500, as for anybody."""
    app = create_app(Service(tiny.model(), LIMITS))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as found:
        yield found
