"""The network: graph tokenizer, equivariant attention, backbone, two heads; checkpoints and the pmf of formulas."""

from molscore.nn.checkpoint import Checkpoint, build, from_pretrained, save_pretrained
from molscore.nn.composition import FormulaPmf
from molscore.nn.config import PRESETS, ModelConfig
from molscore.nn.discoformer import Denoised, DiScoFormer
from molscore.nn.heads import Estimate

__all__ = [
    "PRESETS",
    "Checkpoint",
    "Denoised",
    "DiScoFormer",
    "Estimate",
    "FormulaPmf",
    "ModelConfig",
    "build",
    "from_pretrained",
    "save_pretrained",
]
