"""DiScoFormer on plain vectors: a transformer reads a set of samples and gives log-density and score at any query.

Samples X (n, d) and queries Y (m, d), both whitened by X, become tokens of scalars and vectors. Queries attend to the
samples, samples to each other, nothing to the queries: X is read once and its keys serve any number of queries.

    a_ij = softmax_j( q_i.k_j + u_i.w_j / sqrt(d) )        q, k scalars; u, w vectors, so the product is invariant
    s_i <- s_i + sum_j a_ij s_j,     v_i <- v_i + sum_j a_ij v_j,     then a feed-forward layer on (s_i, v_i.v_i)

Vectors live in R^d and weights mix their channels only. So the network is equivariant under O(d) by construction, which
with whitening makes it equivariant under every affine map, and one set of weights serves any d: a vector of d
coordinates padded with zeros gives the same numbers. Heads, from the last tokens of the queries:

    log p = ln N(y; 0, 1) + sum_k w_k(s) ( ln p_k(y) - ln N(y; 0, 1) ) + sqrt(d) r(s)
    score = sum_k u_k(s) score_k(y) + sum_c g_c(s) v_c

with p_k kernel densities and Gaussians near y (`simple_estimates`): the network starts as one of them and learns what
is better.

Sources: Ilin, Sushko, Krishna, DiScoFormer, arXiv 2511.05924 (whitening, cross-attention to the samples, two heads; its
theory has softmax attention as a KDE whose normaliser must be read out, which p_k does). Vectors in the
tokens, in place of random rotations in training, are this package's: `molscore.nn.attention` has them in R^3.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Block", "Context", "Estimates", "VectorConfig", "VectorNetwork", "simple_estimates", "log_normal"]


@dataclass(frozen=True)
class VectorConfig:
    """Sizes of the network."""

    dim: int = 128  # scalars of a token
    vectors: int = 16  # vectors of a token
    heads: int = 8
    layers: int = 6
    ratio: int = 4  # width of the feed-forward layer over `dim`
    bandwidths: tuple[float, ...] = (2.8, 2.0, 1.4, 1.0, 0.7, 0.5, 0.35)  # of Silverman's rule
    local: int = 4  # the first of them have a local Gaussian
    clusters: int = 3  # and so many a Gaussian of the cluster
    max_dim: int = 4  # largest d it is trained for
    max_rows: int = 2048  # most samples it is trained for


TIGHT = 0.65  # bandwidth between means over that of the means
FAR = 30.0  # nats per dimension below the standard normal, from where on simple estimates are compressed
STEEP = 20.0  # root mean square score per dimension, at which they are cut


class Context(NamedTuple):
    """What the network knows of a set of samples: all that a query needs."""

    x: Tensor  # (B, n, d) whitened samples
    d: Tensor  # (B,) dimensions, fewer than x has where coordinates are padding
    means: Tensor  # (K, B, n, D), see `Estimates`
    keys: tuple[Tensor, ...]  # for each layer (B, H, n + 1, c), a null key last
    values: tuple[Tensor, ...]


def log_normal(y: Tensor, d: Tensor) -> Tensor:
    """ln N(y; 0, 1) of y (B, m, D) in the first d (B,) of its dimensions, (B, m)."""
    return -y.square().sum(-1) / 2 - d[:, None] / 2 * math.log(2 * math.pi)


class Estimates(NamedTuple):
    """What E simple estimates say at m queries: kernel densities, then local Gaussians, then Gaussians of clusters."""

    f: Tensor  # (B, m, E) (ln p - ln N(y; 0, 1)) / d
    scores: Tensor  # (B, m, D, E), the gradient of ln p
    widths: Tensor  # (B, E), their bandwidths h
    samples: Tensor  # (B, m, E), ln of the effective number of samples that they rest on
    means: Tensor  # (K, B, m, D) means of the samples near each query, for each bandwidth


def simple_estimates(
    y: Tensor, x: Tensor, own: Tensor, d: Tensor, config: VectorConfig, means: Tensor | None = None
) -> Estimates:
    """Estimates from samples x (B, n, D) at queries y (B, m, D).

    With weights k_j = exp(-|y - x_j|^2/2h^2), their mean m and covariance C of the samples, u = m - y:

        kernel density        ln p_h(y) = ln mean_j N(y; x_j, h^2),                       score u / h^2
        local Gaussian        ln p(y) = ln p_h + ln det(h^2 C^-1) / 2 - u.C^-1 u / 2,     score C^-1 u
        Gaussian of a cluster ln p(y) = ln(mean_j k_j) + ln N(y; m, C),                   score C^-1 u

    The second takes the kernel's blur off, exactly where p is a Gaussian as far as the kernel sees (local likelihood:
    Hjort and Jones 1996, doi 10.1214/aos/1032298288). The third weighs samples by how near their m is to the query's
    own, in place of y and x (a step of mean shift gathers a cluster: Cheng 1995, doi 10.1109/34.400568), which is right
    where clusters are apart. C is drawn towards an isotropic one, wider where few samples are near, by the weight of
    2 + d/8 samples.

    Args:
        y: (B, m, D) queries.
        x: (B, n, D) samples.
        own: (B, m) the row of x that the query is itself, left out of its own estimates; -1 for none.
        d: (B,) dimensions.
        config: the bandwidths, shares of Silverman's (4/(d + 2)/n)^(1/(d + 4)), and how many of them are used for what.
        means: those of the samples themselves, as of an earlier call; None where the first n of y are x.
    """
    B, n, D = x.shape
    itself = own[:, :, None] == torch.arange(n, device=y.device)
    log_others = torch.log(n - (own >= 0).to(y.dtype))
    silverman = (4 / (d + 2) / n) ** (1 / (d + 4))
    widths = silverman * torch.tensor(config.bandwidths, dtype=y.dtype, device=y.device)[:, None]  # (K, B)
    log_base, d = log_normal(y, d), d[:, None]
    live = (torch.arange(D, device=y.device) < d).to(y.dtype)[:, None]  # (B, 1, D)
    products = (x[..., :, None] * x[..., None, :]).flatten(2) if config.local or config.clusters else None

    def gaussian(kernel: Tensor, mass: Tensor, size: Tensor, mean: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln det C / 2 and u.C^-1 u (B, m), C^-1 u (B, m, D)."""
        C = (kernel @ products / mass[..., None]).unflatten(-1, (D, D)) - mean[..., :, None] * mean[..., None, :]
        prior = 2 + d / 8
        variance = C.diagonal(dim1=-2, dim2=-1).sum(-1) / d + (h * prior / size).square()
        ridge = (prior * variance)[..., None] * live + (size + prior)[..., None] * (1 - live)  # padding has a C of one
        C = (size[..., None, None] * C + torch.diag_embed(ridge)) / (size + prior)[..., None, None]
        root = torch.linalg.cholesky_ex(C).L
        z = torch.linalg.solve_triangular(root, (mean - y)[..., None], upper=False)
        pull = torch.linalg.solve_triangular(root.transpose(-1, -2), z, upper=True)[..., 0]
        return root.diagonal(dim1=-2, dim2=-1).log().sum(-1), z.square().sum((-1, -2)), pull

    rows, near = [], []
    squares = _squares(y, x).masked_fill(itself, math.inf)
    nearest = squares.amin(-1)
    for index, h in enumerate(widths[..., None]):  # h (B, 1)
        kernel, mass, size = _weights(squares, nearest, h)
        mean = kernel @ x / mass[..., None]
        near.append(mean)
        log_p = mass.log() - nearest / (2 * h.square()) - log_others - d * (h.log() + math.log(2 * math.pi) / 2)
        rows.append((0, log_p, (mean - y) / h.square()[..., None], size, h))
        if index < config.local:
            half_log_det, distance, pull = gaussian(kernel, mass, size, mean, h)
            rows.append((1, log_p + d * h.log() - half_log_det - distance / 2, pull, size, h))
    means = torch.stack([mean[:, :n] for mean in near]) if means is None else means
    for index, h in enumerate(widths[: config.clusters, :, None]):
        squares = _squares(near[index], means[index]).masked_fill(itself, math.inf)
        nearest = squares.amin(-1)
        kernel, mass, size = _weights(squares, nearest, h * TIGHT)
        half_log_det, distance, pull = gaussian(kernel, mass, size, kernel @ x / mass[..., None], h)
        log_share = mass.log() - nearest / (2 * (h * TIGHT).square()) - log_others
        log_p = log_share - half_log_det - distance / 2 - d / 2 * math.log(2 * math.pi)
        rows.append((2, log_p, pull, size, h))
    _, log_p, scores, samples, h = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    f = (torch.stack(log_p, dim=-1) - log_base[..., None]) / d[..., None]
    f = torch.where(f < -FAR, -FAR * (1 + torch.log(f.clamp_max(-FAR) / -FAR)), f)
    slopes = torch.stack(scores, dim=-1)
    steepness = slopes.square().sum(2, keepdim=True).clamp_min(1e-12).sqrt() / d.sqrt()[..., None, None]
    slopes = slopes * (STEEP / steepness).clamp_max(1)
    sizes = torch.stack(samples, dim=-1).log()
    return Estimates(f, slopes, torch.cat(h, dim=-1), sizes, torch.stack(near))


def _squares(y: Tensor, x: Tensor) -> Tensor:
    """|y_i - x_j|^2 of (B, m, D) and (B, n, D), (B, m, n)."""
    ends = y.square().sum(-1)[:, :, None] + x.square().sum(-1)[:, None]
    return torch.baddbmm(ends, y, x.transpose(1, 2), alpha=-2).clamp_min_(0)


def _weights(squares: Tensor, nearest: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights k (B, m, n), the nearest sample's being one, their sum (B, m) and their effective number (B, m)."""
    # in place, as fresh memory of this size costs more than the arithmetic
    kernel = (nearest[..., None] - squares).mul_((0.5 / h.square())[..., None]).exp_()
    mass = kernel.sum(-1)
    return kernel, mass, (mass / torch.linalg.vector_norm(kernel, dim=-1)).square()


class Block(nn.Module):
    """One layer over tokens of scalars (T, dim) and vectors (T, D, V): all but the attention itself, token by token."""

    def __init__(self, config: VectorConfig) -> None:
        super().__init__()
        dim, V = config.dim, config.vectors
        self.heads = config.heads
        self.scalars_in = nn.Linear(dim, 3 * dim + V)
        self.vectors_in = nn.Linear(V, 3 * V, bias=False)
        self.null_key = nn.Parameter(torch.zeros(config.heads, dim // config.heads))
        self.scalars_out = nn.Linear(dim, dim)
        self.vectors_out = nn.Linear(V, V, bias=False)
        self.pairs = nn.Linear(V, 2 * V, bias=False)
        self.hidden = nn.Linear(dim + V, config.ratio * dim)
        self.out = nn.Linear(config.ratio * dim, dim + V)
        self.mix = nn.Linear(V, V, bias=False)
        for layer in (self.scalars_out, self.out, self.vectors_out, self.mix):
            nn.init.normal_(layer.weight, std=0.2 * layer.in_features**-0.5)

    def _by_head(self, scalars: Tensor, vectors: Tensor) -> Tensor:
        """(T, H*c) and (T, D, H*v) side by side in each head: (T, H, c + D*v)."""
        T, D, _ = vectors.shape
        v = vectors.view(T, D, self.heads, -1).transpose(1, 2).reshape(T, self.heads, -1)
        return torch.cat([scalars.view(T, self.heads, -1), v], dim=-1)

    def before(self, s: Tensor, v: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (T, H, c + D*v) of tokens in d (T,) dimensions."""
        dim, V = s.shape[-1], v.shape[-1]
        s_q, s_k, s_v, gain = self.scalars_in(F.layer_norm(s, (dim,))).split([dim, dim, dim, V], dim=-1)
        v_q, v_k, v_v = self.vectors_in(v).chunk(3, dim=-1)
        v_q = v_q * ((1 + gain) * d.rsqrt()[:, None]).to(v_q.dtype)[:, None]
        return self._by_head(s_q * (dim // self.heads) ** -0.5, v_q), self._by_head(s_k, v_k), self._by_head(s_v, v_v)

    def after(self, s: Tensor, v: Tensor, carried: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        """Add what attention carried (T, H, c + D*v), then the feed-forward layer."""
        T, D, V = v.shape
        c = s.shape[-1] // self.heads
        s = s + self.scalars_out(carried[..., :c].reshape(T, -1))
        v = v + self.vectors_out(carried[..., c:].reshape(T, self.heads, D, -1).transpose(1, 2).reshape(T, D, V))
        v_1, v_2 = self.pairs(v).chunk(2, dim=-1)
        invariants = torch.asinh((v_1 * v_2).sum(1) / d[:, None])
        h = self.hidden(torch.cat([F.layer_norm(s, s.shape[-1:]), invariants], dim=-1))
        ds, gate = self.out(F.gelu(h)).split([s.shape[-1], V], dim=-1)
        return s + ds, v + self.mix(v_1 * (1 + gate)[:, None])


class VectorNetwork(nn.Module):
    """Log-density and score of whitened queries given whitened samples; see the module's text."""

    def __init__(self, config: VectorConfig) -> None:
        super().__init__()
        self.config = config
        dim, V = config.dim, config.vectors
        E = len(config.bandwidths) + config.local + config.clusters
        self.tokenizer = nn.Sequential(nn.Linear(2 * E + 3, dim), nn.GELU(), nn.Linear(dim, dim))
        self.channels = nn.Linear(E + 1, V, bias=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.density_head = nn.Linear(dim, E + 1)
        self.score_head = nn.Linear(dim, E + V)
        for head in (self.density_head, self.score_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            head.bias.data[min(E - config.clusters + 1, E - 1)] = 1.0  # the network starts as a Gaussian of the cluster

    def estimates(self, y: Tensor, x: Tensor, own: Tensor, d: Tensor, means: Tensor | None = None) -> Estimates:
        """`simple_estimates` of this network's kind."""
        return simple_estimates(y, x, own, d, self.config, means)

    def _tokens(self, y: Tensor, estimates: Estimates, d: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Whitened y (B, m, D) among n samples -> scalars (B*m, dim), vectors (B*m, D, V)."""
        B, m, D = y.shape
        log_n = math.log(min(n, self.config.max_rows)) / 4 - 1.5
        of_set = torch.stack([torch.full_like(d, log_n), d.log() / 2], dim=-1)[:, None].expand(B, m, 2)
        radius = y.square().sum(-1, keepdim=True) / d[:, None, None]
        s = self.tokenizer(
            torch.cat([torch.asinh(estimates.f), estimates.samples / 4 - 1, torch.asinh(radius), of_set], -1)
        )
        v = self.channels(torch.cat([y[..., None], estimates.scores * estimates.widths[:, None, None]], dim=-1))
        return s.flatten(0, 1).to(y.dtype), v.flatten(0, 1).to(y.dtype)  # streams keep their precision under autocast

    def _heads(self, s: Tensor, v: Tensor, y: Tensor, estimates: Estimates, d: Tensor) -> tuple[Tensor, Tensor]:
        B, m, D = y.shape
        with torch.autocast(y.device.type, enabled=False):
            s = F.layer_norm(s.to(y.dtype), s.shape[-1:])
            w = self.density_head(s).view(B, m, -1)
            log_p = log_normal(y, d) + d[:, None] * (w[..., :-1] * estimates.f).sum(-1) + d.sqrt()[:, None] * w[..., -1]
            directions = torch.cat([estimates.scores, v.to(y.dtype).view(B, m, D, -1)], dim=-1)
            return log_p, (directions * self.score_head(s).view(B, m, 1, -1)).sum(-1)

    def context(self, x: Tensor, d: Tensor) -> Context:
        """Read samples x (B, n, D), whitened; d (B,) their dimensions."""
        B, n, _ = x.shape
        own = torch.arange(n, device=x.device).expand(B, n)
        estimates = self.estimates(x, x, own, d)
        s, v = self._tokens(x, estimates, d, n)
        keys, values, d_token = [], [], d.repeat_interleave(n)
        for block in self.blocks:
            q, k, value = (part.view(B, n, *part.shape[1:]).transpose(1, 2) for part in block.before(s, v, d_token))
            k, value = with_null(k, block.null_key), with_null(value)
            keys.append(k)
            values.append(value)
            s, v = block.after(s, v, attend(q, k, value), d_token)
        return Context(x, d, estimates.means, tuple(keys), tuple(values))

    def forward(self, y: Tensor, context: Context, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-density (B, m) in nats and score (B, m, D) at whitened queries y (B, m, D).

        `own` (B, m) is the row of the samples that a query is itself, left out of its own KDE; -1 for none.
        """
        B, m, _ = y.shape
        x, d, n = context.x, context.d, context.x.shape[1]
        own = torch.full((B, m), -1, device=y.device) if own is None else own
        estimates = self.estimates(y, x, own, d, context.means)
        s, v = self._tokens(y, estimates, d, n)
        d_token = d.repeat_interleave(m)
        for block, k, value in zip(self.blocks, context.keys, context.values, strict=True):
            q = block.before(s, v, d_token)[0].view(B, m, self.config.heads, -1).transpose(1, 2)
            s, v = block.after(s, v, attend(q, k, value), d_token)
        return self._heads(s, v, y, estimates, d)

    def train_forward(self, x: Tensor, y: Tensor, estimates: Estimates, d: Tensor) -> tuple[Tensor, Tensor]:
        """Both outputs at samples and queries together, (B, n + m) and (B, n + m, D), as `forward` gives them.

        `estimates` are those of both. One pass over one length of tokens, whatever n is, so that it compiles once.
        """
        B, n, _ = x.shape
        xy = torch.cat([x, y], dim=1)
        s, v = self._tokens(xy, estimates, d, n)
        d_token = d.repeat_interleave(xy.shape[1])
        for block in self.blocks:
            q, k, value = (part.view(B, -1, *part.shape[1:]).transpose(1, 2) for part in block.before(s, v, d_token))
            carried = attend(q, with_null(k[:, :, :n], block.null_key), with_null(value[:, :, :n]))
            s, v = block.after(s, v, carried, d_token)
        return self._heads(s, v, xy, estimates, d)


def with_null(heads: Tensor, key: Tensor | None = None) -> Tensor:
    """Append to (B, H, n, c) one key or value, `key` (H, c' <= c) or zero, that any query may attend to."""
    B, H, _, c = heads.shape
    null = heads.new_zeros(H, c) if key is None else F.pad(key, (0, c - key.shape[-1])).to(heads)
    return torch.cat([heads, null.expand(B, H, c)[:, :, None]], dim=2)


def attend(q: Tensor, k: Tensor, value: Tensor) -> Tensor:
    """Softmax attention of (B, H, m, c) -> (B*m, H, c); logits are scaled already."""
    return F.scaled_dot_product_attention(q, k, value, scale=1.0).transpose(1, 2).flatten(0, 1)
