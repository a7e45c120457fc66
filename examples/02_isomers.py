"""Molecules of one formula: draw them, turn down what fails a check, and say why."""

import sys
from collections import Counter

import molscore
from molscore.screening.generate import Request, generate

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
drawn = generate(model, Request(8, seed=1, formula="C4H8O"), progress=True)  # model.generate gives the 8 alone
for candidate in drawn:
    if candidate.passed:
        print(f"{candidate.log_likelihood:8.2f}  {candidate.smiles}")
print(Counter(candidate.verdict.check for candidate in drawn))
