"""The hyperparameters of the network, as one record with named sizes."""

from dataclasses import asdict, dataclass, fields

from molscore.errors import CheckpointError, InputError

__all__ = ["PRESETS", "ModelConfig"]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the tokenizer, the backbone and the heads."""

    dim: int = 128  # scalar channels of a token
    vectors: int = 32  # vector (1o) channels of a token
    heads: int = 8  # attention heads
    coarse_blocks: int = 3  # blocks that read the noisy geometry
    fine_blocks: int = 3  # blocks that read the geometry the coarse ones denoised
    pair_dim: int = 64  # channels of a pair of atoms
    basis: int = 32  # radial functions of a distance in Å; half as many of the noise-scaled distance
    l_max: int = 3  # highest spherical harmonic of the tokenizer
    ratio: int = 4  # width of the feed-forward layer over `dim`

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or value < 1:
                raise InputError(f"model config: {name} must be a positive whole number, not {value!r}")
        if self.dim % self.heads or self.vectors % self.heads or self.l_max < 2:
            raise InputError("model config: heads must divide dim and vectors, and l_max must be at least 2")

    @classmethod
    def from_dict(cls, values: dict[str, int]) -> "ModelConfig":
        """Rebuild from JSON; raises CheckpointError on a field that is unknown or missing."""
        names = {f.name for f in fields(cls)}
        if set(values) != names:
            odd = sorted(set(values) ^ names)
            raise CheckpointError(f"model config: unknown or missing fields {odd}; was it made by another version?")
        return cls(**values)

    def to_dict(self) -> dict[str, int]:
        """JSON-able fields."""
        return asdict(self)


PRESETS = {
    "S": ModelConfig(dim=96, vectors=24, heads=6, coarse_blocks=2, fine_blocks=3, pair_dim=48),
    "M": ModelConfig(),
    "L": ModelConfig(dim=192, vectors=48, heads=8, coarse_blocks=3, fine_blocks=4),
}
