"""Do draws given references belong with them? Share of draws that have their ring systems, with references and without.

python -m benchmarks.manner --data qm9=data/qm9.parquet

The references are molecules of a set of ring systems that no training saw.
"""

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.across import clusters_of, held_out_of
from benchmarks.record import RESULTS, record, share
from molscore.screening.checks import SURPLUS, Candidate
from molscore.screening.generate import Request, generate
from molscore.screening.ring_systems import signature

RESULT = RESULTS / "across" / "3_draws.json"
COLUMNS = ["distribution", "sets of ring systems", "references", "draws of theirs % given them", "without",
           "different %", "not in the training data %", "drawn for each that passed", "CPU s a molecule"]  # fmt: skip
REFERENCES = 10


def passed(candidates: list[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.passed]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="organic")
    parser.add_argument("--data", nargs="+", required=True, help="DISTRIBUTION=FILE, with a split held_out")
    parser.add_argument("-n", type=int, default=8, help="sets of ring systems")
    parser.add_argument("--draws", type=int, default=12, help="for each")
    options = parser.parse_args()
    rows: list[list[Any]] = []
    for distribution, model, held_out in held_out_of(options.data, options.model):
        clusters = clusters_of(held_out, "ring_systems", options.n)
        plain = [signature(c.mol) for c in passed(generate(model, Request(options.n * options.draws)))]
        theirs, without, novel, drawn, seconds, names = [], [], [], 0, 0.0, []
        for seed, cluster in enumerate(clusters):
            references = cluster.references[:REFERENCES]
            name = model.signatures(references[:1])[0]
            began = time.process_time()
            found = generate(model.given(references), Request(options.draws, seed), progress=True)
            seconds += time.process_time() - began
            kept = passed(found)
            theirs += [signature(c.mol) == name for c in kept]
            without += [other == name for other in plain]
            novel += [c.novel for c in kept if c.novel is not None]
            names += [c.smiles for c in kept]
            drawn += sum(c.verdict.check != SURPLUS for c in found)
            print(name, f"{sum(theirs)}/{len(theirs)}", [c.smiles for c in kept], flush=True)
        rows.append([
            distribution, len(clusters), REFERENCES, share(theirs), share(without),
            f"{100 * len(set(names)) / len(names):.0f}", f"{100 * np.mean(novel):.0f}" if novel else None,
            f"{drawn / len(names):.2f}", f"{seconds / len(names):.1f}",
        ])  # fmt: skip
    command = f"python -m benchmarks.manner --data DISTRIBUTION=FILE -n {options.n} --draws {options.draws}"
    note = (
        f"{options.draws} molecules that passed all checks for each set of ring systems, none of which any "
        f"training saw, at the default settings; brackets are 95 % intervals. Weights sha256 {model.weights[:12]}."
    )
    record(RESULT, "Do draws given references have their ring systems?", COLUMNS, rows, command, note)


if __name__ == "__main__":
    main()
