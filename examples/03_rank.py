"""A library of SMILES, some of them broken: every row is answered, in its place."""

import sys
from pathlib import Path

import molscore

library = Path(__file__).resolve().parents[1] / "data" / "sample.csv"
frame = molscore.rank(sys.argv[1] if len(sys.argv) > 1 else "qm9", library, smiles_column="smiles")
print("order:", frame.attrs["by"])
print(frame["status"].value_counts().to_string())
best = frame.sort_values(frame.attrs["by"], ascending=False).head(10)
print(best[["name", "smiles", "log_likelihood", frame.attrs["by"]]].to_string(index=False))
