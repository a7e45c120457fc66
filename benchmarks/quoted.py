"""The small tables that the README, the model's card and other pages quote, made of committed results."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["at_least", "at_most", "auroc", "bounds", "draws"]

RESULTS = Path(__file__).resolve().parent / "results"
QM9 = "| QM9 itself, test split | | 99.3 | 95.2 | 97.7 |"
OTHERS = (  # from their papers
    "| EDM ([2022](https://arxiv.org/abs/2203.17003)) | 1,000 | 98.7 | 82.0 | 91.9 |",
    "| GeoLDM ([2023](https://arxiv.org/abs/2305.01140)) | 1,000 | 98.9 | 89.4 | 93.8 |",
    "| VEDA-E ([2025](https://arxiv.org/abs/2511.09568)) | 50 | 99.4 | 93.7 | 98.1 |",
)
#: What a row of the README is called, the column of draws.json and the setting of samplers.json that it is of.
OURS = {
    "**`qm9`, as `generate` draws**: {sent_back} of 100 sent back half-way, nothing filtered": ("default", "default, "),
    "`qm9`, nothing sent back": ("nothing sent back", "retries=0"),
    "`qm9`, temperature 1, no guidance: the density itself": (
        "temperature 1, no guidance, nothing sent back",
        "guidance=0,",
    ),
}
DECOYS = (
    "perturbed by 0.02 Å", "perturbed by 0.05 Å", "one element swapped", "two elements exchanged",
    "one hydrogen removed",
)  # fmt: skip
Row = tuple[str, ...]
ONCE, AGAIN = 47, 23  # evaluations of a draw, and of what is sent back, each time; by default


def _rows(name: str) -> dict[str, dict[str, Any]]:
    """First cell -> column -> cell of a result, the first of rows with the same name."""
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = {}
    for row in result["rows"]:
        found.setdefault(str(row[0]), dict(zip(result["columns"], row, strict=True)))
    return found


def draws() -> str:
    """Stability and validity beside the field's generators."""
    measured, settings = _rows("generation/draws"), _rows("generation/samplers")
    lines = []
    for name, (column, start) in OURS.items():
        n = next(row["evaluations"] for setting, row in settings.items() if setting.startswith(start))
        sent_back = round(100 * (n - ONCE) / AGAIN)
        cells = (measured[what][column] for what in ("atom stability %", "molecule stability %", "valid %"))
        lines.append(f"| {name.format(sent_back=sent_back)} | {n:g} | {' | '.join(cells)} |")
    head = "| molecules | network evaluations | atoms stable % | molecules stable % | valid % |\n|---|---|---|---|---|"
    return "\n".join([head, QM9, *OTHERS, *lines])


def auroc() -> str:
    """How well percentiles tell real molecules from decoys."""
    lines = [f"| {decoy} | {' | '.join(f'{value:.3f}' for value in _aurocs(decoy))} |" for decoy in DECOYS]
    return "\n".join(["| decoys | `qm9` | `leads` |", "|---|---|---|", *lines])


def _aurocs(decoy: str) -> tuple[float, float]:
    """Of `qm9` and of `leads`."""
    qm9, leads = (_rows(f"density/{name}")[decoy]["percentile"] for name in ("decoys", "decoys_leads"))
    return float(qm9.split()[0]), float(leads.split()[0])


def bounds() -> str:
    """What was measured of the density, beside its bounds."""
    rows = [*_decoys(), _symmetric(), _normalised(), _slope(), _time_score(), *_flow()]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["| question | measured | bound | kept |", "|---|---|---|---|", *lines])


def _decoys() -> Iterator[Row]:
    near = _aurocs("perturbed by 0.05 Å")
    what = "`percentile` tells a molecule from the same one perturbed by 0.05 Å (AUROC), `qm9`, `leads`"
    yield what, ", ".join(f"{value:.3f}" for value in near), "0.98", at_least(near, 0.98, ("`qm9`", "`leads`"))
    whats = ("one element swapped; two exchanged; one hydrogen removed, `qm9`", "the same, `leads`")
    for what, values in zip(whats, zip(*map(_aurocs, DECOYS[2:]), strict=True), strict=True):
        kept = at_least(values, 0.95, ("swapped", "exchanged", "removed"))
        yield what, "; ".join(f"{value:.3f}" for value in values), "0.95", kept


def _symmetric() -> Row:
    """A law of the shipped weights: tests/screening/test_shipped.py."""
    return "the number does not change when a symmetric molecule is turned (nats)", "below 0.001", "0.001", "yes"


def _normalised() -> Row:
    row = _rows("density/time_score_2")["0.00793 to 0.021"]
    Z, error = (float(row[column]) for column in ("sum from the Gaussian end, nats", "± nats"))
    what = "Fokker–Planck residual of the density, summed to 0.021 Å: log Ẑ to first order (nats)"
    return what, f"{Z:.1f} ± {error:.1f}", "0.5", at_most(abs(Z) - 2 * error, abs(Z) + 2 * error, 0.5)


def _slope() -> Row:
    R2 = {level: float(row["R² score, −∇U"]) for level, row in _rows("density/heads").items()}
    worst = min((level for level in R2 if float(level) >= 0.1), key=R2.__getitem__)
    values = [R2[level] for level in ("0.05", "0.1", worst)]
    what = f"the slope of the density is the score, R² at 0.05 Å, 0.1 Å and at its worst, {worst} Å"
    return what, ", ".join(f"{value:.3f}" for value in values), "0.99", "yes" if min(values) >= 0.99 else "no"


def _time_score() -> Row:
    z = float(_rows("density")["time score: largest |z| of all noise bins"]["value"])
    return "time score, largest z of ten noise bins", f"{z:.1f}", "3", "yes" if z <= 3 else "no"


def _flow() -> Iterator[Row]:
    found = _rows("density/flow")
    row = found["RMSE less the flow's own error, in squares, nats"]
    value, low, high = (float(row[column]) for column in ("value", "95 % from", "to"))
    what = "one pass beside the probability flow, RMSE less the flow's own error, nats"
    yield what, f"{value:.1f} [{low:.1f}, {high:.1f}]", "2", at_most(low, high, 2)
    faster = float(found["times that one pass is faster"]["value"])
    yield "how many times faster one pass is", f"{faster:.0f}", "300", "yes" if faster >= 300 else "no"


def at_most(low: float, high: float, bound: float) -> str:
    """Whether what lies between low and high keeps an upper bound."""
    return "yes" if high <= bound else "no" if low > bound else "cannot be told"


def at_least(values: Sequence[float], bound: float, names: Sequence[str]) -> str:
    """Which of the values, each with its name, keep a lower bound."""
    kept = [name for name, value in zip(names, values, strict=True) if value >= bound]
    return "yes" if len(kept) == len(names) else f"{' and '.join(kept)} only" if kept else "no"
