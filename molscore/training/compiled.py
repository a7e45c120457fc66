"""The denoising pass, compiled for each shape it meets: give it few shapes (`TrainConfig.buckets`).

For GPUs. On two CPU cores a shape took minutes to compile and the gain was lost in the noise (benchmarks/recipe.md);
with symbolic shapes the compiler had not finished after six minutes. Compiled code cannot be differentiated twice, so
the density terms use the plain pass.
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
