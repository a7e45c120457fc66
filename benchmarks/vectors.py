"""Is `DiScoFormerDensity` better than a kernel density estimate on vectors, and where is a Gaussian mixture better?

    python -m benchmarks.vectors [--methods DiScoFormer] [--targets ring] [--draws 50] [--dims 2 10]

Fresh random distributions with known density; every method is given the same samples and asked for log-density and
gradient at the same fresh draws. One row for each draw and method goes to results/vectors/draws.csv, where a row that
is there is not measured again; the tables are made from that file.
"""

import argparse
import csv
import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from benchmarks.record import RESULTS, record
from molscore.vectors.mixtures import published

FOLDER = RESULTS / "vectors"
DRAWS = FOLDER / "draws.csv"
FIELDS = ("target", "d", "n", "draw", "method", "density_mse", "gradient_error", "seconds")
BANDWIDTHS = np.geomspace(0.05, 1.6, 12)  # of whitened data
COMPONENTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19)
Array = NDArray[np.float64]


class Target(NamedTuple):
    """A distribution drawn at random: samples, queries and the truth at them."""

    x: Array  # (n, d)
    y: Array  # (m, d)
    log_density: Array  # (m,)
    gradient: Array  # (m, d)


def mixture(d: int, n: int, m: int, rng: np.random.Generator, fewest: int = 1, most: int = 10) -> Target:
    """A Gaussian mixture of the published family."""
    torch.manual_seed(int(rng.integers(2**31)))
    drawn = published(torch.tensor([float(d)]), d, most, fewest)
    xy = drawn.sample(n + m)
    log_density, gradient = drawn._replace(
        **{name: value.double() for name, value in drawn._asdict().items()}
    ).log_density_and_score(xy[:, n:].double())
    return Target(*(part[0].double().numpy() for part in (xy[:, :n], xy[:, n:], log_density, gradient)))


def many(d: int, n: int, m: int, rng: np.random.Generator) -> Target:
    """A Gaussian mixture of more components than training has in this family."""
    return mixture(d, n, m, rng, 11, 19)


def laplace(d: int, n: int, m: int, rng: np.random.Generator) -> Target:
    """Independent Laplace coordinates of random widths."""
    b = rng.uniform(0.5, 2.0, d)
    x, y = rng.laplace(size=(n, d)) * b, rng.laplace(size=(m, d)) * b
    return Target(x, y, -(np.abs(y) / b + np.log(2 * b)).sum(1), -np.sign(y) / b)


def student(d: int, n: int, m: int, rng: np.random.Generator, nu: float = 5.0) -> Target:
    """Multivariate Student's t with 5 degrees of freedom."""
    truth = stats.multivariate_t(np.zeros(d), np.eye(d), df=nu)
    x, y = (truth.rvs(k, random_state=rng).reshape(k, d) for k in (n, m))
    return Target(x, y, truth.logpdf(y), -(nu + d) * y / (nu + np.square(y).sum(1, keepdims=True)))


def ring(d: int, n: int, m: int, rng: np.random.Generator, width: float = 0.3) -> Target:
    """A ring (d = 2) or shell: density exp(-(|x| - 3)^2 / 2 width^2), normalised by quadrature."""
    r = np.linspace(1e-3, 3 + 10 * width, 20_001)
    log_radial = (d - 1) * np.log(r) - np.square(r - 3) / (2 * width**2)
    mass = np.exp(log_radial - log_radial.max())
    log_area = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    log_Z = log_area + log_radial.max() + math.log(np.trapezoid(mass, r))
    radius = np.interp(rng.random(n + m), np.cumsum(mass) / mass.sum(), r)
    z = rng.standard_normal((n + m, d))
    z *= (radius / np.linalg.norm(z, axis=1))[:, None]
    y, r = z[n:], radius[n:, None]
    return Target(z[:n], y, -np.square(r[:, 0] - 3) / (2 * width**2) - log_Z, -(r - 3) / width**2 * y / r)


def kde(x: Array, y: Array, bandwidths: Iterable[float]) -> list[tuple[Array, Array]]:
    """Log-density and gradient of the Gaussian KDE of each bandwidth, on whitened data."""
    n, d = x.shape
    L = np.linalg.cholesky(np.cov(x.T).reshape(d, d))
    x_w, y_w = (torch.from_numpy(np.linalg.solve(L, (part - x.mean(0)).T).T).float() for part in (x, y))
    squares = torch.cdist(y_w, x_w).square()
    found = []
    for h in bandwidths:
        logits = squares / (-2 * h**2)
        log_p = logits.logsumexp(1) - math.log(n) - d * math.log(h) - d / 2 * math.log(2 * math.pi)
        gradient = (logits.softmax(1) @ x_w - y_w) / h**2
        found.append((log_p.numpy() - np.log(np.diag(L)).sum(), np.linalg.solve(L.T, gradient.double().numpy().T).T))
    return found


def silverman(x: Array, y: Array) -> tuple[Array, Array]:
    n, d = x.shape
    return kde(x, y, [(4 / (d + 2) / n) ** (1 / (d + 4))])[0]


def scott(x: Array, y: Array) -> tuple[Array, Array]:
    n, d = x.shape
    return kde(x, y, [n ** (-1 / (d + 4))])[0]


def gmm(x: Array, y: Array) -> tuple[Array, Array]:
    """A Gaussian mixture by EM; BIC chooses 1 to 19 components and full or diagonal covariances."""
    fits = []
    for kind in ("full", "diag"):
        rises, last = 0, math.inf
        for K in COMPONENTS:
            fit = GaussianMixture(K, covariance_type=kind, reg_covar=1e-4, random_state=0).fit(x)
            bic = fit.bic(x)
            fits.append((bic, len(fits), fit))
            rises, last = (rises + 1 if bic > last else 0), bic
            if rises == 2:
                break
    fit = min(fits)[-1]
    gradient = np.zeros_like(y)
    for k, r in enumerate(fit.predict_proba(y).T):
        pull = y - fit.means_[k]
        P = fit.precisions_[k]
        gradient -= r[:, None] * (pull @ P if P.ndim == 2 else pull * P)
    return fit.score_samples(y), gradient


def discoformer(x: Array, y: Array) -> tuple[Array, Array]:
    from molscore.vectors import DiScoFormerDensity

    density = DiScoFormerDensity(device="cpu").fit(x)
    return density.score_samples(y), density.gradient(y)


def adapted(x: Array, y: Array) -> tuple[Array, Array]:
    from molscore.vectors import DiScoFormerDensity

    density = DiScoFormerDensity(device="cpu", adapt_steps=4).fit(x)
    return density.score_samples(y), density.gradient(y)


TARGETS: dict[str, Callable[..., Target]] = {
    "mixture, 1-10": mixture,
    "mixture, 11-19": many,
    "Laplace": laplace,
    "Student t(5)": student,
    "ring": ring,
}
METHODS: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "KDE, Silverman": silverman,
    "KDE, Scott": scott,
    "Gaussian mixture, EM and BIC": gmm,
    "DiScoFormer": discoformer,
    "DiScoFormer, adapted": adapted,
}
GRID = "KDE, best of a grid"


def errors(found: tuple[Array, Array], target: Target) -> tuple[float, float]:
    """Mean squared error of the log-density in nats^2, and of the gradient as a share of the mean squared gradient."""
    log_p, gradient = found
    share = np.square(gradient - target.gradient).sum() / np.square(target.gradient).sum()
    return float(np.square(log_p - target.log_density).mean()), float(share)


def measure(method: str, target: Target) -> tuple[float, float, float]:
    """Both errors and seconds. The best of a grid is the best in hindsight, for each of the two errors by itself."""
    start = time.perf_counter()
    if method == GRID:
        each = [errors(found, target) for found in kde(target.x, target.y, BANDWIDTHS)]
        density, gradient = (min(column) for column in zip(*each, strict=True))
    else:
        density, gradient = errors(METHODS[method](target.x, target.y), target)
    return density, gradient, time.perf_counter() - start


def read() -> list[dict[str, str]]:
    """The rows measured so far."""
    return list(csv.DictReader(DRAWS.open(newline=""))) if DRAWS.is_file() else []


def run(targets: list[str], dims: list[int], n: int, m: int, draws: int, methods: list[str]) -> None:
    """Measure what is not there yet and append it."""
    known = {(row["target"], row["d"], row["n"], row["draw"], row["method"]) for row in read()}
    new = not DRAWS.is_file()
    with DRAWS.open("a", newline="", buffering=1) as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(FIELDS)
        for draw in range(draws):
            for name in targets:
                for d in dims:
                    key = (name, str(d), str(n), str(draw))
                    missing = [method for method in methods if (*key, method) not in known]
                    if not missing:
                        continue
                    seed = [draw, d, n, list(TARGETS).index(name)]
                    target = TARGETS[name](d, n, m, np.random.default_rng(seed))
                    for method in missing:
                        writer.writerow([*key, method, *(f"{value:.6g}" for value in measure(method, target))])


def interval(values: list[float]) -> str:
    """Mean and half the width of its 95 % interval by Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.fmean(values):.3g} ± {half:.2g}"


def times() -> list[list[str]]:
    """Seconds for 10,000 queries on 2,000 samples, d = 10, beside scikit-learn's KDE, and for the fit before."""
    from molscore.vectors import DiScoFormerDensity

    target = mixture(10, 2000, 10_000, np.random.default_rng(0))
    models = {"KernelDensity of scikit-learn": KernelDensity(bandwidth=0.5)}
    models["DiScoFormerDensity"] = DiScoFormerDensity(device="cpu")
    rows = []
    for name, model in models.items():
        start = time.process_time()
        model.fit(target.x)
        fitted = time.process_time()
        model.score_samples(target.y)
        rows.append([name, f"{fitted - start:.1f}", f"{time.process_time() - fitted:.1f}"])
    return rows


def table(column: str, methods: list[str]) -> list[list[str | int | None]]:
    """One column of errors: a row for each target, a column for each method."""
    cells: dict[tuple[int, str, int], dict[str, list[float]]] = {}
    for row in read():
        key = (int(row["d"]), row["target"], int(row["n"]))
        cells.setdefault(key, {}).setdefault(row["method"], []).append(float(row[column]))
    rows = []
    for (d, target, n), found in sorted(cells.items(), key=lambda item: (item[0][0], list(TARGETS).index(item[0][1]))):
        draws = sorted({len(values) for values in found.values()})
        shown = [interval(found[method]) if len(found.get(method, [])) > 1 else None for method in methods]
        rows.append([target, d, n, *shown, "–".join(map(str, draws))])
    return rows


def tables() -> None:
    """Write the result files from the rows, and measure the time."""
    methods = [GRID, *METHODS]
    note = (
        "Mean over draws of the distribution ± half its 95 % interval; every draw has fresh samples and 1,024 "
        "fresh queries (512 for d = 100), the same for every method. KDE is on whitened data; the best of its grid of "
        "12 bandwidths is chosen in hindsight, by the truth, for each of the two errors by itself. Mixtures are those "
        "of arXiv 2511.05924 (means U[-3, 3], variances U[0.2, 1] along the axes), so that EM with diagonal "
        "covariances is in the family."
    )
    for name, title, column in (
        ("1_density.json", "Log-density: mean squared error, nats²", "density_mse"),
        ("2_gradient.json", "Gradient: squared error over mean square", "gradient_error"),
    ):
        columns = ["target", "d", "samples", *methods, "draws"]
        record(FOLDER / name, title, columns, table(column, methods), "python -m benchmarks.vectors", note)
    title, columns = (
        "Seconds for 10,000 queries on 2,000 samples in 10 dimensions",
        ["method", "fit, CPU s", "queries, CPU s"],
    )
    note = "One thread, one after the other in one run. The fit of DiScoFormerDensity includes its normalisation."
    record(FOLDER / "3_time.json", title, columns, times(), "python -m benchmarks.vectors", note)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=[GRID, *METHODS], choices=[GRID, *METHODS])
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 10])
    parser.add_argument("-n", type=int, default=2048, help="samples")
    parser.add_argument("-m", type=int, default=1024, help="queries")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--no-table", action="store_true", help="measure only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run(options.targets, options.dims, options.n, options.m, options.draws, options.methods)
    if not options.no_table:
        tables()


if __name__ == "__main__":
    main()
