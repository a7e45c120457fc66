"""Training: the losses, the loop that can be killed at any moment, and what they are made of."""

from molscore.training.config import TrainConfig
from molscore.training.loop import Trainer, train
from molscore.training.losses import Noised, denoising_loss, dual_loss, noised
from molscore.training.muon import Muon
from molscore.training.step import add_gradients

__all__ = [
    "Muon",
    "Noised",
    "TrainConfig",
    "Trainer",
    "add_gradients",
    "denoising_loss",
    "dual_loss",
    "noised",
    "train",
]
