"""QM9 is read from its package's files, in order, and split as EDM splits it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from molscore.datasets import qm9
from molscore.datasets.assembly import summary
from molscore.datasets.molecule_set import load
from molscore.datasets.statistics import distribution_of
from molscore.errors import InputError
from molscore.evaluation.edm import stability

HEADER = "XYZ_file,Index,SMILES,N_atoms,Elements,XYZ_Ang,Gap\n"
ROWS = {
    "qm9_part1.csv": [(2, "O", "['O','H','H']", [[0.1, 0.0, -2e-05], [0.0, 0.7, 0.5], [0.0, -0.7, 0.5]])],
    "qm9_part2.csv": [(7, "[HH]", "['H','H']", [[0.0, 0.0, 0.0], [0.74, 0.0, 0.0]])],
    "qm9_part3.csv": [(4, "C#N", "['C','N','H']", [[0.0, 0.0, 0.0], [1.15, 0.0, 0.0], [-1.07, 0.0, 0.0]])],
}
BUILT = Path(__file__).parents[2] / "data" / "qm9.parquet"


@pytest.fixture
def pack(tmp_path) -> Path:
    """A package folder of the same form as qm9pack, with three molecules out of order."""
    folder = tmp_path / "qm9pack" / "data"
    folder.mkdir(parents=True)
    for part, rows in ROWS.items():
        lines = [f'"x",{i},"{smiles}",{len(xyz)},"{symbols}","{xyz}",0.\n' for i, smiles, symbols, xyz in rows]
        (folder / part).write_text(HEADER + "".join(lines))
    (folder.parent / "__init__.py").write_text("raise RuntimeError('the package itself is never run')\n")
    return folder


def test_the_split_has_the_published_sizes_and_rows() -> None:
    split = qm9.edm_split()
    assert {name: int((split == name).sum()) for name in qm9.SPLIT_SIZES} == qm9.SPLIT_SIZES
    assert sum(qm9.SPLIT_SIZES.values()) == qm9.N_MOLECULES == len(split)
    assert np.flatnonzero(split == "valid")[:5].tolist() == [2, 20, 27, 46, 55]
    assert np.flatnonzero(split == "test")[:5].tolist() == [10, 13, 21, 30, 43]
    np.random.seed(1)
    assert np.array_equal(split, qm9.edm_split())  # whatever was drawn before


def test_molecules_are_parsed_in_ascending_order(pack) -> None:
    molecules = qm9.read_pack(pack)
    assert molecules.columns["index"].tolist() == [2, 4, 7]
    assert molecules.columns["smiles"].tolist() == ["O", "C#N", "[HH]"]
    assert [molecule.formula for molecule in molecules] == ["H2O", "CHN", "H2"]
    for molecule, part in zip(molecules, ("qm9_part1.csv", "qm9_part3.csv", "qm9_part2.csv"), strict=True):
        assert np.allclose(molecule.positions, ROWS[part][0][3], atol=1e-7)


def test_building_needs_the_package_and_all_of_qm9(pack, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(pack.parents[1]))
    monkeypatch.delitem(__import__("sys").modules, "qm9pack", raising=False)
    importlib.invalidate_caches()
    with pytest.raises(InputError, match="3 molecules, QM9 has 130,831"):
        qm9.build(tmp_path / "qm9.parquet")
    (pack / "qm9_part2.csv").unlink()
    with pytest.raises(InputError, match="cannot read qm9pack"):
        qm9.read_pack(pack)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "molscore-discoformer\[qm9\]"'):
        qm9.build(tmp_path / "qm9.parquet")
    assert not (tmp_path / "qm9.parquet").exists()


def test_a_complete_package_is_written_split_and_read(pack, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(pack.parents[1]))
    monkeypatch.setattr(qm9, "N_MOLECULES", 3)
    monkeypatch.setattr(qm9, "SPLIT_SIZES", {"train": 1, "valid": 1, "test": 1})
    line = summary("set.parquet", qm9.build(tmp_path / "qm9.parquet"))
    assert "3 molecules, 8 atoms" in line and "\n" not in line
    parts = [load(tmp_path / "qm9.parquet", split) for split in ("train", "valid", "test")]
    assert sorted(int(part.columns["index"][0]) for part in parts) == [2, 4, 7]
    whole = load(tmp_path / "qm9.parquet")
    assert whole.n_bonds.tolist() == [2, 2, 1] and sorted(whole.bonds[2:4].tolist()) == [[0, 1, 3], [0, 2, 1]]


@pytest.mark.skipif(not BUILT.exists(), reason="data/qm9.parquet is not built: molscore data qm9")
def test_the_real_file_is_edms_data() -> None:
    if "held_out" in load(BUILT).columns["split"]:
        pytest.skip("a part of data/qm9.parquet is held out")
    train, test = load(BUILT, "train"), load(BUILT, "test")
    distribution = distribution_of("qm9", train)
    p = np.unique(train.sizes, return_counts=True)[1] / 100_000
    assert -(p * np.log(p)).sum() == pytest.approx(2.4757, abs=1e-4)  # EDM's stored histogram, in nats
    assert distribution.elements == ("H", "C", "N", "O", "F") and distribution.max_atoms == 29
    counts = stability(test)
    assert counts.atom_stability == pytest.approx(99.344, abs=0.001)
    assert counts.molecule_stability == pytest.approx(95.215, abs=0.001)
