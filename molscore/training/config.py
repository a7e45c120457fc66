"""The configuration of a training run, read from TOML."""

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import GenericAlias
from typing import Any, get_args

from molscore.errors import CheckpointError, InputError
from molscore.nn.config import PRESETS, ModelConfig

__all__ = ["TrainConfig"]


@dataclass(frozen=True)
class TrainConfig:
    """What one run of `molscore train` does."""

    data: str  # Parquet file made by `molscore data`
    out: str  # folder of the run: state.pt, log.csv, model/
    distribution: str = "qm9"
    model: ModelConfig = field(default_factory=lambda: PRESETS["M"])
    init: str = ""  # folder of a trained model to start from
    seed: int = 0
    steps: int = 10_000  # optimiser steps
    batch: int = 128  # molecules a step, over all processes
    warmup: int = 200  # steps of rising learning rate
    decay: float = 0.3  # share of the steps, at the end, over which the learning rate falls to zero
    lr: float = 1e-3  # AdamW: embeddings, biases, gains
    lr_muon: float = 0.012  # Muon: matrices
    decay_muon: float = 0.1  # weight decay of Muon's matrices, which grow without bound else
    clip: float = 10.0  # largest norm of the gradient
    ema: float = 0.999  # decay of the averaged weights
    sigma_min: float = 0.003  # Å
    sigma_max: float = 50.0  # Å
    log_normal: tuple[float, float] = (-1.5, 1.3)  # mean and deviation of ln sigma for the rest of the noise
    uniform_share: float = 0.2  # share of noise drawn log-uniform over the whole range; twice it for the density terms
    log_normal_density: tuple[float, float] = (-1.5, 1.3)  # the same for the molecules with the density terms
    density_start: int = 7_000  # step at which the density terms begin
    density_batch: int = 64  # molecules of a batch, over all processes, that get them; the rest denoise alone
    weight_density: float = 0.5  # w_U
    weight_time: float = 1.0  # of the time score within w_U
    weight_consistency: float = 0.5  # w_c
    weight_slope: float = 0.0  # w_s: of the direction of consistency that the likelihood sums
    weight_fokker_planck: float = 0.0  # w_FP: the pull on the divergence of the score; twice the work
    weight_coarse: float = 0.25  # denoising loss of the coarse half
    frozen_trunk: bool = False  # train the density head alone
    bf16: bool = False  # autocast of the denoising pass; the density terms stay in float32
    compile: bool = False  # torch.compile of the denoising pass: minutes for each shape, then twice as fast
    buckets: tuple[int, ...] = ()  # batches are padded to the next of these sizes, so that few shapes are compiled
    save_minutes: float = 5.0
    evaluate_every: int = 2_000  # steps between samples

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max:
            raise InputError(f"sigma_min {self.sigma_min} must lie between 0 and sigma_max {self.sigma_max}")
        if self.density_batch > self.batch or self.steps < 1 or self.batch < 1:
            raise InputError("steps and batch must be positive, density_batch at most batch")

    @classmethod
    def from_toml(cls, path: str | Path) -> "TrainConfig":
        """Read TOML; `model` is a preset's name or a table. Raises InputError naming the field."""
        try:
            values = tomllib.loads(Path(path).read_text())
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {error}") from None
        try:
            return cls.from_dict(values)
        except (InputError, CheckpointError, TypeError) as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """From plain values, as in TOML."""
        values = dict(values)
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise InputError(f"unknown field {unknown[0]!r}; known are {', '.join(f.name for f in fields(cls))}")
        missing = [name for name in ("data", "out") if name not in values]
        if missing:
            raise InputError(f"field {missing[0]!r} is missing")
        types = {f.name: f.type for f in fields(cls)}
        values = {name: _checked(name, value, types[name]) for name, value in values.items()}
        model = values.get("model", "M")
        if isinstance(model, str):
            if model not in PRESETS:
                raise InputError(f"model {model!r} is none of {', '.join(PRESETS)}")
            values["model"] = PRESETS[model]
        elif not isinstance(model, ModelConfig):
            values["model"] = ModelConfig.from_dict({**PRESETS["M"].to_dict(), **model})
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values; `from_dict` of them is the same configuration."""
        lists = {f.name: list(getattr(self, f.name)) for f in fields(self) if isinstance(f.type, GenericAlias)}
        return asdict(self) | lists


def _checked(name: str, value: Any, kind: Any) -> Any:
    """A plain value as the type of its field, whole numbers standing for floats; raises InputError naming the field."""
    if kind is ModelConfig:
        if not isinstance(value, str | dict | ModelConfig):
            raise InputError(f"field 'model' must be a preset's name or a table, not {value!r}")
        return value
    if isinstance(kind, GenericAlias):
        if not isinstance(value, list | tuple):
            raise InputError(f"field {name!r} must be a list, not {value!r}")
        of = get_args(kind)
        if Ellipsis not in of and len(value) != len(of):
            raise InputError(f"field {name!r} must have {len(of)} values, not {len(value)}")
        return tuple(_checked(name, item, of[0]) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise InputError(f"field {name!r} must be of type {kind.__name__}, not {value!r}")
    return value
