"""`molscore adapt`, and references named by --like."""

import json

import pytest

from tests import tiny
from tests.cli.conftest import table

SERIES = "CO\nCCO\nCCCO\n"


@pytest.fixture
def series(tmp_path):
    path = tmp_path / "series.smi"
    path.write_text(SERIES)
    return path


def test_adapt_makes_a_folder_that_is_a_model(run, folder, tmp_path):
    (tmp_path / "own.smi").write_text("\n".join(tiny.LIBRARY) + "\n")
    done = run("adapt", "own.smi", "--base", folder, "--minutes", 0.02, "--workers", 1, "-o", "adapter")
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "adapter.parts").exists()
    info = json.loads((tmp_path / "adapter/config.json").read_text())["info"]
    assert info["training_molecules"] + info["held_out_molecules"] == len(set(tiny.LIBRARY))  # nothing is set aside
    known = json.loads(run("info", "--model", "adapter", "--json").stdout)
    assert known["distribution"] == "own" and known["base"]["name"] == str(folder)
    assert (tmp_path / "adapter/model.safetensors").stat().st_size < 0.9 * (folder / "model.safetensors").stat().st_size
    (tmp_path / "one.smi").write_text("CCO\n")
    ranked = run("rank", "one.smi", "--model", "adapter")
    assert ranked.exit_code == 0 and ",ok," in ranked.stdout

    assert "percentiles are among 2 molecules" in done.stderr
    weights = (tmp_path / "adapter/model.safetensors").read_bytes()
    for more in ([], ["--resume"]):
        again = run("adapt", "own.smi", "--base", folder, "--minutes", 0.02, "--workers", 1, "-o", "adapter", *more)
        assert again.exit_code == 2 and "adapter holds config.json already" in again.stderr
    assert (tmp_path / "adapter/model.safetensors").read_bytes() == weights
    (tmp_path / "adapter.parts").mkdir()
    again = run("adapt", "own.smi", "--base", folder, "-o", "adapter")
    assert again.exit_code == 2 and "--resume" in again.stderr


def test_adapt_says_that_nothing_was_learnt_and_lists_what_this_library_leaves_out(run, folder, tmp_path, monkeypatch):
    (tmp_path / "own.smi").write_text("\n".join(tiny.LIBRARY) + "\n")
    (tmp_path / "adapter.left_out.csv").write_text("row,name,status,error\n7,of an earlier library,charged,\n")
    monkeypatch.setattr("molscore.training.adapt._Adaptation.one_step", _idle)
    done = run("adapt", "own.smi", "--base", folder, "--minutes", 0.001, "--workers", 1, "-o", "adapter")
    assert done.exit_code == 0 and "did not fall: nothing was learnt, the weights are those of tiny" in done.stderr
    assert not (tmp_path / "adapter.left_out.csv").exists()


def _idle(run, _):
    run.step += 1


def test_a_file_of_too_few_rows_is_refused_before_geometries_are_made(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("molscore.training.adapt.library_set", lambda *_: pytest.fail("made geometries"))
    (tmp_path / "own.smi").write_text("\n".join(tiny.LIBRARY[:13]) + "\n")
    done = run("adapt", "own.smi", "--base", folder, "-o", "adapter")
    assert done.exit_code == 2 and "own.smi: 13 rows are too few to adapt to: 20 molecules at least" in done.stderr


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("CCO\nCC\n", "too few"),
        ("CCO\nCC\n" + 18 * "[Na+]\n", "20 in all at least"),
        ("CCO\nCC\n" + 18 * "[Na+]\n", "lists the rows left out"),
        ("CCS\n" + "\n".join(tiny.LIBRARY), "no embedding for S"),
        (20 * "[Na+]\n", "no row can be used"),
    ],
)
def test_a_refused_library_leaves_nothing_to_resume(run, folder, tmp_path, rows, told):
    (tmp_path / "own.smi").write_text(rows)
    done = run("adapt", "own.smi", "--base", folder, "--workers", 1, "-o", "adapter")
    assert done.exit_code == 2 and told in done.stderr and ".parts" not in done.stderr
    listed = ["adapter.left_out.csv"] if "[Na+]" in rows else []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*listed, "own.smi"])
    assert all(name in done.stderr for name in listed)


def test_what_was_cut_short_before_anything_was_saved_begins_anew(run, folder, tmp_path):
    (tmp_path / "own.smi").write_text("\n".join(tiny.LIBRARY) + "\n")
    for place in ("ranked.csv.parts", "set.parquet.parts", "adapter.parts"):
        (tmp_path / place).mkdir()
    for command in (
        ["rank", "own.smi", "--model", folder, "-o", "ranked.csv"],
        ["data", "own.smi", "--workers", 1, "-o", "set.parquet"],
        ["adapt", "own.smi", "--base", folder, "--minutes", 0.01, "--workers", 1, "-o", "adapter"],
    ):
        done = run(*command, "--resume")
        assert done.exit_code == 0 and "nothing to resume" in done.stderr, done.output
    assert not list(tmp_path.glob("*.parts"))


def test_what_was_cut_short_is_not_carried_on_with_another_library(run, folder, tmp_path, monkeypatch):
    (tmp_path / "own.smi").write_text("\n".join(tiny.LIBRARY) + "\n")
    (tmp_path / "other.smi").write_text("\n".join(tiny.LIBRARY[:-1]) + "\n")
    adapt = ["adapt", "own.smi", "--base", folder, "--minutes", 0.01, "--workers", 1, "-o", "adapter"]
    with monkeypatch.context() as patched:
        patched.setattr("molscore.training.adapt.adapt", _interrupted)
        cut_short = run(*adapt)
        assert cut_short.exit_code == 130
        assert "kept in adapter.parts: the same command with --resume" in cut_short.stderr
    held = sorted((tmp_path / "adapter.parts").iterdir())
    done = run("adapt", "other.smi", *adapt[2:], "--resume")
    assert done.exit_code == 2 and "adapter.parts is of another library, seed or version" in done.stderr
    assert held and sorted((tmp_path / "adapter.parts").iterdir()) == held
    assert run(*adapt, "--resume").exit_code == 0


def _interrupted(*_, **__):
    raise KeyboardInterrupt


def test_rank_and_reinvent_like_references_answer_with_log_ratio(run, folder, series, tmp_path):
    (tmp_path / "library.smi").write_text("c1cnc[nH]1\nCC(C)O\n")
    done = run("rank", "library.smi", "--like", series, "--sort", "--model", folder, "-o", "ranked.csv")
    assert done.exit_code == 0, done.output
    rows = table("ranked.csv")
    assert [row["smiles"] for row in rows] == ["CC(C)O", "c1cnc[nH]1"]
    assert float(rows[0]["log_ratio"]) > float(rows[1]["log_ratio"])
    assert "order: log_ratio" in done.stderr
    payload = json.loads(run("reinvent", "--like", series, "--model", folder, input="CCO\nnothing\n").stdout)["payload"]
    assert payload["predictions"][0] == payload["log_ratio"][0]


def test_references_that_are_no_file_or_no_molecules_are_named(run, folder, series, tmp_path):
    done = run("rank", series, "--like", "CCO", "--model", folder)
    assert done.exit_code == 2 and "CCO: unknown file type" in done.stderr
    for bad in ("C1CC", "C[NH3+]", "CCS"):  # does not parse, is charged, has an element that the model has not
        (tmp_path / "bad.smi").write_text(f"CCO\n{bad}\n")
        done = run("generate", "-n", 1, "--like", "bad.smi", "--model", folder)
        assert done.exit_code == 2 and f"bad.smi: row 2: '{bad}'" in done.stderr


def test_generate_like(run, folder, series, likely, tmp_path):
    done = run("generate", "-n", 2, "--like", series, "--by", "log_ratio", "--min-percentile", 0, "--model", folder,
               "-o", "drawn.csv")  # fmt: skip
    assert done.exit_code == 0, done.output
    values = [float(row["log_ratio"]) for row in table("drawn.csv")]
    assert len(values) == 2 and values == sorted(values, reverse=True)
