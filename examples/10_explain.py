"""Which atoms make a geometry unlikely: one hydrogen of methyl acetate out of place, found and drawn in red."""

import sys

import numpy as np

import molscore
from molscore.molecules.conformers import embed

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
relaxed = embed("COC(C)=O")[0]
moved = relaxed.positions.copy()
moved[-1] += np.array([0.0, 0.0, 0.25])  # Å

for name, positions in (("relaxed", relaxed.positions), ("moved", moved)):
    molecule = molscore.Molecule(relaxed.numbers, positions, name, relaxed.properties)
    found = molscore.explain(model, molecule, resolution=0.05)
    worst = int(found.missing.argmax())
    print(f"{name:8} {found.shares.sum():7.2f} nats; most is missing at atom {worst}, {relaxed.symbols[worst]}")
    found.draw(f"{name}.svg")
print(found.to_text())
