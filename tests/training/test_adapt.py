"""Adapting to a library: it learns, the base stays, what is saved works as a model."""

import numpy as np
import pytest
import torch

import molscore
from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import ElementError, InputError
from molscore.screening.model import Model
from molscore.training import adapt as module
from molscore.training.adapt import adapt
from tests import tiny


@pytest.fixture
def base(tmp_path):
    return molscore.load(tiny.saved(tmp_path))


@pytest.fixture
def library():
    made = ["MMFF94s"] * len(tiny.LIBRARY)
    return MoleculeSet.from_molecules(tiny.geometries(), {"smiles": tiny.LIBRARY, "geometry": made})


def test_adapted_model_is_saved_beside_a_base_that_stays(base, library, tmp_path):
    molecules = list(tiny.geometries())
    before = base.log_likelihood(molecules)
    adapted = adapt(base, library, "own", steps=12)
    folder = adapted.save_pretrained(tmp_path / "own")
    found, again = molscore.load(folder), molscore.load(base.source)
    assert found.distribution.name == "own" and adapted.checkpoint.info["steps"] > 0
    inside = [m for m in molecules if m.n_atoms <= found.max_atoms][:5]
    assert np.array_equal(found.log_density(inside), adapted.log_density(inside))
    assert np.array_equal(again.log_likelihood(molecules), before)
    assert np.array_equal(base.log_likelihood(molecules), before)
    assert found.percentile(inside).shape == (5,) and found.training_index.contains("CCO")
    rings = found.ring_systems
    assert sum(rings.counts.values()) + rings.once == adapted.checkpoint.info["training_molecules"] < len(library)
    loss = adapted.checkpoint.info["held_out_loss"]
    assert loss["after"] < loss["before"]


def test_a_run_cut_short_is_carried_on(base, library, tmp_path):
    state = tmp_path / "state.pt"
    adapt(base, library, steps=4, state=state)
    first = torch.load(state, weights_only=True)
    found = adapt(base, library, steps=6, state=state).checkpoint.info
    assert found["steps"] == 6 and first["step"] == 4
    assert found["held_out_loss"]["before"] == round(first["before"], 4)
    with pytest.raises(InputError, match=r"state\.pt is of another library, base or seed: remove it"):
        adapt(base, library, steps=6, seed=1, state=state)
    with pytest.raises(InputError, match="another library"):
        adapt(base, library.select(range(1, len(library))), steps=6, state=state)


def test_token_alone_is_a_token(base, library):
    adapted = adapt(base, library, steps=2, blocks=False)
    assert list(adapted.checkpoint.adapter.tensors) == ["noise_offset", "distribution_token.weight"]


def test_what_is_no_base_or_no_library_is_refused(base, library):
    with pytest.raises(InputError, match="too few"):
        adapt(base, library.select(range(10)))
    with pytest.raises(InputError, match="not saved"):
        adapt(Model(tiny.checkpoint()), library)
    with pytest.raises(ElementError, match="no embedding for S; it knows H, C, N, O, F"):
        adapt(base, [*tiny.geometries(), "CS"])
    assert len(library) >= module.FEWEST
