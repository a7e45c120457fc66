"""Sizes of a network travel as plain fields."""

import pytest

from molscore.errors import CheckpointError
from molscore.nn.config import PRESETS, ModelConfig


@pytest.mark.parametrize("name", PRESETS)
def test_presets_travel_and_fit_their_heads(name: str) -> None:
    config = PRESETS[name]
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert config.dim % config.heads == config.vectors % config.heads == 0


@pytest.mark.parametrize("change", [{"colour": 1}, {"dim": None}])
def test_unknown_and_missing_fields_are_named(change: dict) -> None:
    values = ModelConfig().to_dict() | change
    values = {name: value for name, value in values.items() if value is not None}
    with pytest.raises(CheckpointError, match=next(iter(change))):
        ModelConfig.from_dict(values)
