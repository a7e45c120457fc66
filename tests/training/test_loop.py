"""A run is a function of its configuration: killed and resumed, it ends in the same weights, bit for bit."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from molscore.datasets.molecule_set import MoleculeSet
from molscore.errors import CheckpointError, InputError, OutputError
from molscore.molecules import Molecule
from molscore.nn.checkpoint import Checkpoint, from_pretrained
from molscore.training.config import DataConfig, TrainConfig
from molscore.training.loop import Log, Processes, Trainer, load_state, train
from molscore.training.losses import denoising_loss, noised
from tests.house.sources import ROOT
from tests.training.conftest import settings_of

ALONE = Processes(0, 1, torch.device("cpu"))


def same(a: object, b: object) -> bool:
    """Whether two nests of tensors and plain values are the same to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def kept(out: str | Path) -> dict:
    """What the state of a run holds besides its clock and its folder."""
    return besides_the_clock(load_state(Path(out) / "state.pt"))


def besides_the_clock(state: dict) -> dict:
    return {name: part for name, part in state.items() if name not in ("seconds", "config")}


def test_a_run_leaves_a_model_a_state_and_a_log(config, monkeypatch) -> None:
    seen, settings = [], config(evaluate_every=6)

    def evaluate(checkpoint: Checkpoint) -> dict[str, float]:
        seen.append(checkpoint.info["step"])
        return {"figure": 1.0}

    monkeypatch.setattr("molscore.training.loop.LOG_EVERY", 4)
    checkpoint = train(settings, evaluate=evaluate)
    assert seen == [6, 12]
    assert checkpoint.info["molecules"] > 24
    loaded = from_pretrained(Path(settings.out) / "model")
    assert same(dict(loaded.network.state_dict()), dict(checkpoint.network.state_dict()))
    assert loaded.distributions[0].name == "tiny"
    average = load_state(Path(settings.out) / "state.pt")["average"]
    assert all(torch.equal(loaded.network.state_dict()[name], value) for name, value in average.items())
    with (Path(settings.out) / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [4, 6, 8, 12, 12]
    assert [row["time"] != "" for row in rows] == [False, False, True, True, False]
    assert json.loads(rows[1]["figures"]) == {"figure": 1.0}
    assert not list(Path(settings.out).glob(".*"))
    with pytest.raises(InputError, match="--resume"):
        train(settings)
    assert train(settings, resume=True).info["step"] == 12
    (Path(settings.out) / "state.pt").unlink()
    for resume in (False, True):
        with pytest.raises(InputError, match=r"model holds config\.json already, which would be lost"):
            train(settings, resume)


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int], Checkpoint]:
    """One run unbroken, killed twice, and of two processes: the folder, where the kills came, the unbroken's model."""
    folder = tmp_path_factory.mktemp("runs")
    unbroken = settings_of(data, folder / "unbroken")
    (folder / "config.json").write_text(json.dumps(unbroken.to_dict()))
    command = (sys.executable, "-m", "tests.training.runs", str(folder / "config.json"), str(folder))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, list(map(int, done.stdout.split())), train(unbroken)


def test_killed_at_random_moments_it_ends_in_the_same_weights(runs: tuple) -> None:
    folder, (first, second), unbroken = runs
    assert 0 < first <= second and first < 12, "the first kill came in the middle of the run"
    assert same(kept(folder / "broken"), kept(folder / "unbroken"))
    broken = from_pretrained(folder / "broken" / "model").network.state_dict()
    assert same(dict(broken), dict(unbroken.network.state_dict()))


def test_two_processes_of_torchrun_agree(runs: tuple) -> None:
    folder, _, unbroken = runs
    first, second = (torch.load(folder / "pair" / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert same(first, second)
    info, alone = from_pretrained(folder / "pair" / "model").info, dict(unbroken.network.state_dict())
    assert (info["processes"], info["step"]) == (2, 12)
    assert not same(first, alone)  # the pair draws other noise
    assert all((first[name] - alone[name]).abs().max() < 0.5 for name in alone)


def test_a_state_holds_all_that_the_next_step_needs(config: Callable[..., TrainConfig]) -> None:
    """And no less: without a part of it the run goes on otherwise."""

    def resumed(state: dict) -> tuple[list, dict]:
        trainer = Trainer(config(), ALONE)
        trainer.load_state_dict(state)
        return [trainer.one_step() for _ in range(2)], besides_the_clock(trainer.state_dict())

    unbroken, states, losses = Trainer(config(), ALONE), [], []
    for _ in range(9):
        states.append(deepcopy(unbroken.state_dict()))
        losses.append(unbroken.one_step())
    fresh, end = states[0], besides_the_clock(unbroken.state_dict())
    assert resumed(states[4])[0] == losses[4:6]  # before the density terms begin
    assert same(resumed(states[7]), (losses[7:], end))
    for part in ("optimiser", "average"):
        assert not same(resumed(states[7] | {part: fresh[part]})[1], end)


def test_the_loss_falls_on_a_small_set(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=30, density_start=1.0, references=0, batch=8, lr=0.02, log_normal=(-0.5, 0.5))
    trainer = Trainer(settings, ALONE)
    x = trainer.data[0].batch(range(64), trainer.network.elements)
    noisy = noised(x, torch.linspace(-1.5, 0.5, 64), torch.Generator().manual_seed(0))
    context = trainer.network.context(torch.zeros(64, dtype=torch.long), x.sizes)

    @torch.no_grad()
    def loss() -> float:
        return float(denoising_loss(trainer.network.denoise, noisy, context, None, settings)[1]["denoising"])

    before = loss()
    for _ in range(30):
        trainer.one_step()
    assert loss() < 0.98 * before


def test_references_come_in_and_are_made_anew(config: Callable[..., TrainConfig]) -> None:
    trainer, without, states = Trainer(config(), ALONE), Trainer(config(references=0), ALONE), []
    for _ in range(7):
        trainer.one_step(), without.one_step()
        states.append(trainer.states[0].clone() if trainer.states else None)
    assert [state is None for state in states[:5]] == [True, True, True, True, False]
    assert not torch.equal(states[5], states[6])
    assert not without.states


def test_a_run_from_a_trained_model_has_the_statistics_of_its_own_data(config, tmp_path) -> None:
    settings = config(steps=1)
    start = dict(train(settings).network.state_dict())
    again = Trainer(config(init=f"{settings.out}/model", out=str(tmp_path / "next"), seed=5), ALONE)
    assert same(dict(again.network.state_dict()), start)
    rows = [Molecule([1, 8, 1], [[0.8, 0.6, 0], [0, 0, 0], [-0.8, 0.6, 0]]), Molecule([9, 1], [[0, 0, 0], [0.9, 0, 0]])]
    MoleculeSet.from_molecules(rows * 8, {"split": ["train"] * 16}).save(tmp_path / "mine.parquet")
    own = (DataConfig(str(tmp_path / "mine.parquet")),)
    tuned = train(config(data=own, init=f"{settings.out}/model", out=str(tmp_path / "next"), steps=1))
    (distribution,) = tuned.distributions
    assert (distribution.name, distribution.n_molecules) == ("mine", 16)
    assert set(distribution.elements) == {"H", "O", "F"}
    assert tuned.network.elements == ("H", "C", "O", "F")


def test_a_corrupt_or_foreign_state_is_one_line(config: Callable[..., TrainConfig]) -> None:
    settings = config(steps=1)
    train(settings)
    path = Path(settings.out) / "state.pt"
    good = path.read_bytes()
    wider = {**settings.to_dict(), "model": settings.model.to_dict() | {"dim": 32}}
    for content, attempt in ((good[: len(good) // 2], settings), (good, TrainConfig.from_dict(wider))):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"state\.pt") as caught:
            train(attempt, resume=True)
        assert "\n" not in str(caught.value)
    torch.save({"step": 1}, path)
    with pytest.raises(CheckpointError, match="seconds"):
        train(settings, resume=True)


def test_what_cannot_be_trained_on_or_written_is_refused(config: Callable[..., TrainConfig], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        train(config(data=(DataConfig(str(tmp_path / "none.parquet")),)))
    lone = tmp_path / "lone.parquet"
    MoleculeSet.from_molecules([Molecule([2], [[0.0, 0, 0]])] * 10, {"split": ["train"] * 10}).save(lone)
    with pytest.raises(InputError, match="two atoms"):
        train(config(data=(DataConfig(str(lone)),)))
    with pytest.raises(OutputError, match="cannot be written"):
        train(config(out=str(lone / "run")))


def test_a_log_forgets_what_came_after_the_state_and_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = Log(path, 0)
    for step in (1, 2, 3):
        log.write(step=step, seconds=1.0, denoising=0.5)
    with path.open("a") as file:
        file.write("1")  # a row that a kill cut short
    Log(path, 2).write(step=5)
    with path.open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "5"]
