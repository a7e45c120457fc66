"""Laws of the network on vectors that hold whatever its weights are, and of the distributions that it is trained on."""

import math

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from molscore.errors import CheckpointError
from molscore.vectors.em import expectation_maximisation
from molscore.vectors.estimates import Fitted, simple_estimates
from molscore.vectors.mixtures import broad, published
from molscore.vectors.network import VectorConfig, VectorNetwork, load_network, save_network
from molscore.vectors.train import draw, estimates_of, losses, main
from molscore.vectors.whitening import Whitening

TINY = VectorConfig(dim=32, vectors=8, heads=4, layers=2)


@pytest.fixture
def network(float64) -> VectorNetwork:
    """At random weights, in float64."""
    network = VectorNetwork(TINY).requires_grad_(False)
    for p in network.parameters():
        p += 0.1 * torch.randn_like(p)
    return network


@pytest.fixture
def sets(float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Samples (2, 50, 3), queries (2, 7, 3), dimensions."""
    return torch.randn(2, 50, 3), torch.randn(2, 7, 3), torch.full((2,), 3.0)


def test_outputs_turn_with_the_data(network, sets) -> None:
    x, y, d = sets
    Q = torch.linalg.qr(torch.randn(3, 3)).Q
    T, S = network(y, network.context(x, d))
    T_turned, S_turned = network(y @ Q, network.context(x @ Q, d))
    torch.testing.assert_close(T_turned, T)
    torch.testing.assert_close(S_turned, S @ Q)
    assert (
        network(y, network.context(x @ Q, d))[0] - T
    ).abs().max() > 1e-3  # turning the samples alone is another matter


def test_the_order_of_samples_is_nothing_and_zero_coordinates_are_nothing(network, sets) -> None:
    x, y, d = sets
    T, S = network(y, network.context(x, d))
    torch.testing.assert_close(network(y, network.context(x[:, torch.randperm(50)], d))[0], T)
    wider = torch.nn.functional.pad
    T_wide, S_wide = network(wider(y, (0, 2)), network.context(wider(x, (0, 2)), d))
    torch.testing.assert_close(T_wide, T)
    torch.testing.assert_close(S_wide, wider(S, (0, 2)))


def test_training_sees_what_queries_see(network, sets) -> None:
    x, y, d = sets
    own = torch.where(torch.arange(57) < 50, torch.arange(57), -1).expand(2, 57)
    T, S = network.train_forward(x, y, network.estimates(torch.cat([x, y], 1), x, own, d), d)
    context = network.context(x, d)
    torch.testing.assert_close(T[:, 50:], network(y, context)[0])
    torch.testing.assert_close(S[:, 50:], network(y, context)[1])
    torch.testing.assert_close(T[:, :4], network(x[:, :4], context, torch.arange(4).expand(2, 4))[0])
    assert (T[:, :4] - network(x[:, :4], context)[0]).abs().max() > 1e-3  # a row counts among its own neighbours


def test_kernel_density_is_scikit_learns(sets) -> None:
    x, y, d = sets
    own = torch.where(torch.arange(57) < 50, torch.arange(57), -1).expand(2, 57)
    found = simple_estimates(torch.cat([x, y], 1), x, own, d, (1.4, 0.5), 0, 0)
    log_p = found.f[:, 50:, :2] * 3 - (y.square().sum(-1) / 2 + 1.5 * math.log(2 * math.pi))[..., None]
    for k, h in enumerate(found.widths[0, :2].tolist()):
        np.testing.assert_allclose(log_p[0, :, k], KernelDensity(bandwidth=h).fit(x[0]).score_samples(y[0]), rtol=1e-9)


def test_a_gaussian_seen_through_a_kernel_is_found_again(float64) -> None:
    scale = torch.tensor([1.0, 0.5])
    x, y, d = torch.randn(1, 12_000, 2) * scale, torch.randn(1, 50, 2) * scale, torch.tensor([2.0])
    fitted = Fitted(torch.zeros(1, 1, 12_000, 2), expectation_maximisation(x, d, x, torch.ones(1, 12_000)))
    # h = 0.7: the blur is of the Gaussian's own width
    found = simple_estimates(y, x, torch.full((1, 50), -1), d, (4.0,), 1, 0, fitted)
    truth = -y / scale**2
    error = (found.scores - truth[..., None]).square().sum(2).mean(1) / truth.square().sum(2).mean(1)
    kernel, local, mixture = error[0].tolist()
    assert local < 0.01
    assert mixture < 0.001
    assert kernel > 0.3


def test_em_finds_the_components_and_says_what_scikit_learn_says(float64) -> None:
    centres = torch.tensor([[-4.0, 0], [4, 0], [0, 6]])
    x, d = (torch.randn(3, 200, 2) + centres[:, None]).reshape(1, 600, 2), torch.tensor([2.0])
    found = expectation_maximisation(x, d, x, torch.ones(1, 600))
    assert int((found.samples > 0).sum()) == 3  # of up to 20 that BIC chooses among
    theirs = GaussianMixture(3, random_state=0).fit(x[0].numpy())
    log_p, score, _ = found.estimate(x, d)
    np.testing.assert_allclose(log_p[0], theirs.score_samples(x[0].numpy()), atol=0.2)  # theirs have axes of their own
    y = x.clone().requires_grad_(True)
    torch.testing.assert_close(torch.autograd.grad(found.estimate(y, d)[0].sum(), y)[0], score)
    alone = expectation_maximisation(torch.randn(1, 600, 2), d, x, torch.ones(1, 600))
    assert int((alone.samples > 0).sum()) == 1


def test_em_turns_and_stretches_with_the_data(float64) -> None:
    """Covariances that share their axes are found in any coordinates: C_k = A D_k A^T."""
    d, A = torch.tensor([3.0]), torch.randn(3, 3)
    centres = 4 * torch.randn(4, 1, 3)
    x = (torch.randn(4, 300, 3) * (0.3 + torch.rand(4, 1, 3)) + centres).reshape(1, 1200, 3)

    def log_p(x: torch.Tensor) -> torch.Tensor:
        whitening = Whitening.of(x)
        white = whitening(x)
        fit = expectation_maximisation(white, d, white, torch.ones(1, 1200))
        return fit.estimate(white, d)[0] - whitening.log_det[:, None]

    plain, turned = log_p(x), log_p(x @ A.T + 5)
    torch.testing.assert_close(turned + torch.linalg.slogdet(A).logabsdet, plain, atol=1e-6, rtol=0)
    assert (turned - plain).abs().min() > 1e-2


@pytest.mark.parametrize("family", [published, broad])
def test_mixtures_are_normalised_and_their_score_is_the_gradient(family, float64) -> None:
    mixtures = family(torch.ones(4), 1)
    grid = torch.linspace(-60, 60, 60_001)[None, :, None].expand(4, -1, -1)
    log_f, score = mixtures.log_density_and_score(grid)
    torch.testing.assert_close(torch.trapezoid(log_f.exp(), grid[..., 0]), torch.ones(4), atol=1e-6, rtol=0)
    slope = (log_f[:, 2:] - log_f[:, :-2]) / (grid[:, 2:, 0] - grid[:, :-2, 0])
    torch.testing.assert_close(slope, score[:, 1:-1, 0], atol=1e-3, rtol=1e-3)
    mean = torch.trapezoid(log_f.exp() * grid[..., 0], grid[..., 0])
    drawn = mixtures.sample(20_000)[..., 0]
    assert ((drawn.mean(1) - mean).abs() < 5 * drawn.std(1) / 20_000**0.5).all()


def test_whitening_has_an_inverse_and_carries_densities_and_scores(float64) -> None:
    x = torch.randn(1, 100, 3) @ torch.randn(3, 3) + 5
    whitening = Whitening.of(x)
    white = whitening(x)
    torch.testing.assert_close(torch.cov(white[0].T, correction=0), torch.eye(3))
    torch.testing.assert_close(whitening.inverse(white), x)
    torch.testing.assert_close(whitening.whitened_score(whitening.score(white)), white)
    y = x[:, :5].clone().requires_grad_(True)
    slope = torch.autograd.grad((-whitening(y).square().sum() / 2), y)[0]
    torch.testing.assert_close(slope, whitening.score(-whitening(y)))
    torch.testing.assert_close(
        whitening.log_det, torch.linalg.slogdet(torch.cov(x[0].T, correction=0)).logabsdet[None] / 2
    )


def test_training_targets_are_the_truth_in_whitened_coordinates() -> None:
    batch = draw([1, 3], 400, 80, 6, 3, torch.device("cpu"))
    assert (batch.x[batch.d == 1][..., 1:] == 0).all()
    network = VectorNetwork(TINY)
    start = losses(network, batch, estimates_of(network, batch))
    assert all(torch.isfinite(part).all() for part in start)
    assert start.fresh_score.median() < 0.5  # at the start it is a simple estimate, and no bad one
    wrong = losses(network, batch._replace(score=-batch.score), estimates_of(network, batch))
    assert wrong.fresh_score.median() > 2


def test_training_writes_a_model_that_loads_and_goes_on(tmp_path) -> None:
    sizes = ["--dim", "32", "--vectors", "8", "--heads", "4", "--layers", "1"]
    arguments = ["--dims", "2", "--rows", "32", "--tokens", "96", "--steps", "2", "--device", "cpu"]
    main([*arguments, *sizes, "--out", str(tmp_path)])
    first, info = load_network(tmp_path / "model.safetensors")
    assert info["dims"] == [2]
    main([*arguments, "--out", str(tmp_path), "--resume"])
    second, _ = load_network(tmp_path / "model.safetensors")
    assert first.config == second.config
    assert any((a != b).any() for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_a_file_that_is_no_model_is_named(tmp_path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"a\.safetensors"):
        load_network(tmp_path / "a.safetensors")
    save_network(tmp_path / "b.safetensors", VectorConfig(layers=1), VectorNetwork(TINY).state_dict(), {})
    with pytest.raises(CheckpointError, match=r"b\.safetensors"):
        load_network(tmp_path / "b.safetensors")
