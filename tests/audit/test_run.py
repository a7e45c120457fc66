"""Check results know their bound, parts can be run one by one, and what is written can be read."""

import json
import math
from pathlib import Path

import pytest

from molscore.audit import PARTS, Audit, CheckResult, Options, Part, Plot, Series, Table, run
from molscore.audit.density import choose
from molscore.audit.report import draw
from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import InputError
from tests import tiny


def test_check_results() -> None:
    for check, passed in (
        (CheckResult.at_most("x", 2.0, 2.0), True),
        (CheckResult.at_most("x", 2.1, 2.0), False),
        (CheckResult.at_least("x", 0.95, 0.95), True),
        (CheckResult.at_least("x", 0.94, 0.95), False),
        (CheckResult.at_least("x", math.nan, 0.95), None),
        (CheckResult.at_most("x", None, 0.5), None),
        (CheckResult.at_most("x", 0.1, 0.5).if_told(False, "too few"), None),
        (CheckResult.at_most("x", 0.6, 0.5).if_told(False, "too few"), False),
    ):
        assert check.passed is passed
        assert check.to_text().startswith({True: "passed", False: "FAILED", None: "inconclusive"}[passed])


def test_an_audit_is_json_text_and_pictures(tmp_path: Path) -> None:
    series = [Series("curve", [0.1, 1.0], [1.0, 2.0], [0.1, 0.1]), Series("points", [0.1, 1.0], [0.0, 1.0], line=False)]
    plot = Plot("one", "Title", "σ (Å)", "nats", series, log_x=True, levels=(0.5,))
    rows = [["a", 1.0, None], ["b", math.nan, True]]
    part = Part("one", "Why?", [Table("", ["x", "y", "z"], rows)], [CheckResult.at_most("value", 1.0, 2.0)], "", [plot])
    found = Audit({"model": "tiny"}, [part])
    loaded = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert loaded["parts"][0]["tables"][0]["rows"] == [["a", 1.0, None], ["b", None, True]]
    assert loaded["parts"][0]["checks"] == [{"what": "value", "value": 1.0, "bound": "<= 2", "passed": True, "why": ""}]
    assert "1 passed, 0 failed, 0 inconclusive" in found.to_text()
    pytest.importorskip("matplotlib")
    assert draw(plot, tmp_path).read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    held_out = MoleculeSet.from_molecules(tiny.geometries())
    held_out.save(tmp_path / "data.parquet")
    return tmp_path / "data.parquet"


def test_parts_can_be_run_one_by_one_and_results_add_up(data, tmp_path, monkeypatch) -> None:
    for name in PARTS:  # each is taken through a model in a test of its own
        monkeypatch.setitem(PARTS, name, lambda *_, name=name: Part(name, "?", [], []))

    def audit(*only: str, resolution: float = 0.1) -> list[str]:
        options = Options(molecules=4, resolution=resolution, data=data, output=tmp_path / "new" / "audit", only=only)
        found, line = run(tiny.model(), options)
        assert [part.name for part in found.parts] == list(only) and "audit.json" in line
        return [part["name"] for part in json.loads((options.output / "audit.json").read_text())["parts"]]

    assert audit("heads") == ["heads"]
    assert audit("time_score") == ["time_score", "heads"]
    assert audit("heads", resolution=0.2) == ["heads"]  # of other figures nothing is kept


def test_what_cannot_be_audited_is_refused(data: Path, tmp_path: Path) -> None:
    assert list(PARTS) == ["time_score", "heads", "normalisation", "flow"]
    with pytest.raises(InputError, match="no part 'nonsense'"):
        run(tiny.model(), Options(only=("nonsense",), data=data))
    with pytest.raises(InputError, match="data/tiny.parquet is not there"):
        run(tiny.model(), Options())
    for fields in (
        {"molecules": 1}, {"paths": 3}, {"paths": 2}, {"share": "3/2"}, {"resolution": 60.0},
    ):  # fmt: skip
        with pytest.raises(InputError):
            Options(**fields)
    large = MoleculeSet.from_molecules([m for m in tiny.geometries() if m.n_atoms == 14] * 2)
    large.select([0]).save(tmp_path / "one.parquet")
    with pytest.raises(InputError, match="can judge 1 of the held-out molecules"):
        run(tiny.model(), Options(data=tmp_path / "one.parquet"))


def test_chosen_molecules_do_not_repeat() -> None:
    held_out = MoleculeSet.from_molecules(tiny.geometries())
    assert (len(choose(held_out, 10, 0)), len(choose(held_out, 1000, 0))) == (10, len(held_out))
    one, again, other = (tuple(choose(held_out, 10, seed).sizes) for seed in (0, 0, 1))
    assert one == again != other
