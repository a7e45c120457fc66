"""The commands `molscore reinvent` and `molscore serve`."""

import contextlib
import sys

import click

from molscore.errors import InputError

__all__ = ["reinvent", "serve"]

_model = click.option("--model", default="qm9", help="A bundled model's name, or a model folder.")
_distribution = click.option("--distribution", default=None, help="One of the model's; its first by default.")
_resolution = click.option(
    "--resolution", type=float, default=0.05, help="Noise width in Å at which densities are read."
)
_seed = click.option("--seed", type=int, default=0, help="Of geometries for SMILES.")
_conformers = click.option("--conformers", type=int, default=1, help="Of each SMILES, put together by log-mean-exp.")
_workers = click.option("--workers", type=int, default=None, help="Processes for such geometries; one a core.")


@click.command()
@click.option(
    "--by",
    type=click.Choice(["percentile", "log_likelihood", "log_density"]),
    default=None,
    help="The predictions; percentile where the model has it, else log_likelihood.",
)
@click.option("--time-limit", type=float, default=30.0, help="Seconds for the geometries of a molecule.")
@_seed
@_conformers
@_workers
@_resolution
@_model
@_distribution
def reinvent(
    by: str | None,
    time_limit: float,
    seed: int,
    conformers: int,
    workers: int | None,
    resolution: float,
    model: str,
    distribution: str | None,
) -> None:
    """Judge SMILES from standard input for REINVENT4's ExternalProcess: one JSON object, NaN where there is none."""
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for the answer alone
        from molscore.pipelines.reinvent import answer_process, judge_lines
        from molscore.screening.criteria import check_order
        from molscore.screening.model import load
        from molscore.screening.pooled import cores
        from molscore.screening.scorer import Scorer

        loaded = load(model, distribution)
        wanted = by or ("log_likelihood" if loaded.references is None else "percentile")
        check_order(loaded, wanted, resolution)
        scorer = Scorer(loaded, resolution, "log_likelihood", seed, time_limit, conformers)
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
        answer = answer_process(judge_lines(scorer, text, workers or cores()), wanted)
    click.echo(answer)


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on; this machine alone by default.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 is any free one.")
@click.option("--rows", type=int, default=512, help="Molecules to judge in a request, at most.")
@click.option("--generated", type=int, default=64, help="Molecules to draw in a request, at most.")
@click.option("--seconds", type=float, default=60.0, help="For a request, at most.")
@click.option("--body-bytes", type=int, default=2_000_000, help="Of a request, at most.")
@_seed
@_conformers
@_workers
@_resolution
@_model
@_distribution
def serve(
    host: str,
    port: int,
    seed: int,
    conformers: int,
    workers: int | None,
    resolution: float,
    model: str,
    distribution: str | None,
    **limits: float,
) -> None:
    """Answer over HTTP: POST /log-likelihood, /generate, /reinvent; GET /info, /health and the API, /openapi.json."""
    from molscore.pipelines.limits import Limits
    from molscore.pipelines.service import Service
    from molscore.screening.model import load
    from molscore.screening.pooled import cores

    try:
        from molscore.pipelines.server import serve as run
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is missing: pip install 'molscore-discoformer[serve]'") from None
    service = Service(load(model, distribution), Limits(**limits), resolution, seed, workers or cores(), conformers)
    run(service, host, port, lambda text: click.echo(text, err=True))
