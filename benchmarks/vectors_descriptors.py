"""Density of real descriptors: which estimator gives held-out molecules most probability, and tells others best apart?

    python -m benchmarks.vectors_descriptors TRAINING.csv TEST.csv NAME=OUTSIDE.csv ...

Files with a column `smiles`. Every estimator sees the same standardised descriptors of the training molecules. Result:
results/vectors/4_descriptors.json.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from rdkit import Chem, RDLogger
from rdkit.Chem import Crippen, Descriptors, GraphDescriptors, rdMolDescriptors
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from benchmarks.machine import describe
from molscore.vectors import DiScoFormerDensity

RESULT = Path(__file__).parent / "results" / "vectors" / "4_descriptors.json"
DESCRIPTORS = (
    Crippen.MolLogP,
    Crippen.MolMR,
    rdMolDescriptors.CalcTPSA,
    rdMolDescriptors.CalcLabuteASA,
    GraphDescriptors.BertzCT,
    GraphDescriptors.BalabanJ,
    rdMolDescriptors.CalcKappa2,
    rdMolDescriptors.CalcChi1v,
    rdMolDescriptors.CalcHallKierAlpha,
    Descriptors.qed,
)


def descriptors(path: str) -> np.ndarray:
    """(n, 10) descriptors of a file's molecules, without those that RDKit does not read or has no number for."""
    molecules = filter(None, map(Chem.MolFromSmiles, pd.read_csv(path)["smiles"].astype(str)))
    rows = np.array([[of(molecule) for of in DESCRIPTORS] for molecule in molecules])
    return rows[np.isfinite(rows).all(1)]


def kde(X: np.ndarray) -> KernelDensity:
    """Bandwidth by five-fold likelihood."""
    return GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.05, 1.5, 12)}, cv=5).fit(X).best_estimator_


def gmm(X: np.ndarray) -> GaussianMixture:
    """Full covariances, components by BIC."""
    fits = [GaussianMixture(K, reg_covar=1e-4, random_state=0).fit(X) for K in (1, 2, 3, 4, 6, 8, 11, 15, 20)]
    return min(fits, key=lambda fit: fit.bic(X))


def discoformer(X: np.ndarray) -> DiScoFormerDensity:
    """As it comes."""
    return DiScoFormerDensity(device="cpu").fit(X)


METHODS = {"KDE, bandwidth by cross-validation": kde, "Gaussian mixture, EM and BIC": gmm, "DiScoFormer": discoformer}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training")
    parser.add_argument("test")
    parser.add_argument("outside", nargs="+", help="NAME=FILE")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    X, held_out = descriptors(options.training), descriptors(options.test)
    outside = {name: descriptors(file) for name, _, file in (text.partition("=") for text in options.outside)}
    centre, scale = X.mean(0), X.std(0)
    rows = []
    for name, fit in METHODS.items():
        model = fit((X - centre) / scale)
        inside = model.score_samples((held_out - centre) / scale)
        error = inside.std(ddof=1) / math.sqrt(len(inside))
        row = [name, f"{inside.mean():.2f} ± {1.96 * error:.2f}"]
        for others in outside.values():
            log_p = model.score_samples((others - centre) / scale)
            far = np.r_[np.zeros(len(inside)), np.ones(len(log_p))]
            missed = (log_p > np.quantile(inside, 0.05)).mean()
            row.append(f"{roc_auc_score(far, -np.r_[inside, log_p]):.3f}, {missed:.1%}")
        rows.append(row)
        print(*row, sep=" | ", flush=True)
    columns = [f"{name}: AUROC, share that passes" for name in outside]
    result = {
        "title": "Density of descriptors: held-out molecules and others",
        "columns": ["method", "held-out log-density, nats a molecule", *columns],
        "rows": rows,
        "machine": describe(),
        "command": "python -m benchmarks.vectors_descriptors "
        + " ".join(["qm9_train.csv", "qm9_test.csv", *(f'"{name}"=FILE' for name in outside)]),
        "note": f"Ten RDKit descriptors; {len(X):,} training and {len(held_out):,} held-out molecules, "
        + ", ".join(f"{len(others):,} {name}" for name, others in outside.items())
        + ". Standardised by the training molecules. ± is 1.96 standard errors over held-out molecules. A molecule "
        "passes if it is likelier than the least likely twentieth of the held-out ones.",
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
