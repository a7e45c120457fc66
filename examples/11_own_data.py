"""A model of one's own: a library becomes a data set, and the data set trains a model."""

from pathlib import Path

from molscore.cli import main

HERE = Path(__file__).resolve().parent


def molscore(*arguments: object) -> None:
    """One command line, such as ``molscore data library.sdf``."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as done:
        if done.code:
            raise


library = HERE.parent / "data" / "sample.sdf"
molscore("data", library, "-o", "own.parquet")
molscore("train", HERE / "own_data.toml")  # reads own.parquet, writes own/model
molscore("info", "--model", "own/model")
