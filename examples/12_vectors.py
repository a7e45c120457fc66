"""Applicability domain: are new molecules like those a model was trained on? A density of descriptors answers in nats.

It needs scikit-learn: pip install scikit-learn. A file with one SMILES a line takes the place of the training set:
python examples/12_vectors.py [MODEL] [TRAINING.smi]
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, GraphDescriptors, rdMolDescriptors

from molscore.vectors import DiScoFormerDensity

DESCRIPTORS = {
    "log P": Crippen.MolLogP,
    "molar refractivity": Crippen.MolMR,
    "polar surface": rdMolDescriptors.CalcTPSA,
    "surface": rdMolDescriptors.CalcLabuteASA,
    "complexity": GraphDescriptors.BertzCT,
    "kappa 2": rdMolDescriptors.CalcKappa2,
    "QED": Descriptors.qed,
}
QUERIES = {
    "4-methylcyclohexanol": "CC1CCC(O)CC1",
    "3-methoxypyridine": "COc1cccnc1",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "imatinib": "Cc1ccc(cc1Nc1nccc(n1)-c1cccnc1)NC(=O)c1ccc(cc1)CN1CCN(C)CC1",
}


def small_molecules() -> list[str]:
    """A stand-in for a training set: rings of five or six atoms with two substituents."""
    rings = ("C1CCC({b})CC1{a}", "C1CC({b})CC1{a}", "C1COCC({b})C1{a}", "C1CNC({b})C1{a}", "c1cc({b})ccc1{a}")
    rings += ("c1cnc({b})cc1{a}", "c1c({b})occ1{a}", "c1c({b})n[nH]c1{a}")
    substituents = ("C", "O", "N", "CC", "CO", "OC", "C=O", "C#N", "C(=O)N", "NC", "C(C)C", "CCO", "F", "C(=O)C", "C=C")
    return [ring.format(a=a, b=b) for ring, a, b in product(rings, substituents, substituents)]


def descriptors(smiles: list[str]) -> np.ndarray:
    """(n, 7) numbers of molecules."""
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    return np.array([[of(molecule) for of in DESCRIPTORS.values()] for molecule in molecules])


training = Path(sys.argv[2]).read_text().split() if len(sys.argv) > 2 else small_molecules()
X = descriptors(training)
density = DiScoFormerDensity().fit(X)
print(f"{len(X):,} molecules, {density.n_rows_:,} read; ln of the integral {density.log_normaliser_:.2f}", end=" ")
print(f"± {density.log_normaliser_error_:.2f} nats, taken off")

known = np.sort(density.score_samples(X))  # each molecule judged by the others
Y = descriptors(list(QUERIES.values()))
for name, log_p, slope in zip(QUERIES, density.score_samples(Y), density.gradient(Y), strict=True):
    percentile = 100 * np.searchsorted(known, log_p) / len(known)
    pull = slope * X.std(0)  # nats for one standard deviation of each descriptor
    most = int(np.abs(pull).argmax())
    verdict = "inside " if percentile >= 1 else "outside"
    hint = f"{'more' if pull[most] > 0 else 'less'} {list(DESCRIPTORS)[most]} would be likelier"
    print(f"{name:22} {verdict}  ln p {log_p:9.1f}  percentile {percentile:5.1f}  {hint}")
