"""The examples run, on a tiny model."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from rdkit import Chem

from tests.house.sources import ROOT

SCRIPTS = sorted((ROOT / "examples").glob("[0-9]*.py"))
#: What is said last by those that start processes of their own.
WORDS = {"08_reinvent": "unknown_element", "09_serve": "stopped"}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, impatient) -> Callable[..., str]:
    """Run a script in an empty working folder; its standard output."""

    def script_output(script: Path, *arguments: object) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", [str(script), *map(str, arguments)])
        runpy.run_path(str(script), run_name="__main__")
        return capsys.readouterr().out

    return script_output


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_numbered_examples_run(run, script, folder, tmp_path) -> None:
    few = tmp_path / "training.smi"  # for the one that takes a training set
    few.write_text("\n".join(mol.GetProp("smiles") for mol in Chem.SDMolSupplier(str(ROOT / "data" / "sample.sdf"))))
    said = run(script, folder, few)
    assert said and WORDS.get(script.stem, "") in said


def test_the_demo_writes_what_it_says_and_the_same_each_time(run, folder, tmp_path) -> None:
    options = ["--model", folder, "-n", 1, "--steps", 4]
    outputs = []
    for name in ("one", "two"):
        assert " drawn, " in run(ROOT / "examples" / "demo.py", *options, "--out", name)
        outputs.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert {"candidates.sdf", "candidates.csv"} <= set(outputs[0])
    assert outputs[0] == outputs[1]


def test_the_demo_says_in_one_line_what_is_wrong(run, tmp_path) -> None:
    with pytest.raises(SystemExit, match="^demo: .*gone"):
        run(ROOT / "examples" / "demo.py", "--model", tmp_path / "gone")
