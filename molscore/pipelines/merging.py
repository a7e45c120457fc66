"""The commands `molscore merge` and `molscore top`, for the parts that shards have made."""

from pathlib import Path

import click

__all__ = ["merge", "top"]

_folders = click.argument("folders", nargs=-1, required=True)
_by = click.option("--by", default=None, help="Column to order by; unless given, what the parts were made for.")
_output = click.option("-o", "--output", default="-", help="File, by suffix .sdf .csv .parquet .xyz .smi; - is CSV.")


@click.command()
@_folders
@click.option("--sort", is_flag=True, help="Best first; without it, in the order of the input.")
@_by
@_output
def merge(folders: tuple[str, ...], sort: bool, by: str | None, output: str) -> None:
    """All rows of the parts in FOLDERS, those of the shards of one job, as one file."""
    from molscore.screening.library.result import merged

    for line in merged([Path(folder) for folder in folders], output, by, sort):
        click.echo(line, err=True)


@click.command()
@_folders
@click.option("-n", type=click.IntRange(min=1), default=100, help="How many.")
@_by
@_output
def top(folders: tuple[str, ...], n: int, by: str | None, output: str) -> None:
    """The best n rows of the parts in FOLDERS, those of the shards of one job, each molecule once."""
    from molscore.screening.library.result import merged

    for line in merged([Path(folder) for folder in folders], output, by, n=n):
        click.echo(line, err=True)
