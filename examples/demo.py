"""The whole product in one script: draw molecules, check, filter and rank them, write them and show them.

`make demo` runs it. It writes `report.html`, a page to look at, and `candidates.sdf`, `candidates.csv` and `grid.png`.
"""

import argparse
import sys
import time
from pathlib import Path

import molscore
from molscore.reporting.outputs import write_all
from molscore.screening.checks import Candidate, candidate_rows, candidate_summary, value_of
from molscore.screening.generate import Request, generate
from molscore.screening.sample import Sampling

SHOWN = 20


def table(candidates: list[Candidate]) -> str:
    """The first candidates, one a line."""
    by = candidates[0].by if candidates else "order"
    lines = [f"{'rank':>4} {by:>21} {'log p':>8}  {'new':3}  {'formula':10} SMILES"]
    for rank, c in enumerate(candidates, start=1):
        value, log_likelihood = value_of(c)
        novel = "?" if c.novel is None else "yes" if c.novel else "no"
        lines.append(f"{rank:>4} {value:>21.3f} {log_likelihood:>8.1f}  {novel:3}  {c.formula:10} {c.smiles}")
    return "\n".join(lines)


def main() -> None:
    """Generate, judge, write, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9", help="a bundled model's name, or a model folder")
    parser.add_argument("-n", type=int, default=96, help="molecules to get")
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--out", type=Path, default=Path("demo"))
    options = parser.parse_args()

    started = time.monotonic()
    model = molscore.load(options.model)
    drawn = generate(model, Request(options.n, sampling=Sampling(steps=options.steps)), progress=True)
    kept = [candidate for candidate in drawn if candidate.passed]
    print(f"{model}: {candidate_summary(drawn)}, in {time.monotonic() - started:.0f} s\n")
    print(f"All {len(drawn)} drawn, before any filter, by EDM's metrics:\n{molscore.evaluate(drawn).to_text()}\n")
    print(table(kept[:SHOWN]))

    options.out.mkdir(parents=True, exist_ok=True)
    source = model.provenance("examples/demo.py", seed=0, resolution=0.05)
    names = ("candidates.sdf", "candidates.csv", "grid.png", "report.html")
    write_all([str(options.out / name) for name in names], candidate_rows(drawn), source, model)
    written = sorted(path.name for path in options.out.iterdir() if path.name != "report.html")
    print(f"\nwritten to {options.out}: {', '.join(written)}")
    if kept:
        print(f"to look at, in any browser, without a network: {(options.out / 'report.html').resolve().as_uri()}")


if __name__ == "__main__":
    try:
        main()
    except molscore.MolscoreError as error:
        sys.exit(f"demo: {error}")
