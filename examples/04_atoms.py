"""Which atoms make a geometry unlikely: pull one bond of ethanol and see the log-density of each atom."""

import sys

import numpy as np

import molscore
from molscore.molecules.conformers import embed

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
relaxed = embed("CCO")[0]
pulled = relaxed.positions.copy()
bond = pulled[2] - pulled[1]  # from the carbon to the oxygen
pulled[2] += 0.15 * bond / np.linalg.norm(bond)
stretched = molscore.Molecule(relaxed.numbers, pulled)
before, after = model.atom_contributions([relaxed, stretched])
for symbol, change in zip(relaxed.symbols, after - before, strict=True):
    print(f"{symbol:2} {change:+8.2f} nats")
print(f"sum {after.sum() - before.sum():+8.2f} nats for 0.15 Å")
