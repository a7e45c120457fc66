"""`AddLogLikelihood`: a PyTorch Geometric transform that writes a model's judgement into each molecule."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from molscore.arguments import type_of
from molscore.errors import InputError
from molscore.screening.info import DEFAULT
from molscore.screening.model import Model, load
from molscore.screening.predictor import RESOLUTION
from molscore.screening.scorer import Results, Scorer

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

try:
    from torch_geometric.transforms import BaseTransform
except ModuleNotFoundError:  # the name can be imported all the same, and says what is missing when it is used
    BaseTransform = None

__all__ = ["AddLogLikelihood"]

_NUMBERS = ("log_likelihood", "log_density", "percentile")


class AddLogLikelihood(BaseTransform or object):
    """Adds ``log_likelihood`` and ``log_density`` (nats) and ``percentile`` (0 to 100), (1,) float32, and ``status``.

    The molecule is ``z`` (N,) and ``pos`` (N, 3) in Å, all hydrogens among them. One that cannot be judged gets NaN and
    a status that is not ``ok``. In a batch the numbers are (B,) and ``status`` is a list. As a ``pre_transform`` it
    judges a data set once; `many` is quicker, where there is a list.
    Raises `InputError` where PyTorch Geometric is not installed.

    Args:
        model: a `Model`, a bundled model's name or a model folder.
        resolution: Å, at which densities are read.
        distribution: one of the model's; None is its first, or that of a `Model`.
    """

    def __init__(
        self, model: Model | str = DEFAULT, resolution: float = RESOLUTION, distribution: str | None = None
    ) -> None:
        if BaseTransform is None:
            raise InputError("AddLogLikelihood needs PyTorch Geometric: pip install 'molscore-discoformer[pyg]'")
        self.scorer = Scorer(load(model, distribution), resolution, "log_likelihood")

    def forward(self, data: "Data | Batch") -> "Data | Batch":
        """The molecule or batch with the judgement written into it."""
        from torch_geometric.data import Batch

        if not isinstance(data, Batch):
            return self.many([data])[0]
        return Batch.from_data_list(self.many(data.to_data_list()))

    def many(self, molecules: Iterable["Data"]) -> list["Data"]:
        """Judge molecules in batches of like size; they are changed in place and returned in order."""
        from torch_geometric.data import Data

        found = list(molecules) if isinstance(molecules, Iterable) else [molecules]
        for data in found:
            if not isinstance(data, Data):
                raise InputError(f"{type_of(data)} is not a PyG Data, to write a judgement into")
        judged = self.scorer.judge(found)
        for row, data in enumerate(found):
            _write(data, judged, row)
        return found

    def __repr__(self) -> str:
        return f"AddLogLikelihood({self.scorer.model.name!r}, resolution={self.scorer.resolution:g})"


def _write(data: Any, judged: Results, row: int) -> None:
    for name in _NUMBERS:
        data[name] = torch.tensor([getattr(judged, name)[row]], dtype=torch.float32)
    data.status = str(judged.status[row])
