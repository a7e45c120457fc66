"""REINVENT4's two ways to ask another program for numbers, as text in and text out.

`ExternalProcess` runs a program for every batch: SMILES joined by newlines on its standard input, one JSON object on
its standard output, ``{"version": 1, "payload": {"predictions": [...]}}``, one number a SMILES string in its order. A
failure is NaN, which Python's JSON spells ``NaN``; REINVENT4 masks it, where a zero would be a number like any other.
Versions that have ``params.property`` can name another list of the payload, and keep the rest as metadata.

`REST` posts ``[{"input_string": SMILES, "query_id": "0"}, ...]`` with ``predictor_id`` and ``predictor_version`` in the
query, and reads ``{"output": {"successes_list": [{"query_id": "0", "output_value": 1.5}, ...]}}``; what is not in the
list is NaN.

Source: ``comp_external_process.py``, ``comp_generic_rest.py`` and ``component_results.py`` of REINVENT 4.0 to 4.6
(Loeffler et al., J. Cheminform. 2024, 16, 20).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from molscore.errors import InputError
from molscore.screening.scorer import Results, Scorer

__all__ = ["VALUES", "WITH_REFERENCES", "answer_process", "answer_rest", "judge_lines", "read_lines"]

#: What can be asked for.
VALUES = ("percentile", "log_likelihood", "log_density")
#: What can be asked for besides, where there are references.
WITH_REFERENCES = ("log_ratio",)


def read_lines(text: str) -> list[str]:
    """The SMILES strings of newline-joined text; a newline at the very end ends the last one."""
    if not text:
        return []
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines]


def judge_lines(scorer: Scorer, text: str, workers: int | None) -> Results:
    """One judgement a line, geometries made in `workers` processes."""
    with scorer.embedding(workers) as embed:
        return scorer.judge(read_lines(text), embed)


def answer_process(judged: Results, by: str) -> str:
    """What `ExternalProcess` reads: `by`, one of `VALUES`, as predictions, and everything else beside it."""
    values = VALUES if judged.log_ratio is None else (*VALUES, *WITH_REFERENCES)
    if by not in values:
        raise InputError(f"REINVENT4 can be given {', '.join(values)}, not {by!r}")
    payload = {"predictions": getattr(judged, by).tolist()}
    payload |= {name: getattr(judged, name).tolist() for name in (*values, "status")}
    return json.dumps({"version": 1, "payload": payload})


def answer_rest(query_ids: Sequence[str], rows: Sequence[Mapping[str, Any]], by: str) -> dict[str, Any]:
    """What `REST` reads: successes with their number, and failures with their reason, which it leaves unread."""
    successes, failures = [], []
    for query_id, row in zip(query_ids, rows, strict=True):
        if row[by] is not None:
            successes.append({"query_id": query_id, "output_value": row[by]})
        else:
            failures.append({"query_id": query_id, "status": row["status"], "error": row["error"]})
    return {"output": {"successes_list": successes, "failures_list": failures}}
