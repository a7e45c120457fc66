"""The configuration of a training run, read from TOML."""

import tomllib
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from types import GenericAlias
from typing import Any, get_args

from molscore.errors import CheckpointError, InputError
from molscore.molecules.atomic import reason_of
from molscore.nn.backbone import PRESETS, ModelConfig

__all__ = ["DataConfig", "TrainConfig"]


@dataclass(frozen=True)
class DataConfig:
    """One data set of a run."""

    path: str  # Parquet file made by `molscore data`
    distribution: str = ""  # its name in the model; that of the file, unless given
    weight: float = 1.0  # share of the work, beside the other data sets

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return self.distribution or Path(self.path).stem


@dataclass(frozen=True)
class TrainConfig:
    """What one run of `molscore train` does. Shares of a run count from its start, 0, to its end, 1."""

    data: tuple[DataConfig, ...]
    out: str  # folder of the run: state.pt, log.csv, model/
    model: ModelConfig = field(default_factory=lambda: PRESETS["M"])
    init: str = ""  # folder of a trained model to start from, whose distributions of these names are kept
    seed: int = 0
    steps: int = 10_000  # optimiser steps
    hours: float = 0.0  # end by the clock instead of by steps, where given
    batch: int = 128  # molecules of 18 atoms a step; of larger ones fewer, at the same cost
    warmup: int = 200  # steps of rising learning rate
    decay: float = 0.8  # share of the run, at its end, over which the learning rate falls to zero
    lr: float = 1e-3  # AdamW: embeddings, biases, gains
    lr_muon: float = 0.012  # Muon: matrices
    decay_muon: float = 0.1  # weight decay of Muon's matrices, which grow without bound else
    clip: float = 10.0  # largest norm of the gradient
    ema: float = 0.999  # decay of the averaged weights
    sigma_min: float = 0.003  # Å
    sigma_max: float = 50.0  # Å
    log_normal: tuple[float, float] = (-1.1, 0.9)  # mean and deviation of ln sigma for the rest of the noise
    uniform_share: float = 0.3  # share of noise drawn log-uniform over the whole range
    log_normal_density: tuple[float, float] = (-1.2, 1.1)  # the same for the molecules with the density terms
    uniform_share_density: float = 0.4
    density_start: float = 0.6  # of the run: from here on a share of each batch gets the density terms
    density_share: float = 0.33  # of the batch; the rest denoises alone
    references_start: float = 0.3  # of the run: from here on molecules get references
    references: int = 16  # at most so many for a molecule; 0 for none
    references_share: float = 0.5  # of the molecules that get any
    references_pool: int = 20_000  # molecules of each data set that references are taken from
    references_every: int = 2_000  # steps between fresh states of the references
    weight_density: float = 0.5  # w_U
    weight_time: float = 0.02  # w_t, of the time score within w_U
    weight_consistency: float = 0.5  # w_c
    weight_slope: float = 10.0  # w_s: of the direction of consistency that the likelihood sums
    weight_coarse: float = 0.25  # denoising loss of the coarse half
    weight_distance: float = 0.05  # w_d
    weight_bonds: float = 0.1  # w_b
    bf16: bool = False  # autocast of the denoising pass; the density terms stay in float32 (TF32 on a GPU)
    save_minutes: float = 5.0
    evaluate_every: int = 2_000  # steps between samples

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max:
            raise InputError(f"sigma_min {self.sigma_min} must lie between 0 and sigma_max {self.sigma_max}")
        if self.steps < 1 or self.batch < 1:
            raise InputError("steps and batch must be positive")
        if not self.data:
            raise InputError("field 'data' names no data set: add [[data]] with its path")
        names = [data.name for data in self.data]
        if len(set(names)) != len(names):
            raise InputError(f"two data sets are called {max(names, key=names.count)!r}: give each a distribution")

    @classmethod
    def from_toml(cls, path: str | Path) -> "TrainConfig":
        """Read TOML: `data` is a list of tables, `model` a preset's name or a table; InputError names a wrong field."""
        try:
            values = tomllib.loads(Path(path).read_text())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {error}") from None
        try:
            return cls.from_dict(values)
        except (InputError, CheckpointError, TypeError) as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """From plain values, as in TOML."""
        return _read(cls, values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values; `from_dict` of them is the same configuration."""
        values = asdict(self)
        return values | {name: list(value) for name, value in values.items() if isinstance(value, tuple)}


def _read(record: type, values: dict[str, Any]) -> Any:
    """A record of plain values; raises InputError naming a field that is unknown, missing or of another type."""
    known = {f.name: f for f in fields(record)}
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"unknown field {unknown[0]!r}; known are {', '.join(known)}")
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise InputError(f"field {name!r} is missing")
    return record(**{name: _checked(name, value, known[name].type) for name, value in values.items()})


def _checked(name: str, value: Any, kind: Any) -> Any:
    """A plain value as the type of its field, whole numbers standing for floats; raises InputError naming the field."""
    if isinstance(kind, GenericAlias):
        of = get_args(kind)
        if not isinstance(value, list | tuple):
            what = f"list of tables: [[{name}]]" if of[0] is DataConfig else f"list, not {value!r}"
            raise InputError(f"field {name!r} must be a {what}")
        if Ellipsis not in of and len(value) != len(of):
            raise InputError(f"field {name!r} must have {len(of)} values, not {len(value)}")
        return tuple(_checked(name, item, of[0]) for item in value)
    if kind is ModelConfig and isinstance(value, str):
        if value not in PRESETS:
            raise InputError(f"model {value!r} is none of {', '.join(PRESETS)}")
        return PRESETS[value]
    if kind is ModelConfig and isinstance(value, dict):
        return ModelConfig.from_dict({**PRESETS["M"].to_dict(), **value})
    if kind is DataConfig and isinstance(value, dict):
        try:
            return _read(DataConfig, value)
        except InputError as error:
            raise InputError(f"field {name!r}: {error}") from None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        what = {ModelConfig: "a preset's name or a table", DataConfig: "a table"}.get(kind, f"of type {kind.__name__}")
        raise InputError(f"field {name!r} must be {what}, not {value!r}")
    return value
