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
            legends.append(f"{name}  {candidate.formula}\npercentile {candidate.percentile:.0f}")
            print(f"{name:8} {candidate.formula:14} percentile {candidate.percentile:5.1f}", end="  ")
            print(f"log p {candidate.log_likelihood:7.1f}  {candidate.smiles}", flush=True)
    draw_grid(drawn, legends, PICTURE, per_row=EACH)


if __name__ == "__main__":
    main()
