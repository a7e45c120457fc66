"""What the unified network is measured beside, and by: each objective, the slope as a score, the tables."""

from argparse import Namespace

import numpy as np
import pytest
import torch

from benchmarks.unified import NAMES, Descent, config_of, density_loss, goal_rows, measure, rows, trained
from molscore.audit.density import ModelDensity, slopes
from molscore.datasets.store import MoleculeSet
from molscore.molecules.batch import collate
from molscore.nn import Denoised, DiScoFormer
from molscore.training import dual_loss, noised
from tests import tiny


@pytest.fixture
def library() -> MoleculeSet:
    return MoleculeSet.from_molecules(tiny.geometries())


class Babbler(DiScoFormer):
    """Says anything for denoised positions, and means the same density."""

    def denoise(self, *arguments: torch.Tensor) -> Denoised:
        found = super().denoise(*arguments)
        return found._replace(coarse=found.coarse + 5.0, fine=found.fine - 7.0)


def test_the_density_alone_is_asked_nothing_of_the_score(library: MoleculeSet) -> None:
    network = tiny.checkpoint().network
    babbler = Babbler(network.config, network.elements, network.sigma_N)
    babbler.load_state_dict(network.state_dict())
    config = config_of(tiny.CONFIG, 4, 0)
    noisy = noised(library.batch([7, 8, 9], network.elements), config, 0.5, torch.Generator().manual_seed(0))
    token = torch.zeros(3, dtype=torch.long)
    alone = [density_loss(net, noisy, token, 4.0).item() for net in (network, babbler)]
    both = [dual_loss(net, noisy, token, config, torch.Generator())[0].item() for net in (network, babbler)]
    assert alone[0] == pytest.approx(alone[1])
    assert both[0] != pytest.approx(both[1])  # control


def test_the_slope_is_a_score(library: MoleculeSet) -> None:
    model = tiny.model()
    batch = collate(tiny.geometries()[7:9], model.network.elements)
    sigma, token = torch.tensor([0.3, 0.5]), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        D = Descent(model.network).denoise(*batch, sigma, token).fine
        own = model.network.denoise(*batch, sigma, token).fine
    score = (D - batch.positions) / sigma.square()[:, None, None]
    descent = slopes(ModelDensity(model, batch), batch.positions, sigma).descent
    torch.testing.assert_close(score, descent, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(own, D, atol=1e-3)  # control: the score head's is another


def test_the_clock_ends_the_run_and_the_score_alone_leaves_the_density_be(library: MoleculeSet) -> None:
    network = tiny.checkpoint().network
    before = {name: p.clone() for name, p in network.named_parameters()}
    spent = trained(network, library, "score", config_of(tiny.CONFIG, 4, 0), 0.2)
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    assert spent["cpu_seconds"] >= 0.2 and spent["molecules"] == 4 * spent["steps"]
    assert moved and not any(name.startswith("density_head.") for name in moved)


@pytest.mark.slow
def test_records_become_tables(library: MoleculeSet) -> None:
    options = Namespace(batch=4, seed=0, n=3, steps=2)
    checkpoint = tiny.checkpoint()._replace(info={"cpu_seconds": 1.0, "steps": 1, "molecules": 4})
    records = {name: measure(name, checkpoint, library.select(range(4)), options) for name in NAMES}
    assert [row[0] for row in rows(records)] == list(NAMES.values())
    found = goal_rows(records, {"1 molecule": {name: [1.0, 2.0] for name in ("unified", "separate", "slope")}})
    assert [row[3] for row in found] == [True, True, True, True, False, None]
    worse = records | {"unified": records["unified"] | {"U": (np.array(records["unified"]["U"]) + 1e3).tolist()}}
    assert goal_rows(worse, {})[0][3] is False
