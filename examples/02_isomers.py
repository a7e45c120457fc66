"""Molecules of one formula: draw them, turn down what fails a check, and say why."""

import sys
from collections import Counter

import molscore

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
drawn = model.generate(16, seed=1, formula="C4H8O", steps=50, progress=True)
for candidate in drawn:
    if candidate.passed:
        print(f"{candidate.log_likelihood:8.2f}  {candidate.smiles}")
print(Counter(candidate.verdict.check for candidate in drawn))
