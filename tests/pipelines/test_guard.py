"""The guard and the queue: no request costs more than it may, whatever it says of itself."""

import asyncio
import json
import threading
import time

import pytest

from molscore.errors import InputError, LimitError
from molscore.pipelines.app import create_app
from molscore.pipelines.guard import Guard
from molscore.pipelines.limits import Limits
from molscore.pipelines.service import Deadline, Service
from molscore.screening.generate import Request
from molscore.screening.samplers import Sampling
from molscore.screening.scorer import Scorer
from tests import tiny

HEADERS = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]


async def echo(scope, receive, send) -> None:
    """An application that answers with the length of what it was given."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


async def through(guard, pieces, headers=HEADERS, pause=0.0) -> tuple[int, bytes]:
    """Status and body of the answer to a body that comes in pieces."""
    waiting = [
        {"type": "http.request", "body": piece, "more_body": i < len(pieces) - 1} for i, piece in enumerate(pieces)
    ]
    sent = []

    async def receive():
        await asyncio.sleep(pause)
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message) -> None:
        sent.append(message)

    await guard({"type": "http", "headers": headers}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def ask(pieces, limits=None, hosts=("127.0.0.1", "[::1]"), **options) -> tuple[int, bytes]:
    return asyncio.run(
        through(Guard(echo, limits or Limits(body_bytes=10, body_seconds=0.2), hosts), pieces, **options)
    )


def test_a_body_within_the_bounds_passes_whole() -> None:
    assert ask([b"12345", b"", b"67890"]) == (200, b"10")
    assert ask([b""]) == (200, b"0")


@pytest.mark.parametrize("pieces", [[b"1" * 11], [b"1"] * 11, [b"1" * 10, b"1"]])
def test_a_large_body_is_refused_however_it_comes(pieces) -> None:
    status, body = ask(pieces)
    assert status == 413 and list(json.loads(body)) == ["error"]


def test_a_body_announced_as_large_is_not_read() -> None:
    assert ask([], headers=[*HEADERS, (b"content-length", b"11")])[0] == 413
    assert ask([b"1"], headers=[*HEADERS, (b"content-length", b"10")])[0] == 200


def test_a_slow_body_is_refused_in_time() -> None:
    started = time.monotonic()
    assert ask([b"1"] * 9, pause=0.15)[0] == 408
    assert time.monotonic() - started < 1.0
    patient = Limits(body_bytes=10, body_seconds=20.0)  # a busy machine takes long over a short pause
    assert ask([b"1"] * 9, patient, pause=0.15)[0] == 200


def test_a_client_that_leaves_is_no_fault() -> None:
    assert ask([])[0] == 400


@pytest.mark.parametrize(
    ("kind", "status"), [(b"application/json; charset=utf-8", 200), (b"text/plain", 415), (b"", 415)]
)
def test_a_body_must_be_called_json(kind, status) -> None:
    assert ask([b"1"], headers=[HEADERS[0], (b"content-type", kind)])[0] == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1", 200),
        (b"127.0.0.1:80", 200),
        (b"[::1]:80", 200),
        (b"evil.example", 400),
        (b"127.0.0.1.evil.example", 400),
        (b"", 400),
    ],
)
def test_a_server_of_this_machine_answers_to_its_own_name_only(host, status) -> None:
    headers = [(b"host", host), HEADERS[1]]
    assert ask([b"1"], headers=headers)[0] == status
    assert ask([b"1"], headers=headers, hosts=None)[0] == 200


def test_limits_are_above_zero() -> None:
    for field in ("rows", "seconds", "body_bytes", "waiting"):
        with pytest.raises(InputError, match=field):
            Limits(**{field: 0})


def crowd(n: int, waiting: int, hold: float) -> list[int]:
    """Statuses of n requests at once, each of which is worked on for `hold` seconds."""
    service = Service(tiny.model(), Limits(waiting=waiting, seconds=5.0))
    working, most = 0, 0

    def judge(*_: object) -> list:
        nonlocal working, most
        working, most = working + 1, max(most, working + 1)
        time.sleep(hold)
        working -= 1
        return []

    service.judge = judge
    body = json.dumps({"molecules": ["C"]}).encode()

    async def all_at_once() -> list[int]:
        app = create_app(service, None)
        scope = {"type": "http", "method": "POST", "path": "/log-likelihood", "query_string": b"", "headers": HEADERS}
        app.middleware_stack = app.build_middleware_stack()

        async def one() -> int:
            async def guarded(_, receive, send):
                await app.middleware_stack({**scope, "app": app}, receive, send)

            return (await through(guarded, [body]))[0]

        return list(await asyncio.gather(*(one() for _ in range(n))))

    found = asyncio.run(all_at_once())
    assert most == 1, "requests were worked on at the same time"
    return found


def test_those_who_find_the_queue_full_are_sent_away_and_the_rest_are_served() -> None:
    assert sorted(crowd(8, waiting=3, hold=0.05)) == [200] * 4 + [503] * 4
    assert crowd(4, waiting=3, hold=0.05) == [200] * 4


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
        service._pool, "embed", lambda smiles: (setattr(deadline, "_end", 0.0), [list(tiny.geometries()[:1])])[1]
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
    service = Service(tiny.model(), Limits(generated=64, steps=200))
    wish = Request(n=64, sampling=Sampling(steps=200))
    started = time.monotonic()
    with pytest.raises(LimitError, match="longer than 0.1 s"):
        service.generate(wish, Deadline(0.1))
    threading.Timer(0.2, service.stop).start()
    with pytest.raises(LimitError, match="stopping"):
        service.generate(wish, Deadline(1000.0))
    assert time.monotonic() - started < 20
    with pytest.raises(LimitError, match="64 molecules"):
        Service(tiny.model()).generate(Request(n=65), Deadline(1.0))
