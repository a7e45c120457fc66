"""The ablation's network obeys the symmetries, learns from every part, and is drawn from."""

import numpy as np
import pytest
import torch

from benchmarks.clocked import config_of
from benchmarks.joint import COLUMNS, built, draw, possible_share, row_of
from benchmarks.joint_network import FEATURE, JointNetwork, joint_objective
from molscore.diffusion import random_rotations
from molscore.evaluation.metrics import evaluate
from molscore.molecules import Molecule
from molscore.molecules.batch import collate
from tests import tiny

SHARES = np.array([0.5, 0.3, 0.1, 0.08, 0.02])


@pytest.fixture
def network() -> JointNetwork:
    torch.manual_seed(0)
    made = built(tiny.CONFIG, tiny.distribution(), SHARES)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return made.eval()


def seen(network: JointNetwork, noise: float = 0.2) -> tuple[torch.Tensor, ...]:
    """Two noisy molecules: y, h, mask, sigma, distribution."""
    batch = collate(tiny.geometries()[7:9], network.elements)
    h = FEATURE * torch.nn.functional.one_hot(batch.elements, len(network.elements)).float()
    h = h + noise * torch.randn(h.shape, generator=torch.Generator().manual_seed(1))
    return batch.positions, h, batch.mask, torch.full((2,), noise), torch.zeros(2, dtype=torch.long)


def test_turning_turns_positions_and_leaves_elements(network: JointNetwork) -> None:
    y, *others = seen(network)
    R = random_rotations(1, torch.Generator().manual_seed(0), torch.float32)[0]
    with torch.no_grad():
        plain, turned = network.joint(y, *others), network.joint(y @ R.T, *others)
        bent = network.joint(y * torch.tensor([1.0, 1.0, 1.3]), *others)  # control: no symmetry
    torch.testing.assert_close(turned.positions.fine, plain.positions.fine @ R.T, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(turned.logits, plain.logits, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(bent.logits, plain.logits, atol=1e-3)


def test_exchanging_atoms_exchanges_answers(network: JointNetwork) -> None:
    y, h, mask, sigma, token = seen(network)
    order = torch.tensor([2, 0, 1, *range(3, mask.shape[1])])  # all real in both
    with torch.no_grad():
        plain = network.joint(y, h, mask, sigma, token)
        moved = network.joint(y[:, order], h[:, order], mask, sigma, token)
        torn = network.joint(y[:, order], h, mask, sigma, token)  # control: features stay behind
    torch.testing.assert_close(moved.positions.fine, plain.positions.fine[:, order], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(moved.logits, plain.logits[:, order], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(torn.logits, plain.logits[:, order], atol=1e-3)


def test_without_noise_elements_are_read_off(network: JointNetwork) -> None:
    y, h, mask, sigma, token = seen(network, 0.01)
    truth = collate(tiny.geometries()[7:9], network.elements).elements
    with torch.no_grad():
        clear = network.joint(y, h, mask, sigma, token).logits.argmax(-1)
        drowned = network.joint(y, h, mask, torch.full((2,), 40.0), token).logits.argmax(-1)  # control
    assert torch.equal(clear[mask], truth[mask])
    assert not torch.equal(drowned[mask], truth[mask])


def test_every_part_learns_but_the_density(network: JointNetwork) -> None:
    batch = collate(tiny.geometries()[5:12], network.elements)
    joint_objective(network, batch, config_of(tiny.CONFIG, 7, 0), 0, torch.Generator().manual_seed(0))
    idle = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(name.startswith("density_head.") for name in idle), idle
    assert network.element_of_token.weight.grad.any()


def test_molecules_are_drawn_and_judged(network: JointNetwork) -> None:
    molecules = draw(network, np.array([5, 3, 4]), seed=0, steps=3, temperature=1.0, guidance=0.0)
    assert [molecule.n_atoms for molecule in molecules] == [3, 4, 5]
    spent = {"parameters": 1, "cpu_seconds": 1.0, "molecules": 1}
    assert len(row_of("joint", spent, [1.0, 0.0, 3], evaluate(molecules).to_dict(), 50.0)) == len(COLUMNS)


def test_possible_formulas_are_counted() -> None:
    water, radical = Molecule([8, 1, 1], np.eye(3)), Molecule([8, 1], np.eye(3)[:2])
    assert possible_share([water, radical]) == 50.0
