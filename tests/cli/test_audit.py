"""`molscore audit` prints and saves its figures, and refuses what it cannot do in one line."""

import json

from molscore.datasets.molecule_set import MoleculeSet
from tests import tiny


def test_audit_prints_and_saves(run, folder, tmp_path) -> None:
    MoleculeSet.from_molecules(tiny.geometries()).save(tmp_path / "data.parquet")
    done = run("audit", "--model", folder, "--data", "data.parquet", "-n", 6, "--part", "heads", "-o", "found")
    assert done.exit_code == 0
    assert "is the score the slope" in done.stdout
    assert "audit.json" in done.stderr
    result = json.loads((tmp_path / "found" / "audit.json").read_text())
    assert result["parts"][0]["name"] == "heads"
    assert result["provenance"]["model"] == "tiny"


def test_audit_refuses(run, folder, tmp_path) -> None:
    MoleculeSet.from_molecules(tiny.geometries()).save(tmp_path / "data.parquet")
    for words, what in (
        (["--data", "absent.parquet"], "absent.parquet is not there"),
        (["--data", "data.parquet", "--part", "nonsense"], "no part 'nonsense'"),
        (["--data", "data.parquet", "--share", "2"], "i/n"),
    ):
        done = run("audit", "--model", folder, *words)
        assert done.exit_code == 2
        assert what in done.stderr
        assert done.stderr.strip().count("\n") == 0
