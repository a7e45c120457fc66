"""A small data set in a file and a training run small enough to repeat."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from molscore.datasets.molecule_set import MoleculeSet
from molscore.molecules import Molecule
from molscore.nn.backbone import ModelConfig
from molscore.training.config import DataConfig, TrainConfig

TINY = ModelConfig(dim=16, vectors=4, heads=2, coarse_blocks=1, fine_blocks=1, pair_dim=8, basis=8)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 molecules of 3 to 9 atoms, each size in one shape, 64 of them for training."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 10, 80)
    shapes = {n: (rng.choice([1, 6, 8], n), 1.2 * rng.normal(size=(n, 3))) for n in range(3, 10)}
    turns = np.linalg.qr(rng.normal(size=(80, 3, 3)))[0]
    molecules = [Molecule(shapes[n][0], shapes[n][1] @ turn) for n, turn in zip(sizes, turns, strict=True)]
    path = tmp_path_factory.mktemp("data") / "tiny.parquet"
    split = ["train"] * 64 + ["valid"] * 8 + ["test"] * 8
    MoleculeSet.from_molecules(molecules, {"split": split}).save(path)
    return path


def settings_of(path: Path, out: Path | str, **changes: object) -> TrainConfig:
    """The configuration of a run of 12 steps whose last 6 train the density."""
    values = {
        "data": (DataConfig(str(path), "tiny"),), "out": str(out), "model": TINY, "steps": 12, "batch": 2,
        "warmup": 2, "density_start": 0.5, "references_start": 0.3, "references_every": 3, "references": 3,
        "references_pool": 8, "save_minutes": 0.0, "evaluate_every": 100,
    }  # fmt: skip
    return TrainConfig(**(values | changes))


@pytest.fixture
def config(data: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    """Make a configuration with some of `settings_of` changed."""
    return partial(settings_of, data, out=tmp_path / "run")
