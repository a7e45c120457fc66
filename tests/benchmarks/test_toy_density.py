"""The toy of known density is measured rightly, and its training runs."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest
import torch

from benchmarks.readme import table
from benchmarks.toy_density import SMALL, THEN, errors, kept, passes, record, referee_errors, rows_of, trained
from benchmarks.toy_targets import TARGETS, Target, shapes
from molscore.nn import DiScoFormer, Estimate
from molscore.training import TrainConfig

TINY = replace(SMALL, dim=16, vectors=4, heads=2, fine_blocks=1, pair_dim=8, basis=8)


@pytest.fixture
def target() -> Target:
    return shapes("two shapes", (1, 0, 0, 0, 2), modes=2)


class Oracle:
    """The truth, with an error for each mode."""

    def __init__(self, target: Target, by_mode: list[float]) -> None:
        self.mixture, self.by_mode = target.mixture, torch.tensor(by_mode, dtype=torch.float64)

    def __call__(self, y: torch.Tensor, *others: torch.Tensor) -> Estimate:
        sigma = others[2][0]
        mode = self.mixture.responsibilities(y, sigma).argmax(1)
        return Estimate(y, self.mixture.log_density(y, sigma) + self.by_mode[mode])


def test_errors_are_measured(target: Target) -> None:
    rmse, bias, weight, deviation = errors(Oracle(target, [0.0, 0.0]), target, 0.05, 300, 0)
    assert max(rmse, abs(bias), weight) < 0.01
    assert passes(target.d, rmse, bias, weight)
    rmse, bias, weight, deviation = errors(Oracle(target, [2.0, 0.5]), target, 0.05, 300, 0)
    assert bias == pytest.approx(2 / 3 + 1 / 3, abs=0.1)
    assert weight == pytest.approx(1.0, abs=0.1)
    assert not passes(target.d, rmse, bias, weight)


@pytest.mark.parametrize("figures", [(0.25, 0.0, 0.0), (0.1, -0.6, 0.0), (0.1, 0.0, 0.3)])
def test_each_bound_can_fail(figures: tuple[float, float, float]) -> None:
    assert passes(12, 0.23, 0.4, 0.1)
    assert not passes(12, *figures)


def test_the_referee_is_right_on_an_exact_score() -> None:
    assert passes(12, *referee_errors(0.3, 6, 0)[:3])


@pytest.mark.parametrize("key", TARGETS)
def test_targets_are_what_their_names_say(key: str) -> None:
    made = TARGETS[key]()
    assert made.mixture.means.shape[1] == len(made.elements)
    assert made.d == 3 * (len(made.elements) - 1)


def test_the_training_runs(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.toy_density.OFFSET_SAMPLES", 256)
    config = TrainConfig(data="", out="", model=TINY, steps=3, batch=4, density_batch=4, density_start=1)
    network = trained(target, config, "test")
    assert isinstance(network, DiScoFormer)
    assert all(torch.tensor(errors(network, target, 0.1, 20, 0)).isfinite())


def test_the_worst_row_decides() -> None:
    good, bad = [0.1, 0.2, 0.05, 5.0], [0.3, -0.6, 0.25, 5.0]
    control = list(rows_of("a", 12, "without the time score", 1, {0.1: bad}))
    for at_half, words in ((good, ["yes"] * 4), (bad, ["no"] * 3 + ["yes"])):
        found = kept([*rows_of("a", 12, "dual", 1, {0.1: good, 0.5: at_half}), *control])
        assert [row[3] for row in found] == words
    assert [row[1] for row in found] == ["1.25", "0.6", "0.25", "1"]
    assert found[0][4].startswith("a at 0.5 Å")


def test_results_are_recorded_run_by_run(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, found = tmp_path / "toy.json", {0.1: [0.1, 0.0, 0.0, 5.0]}
    for name, steps in (("a", 1), ("b", 2), ("a", 2)):
        monkeypatch.setattr("sys.argv", ["toy_density", "--steps", str(steps)])
        record(path, list(rows_of(name, 12, "dual", steps, found)), Namespace(batch=1, samples=9))
    result = json.loads(path.read_text())
    assert sorted(row[0] for row in result["rows"]) == ["a", "b"]
    assert "| a | 12 | dual | 2 |" in table(result)
    assert result["command"].split(THEN) == [f"python -m benchmarks.toy_density --steps {steps}" for steps in (1, 2)]
