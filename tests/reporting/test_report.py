"""A report holds what its file holds, shows it in a real browser, and asks no network for anything."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import molscore
from molscore.errors import InputError, OutputError
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from molscore.reporting.outputs import check_outputs, write_all, written_to
from molscore.reporting.report import report
from tests import tiny
from tests.house.sources import ROOT

SMILES = ("CCO", "CC=O", "c1cnc[nH]1", "CC(=O)O", "C1CC1", "CCCO")


@pytest.fixture(scope="module")
def molecules() -> list[Molecule]:
    return [Molecule(m.numbers, m.positions, s) for s in SMILES for m in embed(s)]


def data_of(page: str) -> dict:
    packed = re.search(r'id="data">([^<]*)<', page).group(1)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def column(data: dict, name: str) -> list:
    return [row[[c["name"] for c in data["columns"]].index(name)] for row in data["rows"]]


def test_it_shows_what_a_chemist_reads_and_the_bytes_repeat(molecules) -> None:
    page = report(molecules, tiny.model()).html
    assert page == report(molecules, tiny.model()).html
    data = data_of(page)
    assert column(data, "name") == list(SMILES)
    assert column(data, "inchikey")[0] == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    assert column(data, "mol_weight")[0] == pytest.approx(46.07, abs=0.01)
    assert column(data, "rotatable_bonds")[-1] == 1
    assert max(map(abs, column(data, "strain"))) < 0.1  # they are at minima of the force field
    assert all(np.isfinite(column(data, name)).all() for name in ("log_likelihood", "percentile", "codimension"))
    assert all("<svg" in picture for picture in data["pictures"])


def test_atoms_have_their_contributions_and_places(molecules) -> None:
    model = tiny.model()
    shapes = data_of(report(molecules, model).html)["shapes"]
    for shape, molecule in zip(shapes, molecules, strict=True):
        assert shape["e"] == molecule.symbols
        x = np.reshape(shape["x"], (-1, 3)) / 1000
        np.testing.assert_allclose(x, molecule.positions - molecule.positions.mean(0), atol=6e-4)
    np.testing.assert_allclose(shapes[0]["w"], molscore.explain(model, molecules[0]).missing, atol=6e-3)
    assert "w" not in data_of(report(molecules, None).html)["shapes"][0]


def test_every_kind_of_file_is_shown_and_nothing_is_lost(molecules, tmp_path) -> None:
    rows = [(molecule, {"potency": k / 2}) for k, molecule in enumerate(molecules)]
    for name in ("x.sdf", "x.csv", "x.parquet", "x.xyz", "x.smi"):
        write(tmp_path / name, rows)
        data = data_of(report(tmp_path / name, None).html)
        assert len(data["rows"]) == len(SMILES) and all(shape and shape["b"] for shape in data["shapes"]), name
        if name not in ("x.xyz", "x.smi"):
            assert column(data, "potency") == [k / 2 for k in range(len(SMILES))], name


def test_rows_that_are_no_molecules_say_so(tmp_path) -> None:
    (tmp_path / "x.csv").write_text("smiles,id\nCCO,1\nlemon,2\nCS(C)=O,3\n[NH4+],4\n")
    data = data_of(report(tmp_path / "x.csv", tiny.model()).html)
    assert column(data, "status") == [None, "unparsable", "unknown_element", "charged"]
    assert data["shapes"][1] is None and data["shapes"][2] and data["pictures"][1] == ""
    assert column(data, "log_likelihood")[1:] == [None] * 3


def test_a_pattern_chooses_and_a_bound_holds(molecules) -> None:
    found = report(molecules, None, smarts="[OX2H]")
    assert [entry.columns["name"] for entry in found.entries] == ["CCO", "CC(=O)O", "CCCO"]
    assert "3 of 6" in found.about
    assert len(report(molecules, None, most=2)) == 2
    for bad in ({"smarts": "["}, {"smarts": "[Fe]"}):
        with pytest.raises(InputError):
            report(molecules, None, **bad)


def test_text_cannot_become_a_program(molecules, opened, tmp_path) -> None:
    evil = "</script><script>window.hit=1</script><img src=x onerror='window.hit=1'>"
    report([(molecules[0], {"name": evil, "note": evil})], None, title=evil).save(tmp_path / "x.html")
    found = opened(tmp_path / "x.html")
    assert found.page.evaluate("window.hit") is None
    assert evil in found.page.inner_text("#facts") and not found.messages


def test_a_notebook_shows_it(molecules) -> None:
    assert report(molecules[:1], None)._repr_html_().startswith("<iframe srcdoc=")
    assert molecules[0]._repr_svg_().startswith("<svg")
    notebook = "import sys; sys.modules['IPython'] = sys; import molscore; molscore.Molecule._repr_svg_"
    subprocess.run([sys.executable, "-c", notebook], cwd=ROOT, check=True)


def test_a_browser_sorts_filters_and_draws_without_a_network(molecules, opened, tmp_path) -> None:
    found = report(molecules, tiny.model())
    found.save(tmp_path / "x.html")
    data, (page, requests, messages) = data_of(found.html), opened(tmp_path / "x.html")
    weight, logp = (dict(zip(SMILES, column(data, name), strict=True)) for name in ("mol_weight", "logp"))

    def names() -> list[str]:
        return page.locator("tbody tr:not(.gap) td:nth-child(2)").all_inner_texts()

    assert names() == list(SMILES)
    assert data["columns"][int(page.input_value("#tint"))]["name"] == "log_likelihood", "strain is zero at minima"
    page.click('th[title="mol_weight"]')
    assert names() == sorted(SMILES, key=weight.get, reverse=True)
    page.click('th[title="mol_weight"]')
    assert names() == sorted(SMILES, key=weight.get)
    for text, test in (("> 0", lambda v: v > 0), ("-1..0.1", lambda v: -1 <= v <= 0.1), ("lemon", lambda v: True)):
        page.fill('input[aria-label="Filter logP"]', text)
        assert set(names()) == {name for name in SMILES if test(logp[name])}
    page.fill('input[aria-label="Filter logP"]', "")
    page.fill("#search", "C3H cc")  # every word somewhere in the row
    assert set(names()) == {"C1CC1", "CCCO"} and page.inner_text("#count") == "2 of 6 molecules"
    page.fill("#search", "")
    page.click("tbody tr:not(.gap)")
    inks = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    assert page.locator("#map canvas").evaluate(inks) > 10
    coloured = page.locator("#viewer").screenshot()
    page.check("input[value=element]")
    assert page.locator("#viewer").screenshot() != coloured
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.path().read_text().count("\n") == 1 + len(SMILES)
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert messages == []


def test_a_browser_colours_by_strain_where_there_is_some(molecules, opened, tmp_path) -> None:
    stretched = [Molecule(m.numbers, m.positions * (1 + k / 100), m.name) for k, m in enumerate(molecules)]
    found = report(stretched, tiny.model())
    found.save(tmp_path / "x.html")
    page, _, _ = opened(tmp_path / "x.html")
    assert data_of(found.html)["columns"][int(page.input_value("#tint"))]["name"] == "strain"


def test_the_browser_would_refuse_a_request(molecules, opened, tmp_path) -> None:
    """The control: a page that does ask is stopped by its own policy."""
    asking = "async function main() { fetch('https://example.org').catch(() => 0);"
    html = report(molecules[:1], None).html.replace("async function main() {", asking)
    (tmp_path / "x.html").write_text(html)
    _, _, messages = opened(tmp_path / "x.html")
    assert any("Content Security Policy" in message for message in messages)


def test_several_outputs_hold_the_same_rows(molecules, tmp_path) -> None:
    paths = [str(tmp_path / name) for name in ("a.sdf", "a.csv", "a.html", "a.png", "a.svg")]
    assert write_all(paths, [(m, {"percentile": 50.0}) for m in molecules], {"command": "made up"}) == 6
    assert len(data_of((tmp_path / "a.html").read_text())["rows"]) == 6
    assert (tmp_path / "a.csv").read_text().count("\n") == 7
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG" and "<svg" in (tmp_path / "a.svg").read_text()
    assert write_all(paths, []) == 0  # what is to look at does not show molecules of before
    assert [Path(path).exists() for path in paths] == [True, True, False, False, False]
    assert written_to(paths, 0) == f"0 written to {paths[0]}, {paths[1]}" and "nothing" in written_to(paths[2:], 0)
    for bad in (["x.pdf"], ["a.csv", "a.csv"], [str(tmp_path / "none" / "a.html")]):
        with pytest.raises(OutputError):
            check_outputs(bad)
