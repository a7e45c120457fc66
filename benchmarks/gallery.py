"""Draw the README's picture: what the shipped model gives when asked for molecules of each distribution, unpicked."""

from pathlib import Path

import molscore
from molscore.molecules.drawing import draw_grid

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "gallery.svg"
DISTRIBUTIONS = ("qm9", "leads", "ligands")
EACH, SEED = 4, 0


def main() -> None:
    """One row of the picture for each distribution, best first; the numbers go to standard output too."""
    drawn, legends = [], []
    for name in DISTRIBUTIONS:
        for candidate in molscore.load(name).generate(EACH, SEED):
            drawn.append(candidate)
            place = "outside" if candidate.percentile is None else f"percentile {candidate.percentile:.0f}"
            legends.append(f"{name}  {candidate.formula}\n{place}")
            print(name, candidate.formula, place, f"{candidate.log_likelihood:.1f} nats", candidate.smiles, flush=True)
    draw_grid(drawn, legends, PICTURE, per_row=EACH)


if __name__ == "__main__":
    main()
