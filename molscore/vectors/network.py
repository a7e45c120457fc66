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

with p_k kernel densities, Gaussians near y and a Gaussian mixture (`simple_estimates`). The network starts as the last
of them and learns what is better. log p is kept within a nat of the highest, so that far out it falls as they do.

Sources: Ilin, Sushko, Krishna, DiScoFormer, arXiv 2511.05924 (whitening, cross-attention to the samples, two heads; its
theory has softmax attention as a KDE whose normaliser must be read out, which p_k does). Vectors in the tokens, in
place of random rotations in training, are this package's: `molscore.nn.backbone` has them in R^3.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from molscore.errors import CheckpointError
from molscore.molecules.atomic import make_folder, replacing
from molscore.vectors.estimates import Estimates, Fitted, log_normal, simple_estimates

__all__ = ["Block", "Context", "VectorConfig", "VectorNetwork", "load_network", "save_network"]

FORMAT = "molscore-vectors/1"


@dataclass(frozen=True)
class VectorConfig:
    """Sizes of the network."""

    dim: int = 128  # scalars of a token
    vectors: int = 16  # vectors of a token
    heads: int = 8
    layers: int = 6
    ratio: int = 4  # width of the feed-forward layer over `dim`
    bandwidths: tuple[float, ...] = (2.8, 2.0, 1.4, 1.0, 0.6)  # of Silverman's rule
    local: int = 3  # the first of them have a local Gaussian
    clusters: int = 2  # and so many a Gaussian of the cluster
    max_dim: int = 4  # largest d it is trained for
    max_rows: int = 2048  # most samples it is trained for


CEILING = 1.0  # nats above the highest simple estimate: what keeps the density integrable


class Context(NamedTuple):
    """What the network knows of a set of samples: all that a query needs."""

    x: Tensor  # (B, n, d) whitened samples
    d: Tensor  # (B,) dimensions, fewer than x has where coordinates are padding
    fitted: Fitted
    keys: tuple[Tensor, ...]  # for each layer (B, H, n + 1, c), a null key last
    values: tuple[Tensor, ...]


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
        E = len(config.bandwidths) + config.local + config.clusters + 1
        self.tokenizer = nn.Sequential(nn.Linear(3 * E + 3, dim), nn.GELU(), nn.Linear(dim, dim))
        self.channels = nn.Linear(E + 1, V, bias=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.density_head = nn.Linear(dim, E + 1)
        self.score_head = nn.Linear(dim, E + V)
        for head in (self.density_head, self.score_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            head.bias.data[E - 1] = 1.0  # the network starts as the Gaussian mixture

    def estimates(self, y: Tensor, x: Tensor, own: Tensor, d: Tensor, fitted: Fitted | None = None) -> Estimates:
        """`simple_estimates` of this network's kind."""
        c = self.config
        return simple_estimates(y, x, own, d, c.bandwidths, c.local, c.clusters, fitted)

    def _tokens(self, y: Tensor, estimates: Estimates, d: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Whitened y (B, m, D) among n samples -> scalars (B*m, dim), vectors (B*m, D, V)."""
        B, m, D = y.shape
        log_n = math.log(min(n, self.config.max_rows)) / 4 - 1.5
        levels = torch.asinh(estimates.fitted.levels)
        of_set = torch.cat([torch.full_like(d, log_n)[:, None], d.log()[:, None] / 2, levels], dim=-1)
        of_set = of_set[:, None].expand(B, m, -1)
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
            log_p = torch.minimum(log_p, log_normal(y, d) + d[:, None] * estimates.f.amax(-1) + CEILING)
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
        return Context(x, d, estimates.fitted, tuple(keys), tuple(values))

    def forward(self, y: Tensor, context: Context, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-density (B, m) in nats and score (B, m, D) at whitened queries y (B, m, D).

        `own` (B, m) is the row of the samples that a query is itself, left out of its own KDE; -1 for none.
        """
        B, m, _ = y.shape
        x, d, n = context.x, context.d, context.x.shape[1]
        own = torch.full((B, m), -1, device=y.device) if own is None else own
        estimates = self.estimates(y, x, own, d, context.fitted)
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


def save_network(path: Path, config: VectorConfig, weights: dict[str, torch.Tensor], info: dict[str, Any]) -> None:
    """Weights as safetensors, sizes and `info`, free-form provenance, as JSON in the header; written in one step."""
    header = {"format": FORMAT, "config": json.dumps(asdict(config)), "info": json.dumps(info)}
    make_folder(path.parent)
    with replacing(path) as fresh:
        save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, fresh, metadata=header)


def load_network(path: Path) -> tuple[VectorNetwork, dict[str, Any]]:
    """The network, in float32 and evaluation mode, and its provenance; CheckpointError where there is none."""
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise CheckpointError(f"{path}: not a {FORMAT} model")
            config = json.loads(header["config"])
            network = VectorNetwork(VectorConfig(**{**config, "bandwidths": tuple(config["bandwidths"])}))
            network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        line = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: the model is missing, corrupt or of another version: {line}") from None
    return network.eval().requires_grad_(False), json.loads(header["info"])
