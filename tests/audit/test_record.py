"""Verdicts know their bound, records become JSON, and plots become files."""

import json
import math

import pytest

from molscore.audit import Audit, Part, Plot, Series, Table, Verdict
from molscore.audit.plots import available, draw_all


def part(name: str = "one") -> Part:
    rows = [["a", 1.0, None], ["b", math.nan, True]]
    series = [Series("curve", [0.1, 1.0], [1.0, 2.0], [0.1, 0.1]), Series("points", [0.1, 1.0], [0.0, 1.0], line=False)]
    plot = Plot(name, "Title", "σ (Å)", "nats", series, log_x=True, levels=(0.5,))
    verdict = Verdict.at_most("value", 1.0, 2.0)
    return Part(name, "A question?", [Table("", ["x", "y", "z"], rows)], [verdict], "", [plot])


@pytest.mark.parametrize(
    ("verdict", "passed"),
    [
        (Verdict.at_most("x", 2.0, 2.0), True),
        (Verdict.at_most("x", 2.1, 2.0), False),
        (Verdict.at_least("x", 0.95, 0.95), True),
        (Verdict.at_least("x", 0.94, 0.95), False),
        (Verdict.at_least("x", math.nan, 0.95), None),
        (Verdict.at_most("x", None, 0.5), None),
    ],
)
def test_verdicts(verdict: Verdict, passed: bool | None) -> None:
    assert verdict.passed is passed
    assert verdict.to_text().startswith({True: "passed", False: "FAILED", None: "open"}[passed])


def test_an_audit_is_json_and_text() -> None:
    found = Audit({"model": "tiny"}, [part()])
    loaded = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert loaded["parts"][0]["tables"][0]["rows"] == [["a", 1.0, None], ["b", None, True]]
    verdict = {"what": "value", "value": 1.0, "bound": "<= 2", "passed": True, "why": ""}
    assert loaded["parts"][0]["verdicts"] == [verdict]
    assert "1 passed, 0 failed, 0 open" in found.to_text()


@pytest.mark.skipif(not available(), reason="matplotlib is not installed")
def test_plots_are_files(tmp_path) -> None:
    paths = draw_all([part("one"), part("two")], tmp_path)
    assert [path.name for path in paths] == ["one.png", "two.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_without_matplotlib_there_are_no_plots(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("molscore.audit.plots.available", lambda: False)
    assert draw_all([part()], tmp_path) == []
