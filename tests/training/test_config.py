"""A configuration is read whole, or one line names the field that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from molscore.errors import InputError
from molscore.nn.config import PRESETS
from molscore.training.config import TrainConfig

GOOD = """
data = "data/qm9.parquet"
out = "runs/one"
model = "S"
lr = 1
log_normal = [-1, 0.5]
buckets = [18, 24]
"""


def read(tmp_path: Path, text: str) -> TrainConfig:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return TrainConfig.from_toml(path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert (config.data, config.out, config.steps) == ("data/qm9.parquet", "runs/one", TrainConfig("", "").steps)
    assert config.model == PRESETS["S"]
    assert (config.lr, config.log_normal, config.buckets) == (1.0, (-1.0, 0.5), (18, 24))


def test_a_model_table_changes_the_default_sizes(tmp_path: Path) -> None:
    config = read(tmp_path, 'data = "d"\nout = "o"\n[model]\ndim = 64\nfine_blocks = 2\n')
    assert (config.model.dim, config.model.fine_blocks) == (64, 2)
    assert config.model.heads == PRESETS["M"].heads


def test_it_travels_as_json(config: Callable[..., TrainConfig]) -> None:
    settings = config(buckets=(4, 8), lr=0.1)
    assert TrainConfig.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('out = "o"', "'data' is missing"),
        ('data = "d"', "'out' is missing"),
        (GOOD + "colour = 3", "'colour'"),
        (GOOD + "sigma_min = 60.0", "sigma_min"),
        (GOOD + "steps = 0", "steps"),
        (GOOD + 'steps = "many"', "'steps'"),
        (GOOD + "steps = 1.5", "'steps'"),
        (GOOD + "steps = true", "'steps'"),
        (GOOD + 'ema = "0.9"', "'ema'"),
        (GOOD + "compile = 1", "'compile'"),
        (GOOD + "init = 3", "'init'"),
        (GOOD + "density_batch = 999", "density_batch"),
        ('data = "d"\nout = "o"\nlog_normal = 3', "'log_normal'"),
        ('data = "d"\nout = "o"\nlog_normal = [1, 2, 3]', "'log_normal'"),
        ('data = "d"\nout = "o"\nbuckets = ["a"]', "'buckets'"),
        ('data = "d"\nout = "o"\nmodel = "XXL"', "'XXL'"),
        ('data = "d"\nout = "o"\nmodel = 3', "'model'"),
        ('data = "d"\nout = "o"\n[model]\ndepth = 3', "depth"),
        ('data = "d"\nout = "o"\n[model]\ndim = "wide"', "dim"),
        ('data = "d"\nout = "o"\n[model]\nheads = 5', "heads"),
        ('data = "d"\nout = "o"\n[model]\nl_max = 1', "l_max"),
        ("data = ", "run.toml"),
        ("\x00", "run.toml"),
    ],
)
def test_a_bad_file_is_one_line_that_names_the_field(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert named in message
    assert message.startswith(str(tmp_path / "run.toml"))
    assert "\n" not in message


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        TrainConfig.from_toml(tmp_path / "none.toml")
