"""What `fuzz.py` throws at readers, at REINVENT4's format and at the server: damaged files, lines and requests.

A case is a number, which says its kind too; the same number is always the same input. A case returns what became of it:
``answered``, ``refused`` with one line, or a sentence that begins with ``fault`` when it was neither.
"""

import gzip
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from fastapi.testclient import TestClient
from pyarrow import parquet

from molscore import errors, rank
from molscore.errors import MolscoreError
from molscore.molecules.conformers import embed
from molscore.molecules.files import read, write
from molscore.pipelines.app import create_app
from molscore.pipelines.limits import Limits
from molscore.pipelines.reinvent import answer_process, judge_lines, read_lines
from molscore.pipelines.service import Service
from molscore.screening import Model, Scorer

__all__ = ["KINDS", "READERS", "Cases", "damaged", "kind_of", "spoilt"]

READERS = (".smi", ".csv", ".csv.gz", ".sdf", ".sdf.gz", ".xyz", ".extxyz", ".parquet")
KINDS = (*READERS, "reinvent", "server")
TURNS = (*READERS, "reinvent", *("server",) * 5)  # the kinds of cases one after another
SMILES = (
    *("CCO", "CC(=O)O", "c1ccccc1", "C[C@H](O)C#N", "C1CC1", "O", "N#N", "F/C=C/F", "C1CC", "[NH4+]", "ClCCl", ""),
    *("CC.O", "[CH3]", "*CC", "C" * 60, "[He]", "[13CH4]", "[NH3+]CC(=O)[O-]", "C~C", "C12C3C1C23", "c1ccc2ccccc2c1"),
)
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
FACTS = ("/info", "/health", "/openapi.json")
PATHS = (*("/log-likelihood", "/generate", "/reinvent") * 4, *FACTS, "/nowhere")
DUPLICATE = "duplicate"  # the one status that is no error and has numbers as `ok` has
STATUSES = {"ok", DUPLICATE} | {getattr(errors, name).status for name in errors.__all__}
RANKED = 0.1  # share of the files that are ranked as well as read
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


def spoilt(value: Any, rng: np.random.Generator, share: float = 0.05) -> Any:
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


def _spoil_cell(row: dict[str, Any], rng: np.random.Generator) -> None:
    """Replace a field of a row of a table, or a part of one that is a list."""
    name = list(row)[rng.integers(len(row))]
    if isinstance(row[name], list) and row[name] and rng.random() < 0.8:
        numbers = (None, 0, -1, 300, float("nan"), float("inf"), 1e308)
        row[name][rng.integers(len(row[name]))] = numbers[rng.integers(len(numbers))]
        row[name] = row[name][: len(row[name]) - int(rng.integers(2))]
    else:
        row[name] = VALUES[rng.integers(len(VALUES))]


def kind_of(number: int) -> str:
    """What the case of this number is."""
    return TURNS[number % len(TURNS)]


class Cases:
    """Runs cases on one model."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.seed = model, seed
        self.scorer = Scorer(model, by="log_likelihood", time_limit=5.0)
        self.ensembles = replace(self.scorer, conformers=2)
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        molecules = [embed(smiles)[0] for smiles in SMILES[:6]]
        rows = [(molecule, {"id": i, "smiles": SMILES[i]}, None) for i, molecule in enumerate(molecules)]
        self.whole: dict[str, bytes] = {}
        for suffix in READERS:
            write(self.folder / f"whole{suffix}", rows, {"model": "none"})
            self.whole[suffix] = (self.folder / f"whole{suffix}").read_bytes()
        self.client = TestClient(create_app(Service(model, LIMITS)), "http://127.0.0.1", raise_server_exceptions=False)

    def run(self, number: int) -> str:
        """What became of a case; any exception but ours is a fault."""
        rng, kind = np.random.default_rng([self.seed, number]), kind_of(number)
        jobs: dict[str, Callable[[np.random.Generator], str]] = {
            "reinvent": self._reinvent,
            "server": self._server,
        }
        try:
            return jobs[kind](rng) if kind in jobs else self._file(rng, kind)
        except MolscoreError as error:
            return "refused" if "\n" not in str(error).strip() else f"fault: the reason has several lines: {error!r}"
        except Exception as error:
            return f"fault: {type(error).__name__}: {error}"[:300].replace("\n", " ")

    def _file(self, rng: np.random.Generator, suffix: str) -> str:
        path = self.folder / f"case{suffix}"
        path.write_bytes(self._spoilt_file(suffix, rng))
        for row, record in enumerate(read(path)):
            usable = record.molecule is not None or bool(record.smiles)
            if record.row != row or record.ok == bool(record.error) or record.ok > usable:
                return f"fault: record {row} is neither good nor bad: {record!r}"[:300]
        if rng.random() < RANKED:
            frame = rank(self.model, path, by="log_likelihood", workers=1)
            if (frame["status"].isin(("ok", DUPLICATE)) != frame["log_likelihood"].notna()).any():
                return "fault: a row has a number without being ok, or the reverse"
            if unknown := set(frame["status"]) - STATUSES:
                return f"fault: the status {sorted(unknown)} is not known"
        return "answered"

    def _spoilt_file(self, suffix: str, rng: np.random.Generator) -> bytes:
        """A damaged file. Most that are compressed or have a footer are damaged inside, so that readers get further."""
        data = self.whole[suffix]
        if suffix.endswith(".gz") and rng.random() < 0.8:
            return gzip.compress(damaged(gzip.decompress(data), rng))
        if suffix == ".parquet" and rng.random() < 0.8:
            rows = parquet.read_table(BytesIO(data)).to_pylist()
            for _ in range(rng.integers(1, 4)):
                _spoil_cell(rows[rng.integers(len(rows))], rng)
            with suppress(pyarrow.ArrowException, AttributeError, OverflowError, TypeError, ValueError):
                parquet.write_table(pyarrow.Table.from_pylist(rows), found := BytesIO())
                return found.getvalue()
        return damaged(data, rng)

    def _reinvent(self, rng: np.random.Generator) -> str:
        text = "\n".join(SMILES[i] for i in rng.integers(len(SMILES), size=rng.integers(1, 6)))
        text = damaged(text.encode(), rng).decode("utf-8", "replace")
        lines = read_lines(text)
        scorer = self.ensembles if rng.random() < RANKED else self.scorer
        judged = judge_lines(scorer, text, 1) if rng.random() < RANKED else scorer.judge(lines)
        payload = json.loads(answer_process(judged, "log_likelihood"))["payload"]
        values = np.array(payload["predictions"], dtype=np.float64)
        if len(values) != len(lines) or (np.isnan(values) == (np.array(payload["status"]) == "ok")).any():
            return "fault: not a number or NaN for each line"
        if unknown := set(payload["status"]) - STATUSES:
            return f"fault: the status {sorted(unknown)} is not known"
        return "answered"

    def _server(self, rng: np.random.Generator) -> str:
        path = PATHS[rng.integers(len(PATHS))]
        body = json.dumps(spoilt(self._request(path, rng), rng)).encode()
        body = damaged(body, rng) if rng.random() < 0.2 else body
        kind = _mostly("application/json", ("text/plain", "application/json; charset=utf-16"), rng)
        headers = {"content-type": kind, "host": _mostly("127.0.0.1", ("localhost:1", "evil.example"), rng)}
        method = _mostly("GET" if path in FACTS else "POST", ("GET", "PUT", "POST"), rng)
        answer = self.client.request(method, path, content=body, headers=headers)
        found = json.loads(answer.text, parse_constant=_no_number)
        if answer.status_code >= 500 or "Traceback" in answer.text or "\n" in answer.text:
            return f"fault: {answer.status_code}: {answer.text}"[:300]
        if answer.status_code >= 400:
            return "refused" if list(found) == ["error"] else f"fault: {answer.text}"[:300]
        if isinstance(found, dict) and (unknown := {row["status"] for row in found.get("rows", ())} - STATUSES):
            return f"fault: the status {sorted(unknown)} is not known"
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


def _mostly(usual: str, others: tuple[str, ...], rng: np.random.Generator) -> str:
    return usual if rng.random() < 0.95 else others[rng.integers(len(others))]


def _no_number(text: str) -> None:
    raise ValueError(f"JSON has no {text}")
