"""A scorer gives the same numbers wherever it is: in a thread, in another process, in any company."""

import pickle  # what a pool of processes does with a scorer; nothing is read from a stranger
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler
from threading import Barrier

import ase
import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Batch, Data

from molscore import Scorer, load
from molscore.errors import InputError
from molscore.molecules import workers
from molscore.molecules.chem import from_smiles
from molscore.molecules.pyg import to_pyg
from tests import tiny

#: What people put in lists of molecules, and what is said of it.
ODD = [
    ("C1CC", "unparsable"),
    ("", "unparsable"),
    ("\x00CC", "unparsable"),
    ("ClC", "unknown_element"),
    ("[CH3]", "radical"),
    ("[NH4+]", "charged"),
    ("C" * 40, "too_large"),
    (None, "bad_input"),
    (float("nan"), "bad_input"),
    (b"CCO", "bad_input"),
    (Data(z=[6, 1], pos=[[0, 0, 0], [0, 0, 1]]), "bad_input"),
    (Data(z=torch.tensor([6, 1]), pos=torch.zeros(2, 3)), "bad_positions"),
    (ase.Atoms(), "too_small"),
]


@pytest.fixture
def scorer(model) -> Scorer:
    return Scorer(model)


def same(one, other) -> bool:
    return all(
        a is b is None or np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one, other, strict=True)
    )


def test_arrays_come_out_in_the_order_that_molecules_went_in(scorer, model, library) -> None:
    judged = scorer.judge(library)
    assert judged.ok.all() and judged.status.shape == (len(library),)
    assert np.allclose(judged.log_likelihood, model.log_likelihood(library), atol=1e-3)
    assert np.allclose(judged.log_density, model.log_density(library), atol=1e-3)
    assert np.allclose(judged.percentile, model.percentile(library), atol=0.1)
    assert judged.n_atoms.tolist() == [molecule.n_atoms for molecule in library]
    assert same(scorer.judge(library[::-1]), [None if values is None else values[::-1] for values in judged])
    assert not np.array_equal(judged.log_likelihood, judged.log_likelihood[::-1])


def test_a_molecule_that_cannot_be_judged_is_nan_with_a_status(scorer, library) -> None:
    mixed = [item for molecule, (odd, _) in zip(library, ODD, strict=False) for item in (molecule, odd)]
    judged = scorer.judge(mixed)
    good, bad = slice(0, None, 2), slice(1, None, 2)
    assert np.array_equal(judged.log_likelihood[good], scorer.judge(library[: len(ODD)]).log_likelihood)
    assert judged.status[bad].tolist() == [status for _, status in ODD]
    for values in (judged.log_likelihood, judged.log_density, judged.percentile):
        assert np.isnan(values[bad]).all() and np.isfinite(values[good]).all()
    assert all(judged.error[bad]) and not any(judged.error[good])


def test_threads_share_a_scorer(model, library) -> None:
    scorer = Scorer(model, conformers=2)
    alone = scorer.judge([*tiny.LIBRARY[:6], *library])
    barrier = Barrier(8)

    def work(_: int):
        barrier.wait()
        return [scorer.judge([*tiny.LIBRARY[:6], *library]) for _ in range(2)]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(8)):
            assert same(found[0], alone) and same(found[1], alone)
    other = Scorer(scorer.model, resolution=0.1).judge(library)
    assert not np.array_equal(other.log_likelihood, alone.log_likelihood[6:])


def test_denormal_numbers_are_flushed_in_any_thread(scorer, library) -> None:
    tiniest = torch.ones(1, dtype=torch.int32).view(
        torch.float32
    )  # by its bits: written as a number it could be flushed

    def flushed(judging: bool) -> bool:
        torch.set_flush_denormal(False)
        if judging:
            scorer.judge(library[:2])
        return (2 * tiniest).view(torch.int32).item() == 0

    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(flushed, False).result()
        assert pool.submit(flushed, True).result()


def test_a_molecule_that_hangs_costs_itself_alone(model, monkeypatch) -> None:
    """RDKit cannot be trusted with the time: the process that it runs in is killed, and the next row has another."""
    workers.shared("molscore.molecules.conformers").close()
    started = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(workers, "_BOOT", "print('ready', flush=True); import time; time.sleep(600)")
        judged = Scorer(model, time_limit=0.1).judge(["CCO", "C1CC"])
    assert time.monotonic() - started < 60.0
    assert judged.status.tolist() == ["timed_out", "unparsable"] and np.isnan(judged.log_density).all()
    assert Scorer(model).judge(["CCO"]).ok.all()


def test_a_copy_in_a_spawned_process_gives_the_same_numbers_and_leaves_ours_whole(folder) -> None:
    """Tensors move to shared memory on the way, and arrays that share theirs would be left without."""
    scorer = Scorer(str(folder), conformers=2, seed=3)
    smiles = ["CCO", "C1CC", "c1ccccc1"]
    here = scorer.judge(smiles)
    assert same(pickle.loads(pickle.dumps(scorer)).judge(smiles), here)
    ForkingPickler.dumps(scorer)
    with get_context("spawn").Pool(1) as pool:
        there = pool.apply(scorer.judge, (smiles,))
    assert same(there, here) and same(scorer.judge(smiles), here)
    assert scorer.model.training_index.contains("O")


def test_batches_come_in_many_forms(scorer, library, tmp_path) -> None:
    graphs = [to_pyg(molecule, torch.float64) for molecule in library[:3]]
    expected = scorer.judge(library[:3]).log_likelihood
    for batch in (tuple(library[:3]), iter(library[:3]), graphs, Batch.from_data_list(graphs)):
        assert np.allclose(scorer.judge(batch).log_likelihood, expected, atol=1e-3)
    texts = ["C", "CO", "N"]
    expected = scorer.judge(texts).log_likelihood
    frame = pd.DataFrame({"id": [1, 2, 3], "SMILES": texts})
    for batch in (np.array(texts), pd.Series(texts), frame, [from_smiles(text) for text in texts]):
        assert np.array_equal(scorer.judge(batch).log_likelihood, expected)
    water = ase.Atoms("OHH", [[0, 0, 0.1], [0.76, 0, -0.48], [-0.76, 0, -0.48]])
    for one in ("CO", library[4], water):
        assert scorer.judge(one).status.tolist() == ["ok"]
    (tmp_path / "in.smi").write_text("CCO\n")  # a path is a bad SMILES string, and not a file
    assert scorer.judge(str(tmp_path / "in.smi")).status.tolist() == ["unparsable"]
    assert scorer.judge([]).status.shape == (0,)


def test_a_device_is_named(model) -> None:
    assert Scorer(model).model.device.type == load(model, device="cpu").device.type == "cpu"
    assert load("qm9", device="auto").device.type in ("cpu", "cuda", "mps")
    with pytest.raises(InputError, match="abacus"):
        load("qm9", device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no cuda"):
            load("qm9", device="cuda")
