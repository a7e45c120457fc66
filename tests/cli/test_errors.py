"""Bad input: exit code 2 and exactly one line that says what and where; no traceback, no half-written file."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from molscore.cli import main as program
from molscore.screening.model import Model
from tests import tiny
from tests.cli.conftest import assert_one_line
from tests.house.sources import ROOT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "0"], []),
        (["--formula", "C1H9"], ["CH9", "valences"]),
        (["--formula", "C2H6S"], ["element S"]),
        (["--formula", "C6H14"], ["20 atoms", "14"]),
        (["--formula", "water"], ["water", "not a formula"]),
        (["--formula", "CH4", "--n-atoms", "5"], ["not both"]),
        (["--n-atoms", "99"], ["99 atoms"]),
        (["--steps", "0"], ["steps"]),
        (["--steps", "many"], ["--steps", "many"]),
        (["--keep", "0"], ["keep"]),
        (["--seed", "-1"], ["seed"]),
        (["--resolution", "nan"], ["resolution"]),
        (["--resolution", "0.07"], ["0.07", "0.02, 0.05, 0.1, 0.2", "by log_likelihood"]),
        (["--resolution", "0.07", "--by", "log_likelihood"], ["0.07", "--min-percentile 0"]),
        (["--sampler", "magic"], ["magic"]),
        (["--guide", "qed=2"], ["qed=2", "between 0 and 1"]),
        (["--guide-strength", "3.0"], ["--guide-strength", "--guide)"]),
        (["--distribution", "moses"], ["moses", "tiny"]),
        (["--wrong"], ["--wrong"]),
        (["-o", "out.pdf"], ["out.pdf", ".sdf"]),
        (["-o", "nowhere/out.sdf"], ["nowhere/out.sdf"]),
    ],
)
def test_generate_refuses_before_it_draws(run, folder, tmp_path, monkeypatch, arguments, words) -> None:
    monkeypatch.setattr("molscore.screening.generate.draw_positions", lambda *_: pytest.fail("drew molecules"))
    done = run("generate", "-n", 3, "--steps", 2, "--model", folder, "-o", "out.sdf", *arguments)
    assert_one_line(done, *words)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_output_is_told_the_kinds_that_the_help_lists(run) -> None:
    Path("in.smi").write_text("CCO\n")
    for command in (["generate", "-n", 1], ["rank", "in.smi"], ["evaluate", "in.smi"], ["report", "in.smi"]):
        done = run(*command, "-o", "out.pdf")
        assert_one_line(done, "out.pdf")
        kinds = done.stderr.strip().partition("use ")[2]
        assert kinds in " ".join(run(command[0], "-h").stdout.split())


@pytest.mark.parametrize(
    "command", [["generate", "-n", 1], ["rank", "in.smi"], ["explain", "C"], ["report", "in.smi"], ["info"], ["audit"]]
)
def test_two_distributions_at_once_are_refused(run, command) -> None:
    """The name of a distribution is that of its model and of itself; another one beside it contradicts it."""
    Path("in.smi").write_text("CCO\n")
    assert_one_line(run(*command, "--model", "leads", "--distribution", "qm9"), "leads", "qm9", "organic")


@pytest.mark.parametrize(
    ("name", "text", "arguments", "words"),
    [
        ("empty.csv", "", [], ["empty.csv", "empty"]),
        ("blank.smi", "\n\n", [], ["blank.smi", "empty"]),
        ("header.csv", "smiles,id\n", [], ["header.csv", "no molecules"]),
        ("column.csv", "id,mass\n1,2\n", [], ["column.csv", "id, mass"]),
        ("headless.csv", "CCO,1\nCC,2\n", [], ["headless.csv", "first line looks like a row", "smiles,name"]),
        ("named.csv", "smiles\nC\n", ["-s", "structure"], ["structure", "smiles"]),
        ("plain.smi", "CCO\n", ["-s", "structure"], ["plain.smi", "structure", "leave out -s"]),
        ("frames.xyz", "1\n\nC 0 0 0\n", ["-s", "structure"], ["frames.xyz", "structure", "leave out -s"]),
        ("table.xlsx", "smiles\nC\n", [], ["table.xlsx", ".csv"]),
        ("table.parquet", "smiles\nC\n", [], ["table.parquet"]),
        ("good.smi", "C\n", ["--resolution", "0.07"], ["0.07", "0.05"]),
        ("good.smi", "C\n", ["--by", "beauty"], ["beauty"]),
        ("good.smi", "C\n", ["--workers", "0"], ["workers"]),
        ("good.smi", "C\n", ["--distribution", "moses"], ["moses"]),
    ],
)
def test_rank_refuses(run, folder, tmp_path, name, text, arguments, words) -> None:
    Path(name).write_text(text)
    assert_one_line(run("rank", name, "--model", folder, "-o", "out.csv", *arguments), *words)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", [["rank"], ["report"], ["evaluate"]])
def test_an_input_is_never_written_over(run, folder, tmp_path, command) -> None:
    path = tmp_path / "library.xyz"
    text = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
    path.write_text(text)
    done = run(*command, str(path), "-o", str(path), *([] if command == ["evaluate"] else ["--model", str(folder)]))
    assert done.exit_code == 2 and "it is the input" in done.stderr
    assert path.read_text() == text


@pytest.mark.parametrize("command", ["info", "generate -n 2", "rank in.smi"])
def test_a_broken_checkpoint_is_named(run, folder, tmp_path, command) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    Path("in.smi").write_text("C\n")
    assert run("info", "--model", broken).exit_code == 0
    damaged = broken / ("config.json" if command == "info" else "model.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert_one_line(run(*command.split(), "--model", broken), "broken")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rank", "gone.csv", "--model", "{folder}"], ["gone.csv"]),
        (["info", "--model", "gone"], ["gone"]),
        (["evaluate", "gone.sdf"], ["gone.sdf"]),
        (["train", "gone.toml"], ["gone.toml"]),
        (["train", "run.toml"], ["run.toml", "batchsize"]),
        (["data", "qm7"], []),
        (["data", "none.sdf"], ["none.sdf"]),
        (["data", "qm9", "-o", "qm9.sdf"], ["is a .parquet file"]),
        (["audit", "--model", "{folder}", "--data", "absent.parquet"], ["absent.parquet is not there"]),
        (["audit", "--model", "{folder}", "--part", "nonsense"], ["no part 'nonsense'"]),
        (["audit", "--model", "{folder}", "--share", "2"], ["i/n"]),
        (["rank"], []),
        (["rang"], []),
    ],
)
def test_other_commands_refuse(run, folder, arguments, words) -> None:
    Path("run.toml").write_text('data = "d"\nout = "o"\nbatchsize = 3\n')
    assert_one_line(run(*(word.format(folder=folder) for word in arguments)), *words)


def test_an_interruption_is_told_from_an_error_and_a_bug_is_not_hidden(run, folder, monkeypatch) -> None:
    for error in (KeyboardInterrupt, ZeroDivisionError):
        monkeypatch.setattr("molscore.screening.info.facts", Mock(side_effect=error))
        done = run("info", "--model", folder)
        assert "Traceback" not in done.output
        assert done.exit_code == 130 if error is KeyboardInterrupt else isinstance(done.exception, error)


def test_a_full_temporary_folder_is_one_line(run, folder, tmp_path, monkeypatch) -> None:
    (tmp_path / "in.smi").write_text("CC\n")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("molscore.molecules.files.write_csv", Mock(side_effect=full))
    done = run("rank", "in.smi", "--model", folder)
    assert done.exit_code == 2 and done.stderr.splitlines()[-1].endswith("temporary file: no space left on device")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_a_full_disk_and_a_reader_that_leaves_are_no_tracebacks(folder) -> None:
    command = [sys.executable, "-m", "molscore", "info", "--model", folder]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "molscore: error: standard output or a temporary file: no space left on device\n"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def test_output_is_utf_8_whatever_the_terminal_says_and_info_needs_no_torch(tmp_path) -> None:
    model = tiny.model()
    renamed = Model(model.checkpoint._replace(info={"by": "Å"}), "tiny").save_pretrained(tmp_path / "tiny")
    script = """if True:
        import sys
        from molscore.cli import main
        try: main(sys.argv[1:])
        finally: assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", script, "info", "--model", renamed]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "Å".encode() in done.stdout


def test_every_command_has_help(run) -> None:
    for name in program.commands:
        assert run(name, "--help").exit_code == 0
    assert run().exit_code == 2
    assert "0.1.0" in run("--version").stdout
