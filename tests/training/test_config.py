"""A configuration is read whole, or one line names the field that is wrong."""

import json
from pathlib import Path

import pytest

from molscore.errors import InputError
from molscore.nn.backbone import PRESETS
from molscore.training.config import TrainConfig

GOOD = """
out = "runs/one"
model = "S"
lr = 1
log_normal = [-1, 0.5]
"""
DATA = """
[[data]]
path = "data/qm9.parquet"
[[data]]
path = "data/mine.parquet"
distribution = "leads"
weight = 2
"""


def read(tmp_path: Path, text: str) -> TrainConfig:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return TrainConfig.from_toml(path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD + DATA)
    assert [(data.path, data.name, data.weight) for data in config.data] == [
        ("data/qm9.parquet", "qm9", 1.0),
        ("data/mine.parquet", "leads", 2.0),
    ]
    assert (config.out, config.steps) == ("runs/one", TrainConfig(config.data, "").steps)
    assert config.model == PRESETS["S"]
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert (config.lr, config.log_normal) == (1.0, (-1.0, 0.5))
    config = read(tmp_path, 'out = "o"\n[model]\ndim = 64\nfine_blocks = 2\n' + DATA)
    assert (config.model.dim, config.model.fine_blocks, config.model.heads) == (64, 2, PRESETS["M"].heads)
    with pytest.raises(InputError, match=r"none\.toml"):
        TrainConfig.from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('out = "o"', "'data' is missing"),
        (DATA, "'out' is missing"),
        *(
            (f"{line}\n{GOOD.replace('lr = 1', '')}{DATA}", named)
            for line, named in (
                ("colour = 3", "'colour'"), ("sigma_min = 60.0", "sigma_min"), ("steps = 0", "steps"),
                ('steps = "many"', "'steps'"), ("steps = true", "'steps'"), ('ema = "0.9"', "'ema'"),
                ("bf16 = 1", "'bf16'"), ("init = 3", "'init'"),
            )
        ),
        ('out = "o"\nlog_normal = 3' + DATA, "'log_normal'"),
        ('out = "o"\nmodel = "XXL"' + DATA, "'XXL'"),
        ('out = "o"\n[model]\ndepth = 3' + DATA, "depth"),
        ('out = "o"\n[model]\ndim = "wide"' + DATA, "dim"),
        ('out = "o"\n[model]\nheads = 5' + DATA, "heads"),
        ('out = "o"\n[model]\nl_max = 1' + DATA, "l_max"),
        ('out = "o"\ndata = "qm9.parquet"', "[[data]]"),
        (GOOD + "[[data]]\nweight = 2", "'data'"),
        (GOOD + DATA + "colour = 2", "'data'"),
        (GOOD + DATA + DATA, "'qm9'"),
        ("data = ", "run.toml"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line_that_names_the_field(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert named in message
    assert message.startswith(str(tmp_path / "run.toml"))
    assert "\n" not in message
