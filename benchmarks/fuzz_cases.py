"""What `fuzz.py` throws at readers, at REINVENT4's format and at the server: damaged files, lines and requests.

A case is a kind and a number; the same number is always the same input. A case returns what became of it: ``answered``,
``refused`` with one line, or a sentence that begins with ``fault`` when it was neither.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from molscore.errors import MolscoreError
from molscore.molecules.conformers import embed
from molscore.molecules.files import read, write
from molscore.pipelines.app import create_app
from molscore.pipelines.limits import Limits
from molscore.pipelines.reinvent import answer_process, judge_lines, read_lines
from molscore.pipelines.service import Service
from molscore.screening import Model, Scorer, rank

__all__ = ["KINDS", "READERS", "Cases", "damaged", "spoilt"]

READERS = (".smi", ".csv", ".csv.gz", ".sdf", ".sdf.gz", ".xyz", ".extxyz", ".parquet")
KINDS = (*READERS, "reinvent", "server")
SMILES = ("CCO", "CC(=O)O", "c1ccccc1", "C[C@H](O)C#N", "C1CC1", "O", "N#N", "F/C=C/F", "C1CC", "[NH4+]", "ClCCl", "")
NASTY = (
    *(b"\x00", b"\xff\xfe", b"\r", b"\n", b'"', b"'", b",", b"\t", b"\xe2\x80\xa8", b"|", b"[", b"../x", b"=1+1"),
    *(b"nan", b"1e999", b"-1", b"99999999999999999999", b"0x", b"999", b"%99", b"(" * 300, b"C" * 3000),
    *(b"$$$$", b"M  END", b"M  V30"),
)
VALUES = (
    *(None, True, -1, 0, 1, 2**31, 2**64, 10**300, 0.5, -0.0, 1e308),
    *("", "C", "\x00", "\ud800", "C" * 600, "heun", "C2H6O", "../../etc/passwd"),
    *([], {}, [[]], [None] * 20, {"path": "model"}, [[0, 0, 0]]),
)
PATHS = (
    "/log-likelihood",
    "/log-likelihood",
    "/generate",
    "/reinvent",
    "/info",
    "/health",
    "/openapi.json",
    "/nowhere",
)
RANKED = 10  # of the files that were read, one in so many is ranked as well
LIMITS = Limits(body_bytes=30_000, rows=16, generated=2, steps=2, seconds=20.0, conformer_seconds=2.0)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with one to eight injuries: bits turned, pieces lost or doubled, nasty ones put in, the end cut off."""
    for _ in range(rng.integers(1, 9)):
        at, length = int(rng.integers(len(data) + 1)), int(rng.geometric(0.05))
        match rng.integers(6):
            case 0 if at < len(data):
                data = data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + length :]
            case 2:
                data = data[: at + length] + data[at:]
            case 3:
                data = data[:at] + NASTY[rng.integers(len(NASTY))] + data[at:]
            case 4:
                data = data[:at] + rng.bytes(min(length, 40)) + data[at:]
            case 5 if rng.random() < 0.2:
                data = data[:at]
    return data


def spoilt(value: Any, rng: np.random.Generator, share: float = 0.15) -> Any:
    """A JSON value with some of its parts replaced, left out or doubled, and fields added."""
    if rng.random() < share:
        return VALUES[rng.integers(len(VALUES))]
    if isinstance(value, dict):
        found = {name: spoilt(part, rng, share) for name, part in value.items() if rng.random() > share / 3}
        return found | ({str(VALUES[rng.integers(len(VALUES))])[:20]: 1} if rng.random() < share / 3 else {})
    if isinstance(value, list):
        found = [spoilt(part, rng, share) for part in value]
        return found * int(rng.integers(2, 8)) if rng.random() < share / 3 else found
    return value


class Cases:
    """Runs cases of each kind on one model."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.seed = model, seed
        self.scorer = Scorer(model, by="log_likelihood", time_limit=5.0)
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        molecules = [embed(smiles)[0] for smiles in SMILES[:6]]
        rows = [(molecule, {"id": i, "smiles": SMILES[i]}, None) for i, molecule in enumerate(molecules)]
        self.whole: dict[str, bytes] = {}
        for suffix in READERS:
            write(self.folder / f"whole{suffix}", rows, {"model": "none"})
            self.whole[suffix] = (self.folder / f"whole{suffix}").read_bytes()
        self.client = TestClient(create_app(Service(model, LIMITS)), "http://127.0.0.1", raise_server_exceptions=False)

    def run(self, kind: str, number: int) -> str:
        """What became of a case; any exception but ours is a fault."""
        rng = np.random.default_rng([self.seed, KINDS.index(kind), number])
        jobs: dict[str, Callable[[np.random.Generator, int], str]] = {
            "reinvent": self._reinvent,
            "server": self._server,
        }
        try:
            return jobs[kind](rng, number) if kind in jobs else self._file(rng, number, kind)
        except MolscoreError as error:
            return "refused" if "\n" not in str(error).strip() else f"fault: the reason has several lines: {error!r}"
        except Exception as error:
            return f"fault: {type(error).__name__}: {error}"[:300].replace("\n", " ")

    def _file(self, rng: np.random.Generator, number: int, suffix: str) -> str:
        path = self.folder / f"case{suffix}"
        path.write_bytes(damaged(self.whole[suffix], rng))
        for row, record in enumerate(read(path)):
            usable = record.molecule is not None or bool(record.smiles)
            if record.row != row or record.ok == bool(record.error) or record.ok > usable:
                return f"fault: record {row} is neither good nor bad: {record!r}"[:300]
        if number % RANKED == 0:
            frame = rank(self.model, path, by="log_likelihood", workers=1)
            if (frame["status"] == "ok").sum() != frame["log_likelihood"].notna().sum():
                return "fault: a row has a number without being ok, or the reverse"
        return "answered"

    def _reinvent(self, rng: np.random.Generator, number: int) -> str:
        text = "\n".join(SMILES[i] for i in rng.integers(len(SMILES), size=rng.integers(1, 6)))
        text = damaged(text.encode(), rng).decode("utf-8", "replace")
        lines = read_lines(text)
        judged = self.scorer.judge(lines) if number % RANKED else judge_lines(self.scorer, text, 1)
        payload = json.loads(answer_process(judged, "log_likelihood"))["payload"]
        values = np.array(payload["predictions"], dtype=np.float64)
        if len(values) != len(lines) or (np.isnan(values) == (np.array(payload["status"]) == "ok")).any():
            return "fault: not a number or NaN for each line"
        return "answered"

    def _server(self, rng: np.random.Generator, number: int) -> str:
        path = PATHS[rng.integers(len(PATHS))]
        body = json.dumps(spoilt(self._request(path, rng), rng)).encode()
        body = damaged(body, rng) if rng.random() < 0.4 else body
        kinds = ("application/json",) * 8 + ("text/plain", "application/json; charset=utf-16")
        hosts = ("127.0.0.1",) * 8 + ("localhost:1", "evil.example")
        headers = {"content-type": kinds[rng.integers(10)], "host": hosts[rng.integers(10)]}
        method = ("POST",) * 8 + ("GET", "PUT")
        answer = self.client.request(method[rng.integers(10)], path, content=body, headers=headers)
        found = json.loads(answer.text, parse_constant=_no_number)
        if answer.status_code >= 500 or "Traceback" in answer.text or "\n" in answer.text:
            return f"fault: {answer.status_code}: {answer.text}"[:300]
        if answer.status_code >= 400:
            return "refused" if list(found) == ["error"] else f"fault: {answer.text}"[:300]
        return "answered"

    def _request(self, path: str, rng: np.random.Generator) -> Any:
        """A request that the server would answer."""
        smiles = [SMILES[i] for i in rng.integers(len(SMILES), size=rng.integers(1, 5))]
        if path == "/reinvent":
            return [{"input_string": text, "query_id": str(i)} for i, text in enumerate(smiles)]
        if path == "/generate":
            return {"n": 1, "seed": int(rng.integers(99)), "steps": 2, "formula": "C2H6O"}
        water = {"numbers": [8, 1, 1], "positions": [[0, 0, 0.12], [0.76, 0, -0.48], [-0.76, 0, -0.48]]}
        return {"molecules": [*smiles, water], "resolution": 0.05}


def _no_number(text: str) -> None:
    raise ValueError(f"JSON has no {text}")
