"""Rows of a library that do not belong: sure ones are references, the others are sorted by `log_ratio`."""

import sys

import molscore

SURE = ["CO", "CCO", "CCCO", "CC(C)O"]
LIBRARY = ["CCCO", "COC", "CC(O)C", "c1cnc[nH]1", "CCO", "FC=O", "C#N"]

model = molscore.load(sys.argv[1] if len(sys.argv) > 1 else "qm9")
frame = molscore.rank(model, LIBRARY, like=SURE).sort_values("log_ratio")
print("least likely among the references first, in nats beside how likely they are in general:")
print(frame[["smiles", "log_ratio", "log_likelihood", "status"]].to_string(index=False))
