"""Training: one objective, one optimiser, one loop that can be killed at any moment."""

from molscore.training.config import DataConfig, TrainConfig
from molscore.training.loop import Trainer, train
from molscore.training.losses import denoising_loss, dual_loss, noised

__all__ = ["DataConfig", "TrainConfig", "Trainer", "denoising_loss", "dual_loss", "noised", "train"]
