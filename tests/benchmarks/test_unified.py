"""What the unified network is measured beside, and by: each objective, the flow, the slope as a score, the tables."""

import json
import math
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from benchmarks import formula_flow, unified
from benchmarks.clocked import OBJECTIVES, TICKS, Clock, config_of, density_loss, trained
from benchmarks.formula_flow import FormulaFlow, augmented, centred_basis, isomers, ordered
from benchmarks.readme import table
from benchmarks.unified_measures import Descent
from benchmarks.unified_table import NAMES, bits, goal_rows
from molscore.audit.density import ModelDensity, slopes
from molscore.datasets.store import MoleculeSet
from molscore.diffusion import centred_noise, gaussian_log_density
from molscore.molecules.batch import collate
from molscore.nn import Denoised, DiScoFormer, save_pretrained
from molscore.training import dual_loss, noised
from tests import tiny


@pytest.fixture
def library() -> MoleculeSet:
    return MoleculeSet.from_molecules(tiny.geometries())


def test_the_basis_keeps_the_measure() -> None:
    x = centred_noise(torch.ones(5, 4, dtype=torch.bool), torch.Generator().manual_seed(0))
    truth = gaussian_log_density(x, torch.ones(5, 4, dtype=torch.bool), torch.ones(5))

    def by_coordinates(basis: torch.Tensor) -> torch.Tensor:
        return -((basis.T @ x).square().sum((1, 2)) + 9 * math.log(2 * math.pi)) / 2

    torch.testing.assert_close(by_coordinates(centred_basis(4)), truth)
    dropped = torch.eye(4)[:, 1:]  # control: leaving an atom out is no rotation of the centred subspace
    assert not torch.allclose(by_coordinates(dropped), truth, rtol=0.01)


@pytest.mark.parametrize(("forgotten", "holds"), [(False, True), (True, False)])
def test_the_flow_is_normalised(forgotten: bool, holds: bool) -> None:
    torch.manual_seed(0)
    flow = FormulaFlow(2, scale=1.5, transforms=2, width=8)
    mask, wide = torch.ones(20_000, 2, dtype=torch.bool), 2.0
    x = wide * centred_noise(mask, torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = flow.log_density(x) + (3 * math.log(1.5) if forgotten else 0.0)  # control: no d ln s
    weights = (found - gaussian_log_density(x, mask, torch.full((len(x),), wide**2))).exp()
    assert (abs(float(weights.mean()) - 1) < 0.05) is holds


def test_augmentation_turns_and_exchanges_like_atoms_only(library: MoleculeSet) -> None:
    x, kinds = ordered(isomers(library, "C2H6O"))
    shown = augmented(x, kinds, torch.Generator().manual_seed(0))

    def carbons(x: torch.Tensor) -> torch.Tensor:
        return (x[:, 0] - x[:, 1]).norm(dim=1)

    assert kinds == (0, 0, 2, 4, 4, 4, 4, 4, 4)
    torch.testing.assert_close(carbons(shown), carbons(x))
    torch.testing.assert_close(shown.square().sum((1, 2)), x.square().sum((1, 2)))
    assert not torch.allclose(shown, x, atol=0.1)
    all_alike = augmented(x, (0,) * 9, torch.Generator().manual_seed(0))  # control
    assert not torch.allclose(carbons(all_alike), carbons(x))


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


def test_the_slope_is_a_score_within_a_sampler(library: MoleculeSet) -> None:
    model = tiny.model()
    batch = collate(tiny.geometries()[7:9], model.network.elements)
    sigma, token = torch.tensor([0.3, 0.5]), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        D = Descent(model.network).denoise(*batch, sigma, token).guided(3.0)
        own = model.network.denoise(*batch, sigma, token).fine
    score = (D - batch.positions) / sigma.square()[:, None, None]
    descent = slopes(ModelDensity(model, batch), batch.positions, sigma).descent
    torch.testing.assert_close(score, descent, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(own, D, atol=1e-3)  # control: the score head's is another


def test_the_clock_ends_the_run_and_density_terms_wait(library: MoleculeSet) -> None:
    clock = Clock(10.0)
    clock.used = 3.0
    assert clock.tick == 3 * TICKS // 10 and not clock.is_over
    start = tiny.checkpoint()
    before = {name: p.clone() for name, p in start.network.named_parameters()}
    spent = trained(start.network, library, OBJECTIVES["score"], config_of(tiny.CONFIG, 4, 0), 0.2, "test")
    moved = {name for name, p in start.network.named_parameters() if not torch.equal(p, before[name])}
    assert spent.cpu_seconds >= 0.2 and spent.molecules == 4 * spent.steps
    assert moved and not any(name.startswith("density_head.") for name in moved)


def test_the_correction_undoes_a_wrong_constant() -> None:
    true = {"U": [60.0, 70.0], "d": [54, 54], "bias": [0.0, 0.0]}
    high = {"U": [50.0, 60.0], "d": [54, 54], "bias": [10.0, 10.0]}  # log-density ten nats too high
    assert bits(high, True) == pytest.approx(bits(true, True))
    assert bits(high, False) < bits(true, False)


@pytest.fixture
def options(tmp_path: Path) -> Namespace:
    return Namespace(
        runs=tmp_path / "runs", output=tmp_path / "results", preset="S", batch=4, seed=0, held_out=4, formula="C2H6O",
        n=3, n_slope=2, steps=2, temperature=0.6, guidance=3.0, repeats=3, cpu_minutes=0.002,
    )  # fmt: skip


def test_records_become_tables(options: Namespace, library: MoleculeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formula_flow, "BATCH", 4)
    for name in OBJECTIVES:
        info = {"cpu_seconds": 1.0, "steps": 1, "molecules": 4}
        save_pretrained(options.runs / name, tiny.checkpoint()._replace(info=info))
        unified.measure(name, options, library, {})
    unified.flow_stage(options, library, library, {})
    unified.latency_stage(options, library, {})
    results = {name: json.loads((options.output / f"{name}.json").read_text()) for name in ("unified", "unified_goals")}
    assert [row[0] for row in results["unified"]["rows"]] == list(NAMES.values())
    assert len(results["unified_goals"]["rows"]) == 2 + 2 + 2 + 2 * 2
    for result in results.values():
        assert table(result).startswith("### One network")


def test_a_goal_can_be_missed() -> None:
    def drawn(stable: list[bool]) -> dict:
        return {"generation": {"plain": {"stable": stable}}}

    kept = [goal_rows({"unified": drawn(ours), "score": drawn([True] * 4)})[0][3] for ours in ([True] * 4, [False] * 4)]
    assert kept == [True, False]
