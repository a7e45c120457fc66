"""One model from several stages of one training: the mean of their weights.

    python -m benchmarks.average_weights FOLDER FOLDER ... -o FOLDER

Weights that went on from one another lie in one basin, and their mean is often better than each (Wortsman et al. 2022,
arXiv 2203.05482). The offset and the tables are those of none of them: `python -m benchmarks.remake_tables` next.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from molscore.errors import CheckpointError
from molscore.nn.checkpoint import Checkpoint, from_pretrained, save_pretrained

__all__ = ["averaged"]


def averaged(models: Sequence[Checkpoint]) -> Checkpoint:
    """The last model, its weights replaced by the mean of all; raises CheckpointError where networks differ."""
    last = models[-1]
    states = [model.network.state_dict() for model in models]
    for number, (model, state) in enumerate(zip(models, states, strict=True), 1):
        shapes = {name: tensor.shape for name, tensor in state.items()}
        like = {name: tensor.shape for name, tensor in states[-1].items()}
        if model.network.config != last.network.config or shapes != like or model.distributions != last.distributions:
            raise CheckpointError(f"model {number} is of another size or data: give stages of one training")
    last.network.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[-1]})
    return last


def main() -> None:
    """Read the folders, write one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    card = options.folders[-1] / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    model = averaged([from_pretrained(folder) for folder in options.folders])
    print(f"written: {save_pretrained(options.output, model, text)}")


if __name__ == "__main__":
    main()
