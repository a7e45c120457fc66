"""The denoising pass, compiled for each shape it meets: give it few shapes (`TrainConfig.buckets`).

Shapes are static: with symbolic ones the compiler took over ten minutes on this network, with static ones a tenth of that.
Compiled code cannot be differentiated twice, so the density terms use the plain pass.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from molscore.nn.discoformer import Denoised, DiScoFormer

__all__ = ["Denoise", "compiled"]

Denoise = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Denoised]


def compiled(network: DiScoFormer) -> Denoise:
    """`network.denoise` with fused kernels, differentiable once."""
    return torch.compile(network.denoise, dynamic=False)
