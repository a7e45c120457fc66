"""A model of an earlier version gets the tables that it lacks and its offset; its other weights stay."""

import numpy as np
import torch

from benchmarks.remake_tables import remade, with_list
from molscore.datasets.store import MoleculeSet
from molscore.screening import Model
from tests import tiny


def test_the_tables_are_made_again(tmp_path) -> None:
    molecules = MoleculeSet.from_molecules(tiny.geometries())
    molecules.columns["smiles"] = np.array(tiny.LIBRARY, dtype=object)
    molecules.columns["split"] = np.array(["valid", "train", "test"] * 9, dtype=object)
    molecules.save(tmp_path / "data.parquet")
    older = Model(tiny.checkpoint(), "older")
    assert older.references is None
    newer = remade(older, tmp_path / "data.parquet", held_out=5)
    assert set(newer.references.tables) == {"dft", "mmff"}
    listed = with_list(tiny.model(), tmp_path / "data.parquet")
    for model in (newer, listed):
        assert str(model.known) == "tiny, 27 molecules" and all(model.known.contains(s) for s in tiny.LIBRARY)
        assert not model.known.contains("CCCCC")
    others = [{name for name in m.checkpoint.extras if not name.startswith("known")} for m in (listed, tiny.model())]
    assert others[0] == others[1]
    before, after = tiny.checkpoint().network.state_dict(), newer.network.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"density_head.from_noise"}
