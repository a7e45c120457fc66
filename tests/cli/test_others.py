"""`info`, `evaluate` and `train` do what they say."""

import json
from pathlib import Path

import numpy as np

from molscore.datasets.store import MoleculeSet
from molscore.molecules.files import write
from molscore.screening import load
from tests import tiny


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


def test_evaluate_judges_geometries_and_says_what_it_left_out(run, tmp_path) -> None:
    write(tmp_path / "in.sdf", [*tiny.geometries(), (None, {"smiles": "CCO"})])
    done = run("evaluate", "in.sdf", "--json")
    assert done.exit_code == 0
    metrics = json.loads(done.stdout)
    assert metrics["n"] == len(tiny.LIBRARY)
    assert metrics["validity"] > 90
    assert metrics["novelty"] is None
    assert "left out" in done.stderr
    assert "molecule stability" in run("evaluate", "in.sdf").stdout


def test_novelty_is_against_the_training_split(run, tmp_path) -> None:
    write(tmp_path / "in.sdf", tiny.geometries())
    data = MoleculeSet.from_molecules(tiny.geometries())
    for split, novelty in (("train", 0.0), ("test", 100.0)):
        columns = {"split": [split] * (len(data) - 1) + ["test" if split == "train" else "train"]}
        MoleculeSet.from_molecules(tiny.geometries(), columns).save(tmp_path / f"{split}.parquet")
        done = run("evaluate", "in.sdf", "--reference", f"{split}.parquet", "--json")
        assert abs(json.loads(done.stdout)["novelty"] - novelty) < 10


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
    assert str(model.known) == "qm9, 27 molecules" and model.known.contains("OCC")
    again = run("train", "run.toml")
    assert again.exit_code == 2 and "--resume" in again.stderr
