"""The log-density atom by atom, beside what is expected: sums, means, the picture and the command."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import molscore
from molscore.cli import main
from molscore.errors import InputError
from molscore.molecules import Molecule
from molscore.molecules.convert import first_of
from molscore.molecules.files import write
from molscore.screening.explain import explain


def test_shares_add_up_and_expected_atoms_lack_nothing_on_average(model, library) -> None:
    given = [Molecule(m.numbers, m.positions) for m in library]
    found = [explain(model, molecule, 0.1) for molecule in given]
    assert np.allclose([one.shares.sum() for one in found], model.log_density(given, 0.1), rtol=1e-4, atol=2e-4)
    for symbol in ("H", "C", "O"):
        missing = [x for one in found for x, s in zip(one.missing, one.molecule.symbols, strict=True) if s == symbol]
        assert abs(np.mean(missing)) < 0.02 * np.std([one.shares.sum() for one in found]) + 1e-3
    assert max(np.abs(one.missing).max() for one in found) > 0.01


def test_a_model_without_the_table_says_so(model) -> None:
    bare = type(model)(model.checkpoint._replace(extras={}), "bare")
    with pytest.raises(InputError, match="bare does not hold"):
        explain(bare, "CCO")
    with pytest.raises(InputError, match="one molecule"):
        explain(model, ["CCO", "CC"])


def test_a_picture_for_each_suffix(model, tmp_path) -> None:
    found = molscore.explain(model, "CCO")
    for name, head in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
        found.draw(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(head)
    with pytest.raises(InputError, match=r"a\.pdf: a picture is \.svg or \.png"):
        found.draw(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()
    shown = found._repr_html_()  # in a notebook the picture, its colours explained, and the table
    assert "<svg" in shown and "deviations" in shown and shown.count("<pre>") == 1


def test_the_command_explains_a_smiles_and_a_file(folder, tmp_path, library, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("two.xyz", [library[7], library[0]])
    assert first_of("two.xyz").formula == library[7].formula
    assert first_of("C/C=C/C") == "C/C=C/C"
    text = CliRunner().invoke(main, ["explain", "two.xyz", "--model", str(folder), "-o", "x.svg"])
    assert text.exit_code == 0 and "sum" in text.stdout and (tmp_path / "x.svg").exists()
    rows = json.loads(CliRunner().invoke(main, ["explain", "CCO", "--model", str(folder), "--json"]).stdout)
    assert len(rows) == 9 and rows[0]["element"] == "C"
    write("many.xyz", [Molecule([6] * 60, 3.0 * np.random.default_rng(0).normal(size=(60, 3)))])
    for bad in ("gone.sdf", "C1CC", "CCCl", "C[O-]", "many.xyz"):
        refused = CliRunner().invoke(main, ["explain", bad, "--model", str(folder)])
        assert refused.exit_code == 2 and refused.stderr.count("\n") == 1
        assert bad in refused.stderr and "row" not in refused.stderr
