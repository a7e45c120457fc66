"""Whatever comes, the server answers as its OpenAPI says, below 500, in JSON, and on time."""

import json
import time

import pytest
import schemathesis
import torch
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from molscore.integrations.server.app import create_app
from molscore.integrations.server.service import Limits, Service
from tests import tiny

LIMITS = Limits(body_bytes=50_000, rows=8, generated=2, steps=2, seconds=10.0, conformer_seconds=2.0)
SECONDS = 30.0  # for one answer, on a slow machine
APP = create_app(Service(tiny.model(), LIMITS), None)
torch.set_flush_denormal(False)  # schemathesis looks for the smallest of numbers while tests are collected
LEFT_OUT = [positive_data_acceptance]  # a formula of the right shape can be one that no molecule has; 8.0 is no integer
POSTS = ("/log-likelihood", "/generate", "/reinvent")

schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True, database=None)
def test_the_server_keeps_to_its_openapi(case) -> None:
    case.call_and_validate(excluded_checks=LEFT_OUT)


@pytest.fixture(scope="module")
def anyone():
    with TestClient(APP, raise_server_exceptions=False) as found:
        yield found


atoms = st.lists(st.integers(-1, 120), max_size=5)
triple = st.lists(st.floats(allow_nan=True) | st.integers(-(10**30), 10**30), min_size=2, max_size=4)
geometry = st.fixed_dictionaries({"numbers": atoms, "positions": st.lists(triple, max_size=5)})
smiles = st.text("CNOFHcno[]()=#123%+-@/\\. |", max_size=20) | st.text(max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
molecules = st.fixed_dictionaries({"molecules": st.lists(smiles | geometry | anything, max_size=9)})
wishes = st.dictionaries(
    st.sampled_from(["n", "seed", "formula", "n_atoms", "steps", "sampler", "keep", "novel", "resolution", "model"]),
    st.integers(-2, 20)
    | st.floats(0, 2)
    | st.sampled_from(["C2H6O", "CH4", "heun", "C0", "H-1", "Xx2"])
    | st.booleans(),
)
queries = st.lists(st.fixed_dictionaries({"input_string": smiles, "query_id": st.text(max_size=4)}), max_size=9)
bodies = st.one_of(
    st.binary(max_size=60), (molecules | wishes | queries | anything).map(lambda value: json.dumps(value).encode())
)


@settings(max_examples=150)
@given(st.sampled_from(POSTS), bodies)
def test_any_body_is_answered_below_500(anyone, path, body) -> None:
    started = time.monotonic()
    answer = anyone.post(path, content=body, headers={"content-type": "application/json"})
    assert time.monotonic() - started < SECONDS
    assert answer.status_code < 500, answer.text
    found = json.loads(answer.text, parse_constant=pytest.fail)  # JSON has no NaN
    assert "Traceback" not in answer.text and "\n" not in answer.text
    assert (answer.status_code == 200) != (list(found) == ["error"])
