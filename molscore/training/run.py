"""A whole training run: the loop, then what a trained model carries beside its weights."""

from pathlib import Path

from molscore.datasets.molecule_set import load
from molscore.evaluation.edm import stability
from molscore.nn.checkpoint import Checkpoint
from molscore.screening.model import Model
from molscore.screening.sample import DENSITY, draw_formulas, draw_positions
from molscore.screening.tables import with_tables_of
from molscore.training.config import TrainConfig
from molscore.training.loop import Processes, train
from molscore.training.offset import with_noise_offset

__all__ = ["run"]

SAMPLES = 64  # drawn at every evaluation


def run(config: TrainConfig, resume: bool = False) -> Path | None:
    """Train, fit the noise offset, make tables and lists of each data set, and save the model.

    The folder of the model; None in all processes of torchrun but one, which finishes the job. Raises as `train` does.
    """
    checkpoint = train(config, resume, stability_of)
    if Processes.join().rank:
        return None
    if config.density_start < 1:
        trained = [load(part.path, "train") for part in config.data]
        checkpoint = with_noise_offset(checkpoint, trained, (config.sigma_min, config.sigma_max))
    model = Model(checkpoint)
    for part in config.data:
        model = with_tables_of(Model(model.checkpoint, distribution=part.name), load(part.path))
    return model.save_pretrained(f"{config.out}/model")


def stability_of(checkpoint: Checkpoint) -> dict[str, float]:
    """EDM stability of some draws, in percent."""
    model = Model(checkpoint)
    found = stability(draw_positions(model, draw_formulas(model, SAMPLES, 0), 0, DENSITY))
    return {"atom_stability": found.atom_stability, "molecule_stability": found.molecule_stability}
