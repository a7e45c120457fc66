"""No request costs more than it may, whatever it says of itself."""

import asyncio
import json
import threading
import time

import pytest
from fastapi.testclient import TestClient

from molscore.errors import InputError, LimitError
from molscore.integrations.server.app import create_app
from molscore.integrations.server.service import Deadline, Limits, Service
from molscore.screening.generate import Request
from molscore.screening.sample import Sampling
from molscore.screening.scorer import Scorer
from tests import tiny

HEADERS = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
BODY = b'{"molecules": ["C1CC"]}'


async def through(app, pieces, headers=HEADERS) -> int:
    """Status of the answer to a body that comes in pieces."""
    waiting = [
        {"type": "http.request", "body": piece, "more_body": i < len(pieces) - 1} for i, piece in enumerate(pieces)
    ]
    sent = []

    async def receive():
        return waiting.pop(0) if waiting else await asyncio.sleep(3600)

    async def send(message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/log-likelihood", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("spaces", "cut", "headers", "status"),
    [
        (0, 1, [], 200), (0, 9, [], 200), (77, 1, [], 200), (78, 1, [], 413), (78, 9, [], 413),
        (0, 1, [(b"content-length", b"101")], 413),
    ],
)  # fmt: skip
def test_a_body_has_a_largest_size_however_it_comes(spaces, cut, headers, status) -> None:
    app = create_app(Service(tiny.model(), Limits(body_bytes=100)), None)
    body = BODY + b" " * spaces
    step = -(-len(body) // cut)
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    assert asyncio.run(through(app, pieces, [*HEADERS, *headers])) == status


@pytest.mark.parametrize(
    ("kind", "status"), [("application/json; charset=utf-8", 200), ("text/plain", 422), (None, 422)]
)
def test_a_body_must_be_called_json(client, kind, status) -> None:
    """A page in a browser can send any other kind to a server on this machine without being asked."""
    headers = {} if kind is None else {"content-type": kind}
    answer = client.post("/log-likelihood", content=BODY, headers=headers)
    assert answer.status_code == status
    assert status == 200 or "Content-Type: application/json" in answer.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:80", 200), ("LOCALHOST", 200), ("[::1]:80", 200), ("evil.example", 400),
        ("127.0.0.1.evil.example", 400), ("", 400),
    ],
)  # fmt: skip
def test_a_server_of_this_machine_answers_to_its_own_name_only(client, host, status) -> None:
    assert client.get("/health", headers={"host": host}).status_code == status
    anyone = TestClient(create_app(Service(tiny.model()), None))
    assert anyone.get("/health", headers={"host": host}).status_code == 200


def test_limits_are_above_zero() -> None:
    for field in ("rows", "seconds", "body_bytes", "waiting"):
        with pytest.raises(InputError, match=field):
            Limits(**{field: 0})


def crowd(n: int, waiting: int) -> list[int]:
    """Statuses of n requests at once, none of which is done before those that find no place are sent away."""
    service, gate = Service(tiny.model(), Limits(waiting=waiting)), threading.Event()
    working, most = 0, 0

    def judge(*_: object) -> list:
        nonlocal working, most
        working, most = working + 1, max(most, working + 1)
        gate.wait(60.0)
        time.sleep(0.01)
        working -= 1
        return []

    service.judge = judge
    body = json.dumps({"molecules": ["C"]}).encode()

    async def all_at_once() -> list[int]:
        app = create_app(service, None)
        asked = [asyncio.create_task(through(app, [body])) for _ in range(n)]
        while sum(task.done() for task in asked) < n - 1 - waiting:
            await asyncio.sleep(0.01)
        gate.set()
        return list(await asyncio.gather(*asked))

    found = asyncio.run(all_at_once())
    assert most == 1, "requests were worked on at the same time"
    return found


def test_those_who_find_the_queue_full_are_sent_away_and_the_rest_are_served() -> None:
    assert sorted(crowd(8, waiting=3)) == [200] * 4 + [503] * 4
    assert crowd(4, waiting=3) == [200] * 4


def test_rows_that_are_out_of_time_say_so_and_the_rest_have_numbers(monkeypatch) -> None:
    service = Service(tiny.model(), Limits(seconds=60.0))
    molecule = tiny.geometries()[3]
    given = (molecule.numbers.tolist(), molecule.positions.tolist(), "")
    rows = service.judge([given, "CCO"], None, Deadline(30.0))
    assert [row["status"] for row in rows] == ["ok", "ok"]
    rows = service.judge([given, "CCO"], None, Deadline(0.0))
    assert [row["status"] for row in rows] == ["over_limit", "over_limit"]
    deadline = Deadline(30.0)
    monkeypatch.setattr(
        service._pool, "embed", lambda *_: (setattr(deadline, "_end", 0.0), [list(tiny.geometries()[:1])])[1]
    )
    rows = service.judge([given, "O", "CCO"], None, deadline)
    assert [row["status"] for row in rows] == ["ok", "ok", "timed_out"]
    service.close()


def test_a_service_can_judge_several_conformers_as_one() -> None:
    service = Service(tiny.model(), conformers=2)
    (row,) = service.judge(["CCCO"], None, Deadline(120.0))
    service.close()
    scorer = Scorer(tiny.model(), by="log_likelihood", time_limit=10.0, conformers=2)
    assert row["log_density"] == scorer.judge(["CCCO"]).log_density[0]


def test_drawing_ends_when_its_time_is_over_or_the_server_stops() -> None:
    service = Service(tiny.model(), Limits(generated=64, steps=200, seconds=1000.0))
    wish = Request(n=64, sampling=Sampling(steps=200))
    started = time.monotonic()
    with pytest.raises(LimitError, match="longer than 0.1 s"):
        service.generate(wish, Deadline(0.1))
    threading.Timer(0.2, service.close).start()
    with pytest.raises(LimitError, match="stopping"):
        service.work(lambda deadline: service.generate(wish, deadline))
    assert time.monotonic() - started < 20
    with pytest.raises(InputError, match="n: at most 64"):
        Service(tiny.model()).generate(Request(n=65), Deadline(1.0))
