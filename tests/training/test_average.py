"""The average of the weights forgets its start and follows the weights."""

import pytest
import torch
from torch import nn

from molscore.training.average import Average


def test_constant_weights_are_their_own_average() -> None:
    layer = nn.Linear(3, 2)
    average = Average(layer, 0.99)
    for step in range(5):
        average.update(layer, step)
    torch.testing.assert_close(average.weights["weight"], layer.weight.detach())


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_it_is_the_recursion(decay: float) -> None:
    layer = nn.Linear(1, 1, bias=False)
    average, expected = Average(layer, decay), layer.weight.item()
    for step in range(30):
        layer.weight.data.fill_(float(step))
        average.update(layer, step)
        beta = min(decay, (1 + step) / (10 + step))
        expected = beta * expected + (1 - beta) * step
    assert float(average.weights["weight"]) == pytest.approx(expected, rel=1e-5)
    assert layer.weight.item() == 29


def test_a_loaded_average_carries_on() -> None:
    layer, other = nn.Linear(2, 2), nn.Linear(2, 2)
    average, copy = Average(layer, 0.9), Average(other, 0.9)
    copy.load_state_dict({name: value.clone() for name, value in average.state_dict().items()})
    average.update(other, 5)
    assert (copy.weights["weight"] != average.weights["weight"]).any()
    copy.update(other, 5)
    torch.testing.assert_close(copy.weights, average.weights, rtol=0, atol=0)
