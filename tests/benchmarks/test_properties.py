"""Guided towards a property: what is compared with what."""

import numpy as np
import pytest
import torch

from benchmarks.properties import Readout, States, within


def test_what_the_formula_says_alone_does_not_correlate_within_formulas() -> None:
    formulas = ["A"] * 200 + ["B"] * 200 + ["C"]
    level, rng = np.repeat([0.0, 50.0, 9.0], [200, 200, 1]), np.random.default_rng(0)
    a, noise = rng.normal(size=401), rng.normal(size=401)
    assert abs(within(formulas, a + level, noise + level)) < 0.15
    assert within(formulas, a + level, a + noise + level) == pytest.approx(0.5**0.5, abs=0.08)
    assert np.isnan(within(["A", "B"], np.zeros(2), np.zeros(2)))


def test_properties_do_not_turn_with_the_molecule_nor_see_its_padding(generator: torch.Generator) -> None:
    mask = torch.tensor([[True, True, True, False], [True, True, True, True]])
    real = mask[..., None].float()
    x, s = torch.randn(2, 4, 3, generator=generator) * real, torch.randn(2, 4, 16, generator=generator) * real
    v, cls = torch.randn(2, 4, 3, 5, generator=generator) * real[..., None], torch.randn(2, 16, generator=generator)
    torch.manual_seed(0)
    readout = Readout(16, 5).eval()
    values = readout(States(x, s, v, cls, mask))
    R = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    turned = readout(States(x @ R.T, s, torch.einsum("ij,bnjv->bniv", R, v), cls, mask))
    torch.testing.assert_close(turned, values, atol=1e-5, rtol=1e-4)
    short = readout(States(x[:1, :3], s[:1, :3], v[:1, :3], cls[:1], mask[:1, :3]))
    torch.testing.assert_close(short, values[:1], atol=1e-5, rtol=1e-4)
