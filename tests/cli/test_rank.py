"""`molscore rank`: one row out for each row in, in order, whatever is wrong with a row."""

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from molscore.molecules.chem import mol_from_molecule
from molscore.molecules.conformers import embed
from molscore.molecules.files import write
from molscore.screening.columns import DEFAULT
from tests import tiny
from tests.cli.conftest import table

COLUMNS = [
    "status", "log_likelihood", "log_density", "percentile", "n_atoms", "resolution", "geometry", "reference", "error",
    *({DEFAULT} - {"log_likelihood", "log_density", "percentile"}),
]  # fmt: skip
BROKEN = {
    "C1CC": "unparsable", "": "unparsable", "lemon juice": "unparsable", "CC(C)(C)(C)C": "unparsable",
    "*CC": "pattern", "ClCCl": "unknown_element", "[He]": "too_small", "[NH4+]": "charged", "[CH3]": "radical",
    "CC(=O)O.C=O": "fragments", "CCCCCCCCCC": "too_large",
}  # fmt: skip


@pytest.fixture
def mixed(tmp_path) -> Path:
    """Good rows with a broken one after each."""
    path = tmp_path / "library.csv"
    broken = [*BROKEN, *[""] * (len(tiny.LIBRARY) - len(BROKEN))]
    rows = [smiles for pair in zip(tiny.LIBRARY, broken, strict=True) for smiles in pair]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "mol", "status"])
        writer.writerows([i, smiles, "in stock"] for i, smiles in enumerate(rows))
    return path


def test_rows_stay_in_place_and_good_ones_are_answered(run, folder, mixed, tmp_path) -> None:
    done = run("rank", mixed, "-s", "mol", "--model", folder, "-o", "ranked.csv")
    assert done.exit_code == 0, done.output
    given, rows = table(mixed), table(tmp_path / "ranked.csv")
    assert list(rows[0]) == ["id", "mol", "input_status", *COLUMNS]
    assert [(row["id"], row["mol"]) for row in rows] == [(row["id"], row["mol"]) for row in given]
    assert {row["input_status"] for row in rows} == {"in stock"}
    for row in rows[::2]:
        assert (row["status"], row["geometry"], row["error"]) == ("ok", "etkdg", "")
        assert 0 <= float(row["percentile"]) <= 100
    for row in rows[1::2]:
        assert row["status"] == BROKEN[row["mol"]], row
        assert row["error"] and not row["log_likelihood"]
    assert "27 judged" in done.stderr and "status -> input_status" in done.stderr
    assert run("rank", mixed, "-s", "mol", "--model", folder, "-o", "again.csv").exit_code == 0
    for suffix in ("csv", "csv.provenance.json"):
        assert (tmp_path / f"again.{suffix}").read_bytes() == (tmp_path / f"ranked.{suffix}").read_bytes()
    assert b'"resolution": 0.05' in (tmp_path / "ranked.csv.provenance.json").read_bytes()


def test_sort_puts_the_best_first_and_the_unjudged_last(run, folder, mixed, tmp_path) -> None:
    options = ["-s", "mol", "--model", folder, "-o", "ranked.csv"]
    for by in ("percentile", "log_likelihood", "difference"):
        assert run("rank", mixed, "--sort", "--by", by, *options).exit_code == 0
        rows = table(tmp_path / "ranked.csv")
        values = [float(row[by]) for row in rows if row["status"] == "ok"]
        assert values == sorted(values, reverse=True)
        assert [row["status"] == "ok" for row in rows] == [True] * 27 + [False] * 27


@pytest.mark.parametrize("sort", [[], ["--sort"]])
def test_a_column_that_has_a_name_of_ours_in_another_case_is_renamed(run, folder, sort) -> None:
    Path("case.csv").write_text("SMILES,Status,Log_likelihood\nCCO,1,x\nOCC,2,y\n")
    done = run("rank", "case.csv", *sort, "--model", folder, "-o", "out.csv")
    assert done.exit_code == 0 and "1 judged" in done.stderr
    rows = table("out.csv")
    assert [(row["status"], row["input_Status"], row["input_Log_likelihood"]) for row in rows] == [
        ("ok", "1", "x"),
        ("duplicate", "2", "y"),
    ]


def test_columns_that_differ_in_case_alone_cannot_be_sorted(run, folder) -> None:
    Path("case.csv").write_text("smiles,id,ID\nCCO,1,x\nCCCO,2,y\n")
    assert run("rank", "case.csv", "--model", folder, "-o", "out.csv").exit_code == 0
    assert [(row["id"], row["ID"]) for row in table("out.csv")] == [("1", "x"), ("2", "y")]
    done = run("rank", "case.csv", "--sort", "--model", folder, "-o", "sorted.csv")
    assert done.exit_code == 2 and "the columns 'id' and 'ID' differ in case alone" in done.stderr


def test_standard_input_to_standard_output(run, folder) -> None:
    done = run("rank", "-", "--model", folder, input="smiles,id\nCCO,7\nC1CC,8\n")
    assert done.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["smiles"], row["id"], row["status"]) for row in rows] == [
        ("CCO", "7", "ok"),
        ("C1CC", "8", "unparsable"),
    ]


def test_a_truncated_sdf_costs_its_last_row(run, folder, tmp_path) -> None:
    write(tmp_path / "in.sdf", tiny.geometries()[:5])
    text = (tmp_path / "in.sdf").read_text()
    (tmp_path / "in.sdf").write_text(text[: text.rindex("M  END") - 40])
    assert run("rank", "in.sdf", "--model", folder, "-o", "out.sdf").exit_code == 0
    assert run("rank", "out.sdf", "--model", folder, "-o", "again.csv").exit_code == 0
    rows = table(tmp_path / "again.csv")
    assert [row["input_status"] for row in rows] == ["ok"] * 4 + ["unparsable"]
    assert [row["status"] for row in rows] == ["ok"] * 4 + ["unparsable"]
    assert all(row["input_molscore_model"] == "tiny" for row in rows)


def test_made_geometries_go_where_geometries_go(run, folder, tmp_path) -> None:
    from molscore.molecules.files import read

    Path("in.smi").write_text("CCO ethanol\nC1CC broken\nCO methanol\n")
    assert run("rank", "in.smi", "--model", folder, "-o", "out.sdf").exit_code == 0
    records = list(read(tmp_path / "out.sdf"))
    assert [record.molecule is not None for record in records] == [True, False, True]
    assert records[0].columns["geometry"] == "etkdg"
    assert records[0].columns["molscore_model"] == "tiny"


def test_several_outputs_hold_the_same_rows_and_a_pattern_chooses(run, folder) -> None:
    Path("in.smi").write_text("CCO\nCCN\nCC=O\n")
    options = ("--model", folder, "--smarts", "[#8]", "-o", "a.csv", "-o", "a.sdf", "-o", "a.html")
    done = run("rank", "in.smi", *options)
    assert done.exit_code == 0, done.stderr
    found = table("a.csv")
    assert [row["status"] for row in found] == ["ok", "no_match", "ok"]
    assert [row["percentile"] == "" for row in found] == [False, True, False]
    assert Path("a.sdf").read_text().count("$$$$") == 3 and "<!DOCTYPE html>" in Path("a.html").read_text()
    assert run("rank", "in.smi", "--model", folder, "-o", "b.html").exit_code == 0 and Path("b.html").exists()
    assert run("rank", "in.smi", "--model", folder, "-o", "-", "-o", "b.csv").exit_code == 2


def test_a_table_is_the_same_whatever_is_written_beside_it(run, folder) -> None:
    Path("in.csv").write_text("id,mol\n1,[2H]C([2H])O\n2,C1CC\n3,CO\n4,CO\n")
    rank = ("rank", "in.csv", "-s", "mol", "--sort", "--model", folder)
    assert run(*rank, "-o", "a.csv").exit_code == run(*rank, "-o", "a.parquet").exit_code == 0
    beside = [part for name in ("b.parquet", "b.sdf", "b.csv", "b.xyz", "b.png") for part in ("-o", name)]
    done = run(*rank, *beside)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("4 rows, 2 judged")
    assert Path("b.csv").read_bytes() == Path("a.csv").read_bytes()
    assert pq.read_table("b.parquet").equals(pq.read_table("a.parquet"))
    assert pq.read_schema("b.parquet").field("percentile").type == "double"
    assert Path("b.sdf").read_text().count("$$$$") == 4 and Path("b.png").exists()
    assert run(*rank, "-o", "b.sdf", "-o", "in.csv").exit_code == 2, "the input is none of the outputs"


def test_isotopes_and_bonds_of_a_smiles_are_those_of_its_record(run, folder) -> None:
    """Two that differ in an isotope alone stay two, however often they are ranked."""
    Path("in.csv").write_text("smiles\nCCO\n[2H]C([2H])([2H])O\nCO\nC[C@]([2H])(O)F\n")
    assert run("rank", "in.csv", "--model", folder, "-o", "a.sdf", "-o", "a.csv").exit_code == 0
    assert run("rank", "a.sdf", "--model", folder, "-o", "b.sdf", "-o", "b.csv").exit_code == 0
    assert run("rank", "in.csv", "--model", folder, "-o", "a.xyz").exit_code == 0
    assert "4 judged" in run("rank", "a.xyz", "--model", folder, "-o", "c.csv").stderr
    given = [row["smiles"] for row in table("in.csv")]
    assert [row["smiles"] for row in table("a.csv")] == [row["smiles"] for row in table("b.csv")] == given
    assert [row["status"] for row in table("b.csv")] == ["ok"] * 4 and "input_smiles" not in table("b.csv")[0]
    for path in ("a.sdf", "b.sdf"):
        found = [Chem.MolToSmiles(Chem.RemoveHs(mol)) for mol in Chem.SDMolSupplier(path)]
        assert found == [Chem.CanonSmiles(smiles) for smiles in given], path
    assert Path("a.sdf").read_text().count("M  ISO") == Path("b.sdf").read_text().count("M  ISO") == 2


def test_lines_of_smiles_are_those_that_were_judged(run, folder) -> None:
    Path("in.csv").write_text("smiles,product,id\nC,OCC,1\nC,NCC,2\n")
    assert run("rank", "in.csv", "-s", "product", "--model", folder, "-o", "a.smi").exit_code == 0
    assert Path("a.smi").read_text().splitlines() == ["CCO", "CCN"]
    Path("in.csv").write_text("product,id\nOCC,1\nNCC,2\n")
    assert run("rank", "in.csv", "-s", "product", "--model", folder, "-o", "a.smi").exit_code == 0
    assert Path("a.smi").read_text().splitlines() == ["CCO", "CCN"]
    (propylamine,) = embed("CCCN")
    for name in ("in.sdf", "in.parquet"):
        write(name, [(propylamine, {"smiles": "CCO"}), (propylamine, {"smiles": "CCCN"})])
        done = run("rank", name, "--model", folder, "-o", "a.smi")
        assert Path("a.smi").read_text() == "CCCN\nCCCN\n"
        assert "1 row with a SMILES string of another molecule than the geometry or bonds" in done.stderr
        assert run("rank", name, "--model", folder, "-o", "again.parquet").exit_code == 0
        assert "of another molecule" not in run("rank", "again.parquet", "--model", folder, "-o", "b.csv").stderr


def test_records_in_3d_without_hydrogens_are_told(run, folder) -> None:
    """As docked ligands are: what is judged is no geometry of the file."""
    writer = Chem.SDWriter("docked.sdf")
    for molecule in tiny.geometries()[7:10]:
        writer.write(Chem.RemoveHs(mol_from_molecule(molecule)))
    writer.write(mol_from_molecule(tiny.geometries()[7]))
    writer.write(Chem.MolFromSmiles("CCN"))  # flat
    writer.close()
    done = run("rank", "docked.sdf", "--model", folder, "-o", "out.csv")
    assert [row["geometry"] for row in table("out.csv")] == ["etkdg"] * 3 + ["given", "etkdg"]
    assert "3 records in 3D without all hydrogens, judged in new geometries" in done.stderr
    assert run("rank", "docked.sdf", "--model", folder, "-o", "parts/").stderr == done.stderr
    assert run("merge", "parts", "-o", "merged.csv").stderr == done.stderr
    assert "hydrogens" not in run("rank", "out.csv", "--model", folder).stderr


def test_molecules_outside_the_data_are_duplicates_too_and_among_the_best_by_what_they_have(run, folder) -> None:
    Path("in.smi").write_text("CCO ethanol\nFC(F)F freon\nOCC\nC(F)(F)F\n[CH:1](F)(F)F\n")
    done = run("rank", "in.smi", "--model", folder, "-o", "out.csv")
    found = {row["status"]: [] for row in table("out.csv")}
    for row in table("out.csv"):
        found[row["status"]].append(row["error"])
    assert found["duplicate"] == ["same molecule as row 1, ethanol"] + ["same molecule as row 2, freon"] * 2
    assert (len(found["ok"]), len(found["outside"])) == (1, 1) and "1 outside the data" in done.stderr
    assert run("rank", "in.smi", "--model", folder, "-o", "parts/").exit_code == 0
    done = run("top", "parts", "--by", "log_likelihood", "-o", "best.csv")
    assert sorted(row["name"] for row in table("best.csv")) == ["ethanol", "freon"]
    assert "the best 2 of 5 rows" in done.stderr and "1 of them outside the data" in done.stderr
    done = run("top", "parts", "-o", "best.csv")
    assert [row["name"] for row in table("best.csv")] == ["ethanol"] and "outside" not in done.stderr


def test_whose_minima_geometries_are_is_said_where_they_tell(run) -> None:
    write("made.sdf", [molecule for smiles in ("CCCCO", "CC(C)CO") for molecule in embed(smiles)])
    common = ("rank", "made.sdf", "--by", "log_likelihood", "-o", "out.csv")
    assert "2 given geometries compared" in (found := run(*common).stderr) and "as they are its minima" in found
    for options in (("--geometry", "mmff"), ("--model", "leads")):
        assert "2 given geometries compared" in (found := run(*common, *options).stderr) and "minima" not in found
    assert "geometries" not in run(*common, "--geometry", "dft").stderr


ALCOHOLS = "id,name,structure,mass\n" + "".join(f"{i},ethanol no {i},{'C' * (1 + i)}O,{30 + i}\n" for i in range(5))


@pytest.mark.parametrize(
    ("command", "wrong"), [(["rank", "in.csv"], "id"), (["report", "in.csv"], "name"), (["rank", "-"], "mass")]
)
def test_a_column_without_smiles_is_told_and_which_has_them(run, folder, command, wrong) -> None:
    Path("in.csv").write_text(ALCOHOLS)
    done = run(*command, "-s", wrong, "--model", folder, input=ALCOHOLS if "-" in command else None)
    assert done.exit_code == 0
    assert "5 of 5 rows" in done.stderr and "the column 'structure' has such" in done.stderr
    assert "-s structure" in done.stderr
    right = run(*command, "-s", "structure", "--model", folder, input=ALCOHOLS if "-" in command else None)
    assert "no SMILES string that parses" not in right.stderr
    Path("none.csv").write_text("smiles,mass\n" + "lemon,1\n" * 12)
    assert "is this a table of SMILES?" in run("rank", "none.csv", "--model", folder).stderr
    Path("some.csv").write_text("smiles,mass\n" + "lemon,1\n" * 8 + "CCO,46\n" * 2)
    assert "no SMILES string that parses" not in run("rank", "some.csv", "--model", folder).stderr
