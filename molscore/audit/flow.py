"""Is log_density the probability-flow log-likelihood of the score? One pass against the ODE, on the same positions.

The molecules are of the formulas with most members, so that there are ranks within a formula. What is found goes to
disk batch by batch: an interrupted run carries on, and several processes share the work (`Options.share`).
The ODE starts from y itself and its traces are exact (`one_path`), or it is averaged over places near y (`many_paths`).
Source: Song et al. 2021, arXiv 2011.13456; Hutchinson 1990, Communications in Statistics 19, 433, with orthogonal
directions; Stein 1981, Annals of Statistics 9, 1135.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from tqdm import tqdm

from molscore.audit.density import Density, ModelDensity, Options, noise_of
from molscore.audit.report import CheckResult, Part, Plot, Series, Table
from molscore.datasets.molecule_set import MoleculeSet
from molscore.diffusion.likelihood import flow_log_density
from molscore.errors import InputError
from molscore.evaluation.intervals import bootstrap_interval
from molscore.molecules.atomic import write_text
from molscore.screening.model import Model
from molscore.screening.rank.parts import Shard

__all__ = [
    "COLUMNS", "by_formula", "compared", "flow", "flow_part", "line_integral", "many_paths", "one_path",
    "rank_correlation", "rank_correlation_within",
]  # fmt: skip

MOLECULES = 100
BATCH, BATCH_OF_MANY = 4, 16  # molecules at a time: one path has many directions at each trace
TRACES, TRACES_OF_MANY, PROBES = 32, 12, 4  # along one path; along each of many; random directions of these
ARC = 10  # points of an arc
PASSES = 3  # of the model that are timed, of which the middle one counts
LEAST = 3  # members of a formula whose ranks count
RMSE, MEAN, WITHIN, FASTER = 2.0, 1.0, 0.95, 300.0  # bounds: nats, nats, correlation, times
COLUMNS = {
    "row": int, "formula": str, "n_atoms": int, "log_density": float, "flow": float, "standard_error": float,
    "seconds": float, "seconds_flow": float,
}  # fmt: skip
Values = NDArray[np.float64]
Flow = Callable[[Density, Tensor, Sequence[int], float], tuple[Tensor, Tensor]]


def flow(model: Model, held_out: MoleculeSet, options: Options) -> Part:
    """This process's share of the held-out molecules, 100 unless told otherwise, then a report on all shares."""
    ode = one_path if options.paths == 1 else lambda *given: many_paths(*given, options.paths, options.seed)
    return flow_part(compared(model, held_out, options, ode), options)


def compared(model: Model, held_out: MoleculeSet, options: Options, ode: Flow) -> pd.DataFrame:
    """`COLUMNS` of the molecules of all shares so far, after this process's share is done, formula by formula."""
    facts = (model.weights, model.distribution.name, options.resolution, options.paths, options.seed)
    job = sha256(repr(facts).encode())
    job.update(held_out.numbers.tobytes() + held_out.positions.tobytes())
    files, share = f"flow-{job.hexdigest()[:12]}-{{}}.csv", Shard.parse(options.share)
    done = set(_read(options.output, files.format("*"))["row"])
    mine = by_formula(held_out, options.molecules or MOLECULES)[share.index - 1 :: share.of]
    left = [[row for row in rows if row not in done] for rows in mine]
    size = BATCH if options.paths == 1 else BATCH_OF_MANY
    with tqdm(total=sum(map(len, left)), desc="flow", unit="molecule", file=sys.stderr) as bar:
        for rows in left:
            for some in (rows[start : start + size] for start in range(0, len(rows), size)):
                table = pd.DataFrame(_compare(model, held_out, some, options, ode), columns=list(COLUMNS))
                write_text(options.output / files.format(some[0]), table.to_csv(index=False, lineterminator="\n"))
                bar.update(len(some))
    return _read(options.output, files.format("*"))


def one_path(density: Density, y: Tensor, rows: Sequence[int], sigma: float) -> tuple[Tensor, Tensor]:
    """log p(y) along the path of y (B, N, 3) by exact traces, (B,) nats, and its standard error: none."""
    with torch.no_grad():
        found = flow_log_density(density.score, y, sigma, density.mask, density.prior, nodes=TRACES)
    return found, torch.zeros_like(found)


def many_paths(
    density: Density, y: Tensor, rows: Sequence[int], sigma: float, paths: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Mean over paths and its standard error, (B,) nats each; what is random hangs on `rows` (B,) and `seed` alone.

        D = y + sigma^2 score(y, sigma),   y_k = D + sigma z_k        K places about as noisy as y, in pairs z, -z
        r_k = log p_flow(y_k) - L_k,       L_k = integral of score . dy at sigma, along an arc from y to y_k
        log p_flow(y) = mean over k of r_k, with its standard error, from the pairs

    Each r_k is log p(y), for every p that the score is the gradient of at each noise level. A network's score is not
    quite that: where one path passes at higher noise, its divergence is too large or too small, and of another path
    less so. To first order such errors have no mean over noisy data (Stein's identity: E[div e + score . e] = 0 for an
    error e of the score), so that the mean of many paths is much sharper than one, exactly as it should be of one and
    the same y. Traces are then by `PROBES` orthogonal random directions a path, and all paths of a molecule go round
    one basis: unbiased for log p; the standard error has their noise in it.
    """
    mask, levels = density.mask, torch.full_like(y[:, 0, 0], sigma)
    bases, found = _random_bases(mask, rows, TRACES_OF_MANY, seed), []
    with torch.no_grad():
        start = -sigma * density.score(y, levels)  # (y - D) / sigma
        D = y - sigma * start
        for k in range(paths):
            z = (-1) ** k * noise_of(mask, rows, seed, k // 2, 13).to(y)
            L = line_integral(density, D, start, z, levels)
            r = flow_log_density(
                density.score, D + sigma * z, sigma, mask, density.prior, nodes=TRACES_OF_MANY, steps=TRACES_OF_MANY,
                directions=lambda i, k=k: _probes(bases[i], k).to(y),
            )  # fmt: skip
            found.append(r - L)
    pairs = torch.stack(found).view(paths // 2, 2, -1).mean(1)
    return pairs.mean(0), pairs.std(0) / math.sqrt(len(pairs))


def line_integral(density: Density, x: Tensor, start: Tensor, end: Tensor, levels: Tensor) -> Tensor:
    """The integral of score . dy along x + sigma (start cos t + end sin t), t from 0 to pi/2, (B,) nats."""
    nodes, weights = np.polynomial.legendre.leggauss(ARC)
    total, sigma = torch.zeros_like(levels), levels[:, None, None]
    for t, w in zip((nodes + 1) * math.pi / 4, weights * math.pi / 4, strict=True):
        y = x + sigma * (start * math.cos(t) + end * math.sin(t))
        dy = sigma * (end * math.cos(t) - start * math.sin(t))
        total += w * (density.score(y, levels) * dy).sum((1, 2))
    return total


def _random_bases(mask: Tensor, rows: Sequence[int], traces: int, seed: int) -> list[list[Tensor]]:
    """For each trace and molecule a random basis of its centred subspace, (d, N, 3), of length (d / PROBES)^1/2."""
    N, found = mask.shape[1], [[] for _ in range(traces)]
    for row, n in zip(rows, mask.sum(1).tolist(), strict=True):
        d = 3 * (n - 1)
        normal = np.random.default_rng([seed, row, 17]).standard_normal((traces, n, 3, d))
        normal -= normal.mean(1, keepdims=True)
        Q = np.linalg.qr(normal.reshape(traces, 3 * n, d))[0].reshape(traces, n, 3, d).transpose(0, 3, 1, 2)
        padded = np.zeros((traces, d, N, 3))
        padded[:, :, :n] = Q * math.sqrt(d / PROBES)
        for basis, of_trace in zip(torch.from_numpy(padded), found, strict=True):
            of_trace.append(basis)
    return found


def _probes(bases: list[Tensor], k: int) -> Tensor:
    """The k-th `PROBES` directions of each basis, (PROBES, B, N, 3), and again from the first after the last."""
    return torch.stack([basis[(k * PROBES + np.arange(PROBES)) % len(basis)] for basis in bases], 1)


def _read(folder: Path, pattern: str) -> pd.DataFrame:
    """What files of this name say, each molecule once, in the order of the held-out set."""
    found = []
    for path in sorted(folder.glob(pattern)):
        try:
            found.append(pd.read_csv(path, dtype=COLUMNS, na_filter=False)[list(COLUMNS)])
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: not a file of the audit ({error}); remove it to start again") from None
    whole = pd.concat(found) if found else pd.DataFrame(columns=list(COLUMNS))
    return whole.drop_duplicates("row").sort_values("row", ignore_index=True)


def by_formula(molecules: MoleculeSet, n: int) -> list[list[int]]:
    """Rows of n molecules, by formula: the formulas with most members, about as many formulas as members of each."""
    members: dict[str, list[int]] = {}
    for row, molecule in enumerate(molecules):
        members.setdefault(molecule.formula, []).append(row)
    each, found = max(2, round(n**0.5)), []
    for rows in sorted(members.values(), key=len, reverse=True):
        if n > 0:
            found.append(rows[: min(each, n)])
            n -= len(found[-1])
    return found


def _compare(
    model: Model, held_out: MoleculeSet, rows: list[int], options: Options, ode: Flow
) -> Iterator[tuple[int | str | float, ...]]:
    """Both numbers for the same noisy positions, one after the other on the same machine."""
    batch = held_out.batch(rows, model.network.elements).to(model.network.sigma_N.device)
    density = ModelDensity(model, batch)
    y = batch.positions + options.resolution * noise_of(batch.mask, rows, options.seed, 5)
    sigma, seconds = y.new_full((len(rows),), options.resolution), []
    with torch.no_grad():
        for _ in range(PASSES):
            started = time.perf_counter()
            log_density = (-density.estimate(y, sigma)[1]).tolist()
            seconds.append((time.perf_counter() - started) / len(rows))
    started = time.perf_counter()
    found, errors = (values.tolist() for values in ode(density, y, rows, options.resolution))
    slow = (time.perf_counter() - started) / len(rows)
    for row, *numbers in zip(rows, log_density, found, errors, strict=True):
        yield row, held_out[row].formula, held_out[row].n_atoms, *numbers, float(np.median(seconds)), slow


def flow_part(rows: pd.DataFrame, options: Options) -> Part:
    """Table, plot and checks."""
    title = "Flow: does log-density agree with the probability-flow log-likelihood of the score?"
    if len(rows) < 2:
        check = CheckResult("flow: RMSE, nats", None, f"<= {RMSE:g}", None, "too few molecules")
        return Part("flow", title, [], [check])
    a, b, fast, slow = (rows[name].to_numpy() for name in ("log_density", "flow", "seconds", "seconds_flow"))
    difference, formulas = a - b, rows["formula"].to_numpy(str)
    error = math.sqrt(float(np.square(rows["standard_error"]).mean()))
    statistics: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "RMSE, nats": lambda i: math.sqrt(np.square(difference[i]).mean()),
        "RMSE less the flow's own error, in squares, nats":
            lambda i: math.sqrt(max(0.0, float(np.square(difference[i]).mean()) - error**2)),
        "mean difference, nats": lambda i: float(difference[i].mean()),
        "rank correlation, all": lambda i: rank_correlation(a[i], b[i]),
        "times that one pass is faster": lambda i: float(slow[i].mean() / fast[i].mean()),
    }  # fmt: skip
    found = {what: (of(np.arange(len(a))), *bootstrap_interval(of, len(a))) for what, of in statistics.items()}
    within = rank_correlation_within(a, b, formulas)
    table = [
        *([what, *three] for what, three in found.items()),
        ["rank correlation within a formula", *within],
        ["rank correlation within, less the flow's own error", *rank_correlation_within(a, b, formulas, error)],
        ["deviation of the flow, nats", float(b.std()), None, None],
        ["standard error of the flow, nats", error, None, None],
        ["one pass, ms a molecule", 1e3 * float(fast.mean()), None, None],
        ["flow, s a molecule", float(slow.mean()), None, None],
    ]
    rmse, _, mean, _, faster = found.values()
    checks = [
        _check(CheckResult.at_most, "RMSE, nats", RMSE, rmse),
        _check(CheckResult.at_most, "|mean difference|, nats", MEAN, mean, abs),
        _check(CheckResult.at_least, "rank correlation within a formula", WITHIN, within),
        _check(CheckResult.at_least, "times that one pass is faster", FASTER, faster),
    ]
    points = Series("molecules", b.tolist(), a.tolist(), line=False)
    heading = f"Log-density at σ = {options.resolution:g} Å"
    plot = Plot("flow", heading, "probability flow (nats)", "one pass (nats)", [points], diagonal=True)
    how = (f"{options.paths} paths a molecule, {TRACES_OF_MANY} traces of {PROBES} random directions each"
           if options.paths > 1 else f"one path a molecule, {TRACES} exact traces")  # fmt: skip
    note = (
        f"{len(rows)} held-out molecules of {len(set(formulas))} formulas, those with most members, with noise of "
        f"{options.resolution:g} Å added; {how}; brackets are 95 % bootstrap intervals, over formulas for the "
        "correlation within them."
    )
    return Part("flow", title, [Table("", ["figure", "value", "95 % from", "to"], table)], checks, note, [plot])


def _check(
    make: Callable[..., CheckResult],
    what: str,
    bound: float,
    figure: tuple[float, float, float],
    of: Callable[[float], float] = float,
) -> CheckResult:
    """A figure beside its bound; inconclusive where it passes but an end of its interval does not."""
    check, *ends = (make(f"flow: {what}", of(value), bound) for value in figure)
    told = all(end.passed for end in ends)
    return check.if_told(told, f"95 % from {figure[1]:.3f} to {figure[2]:.3f}: too few molecules")


def rank_correlation(a: Values, b: Values) -> float:
    """Spearman's; NaN where one of them does not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def rank_correlation_within(
    a: Values, b: Values, labels: NDArray[np.str_], error: float = 0.0
) -> tuple[float, float, float]:
    """Mean over labels of Spearman's correlation inside each, by members less one, and its 95 % interval over labels.

    `error` is the standard error of b: what it takes from a correlation is given back, r / (1 - error^2 / var b)^1/2,
    at most 1 (Spearman 1904, American Journal of Psychology 15, 72). NaN where no label has `LEAST` members.
    """
    r, w = [], []
    for label in np.unique(labels):
        rows = labels == label
        if rows.sum() >= LEAST and np.isfinite(correlation := rank_correlation(a[rows], b[rows])):
            told = 1 - error**2 / b[rows].var(ddof=1)
            r.append(min(1.0, correlation / math.sqrt(told)) if error and told > 0 else correlation)
            w.append(float(rows.sum() - 1))
    if not r:
        return math.nan, math.nan, math.nan
    r, w = np.array(r), np.array(w)
    mean = lambda i: float(r[i] @ w[i] / w[i].sum())  # noqa: E731
    return mean(np.arange(len(r))), *bootstrap_interval(mean, len(r))
