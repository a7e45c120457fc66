"""Data parallel training over the processes of `torchrun`: each has its share of a batch, gradients are averaged.

One flat all-reduce instead of DistributedDataParallel, whose hooks do not see second derivatives.
"""

import os
from typing import NamedTuple

import torch
from torch import distributed, nn

__all__ = ["Processes"]


class Processes(NamedTuple):
    """Where this process stands among those that train together."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def join(cls) -> "Processes":
        """Join the group that torchrun's environment describes, or be alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        if world == 1:
            return cls(0, 1, device)
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if cuda else "gloo")
        return cls(distributed.get_rank(), world, device)

    def average_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace every gradient by its mean over processes; one that is absent here counts as zero."""
        if self.world == 1:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        for p, mean in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            p.grad = mean.view_as(p)
