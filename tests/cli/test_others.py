"""`info`, `evaluate`, `report`, `train`, `data` and `audit` do what they say."""

import json
from pathlib import Path

import numpy as np
from rdkit import Chem

from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.molecule_set import load as load_set
from molscore.molecules import Molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from molscore.screening.model import load
from tests import tiny
from tests.cli.conftest import table


def test_info_tells_the_same_as_text_and_as_json(run, folder) -> None:
    facts = json.loads(run("info", "--model", folder, "--json").stdout)
    text = run("info", "--model", folder).stdout
    assert facts["elements"] == list(tiny.ELEMENTS)
    assert facts["percentiles_at"] == [0.02, 0.05, 0.1, 0.2]
    assert facts["known_molecules"] == len(tiny.LIBRARY[::2])
    assert facts["novel_means_not_in"] == "tiny"
    assert facts["info"]["figures"] == {"atom_stability": 12.5}
    assert facts["parameters"] == sum(p.numel() for p in tiny.model().network.parameters())
    for word in ("H C N O F", "0.02 0.05 0.1 0.2", "12.5", f"{facts['parameters']:,}", facts["weights"]):
        assert word in text


def test_a_distribution_is_named_in_any_of_three_ways(run) -> None:
    named = [["--model", "leads"], ["--distribution", "leads"], ["--model", "leads", "--distribution", "leads"]]
    found = [
        run("info", "--json", *words).stdout for words in [*named, ["--model", "organic", "--distribution", "leads"]]
    ]
    assert len(set(found)) == 1 and json.loads(found[0])["distribution"] == "leads"
    assert json.loads(run("info", "--json").stdout)["distribution"] == "qm9"


def test_evaluate_compares_with_the_training_split_and_says_what_it_left_out(run, tmp_path) -> None:
    write(tmp_path / "in.sdf", tiny.geometries())
    data = MoleculeSet.from_molecules(tiny.geometries())
    for split, novelty in (("train", 0.0), ("test", 100.0)):
        columns = {"split": [split] * (len(data) - 1) + ["test" if split == "train" else "train"]}
        MoleculeSet.from_molecules(tiny.geometries(), columns).save(tmp_path / f"{split}.parquet")
        done = run("evaluate", "in.sdf", "--reference", f"{split}.parquet", "--json")
        assert abs(json.loads(done.stdout)["novelty"] - novelty) < 10
    write("one.sdf", [*tiny.geometries()[:1], (None, {"smiles": "CCO"})])
    done = run("evaluate", "in.sdf", "--reference", "one.sdf")
    assert done.exit_code == 0 and "not compared with one.sdf: a fidelity table needs at least two" in done.stdout
    done = run("evaluate", "one.sdf", "--json")
    metrics = json.loads(done.stdout)
    assert (metrics["n"], metrics["validity"], metrics["novelty"]) == (1, 100.0, None)
    assert done.stderr == "left out: bad_positions 1: row 2, CCO\n"
    write("many.sdf", [*tiny.geometries()[:1], *[(None, {"name": f"m{n}"}) for n in range(8)]])
    done = run("evaluate", "many.sdf")
    assert "8: row 2, m0; row 3, m1; row 4, m2; row 5, m3; row 6, m4 and 3 more\n" in done.stderr
    assert "molecule stability" in run("evaluate", "in.sdf").stdout


def test_evaluate_writes_each_molecule_and_says_how_faithful_all_are(run, tmp_path) -> None:
    rows = [(molecule, {"novel": "hearsay"}) for molecule in tiny.geometries()]
    write(tmp_path / "in.sdf", rows)
    done = run("evaluate", "in.sdf", "--reference", "in.sdf", "--strain", "--json", "-o", "out.csv", "-o", "out.html")
    assert done.exit_code == 0, done.stderr
    figures = json.loads(done.stdout)["fidelity"]["figures"]
    assert all(figure["value"] == figure["reference"] for figure in figures.values())
    found = table("out.csv")
    assert len(found) == len(rows) and {row["novel"] for row in found} == {"False"}
    assert {row["input_novel"] for row in found} == {"hearsay"}
    assert all(abs(float(row["strain"])) < 0.1 and len(row["inchikey"]) == 27 for row in found)
    assert "<!DOCTYPE html>" in Path("out.html").read_text()
    assert run("evaluate", "in.sdf", "-o", "no/where.csv").exit_code == 2


def test_evaluate_names_the_molecule_that_it_judged(run) -> None:
    """Not the one that a field says; isotopes, which no geometry has, are those of the structure."""
    (propylamine,), (ethanol,) = embed("CCCN"), embed("CCO")
    write("in.sdf", [(propylamine, {"smiles": "CCO"}), (ethanol, {"smiles": "[2H]OCC"}), (ethanol, {"smiles": "OCC"})])
    assert run("evaluate", "in.sdf", "-o", "out.csv", "-o", "out.sdf").exit_code == 0
    found = table("out.csv")
    assert [(row["smiles"], row["input_smiles"]) for row in found] == [("CCCN", "CCO"), ("[2H]OCC", ""), ("OCC", "")]
    assert [row["inchikey"] for row in found] == [
        Chem.MolToInchiKey(Chem.MolFromSmiles(row["smiles"])) for row in found
    ]
    assert Path("out.sdf").read_text().count("M  ISO") == 1
    write("in.xyz", [(propylamine, {"smiles": "CCO"})])
    assert run("evaluate", "in.xyz", "-o", "out.csv").exit_code == 0
    assert [(row["smiles"], row["input_smiles"]) for row in table("out.csv")] == [("CCCN", "CCO")]


def test_report_shows_what_rank_wrote_whatever_the_column_is_called(run, folder) -> None:
    Path("in.csv").write_text("X,id\nCCO,1\nC(,2\nCC=O,3\n")
    assert run("rank", "in.csv", "-s", "X", "--model", folder, "-o", "r.csv", "-o", "r.html").exit_code == 0
    done = run("report", "r.csv", "--model", folder, "-o", "again.html")
    assert done.exit_code == 0 and "3 molecules" in done.stderr, done.stderr


def test_evaluate_says_what_is_wrong_where_no_bonds_fit(run, tmp_path) -> None:
    whole = tiny.geometries()[8]
    clashing, torn = whole.positions.copy(), whole.positions.copy()
    clashing[1] = clashing[0]
    torn[-1] += 9.0
    write(tmp_path / "in.xyz", [Molecule(whole.numbers, x) for x in (whole.positions, clashing, torn)])
    assert run("evaluate", "in.xyz", "-o", "out.csv").exit_code == 0
    doubts = [row["doubts"] for row in table("out.csv")]
    first, second = whole.symbols[:2]
    assert doubts[:2] == ["", f"clash: {first}0 and {second}1 are 0.00 Å apart"]
    assert doubts[2].startswith("bonds: ") and "no neutral closed-shell bonds" in doubts[2]
    write(tmp_path / "in.xyz", [(whole, {"charge": 1})])
    assert run("evaluate", "in.xyz", "-o", "out.csv").exit_code == 0
    assert table("out.csv")[0]["doubts"] == "charges: the file says +1"


def test_report_is_a_page_of_any_library(run, folder) -> None:
    Path("in.csv").write_text("smiles\nCCO\nCC=O\nCCN\n")
    done = run("report", "in.csv", "--model", folder, "--smarts", "[#8]", "-o", "a.html", "-o", "a.csv", "-o", "a.png")
    assert done.exit_code == 0 and "2 molecules" in done.stderr
    assert Path("a.csv").read_text().count("\n") == 3 and Path("a.png").exists()
    assert "<!DOCTYPE html>" in Path("a.html").read_text()
    for bad in (["in.csv", "-o", "a.pdf"], ["none.sdf"], ["in.csv", "--smarts", "["]):
        assert run("report", *bad, "--model", folder).exit_code == 2


def test_train_makes_a_model_that_ranks_and_generates(run, tmp_path) -> None:
    split = np.array(["train"] * 20 + ["valid"] * 7, dtype=object)
    columns = {"smiles": list(tiny.LIBRARY), "split": split}
    MoleculeSet.from_molecules(tiny.geometries(), columns).save(tmp_path / "data.parquet")
    sizes = ", ".join(f"{name} = {value}" for name, value in tiny.CONFIG.to_dict().items())
    Path("run.toml").write_text(
        f'out = "run"\nmodel = {{ {sizes} }}\nsteps = 3\nbatch = 4\ndensity_start = 0.3\nreferences_start = 0.3\n'
        'evaluate_every = 100\n[[data]]\npath = "data.parquet"\ndistribution = "qm9"\n'
    )
    done = run("train", "run.toml")
    assert done.exit_code == 0, done.output
    model = load("run/model")
    assert model.name == "run"
    assert model.resolutions == [0.02, 0.05, 0.1, 0.2]
    assert str(model.training_index) == "qm9, 27 molecules" and model.training_index.contains("OCC")
    again = run("train", "run.toml")
    assert again.exit_code == 2 and "--resume" in again.stderr


def test_a_library_becomes_a_data_set_with_splits(run, tmp_path) -> None:
    write(tmp_path / "own.sdf", tiny.geometries())
    done = run("data", "own.sdf", "--workers", 1, "--seed", 3, "--split", "scaffold")
    assert done.exit_code == 0, done.output
    made = load_set("data/own.parquet")
    assert len(made) == len(tiny.LIBRARY) and set(made.columns["split"]) == {"train", "valid", "test"}
    assert "27 molecules" in done.stderr and "train" in done.stderr and not done.stdout
    assert "left out" not in done.stderr and "replaced" not in done.stderr
    again = run("data", "own.sdf", "--workers", 1)
    assert again.exit_code == 0 and "data/own.parquet is there already: it is replaced" in again.stderr
    again = run("data", "data/own.parquet")
    assert again.exit_code == 2 and "is the library itself" in again.stderr


def test_audit_prints_and_saves(run, folder, tmp_path) -> None:
    MoleculeSet.from_molecules(tiny.geometries()).save(tmp_path / "data.parquet")
    done = run("audit", "--model", folder, "--data", "data.parquet", "-n", 6, "--part", "heads", "-o", "found")
    assert done.exit_code == 0
    assert "is the score the slope" in done.stdout
    assert "audit.json" in done.stderr
    result = json.loads((tmp_path / "found" / "audit.json").read_text())
    assert result["parts"][0]["name"] == "heads"
    assert result["provenance"]["model"] == "tiny"


def test_evaluate_keeps_columns_of_the_file_beside_its_own(run) -> None:
    """A name of ours in any case; what says the same is not written twice, as in files of `generate`."""
    (ethanol,) = embed("CCO")
    torn = Molecule(ethanol.numbers, ethanol.positions + 9.0 * np.eye(len(ethanol.numbers), 3))
    write("in.sdf", [(ethanol, {"qed": 0.11, "LogP": 9}), (torn, {"qed": 0.22, "LogP": 10})])
    assert run("evaluate", "in.sdf", "-o", "out.csv").exit_code == 0
    first, second = table("out.csv")
    assert (first["qed"], first["input_qed"], first["input_LogP"]) == ("0.407", "0.11", "9")
    assert (second["qed"], second["input_qed"], second["input_LogP"]) == ("", "0.22", "10")
    write("in.sdf", [(ethanol, {"qed": 0.407, "formula": "C2H6O", "doubts": "none"})])
    assert run("evaluate", "in.sdf", "-o", "out.csv").exit_code == 0
    (row,) = table("out.csv")
    assert [name for name in row if name.startswith("input_")] == ["input_doubts"]
