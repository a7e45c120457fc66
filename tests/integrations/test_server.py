"""The server answers with the model's numbers, in order, and refuses with a status below 500 and one line of JSON."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from molscore.integrations.server.app import create_app
from molscore.integrations.server.service import Service
from molscore.screening.generate import Request, generate
from molscore.screening.sample import Sampling
from molscore.screening.scorer import Scorer
from tests import tiny
from tests.integrations.conftest import LIMITS

JSON = {"content-type": "application/json"}
WATER = {"numbers": [8, 1, 1], "positions": [[0, 0, 0.1], [0.76, 0, -0.48], [-0.76, 0, -0.48]]}


def refused(answer, status: int, word: str = "") -> None:
    """The answer is a refusal with one line of JSON that says why."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    reason = answer.json()["error"]
    assert word.lower() in reason.lower() and reason and len(reason) <= 300
    assert "\n" not in reason and "Traceback" not in answer.text


def test_molecules_are_judged_in_order_as_the_scorer_judges_them(client) -> None:
    molecules = ["CCO", "C1CC", WATER, "ClC", "C" * 61, {"numbers": [6, 1], "positions": [[0, 0, 0]]}]
    rows = client.post("/log-likelihood", json={"molecules": molecules}).json()["rows"]
    statuses = ["ok", "unparsable", "ok", "unknown_element", "over_limit", "bad_positions"]
    assert [row["status"] for row in rows] == statuses
    assert [row["geometry"] for row in rows[:3]] == ["etkdg", None, "given"]
    expected = Scorer(tiny.model()).judge(["CCO"])
    assert rows[0]["log_likelihood"] == expected.log_likelihood[0]
    assert rows[0]["percentile"] == expected.percentile[0]
    assert all((row["log_likelihood"] is None) == (row["status"] != "ok") for row in rows)
    assert all(bool(row["error"]) == (row["status"] != "ok") for row in rows)


def test_a_resolution_can_be_asked_for(client, model, library) -> None:
    molecules = [{"numbers": m.numbers.tolist(), "positions": m.positions.tolist()} for m in library[:4]]
    for resolution, percentile in ((0.1, True), (0.07, False)):
        answer = client.post("/log-likelihood", json={"molecules": molecules, "resolution": resolution}).json()
        found = [row["log_likelihood"] for row in answer["rows"]]
        assert np.allclose(found, model.log_likelihood(library[:4], resolution), atol=1e-3)
        assert all((row["percentile"] is not None) is percentile for row in answer["rows"])
        assert answer["note"] == "" if percentile else "there are at 0.02, 0.05, 0.1, 0.2 Å" in answer["note"]


def test_molecules_are_drawn_as_the_model_draws_them(client, model, impatient) -> None:
    wish = {"n": 3, "seed": 5, "steps": 4}
    found = client.post("/generate", json=wish).json()["candidates"]
    drawn = generate(model, Request(3, 5, sampling=Sampling(steps=4)))
    assert [c["verdict"] for c in found] == [str(c.verdict) for c in drawn]
    assert all(np.array_equal(c["positions"], d.positions) for c, d in zip(found, drawn, strict=True))
    assert client.post("/generate", json=wish).json()["candidates"] == found
    assert client.post("/generate", json=wish | {"seed": 6}).json()["candidates"] != found


def test_reinvent_is_answered_in_its_own_words(client) -> None:
    """As the REST component asks and reads; what is not among the successes is NaN there."""
    smiles = ["CCO", "C1CC", "O"]
    queries = [{"input_string": text, "query_id": str(i)} for i, text in enumerate(smiles)]
    for value in ("percentile", "log_likelihood", "log_density"):
        params = {"predictor_id": value, "predictor_version": "1", "inp_fmt": "smiles"}
        answer = client.post("/reinvent", json=queries, params=params)
        assert answer.status_code == 200
        scores = np.full(len(smiles), np.nan)
        for compound in answer.json()["output"]["successes_list"]:
            scores[int(compound["query_id"])] = float(compound["output_value"])
        assert np.array_equal(scores, getattr(Scorer(tiny.model()).judge(smiles), value), equal_nan=True)
        (failure,) = answer.json()["output"]["failures_list"]
        assert (failure["query_id"], failure["status"]) == ("1", "unparsable") and failure["error"]
    refused(client.post("/reinvent", json=queries, params={"predictor_id": "qed"}), 422, "percentile")
    refused(client.post("/reinvent", json=queries, params={"inp_fmt": "mol"}), 422, "inp_fmt")
    refused(client.post("/reinvent", json=queries, params={"resolution": 0.2}), 422, "unknown parameter 'resolution'")


def test_percentiles_that_a_server_cannot_have_are_no_row_of_failures(model) -> None:
    with TestClient(create_app(Service(model, LIMITS, 0.07)), base_url="http://127.0.0.1") as client:
        query = [{"input_string": "CCO", "query_id": "a"}]
        refused(client.post("/reinvent", json=query), 422, "predictor_id: there are no percentiles at a resolution of")
        answer = client.post("/reinvent?predictor_id=log_likelihood", json=query).json()
        assert len(answer["output"]["successes_list"]) == 1


def test_a_row_of_a_wrong_type_has_the_status_that_python_gives_it(client, model) -> None:
    items = [5, None, True, ["CCO"]]
    rows = client.post("/log-likelihood", json={"molecules": items}).json()["rows"]
    assert [row["status"] for row in rows] == Scorer(model).judge(items).status.tolist() == ["bad_input"] * 4


def test_facts_and_health(client) -> None:
    assert client.get("/health").json()["status"] == "ok"
    info = client.get("/info").json()
    assert info["elements"] == list(tiny.ELEMENTS) and info["limits"]["rows"] == LIMITS.rows


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "molecules"),
        ({"molecules": []}, "at least 1"),
        ({"molecules": ["C"] * 13}, "molecules: at most 12"),
        ({"molecules": "C"}, "list"),
        ({"molecules": ["C"], "path": "/etc/passwd"}, "path"),
        ({"molecules": ["C"], "model": "other"}, "model"),
        ({"molecules": ["C"], "resolution": 1e9}, "resolution"),
        ({"molecules": ["C"], "resolution": "0.05"}, "resolution"),
    ],
)
def test_other_shapes_are_refused(client, body, word) -> None:
    refused(client.post("/log-likelihood", json=body), 422, word)


@pytest.mark.parametrize(
    ("molecule", "status", "word"),
    [
        (3, "bad_input", "object"),
        (None, "bad_input", "object"),
        ({"numbers": [6]}, "bad_positions", "positions: field required"),
        ({"numbers": [], "positions": []}, "unknown_element", "numbers"),
        ({"numbers": [0], "positions": [[0, 0, 0]]}, "unknown_element", "numbers.0"),
        ({"numbers": [6.5], "positions": [[0, 0, 0]]}, "unknown_element", "numbers.0"),
        ({"numbers": [6], "positions": [[0, 0]]}, "bad_positions", "positions.0"),
        ({"numbers": [6], "positions": [[0, 0, 10**400]]}, "bad_positions", "positions.0.2"),
        ({"numbers": [6], "positions": [[0, 0, float("nan")]]}, "bad_positions", "positions.0.2"),
        ({"numbers": [6], "positions": [[0, 0, 0]], "file": "a"}, "unparsable", "file"),
    ],
)
def test_a_malformed_molecule_costs_itself_alone(client, molecule, status, word) -> None:
    body = json.dumps({"molecules": ["CCO", molecule, WATER]})
    answer = client.post("/log-likelihood", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["rows"]
    assert [row["status"] for row in rows] == ["ok", status, "ok"]
    assert word in rows[1]["error"].lower()
    queries = [{"input_string": text, "query_id": str(i)} for i, text in enumerate(("CCO", molecule))]
    output = client.post("/reinvent", content=json.dumps(queries), headers=JSON).json()["output"]
    assert [len(output[name]) for name in ("successes_list", "failures_list")] == [1, 1]


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"n": 0}, "n"), ({"n": 4}, "3"), ({"n": True}, "n"), ({"steps": 5}, "steps"), ({"seed": -1}, "seed"),
        ({"n_atoms": 15}, "atoms"), ({"sampler": "/bin/sh"}, "sde"), ({"keep": 0.0}, "keep"),
        ({"formula": "C1H9"}, "valences"), ({"formula": "../model"}, "formula"), ({"formula": "C99H200"}, "atoms"),
        ({"formula": "CH4", "n_atoms": 5}, "not both"), ({"keep": 0.5, "resolution": 0.07}, "percentiles"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_met_are_refused(client, wish, word) -> None:
    refused(client.post("/generate", json=wish), 422, word)


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"[" * 19_000, b"9" * 5000, b"CCO", b'{"molecules": ["C"]', b"\x80\x04\x95pickle"],
    ids=["cut", "bytes", "deep", "digits", "text", "open", "pickle"],
)
def test_what_is_not_json_is_refused(client, body) -> None:
    refused(client.post("/log-likelihood", content=body, headers=JSON), 400)


def test_characters_that_are_none_are_no_crash(client) -> None:
    for text in ("\\ud800", "\\u0000CC", "\\u202e"):
        body = f'{{"molecules": ["{text}", "C"]}}'.encode()
        rows = client.post("/log-likelihood", content=body, headers=JSON).json()["rows"]
        assert [row["status"] for row in rows] == ["unparsable", "ok"]
        queries = f'[{{"input_string": "C", "query_id": "{text}"}}]'.encode()
        refused(client.post("/reinvent", content=queries, headers=JSON), 422, "query_id")


def test_addresses_that_lead_nowhere_are_refused(client) -> None:
    for path in ("/", "/docs", "/redoc", "/../../etc/passwd", "/models/tiny", "/log-likelihood/"):
        refused(client.get(path, follow_redirects=False), 404)
    refused(client.get("/generate"), 405)
    refused(client.post("/health", json={}), 405)


def test_the_model_of_a_server_is_chosen_at_its_start_only(client) -> None:
    """No field of any request has the name of a file, a folder or a model."""
    schema = client.get("/openapi.json").json()
    requests = [
        part for name, part in schema["components"]["schemas"].items() if "Request" in name or name == "Geometry"
    ]
    fields = {field for part in requests for field in part.get("properties", {})}
    assert {"molecules", "n", "resolution"} <= fields
    assert not fields & {"path", "file", "folder", "model", "url", "checkpoint", "weights", "distribution"}
    assert all(part["additionalProperties"] is False for part in requests)


def test_a_fault_is_told_without_its_traceback(client, monkeypatch) -> None:
    monkeypatch.setattr("molscore.integrations.server.service.Service.judge", lambda *_: 1 / 0)
    refused(client.post("/log-likelihood", json={"molecules": ["C"]}), 500, "log")


def test_a_server_with_references_compares_with_them_and_draws_in_their_manner(impatient) -> None:
    service = Service(tiny.model(), LIMITS, like=["CO", "CCO"])
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        rows = client.post("/log-likelihood", json={"molecules": ["CCCO", "c1cnc[nH]1"]}).json()["rows"]
        assert rows[0]["log_ratio"] > rows[1]["log_ratio"]
        query = [{"input_string": "CCCO", "query_id": "a"}]
        answer = client.post("/reinvent?predictor_id=log_ratio", json=query).json()
        assert answer["output"]["successes_list"][0]["output_value"] == rows[0]["log_ratio"]
        assert client.get("/info").json()["references"] == 2
        drawn = client.post("/generate", json={"n": 3, "steps": 2, "seed": 1}).json()["candidates"]
    expected = generate(service.like, Request(3, 1, sampling=Sampling(steps=2)))
    assert [c["formula"] for c in drawn] == [c.formula for c in expected]
