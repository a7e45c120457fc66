"""Train the network on vectors for a given wall-clock time: `python -m molscore.vectors.train --help`.

Every step draws fresh mixtures and has their exact log-density and score for targets, at the samples themselves, at
fresh draws and, a quarter of the queries, at fresh draws moved away (so that tails and outliers are seen):

    loss = 3 mean h(e_T^2/d) + mean |e_S|^2 / mean |s|^2        per set, in whitened coordinates, e the errors

with h(u) = 2 sqrt(1 + u) - 2, which bounds what an outlier pulls, and less weight for a query far out in the tail. The
simple estimates cost more than the network, so that each set is learnt from three times, some steps apart.
Muon for the matrices, AdamW for the rest, the rate falling to zero linearly in wall-clock time, weights averaged.
"""

import argparse
import csv
import itertools
import math
import random
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from molscore.training.optim import Average, Optimiser
from molscore.vectors.estimates import Estimates
from molscore.vectors.mixtures import Mixtures, broad, published
from molscore.vectors.network import Block, VectorConfig, VectorNetwork, load_network, save_network
from molscore.vectors.whitening import Whitening

__all__ = ["Batch", "Losses", "draw", "estimates_of", "losses", "main"]

RECENT = 60  # steps whose sets are kept, to be learnt from again
OUTSIDE = 0.25  # share of the queries that are moved away from the distribution
SIZES = ("dim", "vectors", "heads", "layers", "ratio", "local", "clusters")
KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


class Batch(NamedTuple):
    """B whitened sets: n samples, then m queries, and the truth at all of them."""

    x: Tensor  # (B, n, D)
    y: Tensor  # (B, m, D)
    d: Tensor  # (B,)
    log_density: Tensor  # (B, n + m)
    score: Tensor  # (B, n + m, D)
    weight: Tensor  # (B, n + m) of a query in the loss
    fresh: slice  # the queries that are fresh draws


class Losses(NamedTuple):
    """Of each set, (B,): the errors that are minimised, and the same over fresh draws alone, without weights."""

    density: Tensor  # mean h(e_T^2 / d)
    score: Tensor  # mean |e_S|^2 / mean |s|^2
    fresh_density: Tensor  # mean e_T^2, nats^2
    fresh_score: Tensor


def draw(dims: list[int], n: int, m: int, B: int, D: int, device: torch.device) -> Batch:
    """B random mixtures, dimensions drawn from `dims`, half of them `published` and half `broad`, in this order."""
    d = torch.tensor(random.choices(dims, k=B), device=device, dtype=torch.float32)
    halves = published(d[: (B + 1) // 2], D), broad(d[(B + 1) // 2 :], D)
    parts = [_samples_and_truth(mixtures, n, m) for mixtures in halves if len(mixtures.live)]
    x, y, log_density, score = (torch.cat(part) for part in zip(*parts, strict=True))
    outside = round(m * OUTSIDE)
    typical = log_density[:, : n + m - outside].mean(1, keepdim=True)
    shortfall = (typical - log_density).clamp_min(0) / (3 * d.sqrt())[:, None]
    return Batch(x, y, d, log_density, score, 1 / (1 + shortfall.square()), slice(n, n + m - outside))


def _samples_and_truth(mixtures: Mixtures, n: int, m: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Whitened samples and queries, with log-density and score at both."""
    xy = mixtures.sample(n + m)
    whitening = Whitening.of(xy[:, :n], mixtures.live)
    outside = round(m * OUTSIDE)
    B, _, D = xy.shape
    step = torch.exp(torch.empty(B, outside, 1, device=xy.device).uniform_(math.log(0.05), math.log(3.0)))
    moved = torch.randn(B, outside, D, device=xy.device) * step * mixtures.live[:, None]
    xy = torch.cat([xy[:, : n + m - outside], xy[:, n + m - outside :] + moved @ whitening.root.transpose(1, 2)], dim=1)
    log_density, score = mixtures.log_density_and_score(xy)
    white = whitening(xy)
    return white[:, :n], white[:, n:], log_density + whitening.log_det[:, None], whitening.whitened_score(score)


@torch.no_grad()
def estimates_of(network: VectorNetwork, batch: Batch) -> Estimates:
    """What simple estimates say at the samples and queries of a batch."""
    B, n, _ = batch.x.shape
    m = batch.y.shape[1]
    own = torch.arange(n + m, device=batch.x.device)
    own = torch.where(own < n, own, -1).expand(B, n + m)
    return network.estimates(torch.cat([batch.x, batch.y], dim=1), batch.x, own, batch.d)


def losses(network: VectorNetwork, batch: Batch, estimates: Estimates) -> Losses:
    """One pass over a batch with its `estimates_of`."""
    with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=batch.x.is_cuda):
        T, S = network.train_forward(batch.x, batch.y, estimates, batch.d)
    e_T, w = (T.float() - batch.log_density).square(), batch.weight
    e_S, size = (S.float() - batch.score).square().sum(-1), batch.score.square().sum(-1)
    fresh = batch.fresh
    return Losses(
        (w * (2 * (1 + e_T / batch.d[:, None]).sqrt() - 2)).mean(1),
        (w * e_S).mean(1) / (w * size).mean(1),
        e_T[:, fresh].detach().mean(1),
        (e_S[:, fresh].mean(1) / size[:, fresh].mean(1)).detach(),
    )


def optimiser_of(network: nn.Module, rate: float) -> Optimiser:
    """Muon for the matrices of the blocks and AdamW for the rest."""
    matrices = [p for p in network.blocks.parameters() if p.ndim == 2 and min(p.shape) > network.config.vectors]
    chosen = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    return Optimiser(
        torch.optim.Muon(matrices, lr=0.02 * rate, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=2e-3 * rate, betas=(0.9, 0.99), weight_decay=0.0),
    )


def compiled(network: VectorNetwork, step: Callable[[], None], patience: int = 120) -> None:
    """Fuse what the blocks do token by token, and take a `step`; where that fails or takes too long, undo it.

    Two pieces of code of one shape, whatever the number of samples: see `VectorNetwork.train_forward`.
    """

    def give_up(*_: object) -> None:
        raise TimeoutError(f"not compiled within {patience} s")

    before, after = torch.compile(Block.before), torch.compile(Block.after)
    for block in network.blocks:
        block.before, block.after = partial(before, block), partial(after, block)
    old = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(patience)
    try:
        step()
    except Exception as error:  # the compiler raises many kinds
        print(f"not compiled: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}", flush=True)
        for block in network.blocks:
            del block.before, block.after
        network.zero_grad(set_to_none=True)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m molscore.vectors.train", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dims", type=int, nargs="+", required=True, help="dimensions; one given twice is drawn twice as often"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[256, 512, 1024, 2048], help="numbers of samples")
    parser.add_argument("--tokens", type=int, default=49152, help="samples and queries in a step, all sets together")
    parser.add_argument("--seconds", type=float, default=400.0, help="wall-clock time from start to end")
    parser.add_argument("--steps", type=int, default=10**9, help="stop after so many steps, if that is sooner")
    parser.add_argument("--out", type=Path, required=True, help="model.safetensors and log.csv are written here")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="start from the weights in --out")
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates")
    parser.add_argument("--compile", action="store_true", help="for GPUs: fuse kernels, pad all sets to the largest d")
    parser.add_argument("--seed", type=int, default=0)
    for size in SIZES:
        parser.add_argument(f"--{size}", type=int, default=getattr(VectorConfig, size))
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    options = _arguments(argv)
    start = time.monotonic()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_flush_denormal(True)
    device, D = torch.device(options.device), max(options.dims)
    sizes = {size: getattr(options, size) for size in SIZES}
    network = VectorNetwork(VectorConfig(**sizes, max_dim=D, max_rows=max(options.rows)))
    target = options.out / "model.safetensors"
    if options.resume and target.is_file():
        network = load_network(target)[0].train().requires_grad_(True)
    network.to(device)
    average, optimiser = Average(network, 0.998), optimiser_of(network, options.rate)
    sums: dict[str, list[Tensor]] = {}
    recent: list[tuple[Batch, Estimates]] = []

    def sets(index: int, n: int) -> tuple[Batch, Estimates]:
        """Fresh ones every third step, once there are many."""
        if index % 3 and len(recent) > RECENT // 2:
            return random.choice(recent)
        m = n // 2
        # of one shape for the compiler, padded; else each step of one number of dimensions
        dims = options.dims if options.compile else [random.choice(options.dims)]
        with torch.no_grad():
            batch = draw(dims, n, m, max(1, options.tokens // (n + m)), max(dims), device)
        recent.append((batch, estimates_of(network, batch)))
        del recent[:-RECENT]
        return recent[-1]

    def step(index: int, n: int) -> None:
        batch, estimates = sets(index, n)
        B = len(batch.d)
        with sdpa_kernel(KERNELS):
            loss = losses(network, batch, estimates)
            (3 * loss.density + loss.score).mean().backward()
        for p in network.parameters():
            p.grad.nan_to_num_(0.0, 0.0, 0.0)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        left = max(0.0, 1 - (time.monotonic() - start) / options.seconds)
        optimiser.step(min((index + 1) / 20, left, (options.steps - index) / max(1, options.steps)))
        average.update(network, index)
        half = (B + 1) // 2
        for name, which in (("published", slice(0, half)), ("broad", slice(half, B)))[: min(B, 2)]:
            figures = torch.stack([(loss.fresh_density / batch.d)[which].mean(), loss.fresh_score[which].mean()])
            sums.setdefault(name, []).append(figures)

    def save(index: int) -> None:
        seconds = round(time.monotonic() - start)
        info = {"dims": options.dims, "rows": options.rows, "steps": index, "seconds": seconds}
        info |= {"tokens": options.tokens, "device": str(device), "torch": torch.__version__}
        save_network(target, network.config, average.weights, info)

    options.out.mkdir(parents=True, exist_ok=True)
    if options.compile:
        compiled(network, lambda: step(0, options.rows[0]))
    with (options.out / "log.csv").open("a", newline="", buffering=1) as file:
        log = csv.writer(file)
        log.writerow(["step", "seconds", "published_density", "published_score", "broad_density", "broad_score"])
        saved = noted = time.monotonic()
        print(f"{sum(p.numel() for p in network.parameters()):,} parameters; {asdict(network.config)}", flush=True)
        for index, n in zip(itertools.count(), itertools.cycle(options.rows), strict=False):
            step(index, n)
            if index % 10 == 0 and device.type == "cuda":
                torch.cuda.synchronize()
            now = time.monotonic()
            if now - noted > 10:
                means = [torch.stack(rows).mean(0).tolist() for rows in sums.values()]
                row = [index, round(now - start), *(f"{value:.5f}" for mean in means for value in mean)]
                log.writerow(row)
                print(*row, flush=True)
                sums.clear()
                noted = now
            if now - saved > 60:
                save(index)
                saved = now
            if now - start > options.seconds or index + 1 >= options.steps:
                break
    save(index)
    print(f"done: {index} steps in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
