"""`rank`: a row for a row, from any source; the scorer is whole, picklable and blind to company."""

import ase
import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from molscore import explain, rank
from molscore.errors import InputError
from molscore.molecules.ase import to_ase
from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.pyg import to_pyg
from molscore.screening.columns import DEFAULT
from molscore.screening.model import load
from molscore.screening.scorer import Scorer
from tests import tiny

MIXED = ["CCO", "C1CC", "ClC", "C=C", "", "CC.O", "c1ccccc1", "[CH3]", "CCO"]
EXPECTED = ["ok", "unparsable", "unknown_element", "ok", "unparsable", "fragments", "ok", "radical", "duplicate"]


def numbers(frame: pd.DataFrame) -> np.ndarray:
    return frame[["log_likelihood", "log_density", "percentile"]].to_numpy(dtype=float)


def test_a_row_for_a_row_whatever_the_source(model, tmp_path) -> None:
    table = pd.DataFrame({"smiles": MIXED, "status": range(len(MIXED))})
    table.to_csv(tmp_path / "in.csv", index=False)
    frames = [rank(model, source) for source in (MIXED, table, tmp_path / "in.csv", str(tmp_path / "in.csv"))]
    for frame in frames:
        assert frame["status"].tolist() == EXPECTED
        assert frame["smiles"].fillna("").tolist() == MIXED
        assert np.allclose(numbers(frame), numbers(frames[0]), equal_nan=True)
        assert frame.attrs["by"] == DEFAULT
    assert frames[1]["input_status"].tolist() == list(range(len(MIXED)))


def test_rows_of_a_frame_keep_their_labels_and_values(model, tmp_path) -> None:
    ids = pd.array([2**53 + 1, None, 3, 4], dtype="Int64")
    times = pd.to_timedelta([1, 2, 3, 4], "ns")
    table = pd.DataFrame({"smiles": ["CCO", "C1CC", "C=C", "CC"], "id": ids, "time": times}, index=[7, 3, 3, 0])
    ranked = rank(model, table)
    pd.testing.assert_frame_equal(ranked[list(table)], table)
    best_first = rank(model, table, sort=True)
    labels = dict(zip(table["smiles"], table.index, strict=True))
    assert best_first.index.tolist() == [labels[smiles] for smiles in best_first["smiles"]]
    shuffled = table.reset_index(drop=True).iloc[[3, 1, 0, 2]]
    shuffled["percentile"] = rank(model, shuffled)["percentile"]
    alone = {smiles: rank(model, [smiles])["percentile"][0] for smiles in ("CCO", "C=C", "CC")}
    assert all(abs(row.percentile - alone[row.smiles]) < 0.1 for row in shuffled.dropna().itertuples())
    assert rank(model, table["smiles"]).index.tolist() == [7, 3, 3, 0]
    table.to_parquet(tmp_path / "in.parquet")
    assert rank(model, tmp_path / "in.parquet")["id"].tolist() == ids.tolist(), "whole numbers stay whole"


def test_a_duplicate_names_the_row_before_as_whoever_reads_it_counts(model, tmp_path) -> None:
    """Files count from 1, a header apart; a DataFrame has labels, and those of a list are its places."""
    table = pd.DataFrame({"smiles": ["C=C", "CCO", "OCC"]}, index=["a", "b", "c"])
    table.to_csv(tmp_path / "in.csv", index=False)
    told = {str(tmp_path / "in.csv"): "row 2, CCO", "list": "index 1, CCO", "frame": "index b, CCO"}
    sources = {str(tmp_path / "in.csv"): tmp_path / "in.csv", "list": table["smiles"].tolist(), "frame": table}
    for name, source in sources.items():
        assert rank(model, source)["error"].iloc[2] == f"same molecule as {told[name]}"


def test_geometries_of_a_frame_are_judged_as_those_of_the_same_parquet(model, library, tmp_path) -> None:
    flat = [molecule.positions.ravel() for molecule in library[:3]]
    columns = {"numbers": [m.numbers for m in library[:3]] + [None], "smiles": ["", "O", "C", "CCO"]}
    flat_table = pd.DataFrame(columns | {"positions": [*flat, None]})
    flat_table.to_parquet(tmp_path / "in.parquet")
    nested = pd.DataFrame(columns | {"positions": [x.reshape(-1, 3) for x in flat] + [None]})
    frames = [rank(model, source) for source in (tmp_path / "in.parquet", flat_table, nested, nested.drop(3))]
    assert frames[1]["geometry"].tolist() == ["given"] * 3 + ["etkdg"]
    for frame in frames:
        assert np.allclose(numbers(frame)[:3], numbers(rank(model, library[:3])), atol=1e-3)
        assert np.allclose(numbers(frame), numbers(frames[0])[: len(frame)], atol=1e-3)
    assert Scorer(model).judge(nested).log_likelihood[0] == frames[2]["log_likelihood"][0]
    bad = pd.DataFrame({"numbers": [[6, 1], [6, 1]], "positions": [[[0, 0, 0]], [["a", 0, 0], [0, 0, 1]]]})
    assert rank(model, bad)["status"].tolist() == ["bad_positions"] * 2


def test_molecules_of_any_kind_have_their_smiles_beside_their_numbers(model, library) -> None:
    """Of an RDKit molecule by its bonds, of a geometry as they are read off it; blank where there are none to read."""
    ethanol = library[tiny.LIBRARY.index("CCO")]
    odd = mol_from_molecule(ethanol)
    odd.GetBondWithIdx(0).SetBondType(Chem.BondType.QUADRUPLE)  # without a SMILES string
    torn = ase.Atoms("OHH", [[0, 0, 0], [0.96, 0, 0], [9, 0, 0]])
    given = [mol_from_molecule(ethanol), to_ase(ethanol), to_pyg(ethanol), ethanol, odd, "C=C", torn]
    frame = rank(model, given)
    assert frame["smiles"].fillna("").tolist() == [*["CCO"] * 5, "C=C", ""]
    assert frame["status"].iloc[:5].isin(["ok", "duplicate"]).all(), frame["error"].tolist()
    assert frame["status"].iloc[-1] == "fragments"


def test_a_pattern_and_several_conformers_as_on_the_command_line(model) -> None:
    smiles = ["CCO", "CCN", "CCCO"]
    frame = rank(model, smiles, smarts="[OX2H]", conformers=3)
    assert frame["status"].tolist() == ["ok", "no_match", "ok"]
    expected = Scorer(model, conformers=3).judge(smiles).log_density
    assert np.allclose(frame["log_density"][[0, 2]], expected[[0, 2]], atol=1e-3)
    assert not np.allclose(expected, Scorer(model).judge(smiles).log_density, atol=1e-2)


def test_chunks_do_not_matter(model, monkeypatch) -> None:
    whole = rank(model, list(tiny.LIBRARY))
    monkeypatch.setattr("molscore.screening.rank.frame.CHUNK_ROWS", 4)
    assert np.allclose(numbers(rank(model, list(tiny.LIBRARY))), numbers(whole), atol=1e-3)


def test_worker_processes_give_the_same_bytes(model, monkeypatch) -> None:
    smiles = [*tiny.LIBRARY, "CC(=O)O.C=O"]
    here = rank(model, smiles, workers=1)
    monkeypatch.setattr("molscore.screening.scorer._FEW", 1)
    there = rank(model, smiles, workers=2)
    assert here.to_csv() == there.to_csv()
    assert here["status"].tolist()[-1] == "fragments"


@pytest.mark.parametrize("source", [3, [], pd.DataFrame({"mass": [1.0]}), "gone.csv", iter(())])
def test_sources_that_hold_nothing_are_refused(model, source) -> None:
    with pytest.raises(InputError):
        rank(model, source)


def test_a_folder_will_do_for_a_model(folder, model) -> None:
    assert Scorer(str(folder)).model.name == "tiny"
    assert explain(folder, "CCO").shares.shape == (9,)
    assert load(model) is model
    with pytest.raises(InputError, match="not for other"):
        load(model, "other")
    assert rank(folder, ["CCO"])["status"].tolist() == ["ok"]
    assert load(folder).name == "tiny"


def test_arrays_become_a_dataframe_and_a_model_ranks(model, library) -> None:
    frame = Scorer(model).judge(library).to_dataframe()
    assert frame["percentile"].tolist() == rank(model, library)["percentile"].tolist()
    pd.testing.assert_frame_equal(model.rank(library, sort=True), rank(model, library, sort=True))


def test_swapped_arguments_are_named(model) -> None:
    for swapped in ((["CCO"], model), (["CCO"], "qm9"), ("library.csv", "qm9")):
        with pytest.raises(InputError, match=r"rank\(model, library\)"):
            rank(*swapped)
