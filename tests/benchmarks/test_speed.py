"""The ratio of speeds is that of the times, and the network beside ours has EDM's size and symmetries."""

import pytest
import torch

from benchmarks.speed import EGNN, INPUTS, Round, table_of
from molscore.diffusion.gaussian import centre
from tests.mixtures import random_rotations

WORDS = {"n": 2, "evaluations": 1, "weights": "0123456789ab"}
MASK = torch.arange(6) < torch.tensor([4, 6])[:, None]


def test_the_ratio_is_that_of_the_times() -> None:
    rounds = [Round(0.2, 0.04), Round(0.4, 0.08), Round(0.2, 0.05)]
    assert [r.ratio(1000) for r in rounds] == pytest.approx([200, 200, 250])
    rows, note = table_of(rounds, 50, 1000, (10**6, 5 * 10**6), WORDS)
    ratio, low, high = (float(x.strip("[],")) for x in rows[2][4].split())
    assert low < ratio < high and 200 < ratio < 250 and "is kept" in note
    rows, note = table_of([Round(0.2, 0.01)], 50, 1000, (1, 1), WORDS)
    assert "is not kept" in note and rows[2][4] == "50"


def test_it_has_as_many_parameters_as_was_published() -> None:
    assert round(sum(p.numel() for p in EGNN().parameters()) / 1e6, 1) == 5.3
    assert round(sum(p.numel() for p in EGNN(layers=8).parameters()) / 1e6, 1) != 5.3


@torch.no_grad()
def test_it_is_equivariant_and_blind_to_padding(generator: torch.Generator) -> None:
    network = EGNN(features=16, layers=3)
    x, h = centre(torch.randn(2, 6, 3, generator=generator), MASK), torch.randn(2, 6, INPUTS) * MASK[..., None]
    R = random_rotations(1, generator)[0].to(x.dtype)
    noise, features = network(x, h, MASK)
    turned, same = network(x @ R.T, h, MASK)
    assert noise.abs().max() > 1e-6 and (noise[~MASK] == 0).all()
    torch.testing.assert_close(turned, noise @ R.T, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(same, features, rtol=1e-4, atol=1e-6)
    alone, _ = network(x[:1, :4], h[:1, :4], MASK[:1, :4])
    torch.testing.assert_close(noise[:1, :4], alone, rtol=1e-4, atol=1e-6)
