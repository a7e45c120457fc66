"""`DiScoFormerDensity`: density and its gradient from samples in one pass of a trained network, nothing to tune.

Test-time adaptation is a few steps that bring the two heads to agree on the data at hand:

    minimise  mean | S(y) - grad T(y) |^2  over the weights, y drawn near the samples

What the network read of the samples is not differentiated. Source: Ilin, Sushko, Krishna, arXiv 2511.05924.
"""

import copy
import warnings
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from molscore.arguments import check_whole
from molscore.errors import InputError
from molscore.vectors.em import GaussianMixtures
from molscore.vectors.network import Context, VectorNetwork, load_network
from molscore.vectors.whitening import Whitening

__all__ = ["DiScoFormerDensity", "adapted", "heads_and_gradient"]

BUNDLED = Path(__file__).resolve().parents[1] / "models" / "vectors"
CHUNK = 2**21  # pairs of query and sample at a time: some hundred MB
FEWEST, FEWEST_EACH = 50, 10  # rows, and rows a column, below which the network's guess is mostly what it was taught
REPEATED, ALIKE = 5, 0.1  # of a discrete column, how often a value occurs; share of rows that repeat another
TAILS = ((1.0, 0.6), (2.0, 0.3), (9.0, 0.1))  # factor on the covariances, share of the draws
BATCH = 256  # queries of a step of adaptation
TRUSTED = 100.0  # effective samples below which an importance-sampled integral is not believed


class DiScoFormerDensity(BaseEstimator):
    """Density estimator with the interface of `sklearn.neighbors.KernelDensity`, and the gradient of its logarithm.

    `fit` trains nothing: a network that was trained once on random Gaussian mixtures reads the rows. It is equivariant
    under every invertible affine map of the data, so columns need no scaling. 1 to 16 columns, more rows than columns;
    reduce wider data before (`make_pipeline(PCA(10), DiScoFormerDensity())` is a density of the 10 components).
    A query that is itself a row of the fit is judged by the other rows, as in leave-one-out.

    Args:
        max_rows: rows that the network reads, drawn at random if there are more; None is as many as it was trained on.
        n_importance: draws for the integral that the density is divided by; 0 leaves it as the network gives it.
        adapt_steps: steps of test-time adaptation, which bring gradient and density to agree; see `adapted`.
        model: a file that `python -m molscore.vectors.train` wrote; None is the bundled one for the number of columns.
        device: a torch device; None is the GPU if there is one.
        random_state: of the rows drawn and the importance sampling.

    Attributes:
        log_normaliser_: ln of the integral of the network's density, nats; subtracted if `normalised_`.
        log_normaliser_error_: its standard error, nats.
        effective_samples_: of the importance sampling, of `n_importance`.
        normalised_: whether there were enough of them (100) for the integral to be believed.
        n_features_in_, n_rows_: columns, and rows read.

    Example:
        >>> from molscore.vectors import DiScoFormerDensity
        >>> density = DiScoFormerDensity().fit(X)
        >>> density.score_samples(Y)  # ln p, nats
        >>> density.gradient(Y)  # its gradient, in 1/unit of each column
    """

    def __init__(
        self,
        *,
        max_rows: int | None = None,
        n_importance: int = 2048,
        adapt_steps: int = 0,
        model: str | PathLike[str] | None = None,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.max_rows = max_rows
        self.n_importance = n_importance
        self.adapt_steps = adapt_steps
        self.model = model
        self.device = device
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: None = None) -> "DiScoFormerDensity":
        """Read the rows of X (n, d). Raises InputError for n <= d and for columns that depend on each other.

        Warns of rows that are few for so many columns, and of columns that are not continuous.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        n, d = X.shape
        if n <= d:
            raise InputError(f"{n} rows of {d} columns: whitening needs more rows than columns; reduce them, as by PCA")
        check_whole("adapt_steps", self.adapt_steps, 0)
        check_whole("n_importance", self.n_importance, 0)
        if self.max_rows is not None:
            check_whole("max_rows", self.max_rows, d + 1)
        device = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = _network(_file(self.model, d), str(device))
        random = check_random_state(self.random_state)
        limit = max(d + 1, self.max_rows or network.config.max_rows)
        rows = X if n <= limit else X[np.sort(random.choice(n, limit, replace=False))]
        self.n_rows_ = len(rows)
        names = [str(name) for name in getattr(self, "feature_names_in_", range(d))]
        _warn_of(X, len(rows), names)
        # two steps, the first by column, so that units of any size do no harm
        self._shift, self._scale = rows.mean(0), rows.std(0)
        constant = np.flatnonzero(self._scale <= 1e-12 * np.abs(self._shift))
        if len(constant):
            raise InputError(f"column {names[constant[0]]} is constant, so there is no density: leave it out")
        standard = torch.from_numpy((rows - self._shift) / self._scale)[None]
        self._whitening = Whitening.of(standard)
        if not float(self._whitening.root.diagonal(dim1=1, dim2=2).min()) > 1e-5:
            mixed = np.abs(np.linalg.svd(standard[0].numpy(), full_matrices=False)[2][-1]) > 1e-3
            which = ", ".join(name for name, is_mixed in zip(names, mixed, strict=True) if is_mixed)
            raise InputError(f"of the columns {which} one follows from the others: leave it out, or reduce them by PCA")
        self._rows = {row.tobytes(): index for index, row in enumerate(rows)}
        x, dims = self._whitening(standard).float().to(device), torch.tensor([float(d)], device=device)

        self.log_normaliser_, self.log_normaliser_error_, self.effective_samples_ = 0.0, np.nan, 0.0
        with torch.no_grad():
            self._context = network.context(x, dims)
        proposal = _Proposal(self._context.fitted.mixture)
        drawn = proposal.sample(max(self.n_importance, 1024), np.random.default_rng(random.randint(2**31 - 1)))
        if self.adapt_steps:
            near = torch.from_numpy(drawn).float().to(device)[None]
            network = adapted(network, x, dims, near, self.adapt_steps)
            with torch.no_grad():
                self._context = network.context(x, dims)
        self._network = network
        self.normalised_ = False
        if self.n_importance:
            drawn = drawn[: self.n_importance]
            log_f = self._evaluate(torch.from_numpy(drawn))[0].numpy()
            log_w = log_f - proposal.log_density(drawn)
            self.log_normaliser_, self.log_normaliser_error_, self.effective_samples_ = _normaliser(log_w)
            self.normalised_ = self.effective_samples_ >= TRUSTED
            unwhitened = self._whitening.inverse(torch.from_numpy(drawn)[None])[0].numpy()
            self._pool = unwhitened * self._scale + self._shift, log_w
            if not self.normalised_:
                warnings.warn(
                    f"{self.effective_samples_:.0f} effective samples are too few for the integral of the density, "
                    "so it is not divided by it; raise n_importance",
                    stacklevel=2,
                )
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float32]:
        """ln p of each row of X (m, d), in nats, (m,)."""
        log_p, _ = self._both(X)
        return log_p

    def gradient(self, X: ArrayLike) -> NDArray[np.float32]:
        """Gradient of ln p at each row of X (m, d): the score in the sense of diffusion models; (m, d), 1/unit of x."""
        _, gradient = self._both(X)
        return gradient

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Total ln p of X in nats."""
        return float(self.score_samples(X).sum(dtype=np.float64))

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> NDArray[np.float32]:
        """(n_samples, d) draws: those of the fitted mixture, drawn again by their importance weights.

        Draws repeat where `n_samples` comes near `effective_samples_`: raise n_importance then.
        """
        check_is_fitted(self, "_context")
        if not self.normalised_:
            raise InputError("sampling needs the importance sampling of fit: raise n_importance")
        drawn, log_w = self._pool
        w = np.exp(log_w - log_w.max())
        k = check_random_state(random_state).choice(len(w), n_samples, p=w / w.sum())
        return drawn[k].astype(np.float32)

    def _both(self, X: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        check_is_fitted(self, "_context")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        own = torch.tensor([self._rows.get(row.tobytes(), -1) for row in X], dtype=torch.int64)
        standard = torch.from_numpy((X - self._shift) / self._scale)
        log_p, score = self._evaluate(self._whitening(standard[None])[0], own)
        log_det = float(self._whitening.log_det) + np.log(self._scale).sum()
        log_p = log_p.numpy() - log_det - (self.log_normaliser_ if self.normalised_ else 0.0)
        gradient = self._whitening.score(score[None])[0].numpy() / self._scale
        return log_p.astype(np.float32), gradient.astype(np.float32)

    def _evaluate(self, y: torch.Tensor, own: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """ln p (m,) and score (m, d) of whitened y (m, d), float64 on the CPU, a bounded number at a time."""
        device, most = self._context.x.device, max(1, CHUNK // self.n_rows_)
        own = torch.full((len(y),), -1) if own is None else own
        with torch.no_grad():
            parts = [
                self._network(some.float().to(device)[None], self._context, rows.to(device)[None])
                for some, rows in zip(y.split(most), own.split(most), strict=True)
            ]
        log_p, score = (torch.cat(part, dim=1)[0].double().cpu() for part in zip(*parts, strict=True))
        return log_p, score

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "density_estimator"
        return tags


def heads_and_gradient(
    network: VectorNetwork, y: Tensor, context: Context, create_graph: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """T (B, m), S (B, m, D) and grad T (B, m, D) at whitened queries y (B, m, D)."""
    y = y.detach().requires_grad_(True)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernels cannot be differentiated twice
        T, S = network(y, context)
        return T, S, torch.autograd.grad(T.sum(), y, create_graph=create_graph)[0]


def adapted(network: VectorNetwork, x: Tensor, d: Tensor, y: Tensor, steps: int) -> VectorNetwork:
    """A copy of the network after `steps` of Adam on samples x (B, n, D) and queries y (B, m, D), both whitened."""
    network = copy.deepcopy(network).requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        with torch.no_grad():
            context = network.context(x, d)
        share = torch.randperm(y.shape[1], generator=generator)[:BATCH].to(y.device)
        _, S, slope = heads_and_gradient(network, y[:, share], context, create_graph=True)
        optimiser.zero_grad(set_to_none=True)
        (S - slope).square().sum(-1).mean().backward()
        optimiser.step()
    return network.requires_grad_(False)


def _warn_of(X: NDArray[np.float64], n_read: int, names: list[str]) -> None:
    """Warn, in a line each, of rows (n, d), or of those that are read, that are too few for a density, or that are no
    draws from one."""
    n, d = X.shape
    if n_read < (enough := max(FEWEST, FEWEST_EACH * d)):
        warnings.warn(f"{n_read} rows are few for a density of {d} columns: {enough} or more tell it", stacklevel=3)
    distinct = [len(np.unique(column)) for column in X.T]
    if columns := [k for k in range(d) if 1 < distinct[k] <= n / REPEATED]:
        warnings.warn(
            f"column {names[columns[0]]} has {distinct[columns[0]]} different values in {n} rows"
            + (f", as have {len(columns) - 1} more columns few" if len(columns) > 1 else "")
            + ": it is discrete and has no density; leave it out, or add noise of about the step between values",
            stacklevel=3,
        )
    elif (repeated := n - len(np.unique(X, axis=0))) > ALIKE * n:
        warnings.warn(
            f"{repeated} of {n} rows repeat another exactly, which draws from a density do not: leave copies out",
            stacklevel=3,
        )


class _Proposal:
    """The first of some fitted mixtures with heavier tails: each component counts with its own covariance, with twice
    that and with nine times that, so that f/q is bounded wherever f falls like a Gaussian or faster."""

    def __init__(self, mixture: GaussianMixtures) -> None:
        weights, self.means, inverse_roots = (
            part[0].double().cpu().numpy() for part in (mixture.log_weights.exp(), mixture.means, mixture.roots)
        )
        self.weights, self.roots = weights / weights.sum(), np.linalg.inv(inverse_roots)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(n, d) draws."""
        k = rng.choice(len(self.weights), n, p=self.weights / self.weights.sum())
        scale = np.sqrt(rng.choice([factor for factor, _ in TAILS], n, p=[share for _, share in TAILS]))
        z = rng.standard_normal((n, self.means.shape[1])) * scale[:, None]
        return self.means[k] + np.einsum("nij,nj->ni", self.roots[k], z)

    def log_density(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln q(y) of y (m, d) in nats, (m,)."""
        d = y.shape[1]
        parts = []
        for weight, mean, root in zip(self.weights, self.means, self.roots, strict=True):
            squares = np.square(np.linalg.solve(root, (y - mean).T)).sum(0)
            if not weight:
                continue
            constant = np.log(weight) - np.linalg.slogdet(root)[1] - d / 2 * np.log(2 * np.pi)
            for factor, share in TAILS:
                parts.append(constant + np.log(share) - d / 2 * np.log(factor) - squares / (2 * factor))
        return np.logaddexp.reduce(parts, axis=0)


def _normaliser(log_weights: NDArray[np.float64]) -> tuple[float, float, float]:
    """ln Z and its standard error in nats, and the effective samples, from ln f(y)/q(y) (N,) at draws of q.

    Z = E_q[ f(y)/q(y) ],    standard error of ln Z  ~  sd(f/q) / (mean(f/q) sqrt N),    ESS = (sum w)^2 / sum w^2
    """
    top = log_weights.max()
    w = np.exp(log_weights - top)
    ess = w.sum() ** 2 / np.square(w).sum()
    return float(top + np.log(w.mean())), float(w.std() / w.mean() / np.sqrt(len(w))), float(ess)


def _file(model: str | PathLike[str] | None, d: int) -> Path:
    """The model's file: the one given, or the bundled one of the fewest columns that d fits in."""
    if model is not None:
        return Path(model)
    bundled = sorted((int(path.stem[1:]), path) for path in BUNDLED.glob("d*.safetensors"))
    for most, path in bundled:
        if d <= most:
            return path
    most = bundled[-1][0] if bundled else 0
    raise InputError(f"{d} columns; there are models for up to {most}: reduce them, as by PCA({most}) in a pipeline")


@lru_cache(maxsize=4)
def _network(path: Path, device: str) -> VectorNetwork:
    return load_network(path)[0].to(device)
