"""The command `molscore`: parse, call, print."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from molscore import __version__, program
from molscore.errors import InputError
from molscore.molecules.suffixes import OUTPUTS
from molscore.screening.columns import ORDERS

__all__ = ["main"]


@click.group(cls=program.Program, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="molscore")
def main() -> None:
    """Generate, rank and filter molecules with one network that gives score and log-density."""


@main.command()
@click.option("-n", type=int, required=True, help="Molecules to get: more are drawn until as many have passed.")
@click.option("--formula", default=None, help="Draw molecules of this formula only, such as C7H10O2.")
@click.option("--n-atoms", type=int, default=None, help="Draw molecules of this size only, hydrogens included.")
@click.option(
    "--keep-atoms",
    metavar="FRAGMENT",
    help="File .sdf, .mol or .xyz whose atoms stay where they are while the rest is drawn around them; or a SMILES "
    "string, with * where it is to grow, without one anywhere. Its bonds may change. Several molecules are linked.",
)
@click.option(
    "--guide",
    metavar="NAME[=GOAL]",
    help="qed, logp, tpsa or gyration (Å): as much as can be, or near a goal; shape=REFERENCE (file or SMILES): in its "
    "shape. likelihood_cost: nats by which a draw is less likely than the median of real molecules of its size.",
)
@click.option("--guide-strength", type=float, default=3.0, help="nats that a common deviation of it is worth.")
@click.option(
    "--steps",
    type=int,
    default=48,
    help="Network evaluations a molecule, without what is sent back; a guide needs 25 and takes four times as many.",
)
@click.option(
    "--sampler", type=click.Choice(["sde", "ode"]), default="sde", help="ode: the probability flow, without new noise."
)
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    help="Of the sampler's noise, 0 to 1. Below 1 more molecules are stable and fewer are like the data: "
    "at 0.6 half of the aromatic rings, a third of the rotatable bonds, three times the bridgeheads.",
)
@click.option("--guidance", type=float, default=2.0, help="Away from the network's own coarse guess, 0 to 10.")
@click.option(
    "--retries", type=int, default=8, help="How often what has no bonds that fit half-way is sent back; 0 for never."
)
@click.option("--min-percentile", type=float, default=1.0, help="Turn down what is less likely; 0 for nothing.")
@click.option("--keep", type=float, default=1.0, help="Share, best first, of those that pass the checks.")
@click.option(
    "--by",
    type=click.Choice(ORDERS),
    default=None,
    help="What best means; unless given, the order is by percentile, with --like by log_ratio, else with --keep-atoms "
    "by log_likelihood, and what is kept is chosen by density_excess.",
)
@click.option("--novel", is_flag=True, help="Turn down known molecules: for qm9, all of QM9; `info` says of how many.")
@click.option("--smarts", default=None, help="Turn down molecules without this pattern.")
@click.option("--all", "rejected", is_flag=True, help="Write the other draws as well, each with its verdict.")
@click.option("--seed", type=int, default=0)
@program.like
@program.resolution
@program.outputs
@program.loads_a_model
@click.pass_context
def generate(
    context: click.Context,
    load: Callable[[], Any],
    like: str | None,
    outputs: tuple[str, ...],
    rejected: bool,
    guide: str | None,
    guide_strength: float,
    **wish: Any,
) -> int:
    """Draw molecules, check, filter and rank them, and write N that pass, best first.

    With --like they are drawn in the manner of the references: formulas and positions both.

    The exit code is 1 where fewer than N were found.
    """
    program.start("bonds")
    from molscore.reporting.outputs import check_outputs, write_all, written_to
    from molscore.screening import generate as drawing
    from molscore.screening.checks import candidate_rows, candidate_summary
    from molscore.screening.guidance import guide_of

    check_outputs(outputs)
    if guide is None and context.get_parameter_source("guide_strength") is not ParameterSource.DEFAULT:
        raise InputError("--guide-strength is of a guide: name one (--guide)")
    request = drawing.Request.of(guide=None if guide is None else guide_of(guide, guide_strength), **wish)
    loaded = load() if like is None else load().given(like)
    source = loaded.provenance(program.command_line(context), request.seed, request.resolution)
    found = []

    def rows() -> Iterator[Any]:
        """Drawn when the output is open."""
        found.extend(drawing.generate(loaded, request, progress=True))
        yield from candidate_rows(found, rejected)

    written = write_all(outputs, rows(), source, loaded)
    missing = request.n - sum(candidate.passed for candidate in found)
    short = f"; the search was given up {missing} short of {request.n}" if missing else ""
    summary = candidate_summary(found, loaded.training_index)
    program.say(f"{summary}{short}; {written_to(outputs, written)}")
    return int(missing > 0)


@main.command()
@click.argument("library")
@program.smiles_column
@click.option(
    "--by",
    type=click.Choice(ORDERS),
    default=None,
    help="What the order is by; unless given, the best that the model has tables for.",
)
@click.option("--sort", is_flag=True, help="Best first; without it rows stay where they are.")
@click.option("--seed", type=int, default=0, help="Of geometries for rows that have none.")
@click.option("--workers", type=int, default=None, help="Processes for such geometries; one a core by default.")
@click.option("--conformers", type=int, default=1, help="Of each such row, put together by log-mean-exp.")
@click.option(
    "--geometry",
    default="auto",
    help="Kind of given geometries, dft or mmff: percentiles compare like with like. auto: mmff for those that rank "
    "made and for minima of that force field, the data's own for all others.",
)
@click.option("--smarts", default=None, help="Judge only molecules with this pattern; the others say so.")
@click.option("--resume", is_flag=True, help="Carry on with a run that was cut short.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help="ray: on a cluster, or all cores.")
@click.option("--shard", default="1/1", help="i/n: judge the i-th of n shares, into the folder of -o; see merge, top.")
@program.like
@program.resolution
@program.outputs
@program.loads_a_model
@click.pass_context
def rank(
    context: click.Context,
    library: str,
    load: Callable[[], Any],
    outputs: tuple[str, ...],
    smiles_column: str | None,
    sort: bool,
    resume: bool,
    shard: str,
    workers: int | None,
    engine: str,
    **judging: Any,
) -> None:
    """Judge each row of LIBRARY (.smi .csv[.gz] .tsv .sdf[.gz] .xyz .parquet, - for stdin) and write all of them.

    Memory stays bounded: rows are judged part by part, kept in OUTPUT.parts until OUTPUT is written. OUTPUT may be a
    folder, with a slash at its end, which then keeps the parts. With --like the order is log_ratio: by how many nats
    a row is likelier among the references than in general.
    """
    if not library.lower().removesuffix(".gz").endswith((".sdf", ".xyz", ".parquet")):  # which have geometries
        program.start("conformers")
    program.import_to_judge()
    from molscore.reporting.outputs import streamed
    from molscore.screening.rank.parts import Shard
    from molscore.screening.rank.ray import judge_with_ray
    from molscore.screening.rank.run import Job, Plan, judge_locally, run
    from molscore.screening.scorer import Scorer

    judge = {"local": judge_locally, "ray": judge_with_ray}[engine]
    with streamed(outputs) as output:
        plan = Plan(output.path, output.beside, sort, resume, Shard.parse(shard), workers, progress=True, engine=judge)
        with program.resumable(resume and library != "-", plan.parts, "part-*.parquet"):
            scorer = Scorer(load(), **judging)
            source = scorer.model.provenance(program.command_line(context), scorer.seed, scorer.resolution)
            found = run(Job(scorer, library, smiles_column, plan.keeps_shapes), plan, source)
        output.finish(source, scorer.model)
    program.say(*found.lines(scorer.by, scorer.resolution, scorer.tells_kinds))


@main.command()
@click.argument("molecules")
@click.option(
    "--reference",
    default=None,
    help="Real molecules with positions, a file or a data set of `molscore data` (its training split): what is novel, "
    "and what is faithful to them.",
)
@click.option("--strain", "mmff", is_flag=True, help="Also the strain of each molecule by MMFF94s, kcal/mol.")
@click.option("--xtb", is_flag=True, help="Also by GFN2-xTB, seconds each, where tblite is installed.")
@click.option("--poses", is_flag=True, help="Also PoseBusters' tests of each molecule, where that is installed.")
@click.option("--workers", type=int, default=1, help="Processes for these.")
@click.option(
    "-o", "--output", "outputs", multiple=True,
    help=f"Each molecule with its numbers, by suffix {OUTPUTS}; may be repeated.",
)  # fmt: skip
@program.as_json
def evaluate(
    molecules: str, reference: str | None, workers: int, outputs: tuple[str, ...], as_json: bool, **checks: bool
) -> None:
    """Stability, validity, uniqueness, novelty and connectivity of MOLECULES with geometries, as EDM defines them.

    EDM's valid and connected are not those of generate, which asks more: the columns are edm_valid and edm_connected.

    With --reference also whether they look like real ones: aromatic rings, cages, bonds that need charges, beside what
    two random halves of the reference differ by.
    """
    from molscore.evaluation.run import evaluate_file
    from molscore.reporting.outputs import check_outputs, write_all, written_to

    check_outputs(outputs, molecules)
    found = evaluate_file(molecules, reference, workers, **checks)
    for line in found.left_out_lines():
        program.say(line)
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else found.to_text())
    if outputs:
        program.say(written_to(outputs, write_all(outputs, found.rows())))


@main.command()
@click.argument("file")
@click.option(
    "-o", "--output", "outputs", multiple=True, default=("report.html",),
    help=f"Page, pictures or the same rows as a file, by suffix {OUTPUTS}; may be repeated.",
)  # fmt: skip
@program.smiles_column
@click.option("--smarts", default=None, help="Show only molecules with this pattern.")
@click.option("-n", "most", type=int, default=2000, help="Rows that are shown at most, the first ones.")
@click.option("--title", default=None, help="Of the page; the name of FILE unless given.")
@program.resolution
@program.loads_a_model
def report(file: str, outputs: tuple[str, ...], load: Callable[[], Any], **options: Any) -> None:
    """A page to look at the molecules of FILE, anything that generate, rank and evaluate write, any SDF, any library.

    A table that sorts and filters, a map by any two numbers, and each molecule in 3D, its atoms coloured by what they
    contribute to the likelihood. One file that needs no network.
    """
    from molscore.molecules.files.record import counted
    from molscore.reporting.outputs import check_outputs, write_report
    from molscore.reporting.report import report as make

    check_outputs(outputs, file)
    found = make(file, load(), **options)
    write_report(outputs, found)
    if found.misread:
        program.say(found.misread)
    program.say(f"{counted(len(found), 'molecule')} in {', '.join(outputs)}")


@main.command()
@click.argument("source")
@click.option("-o", "--output", default=None, help="Parquet file; data/SOURCE.parquet unless given.")
@program.smiles_column
@click.option("--split", type=click.Choice(["molecule", "scaffold"]), default="molecule", help="qm9 has that of EDM.")
@click.option("--hold-out", type=float, default=0.0, help="Share to keep from training: ring systems and formulas.")
@click.option("--seed", type=int, default=0, help="Of geometries, of the split and of what is held out.")
@click.option("--workers", type=int, default=None, help="Processes for geometries; one a core by default.")
@click.option("--resume", is_flag=True, help="Carry on with a FILE that was cut short.")
def data(source: str, output: str | None, split: str, hold_out: float, seed: int, **options: Any) -> None:
    """Make a data set to train on: of qm9, of ligands (the PDB's), or of a FILE that rank reads.

    Geometries that FILE lacks are made (ETKDGv3, MMFF94s). Rows that are left out are listed beside OUTPUT with the
    reason: molecules are neutral, closed-shell, in one piece, of 2 to 64 atoms.
    """
    from molscore.datasets import from_file, ligands, qm9
    from molscore.datasets.assembly import summary
    from molscore.datasets.splits import Splitting

    output = output or f"data/{Path(source).name.partition('.')[0]}.parquet"
    if not output.endswith(".parquet"):
        raise InputError(f"{output}: a data set is a .parquet file")
    splitting = Splitting(split, hold_out, seed)
    if Path(output).exists():
        program.say(f"{output} is there already: it is replaced once the new data set is whole")
    if source == "qm9":
        molecules = qm9.build(output, hold_out, seed)
    elif source == "ligands":
        molecules = ligands.build(output, splitting)
    else:
        with program.resumable(options["resume"] and source != "-", f"{output}.parts", "part-*.parquet"):
            molecules = from_file.build(source, output, splitting=splitting, **options)
    program.say(summary(output, molecules))


@main.command()
@click.argument("config")
@click.option("--resume", is_flag=True, help="Carry on from the last saved state.")
def train(config: str, resume: bool) -> None:
    """Train a model as CONFIG (TOML) says, and give it reference percentiles and the list of its data set."""
    from molscore.training.config import TrainConfig
    from molscore.training.run import run

    settings = TrainConfig.from_toml(config)
    with program.resumable(resume, settings.out, "state.pt"):
        saved = run(settings, resume)
    if saved is not None:
        program.say(f"saved {saved}")


@main.command()
@click.argument("library")
@click.option("--base", default="qm9", help="A bundled model's name, or a model folder.")
@click.option("--distribution", default=None, help="What the library is called; the name of its file by default.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=10.0, help="Of learning, at most.")
@program.smiles_column
@click.option("--seed", type=int, default=0, help="Of geometries, of what is held out, and of the noise.")
@click.option("--workers", type=int, default=None, help="Processes for geometries; one a core by default.")
@click.option("--resume", is_flag=True, help="Carry on with a run that was cut short.")
@program.device
@click.option("-o", "--output", required=True, help="Folder of the adapter.")
def adapt(library: str, base: str, device: str, output: str, **options: Any) -> None:
    """Adapt a base to LIBRARY: a token and low-rank factors in every block, beside a base that stays as it is.

    The folder holds these, the library's statistics, percentiles and list of molecules, and names the base by hash; it
    is a model folder for every command. A tenth of LIBRARY, of 20 molecules or more, is held out to stop by. Geometries
    that it lacks are made.
    """
    from molscore.training.adapt import adapt_to_file

    output = output.rstrip("/")
    with program.resumable(options["resume"], f"{output}.parts", "*"):
        said = adapt_to_file(base, library, output, device=device, **options)
    program.say(*said)


@main.command()
@click.option("--molecules", "-n", type=int, help="Held-out molecules of each part.  [default: what the part takes]")
@click.option("--paths", type=int, default=16, help="Paths of the probability flow; 1: one, with exact traces.")
@click.option(
    "--data",
    help="Test split of this data set (Parquet), or all of it where it has none.  [default: data/DISTRIBUTION.parquet]",
)
@click.option("--part", "only", multiple=True, help="This part alone, such as time_score; may be repeated.")
@click.option("--share", default="1/1", help="i/n: this process does the i-th of n shares of the part flow.")
@click.option("--seed", type=int, default=0)
@click.option("-o", "--output", default="audit", help="Folder of audit.json and pictures; an interrupted flow resumes.")
@program.resolution
@program.loads_a_model
def audit(load: Callable[[], Any], data: str | None, output: str, **options: Any) -> None:
    """Is the model's log-density true? Every figure with its bound, printed and saved."""
    from molscore.audit import Options, run

    paths = {"data": None if data is None else Path(data), "output": Path(output)}
    found, written = run(load(), Options(**paths, **options))
    click.echo(found.to_text())
    program.say(written)


@main.command()
@click.argument("molecule")
@click.option("-o", "--output", default=None, help="Picture, .svg or .png: red atoms make the molecule unlikely.")
@program.like
@program.resolution
@program.as_json
@program.loads_a_model
def explain(
    molecule: str, output: str | None, like: str | None, resolution: float, load: Callable[[], Any], as_json: bool
) -> None:
    """Which atoms make MOLECULE, a SMILES string or the first of a file, unlikely beside what is expected of them.

    What is missing is what is expected less the atom's share, in nats: below zero, the atom is likelier than most.
    With --like: what speaks for its belonging to the references, and what against, whatever the resolution.
    """
    from molscore.molecules.convert import first_of
    from molscore.screening.explain import check_picture, explain_like
    from molscore.screening.explain import explain as judge

    if output is not None:
        check_picture(output)
    model, given = load(), first_of(molecule)
    found = judge(model, given, resolution) if like is None else explain_like(model.given(like), given)
    click.echo(json.dumps(found.rows(), indent=1) if as_json else found.to_text())
    if output is not None:
        found.draw(output)


@main.command()
@program.model
@program.distribution
@program.as_json
def info(model: str, distribution: str | None, as_json: bool) -> None:
    """Facts about a model: parameters, elements, sizes, training data, figures, resolutions."""
    from molscore.screening.info import facts, to_text

    found = facts(model, distribution)
    click.echo(json.dumps(found, indent=1) if as_json else to_text(found))


@main.command()
@program.folders
@click.option("--sort", is_flag=True, help="Best first; without it, in the order of the input.")
@program.by_column
@program.output
def merge(folders: tuple[str, ...], sort: bool, by: str | None, output: str) -> None:
    """All rows of the parts in FOLDERS, those of the shards of one job, as one file."""
    from molscore.screening.rank.merge import merged

    program.say(*merged([Path(folder) for folder in folders], output, by, sort))


@main.command()
@program.folders
@click.option("-n", type=click.IntRange(min=1), default=100, help="How many.")
@program.by_column
@program.output
def top(folders: tuple[str, ...], n: int, by: str | None, output: str) -> None:
    """The best n rows of the parts in FOLDERS, those of the shards of one job, each molecule once."""
    from molscore.screening.rank.merge import merged

    program.say(*merged([Path(folder) for folder in folders], output, by, n=n))


@main.command()
@click.option(
    "--by",
    type=click.Choice(["percentile", "log_likelihood", "log_density", "log_ratio"]),
    help="The predictions; log_ratio with --like, percentile where the model has it, else log_likelihood.",
)
@click.option("--time-limit", type=float, default=30.0, help="Seconds for the geometries of a molecule.")
@program.seed
@program.conformers
@program.workers
@program.like
@program.resolution
@program.loads_a_model
def reinvent(
    load: Callable[[], Any], by: str | None, workers: int | None, like: str | None, resolution: float, **options: Any
) -> None:
    """Judge SMILES from standard input for REINVENT4's ExternalProcess: one JSON object, NaN where there is none."""
    with redirect_stdout(sys.stderr):  # standard output is for the answer alone
        program.start("conformers")
        program.import_to_judge()
        from molscore.integrations.reinvent import answer_process, judge_lines
        from molscore.screening.criteria import choose_order
        from molscore.screening.scorer import Scorer

        loaded = load()
        wanted = choose_order(loaded, by, resolution, like is not None)
        scorer = Scorer(loaded, resolution, "log_likelihood", like=like, **options)
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
        answer = answer_process(judge_lines(scorer, text, workers), wanted)
    click.echo(answer)


@main.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on; this machine alone by default.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 is any free one.")
@click.option("--rows", type=int, default=512, help="Molecules to judge in a request, at most.")
@click.option("--generated", type=int, default=64, help="Molecules to draw in a request, at most.")
@click.option("--seconds", type=float, default=60.0, help="For a request, at most.")
@click.option("--body-bytes", type=int, default=2_000_000, help="Of a request, at most.")
@program.seed
@program.conformers
@program.workers
@program.like
@program.resolution
@program.loads_a_model
def serve(
    load: Callable[[], Any],
    host: str,
    port: int,
    seed: int,
    conformers: int,
    workers: int | None,
    like: str | None,
    resolution: float,
    **limits: float,
) -> None:
    """Answer over HTTP: POST /log-likelihood, /generate, /reinvent; GET /info, /health and the API, /openapi.json."""
    try:
        from molscore.integrations.server.app import serve as run
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is missing: pip install 'molscore-discoformer[serve]'") from None
    from molscore.integrations.server.service import Limits, Service
    from molscore.molecules.workers import cores

    service = Service(load(), Limits(**limits), resolution, seed, workers or cores(), conformers, like)
    run(service, host, port, program.say)
