"""The mean of models is half-way between two, itself for one, and refused between networks of two kinds."""

import pytest
import torch

from benchmarks.average_weights import averaged
from molscore.errors import CheckpointError
from molscore.molecules import Distribution
from molscore.nn import Checkpoint, build
from tests.training.conftest import TINY

WATER = Distribution("water", ("H", "O"), {(2, 1): 1}, {2: 0.7, 3: 0.8})
METHANE = Distribution("methane", ("H", "C"), {(4, 1): 1}, dict.fromkeys(range(2, 6), 0.9))


def model(seed: int, distribution: Distribution = WATER) -> Checkpoint:
    torch.manual_seed(seed)
    return Checkpoint(build(TINY, (distribution,)), (distribution,), {"seed": seed}, {})


def weights(checkpoint: Checkpoint) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in checkpoint.network.parameters()])


def test_the_mean_of_two_lies_half_way() -> None:
    a, b = weights(model(0)), weights(model(1))
    mean = averaged([model(0), model(1)])
    torch.testing.assert_close(weights(mean), (a + b) / 2)
    assert mean.info == {"seed": 1}
    assert not torch.allclose(weights(mean), b)  # control
    torch.testing.assert_close(weights(averaged([model(1)])), b, rtol=0, atol=0)


def test_networks_that_differ_have_no_mean() -> None:
    with pytest.raises(CheckpointError, match="model 1 is of another"):
        averaged([model(0), model(1, METHANE)])
