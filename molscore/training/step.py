"""The gradients of one batch: some of its molecules get the terms of the density, the rest denoise alone."""

from dataclasses import replace

import torch
from torch import Tensor

from molscore.molecules.batch import Batch
from molscore.nn.discoformer import DiScoFormer
from molscore.training.compiled import Denoise
from molscore.training.config import TrainConfig
from molscore.training.losses import denoising_loss, dual_loss, noised

__all__ = ["add_gradients"]


def add_gradients(
    network: DiScoFormer,
    x: Batch,
    config: TrainConfig,
    n_dual: int,
    generator: torch.Generator,
    denoise: Denoise | None = None,
) -> dict[str, Tensor]:
    """Add the gradients of the objective to those of the parameters; returns its parts, for a log.

    `n_dual` molecules of clean `x`, chosen at random, get the terms of the density. `denoise` stands in for the
    network's own pass where the rest denoise.
    """
    device = x.mask.device
    order = torch.randperm(len(x.mask), generator=generator).to(device)
    few, rest = (Batch(*(tensor[rows] for tensor in x)) for rows in (order[:n_dual], order[n_dual:]))
    parts: dict[str, Tensor] = {}
    if len(rest.mask) and not config.frozen_trunk:
        noisy = noised(rest, config, config.uniform_share, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            loss, parts["denoising"] = denoising_loss(
                denoise or network.denoise, noisy, _token(rest), config.weight_coarse
            )
        loss.backward()
    if n_dual:
        # the time score is summed along the whole path, so that more of sigma must cover it evenly
        settings = replace(config, log_normal=config.log_normal_density)
        noisy = noised(few, settings, min(1.0, 2 * config.uniform_share), generator)
        loss, more = dual_loss(network, noisy, _token(few), config, generator)
        # not to y, which requires a gradient too: behind a frozen trunk that would cost a third of the step
        loss.backward(inputs=[p for p in network.parameters() if p.requires_grad])
        parts |= more
    return parts


def _token(x: Batch) -> Tensor:
    return torch.zeros(len(x.mask), dtype=torch.long, device=x.mask.device)
