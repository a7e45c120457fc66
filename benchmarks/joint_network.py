"""Elements diffused together with the positions: the network of the ablation, its loss and its sampler.

    h = 0.25 onehot(element),      h~ = h + sigma z_h,      q = softmax(ln m + 0.25 h~ / sigma^2)

One sigma for both, in Å for positions and as it is for h: EDM's way, whose one-hot vectors are scaled by 0.25 and
whose positions are not. q is the element's posterior given its own noisy h~ and the frequencies m of the elements:
all that h~ says, and neither vanishing nor exploding at any noise. Wherever the network looks up an element's
embedding it takes the mix of all of them by q, and a readout of its tokens corrects ln q to the posterior given the
whole molecule, whose mean is the denoised h.
Source: Hoogeboom et al. 2022, arXiv 2203.17003, section 3.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from molscore.diffusion.gaussian import centred_noise, degrees_of_freedom
from molscore.molecules.batch import Batch
from molscore.nn import Denoised, DiScoFormer, ModelConfig
from molscore.training import TrainConfig, noised

__all__ = ["FEATURE", "JointDenoised", "JointNetwork", "joint_langevin", "joint_objective"]

FEATURE = 0.25  # what a one-hot vector is multiplied by


class JointDenoised(NamedTuple):
    """What one pass says of both."""

    positions: Denoised
    logits: Tensor  # (B, N, E): the element's posterior

    @property
    def features(self) -> Tensor:
        """The denoised h, (B, N, E)."""
        return FEATURE * self.logits.softmax(-1)


class JointNetwork(DiScoFormer):
    """A `DiScoFormer` that is not told the elements but shown noisy ones, and says what they are.

    Args:
        config, elements, sigma_N: as for `DiScoFormer`.
        frequencies: (E,) share of each element among the atoms of the data.
    """

    def __init__(self, config: ModelConfig, elements: tuple[str, ...], sigma_N: Tensor, frequencies: Tensor) -> None:
        super().__init__(config, elements, sigma_N)
        self.register_buffer("ln_frequencies", frequencies.log())
        # a mix of embeddings is a linear map of its weights, so that the passes of `DiScoFormer` serve as they are
        self.element_token = _mix(self.element_token)
        for tokenizer in (self.coarse_tokenizer, self.fine_tokenizer):
            tokenizer.from_receiver = _mix(tokenizer.from_receiver)
            tokenizer.from_sender = _mix(tokenizer.from_sender)
        self.element_of_token = nn.Linear(config.dim, len(elements))  # a name by which the optimiser knows: not by Muon
        nn.init.zeros_(self.element_of_token.weight)
        nn.init.zeros_(self.element_of_token.bias)

    def joint(self, y: Tensor, h: Tensor, mask: Tensor, sigma: Tensor, distribution: Tensor) -> JointDenoised:
        """y (B, N, 3) Å and h (B, N, E), both noisy; mask (B, N); sigma (B,); distribution (B,)."""
        own = torch.log_softmax(self.ln_frequencies + FEATURE * h / sigma.square()[:, None, None], dim=-1)
        found = self.denoise(y, own.exp() * mask[..., None], mask, sigma, distribution)
        return JointDenoised(found, own + self.element_of_token(found.scalars))


def _mix(embedding: nn.Embedding) -> nn.Linear:
    """(..., E) weights -> (..., dim), the embeddings mixed."""
    linear = nn.Linear(embedding.num_embeddings, embedding.embedding_dim, bias=False)
    with torch.no_grad():
        linear.weight.copy_(embedding.weight.T)
    return linear


def joint_objective(
    network: JointNetwork, x: Batch, config: TrainConfig, tick: int, generator: torch.Generator
) -> None:
    """Denoising of positions as for formula first, and of h likewise: lambda |D_h - h|^2 for each atom and element."""
    noisy = noised(x, config, config.uniform_share, generator)
    mask, sigma, d = x.mask, noisy.ln_sigma.exp(), degrees_of_freedom(x.mask)
    h = FEATURE * nn.functional.one_hot(x.elements, len(network.elements)).to(noisy.y)
    seen = h + sigma[:, None, None] * torch.randn(h.shape, generator=generator)
    found = network.joint(noisy.y, seen, mask, sigma, torch.zeros(len(mask), dtype=torch.long))
    weight = found.positions.c.c_out.pow(-2)
    fine, coarse = (weight * (D - x.positions).square().sum((1, 2)) / d
                    for D in (found.positions.fine, found.positions.coarse))  # fmt: skip
    errors = ((found.features - h).square() * mask[..., None]).sum((1, 2)) / (mask.sum(1) * h.shape[-1])
    features = errors / _c_out_squared(sigma, network.ln_frequencies.exp())
    (fine + config.weight_coarse * coarse + features).mean().backward()


def _c_out_squared(sigma: Tensor, frequencies: Tensor) -> Tensor:
    """c_out^2 of Karras for h, (B,): the noise's share of its variance."""
    variance = FEATURE**2 * (frequencies * (1 - frequencies)).mean()
    return sigma.square() * variance / (sigma.square() + variance)


@torch.no_grad()
def joint_langevin(
    network: JointNetwork,
    mask: Tensor,
    levels: Tensor,
    generator: torch.Generator,
    temperature: float = 1.0,
    guidance: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """`annealed_langevin` over positions and h together; positions (B, N, 3) Å and elements (B, N) at the end.

    Guidance is for the positions, and so is a temperature below one: h is drawn as the network has it.
    """
    B, E = len(mask), len(network.elements)
    token, steps = torch.zeros(B, dtype=torch.long), levels.tolist()
    prior = network.sigma_N[token, mask.sum(1)]
    y = (steps[0] ** 2 + prior.square()).sqrt()[:, None, None] * centred_noise(mask, generator)
    h = FEATURE * network.ln_frequencies.exp() + steps[0] * torch.randn(*mask.shape, E, generator=generator)
    for i, s in enumerate(steps):
        found = network.joint(y, h, mask, torch.full((B,), s), token)
        t = steps[i + 1] if i + 1 < len(steps) else 0.0
        share, deviation = t * t / (s * s), t * (1 - t * t / (s * s)) ** 0.5
        y = share * y + (1 - share) * found.positions.guided(guidance)
        h = share * h + (1 - share) * found.features
        y = y + temperature * deviation * centred_noise(mask, generator)
        h = h + deviation * torch.randn(h.shape, generator=generator)
    return y * mask[..., None], found.logits.argmax(-1)
