"""How much faster are molecules drawn than by a network of EDM's size and number of steps? Side by side, in turns."""

import argparse
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from tqdm import tqdm

from benchmarks.egnn import EGNN, INPUTS
from benchmarks.machine import describe
from molscore.diffusion.gaussian import centred_noise
from molscore.molecules.atomic import write_text
from molscore.molecules.batch import size_groups
from molscore.screening.cores import side_by_side
from molscore.screening.draw import draw_formulas, draw_positions
from molscore.screening.model import Model, load
from molscore.screening.passes import BATCH

__all__ = ["Round", "result_of"]

RESULT = Path(__file__).parent / "results" / "generation" / "edm_speed.json"
COLUMNS = ["network", "parameters", "evaluations a molecule", "s for one evaluation of one molecule", "molecules/s"]
BOUND = 100


class Round(NamedTuple):
    """Seconds a molecule, of the same sizes and in turns."""

    ours: float  # all evaluations, from noise to positions
    egnn: float  # one evaluation

    def ratio(self, edm_steps: int) -> float:
        """How many times faster ours draws."""
        return edm_steps * self.egnn / self.ours


def ours(model: Model, counts: NDArray[np.int64], seed: int, steps: int) -> float:
    """Seconds a molecule, from noise to positions."""
    started = time.perf_counter()
    draw_positions(model, counts, seed, steps, "langevin", temperature=0.6, guidance=4.0)
    return (time.perf_counter() - started) / len(counts)


def egnn(network: EGNN, sizes: NDArray[np.int64], generator: torch.Generator, evaluations: int) -> float:
    """Seconds a molecule for one evaluation, in the batches that ours has and side by side as they are."""
    inputs = []
    for rows in size_groups(sizes, BATCH):
        members = torch.from_numpy(sizes[rows])
        mask = torch.arange(int(members.max())) < members[:, None]
        inputs.append((2 * centred_noise(mask, generator), torch.rand(*mask.shape, INPUTS, generator=generator), mask))

    def work(given: tuple[Tensor, Tensor, Tensor]) -> None:
        for _ in range(evaluations):
            network(*given)

    started = time.perf_counter()
    for _ in side_by_side(work, inputs, torch.device("cpu")):
        pass
    return (time.perf_counter() - started) / (evaluations * len(sizes))


def result_of(rounds: list[Round], steps: int, edm_steps: int, parameters: tuple[int, int], words: dict) -> dict:
    """The table so far; the interval of the ratio is Student's, of the rounds' logarithms."""
    mine, theirs = (np.exp(np.mean(np.log([r[k] for r in rounds]))) for k in (0, 1))
    logs = np.log([r.ratio(edm_steps) for r in rounds])
    ratio, half = f"{math.exp(logs.mean()):.0f}", 0.0
    if len(logs) > 1:
        half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
        ratio += f" [{math.exp(logs.mean() - half):.0f}, {math.exp(logs.mean() + half):.0f}]"
    rows = [
        ["this model", f"{parameters[0] / 1e6:.1f} M", steps, f"{mine / steps:.2g}", f"{1 / mine:.2g}"],
        ["EDM's EGNN", f"{parameters[1] / 1e6:.1f} M", edm_steps, f"{theirs:.2g}", f"{1 / (edm_steps * theirs):.2g}"],
        ["times faster", None, None, None, ratio],
    ]  # fmt: skip
    held = "is kept" if math.exp(logs.mean() - half) >= BOUND else "is not kept by the interval's lower end"
    note = (
        f"{words['n']} molecules a round, {len(rounds)} round(s) of both in turns, sizes from QM9's p(N), batches of "
        f"{BATCH} of like size for both, a core each, float32. The bound of {BOUND} times {held}. Brackets: 95 % "
        f"interval over rounds. Ours: all {steps} evaluations, noise to positions. The EGNN, of random weights: "
        f"{words['evaluations']} evaluations a round, multiplied up to {edm_steps}; its sampler's own arithmetic is "
        "left out, and so is EDM's padding of all molecules to 29 atoms. It is computed as published: with the first "
        "layer over each pair split into one over atoms it would do about a third of the multiplications, and the "
        f"ratio could fall as far. Weights sha256 {words['weights']}."
    )
    return {
        "title": "Speed: molecules per second beside a network of EDM's size and number of steps",
        "columns": COLUMNS,
        "rows": rows,
        "machine": {**describe(), "threads": torch.get_num_threads()},
        "command": words["command"],
        "note": note,
    }


def main() -> None:
    """Measure in turns, print and record after every round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qm9")
    parser.add_argument("-n", type=int, default=4 * BATCH, help="molecules a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=50, help="our evaluations")
    parser.add_argument("--edm-steps", type=int, default=1000)
    parser.add_argument("--evaluations", type=int, default=3, help="of the EGNN, measured a round")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    model, network = load(options.model), EGNN().eval()
    parameters = tuple(sum(p.numel() for p in net.parameters()) for net in (model.network, network))
    words = {
        "n": options.n, "evaluations": options.evaluations, "weights": model.weights[:12],
        "command": f"python -m benchmarks.edm_speed -n {options.n} --rounds {options.rounds} "
        f"--steps {options.steps} --evaluations {options.evaluations}",
    }  # fmt: skip
    options.output.parent.mkdir(parents=True, exist_ok=True)
    rounds: list[Round] = []
    generator = torch.Generator().manual_seed(0)
    draw_positions(model, draw_formulas(model, 2, 0, None, None), 0, 1, "langevin")  # both are warm before the clock
    egnn(network, np.array([5, 6]), generator, 1)
    for seed in tqdm(range(options.rounds), desc="rounds"):
        counts = draw_formulas(model, options.n, seed, None, None)
        rounds.append(
            Round(
                ours(model, counts, seed, options.steps),
                egnn(network, counts.sum(1), generator, options.evaluations),
            )
        )
        result = result_of(rounds, options.steps, options.edm_steps, parameters, words)
        print(*(" | ".join(str(cell) for cell in row) for row in result["rows"]), sep="\n", flush=True)
        write_text(options.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
