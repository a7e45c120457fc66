"""What are references worth? Held-out clusters, in nats and as a way to find members, beside Tanimoto similarity.

A molecule of a ring system, or of a formula, that no training saw is judged given 1, 4 and 16 others of it; the control
is given molecules of another cluster. Its rival for the AUROC is a held-out molecule of like size from elsewhere.
Beside it stand the largest Tanimoto similarity to a reference and a Gaussian KDE of the references' descriptors.
"""

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import Descriptors, rdFingerprintGenerator

from benchmarks.record import RESULTS, record
from benchmarks.roc import auroc
from molscore.datasets.molecule_set import MoleculeSet
from molscore.datasets.molecule_set import load as load_data
from molscore.datasets.statistics import formula_counts
from molscore.molecules.chem import mol_from_molecule, smiles_of
from molscore.molecules.elements import SYMBOLS
from molscore.molecules.molecule import Molecule
from molscore.screening.model import Model, load

__all__ = ["Cluster", "clusters_of", "held_out_of", "measured"]

RESULT = RESULTS / "across" / "1_references.json"
GIVEN, RESOLUTION = (1, 4, 16), 0.05
DESCRIPTORS = (
    "MolWt", "MolLogP", "TPSA", "NumRotatableBonds", "RingCount", "NumHDonors", "NumHAcceptors", "FractionCSP3",
)  # fmt: skip
COLUMNS = [
    "distribution", "clusters of", "references", "nats gained", "of them by the formula",
    "by references of another cluster", "AUROC of log_ratio", "AUROC of Tanimoto", "AUROC of KDE",
]  # fmt: skip


class Cluster(NamedTuple):
    """A molecule, others that are like it, and one of its size that is not."""

    member: Molecule
    references: list[Molecule]
    rival: Molecule


def held_out_of(data: list[str], model: str) -> Iterator[tuple[str, Model, MoleculeSet]]:
    """Of each DISTRIBUTION=FILE its name, the model, and the held-out molecules that it has a place for."""
    for distribution, _, path in (each.partition("=") for each in data):
        loaded, held_out = load(model, distribution), load_data(path, "held_out")
        yield distribution, loaded, held_out.select((held_out.sizes <= loaded.max_atoms) & (held_out.sizes > 1))


def clusters_of(held_out: MoleculeSet, key: str, most: int, seed: int = 0) -> list[Cluster]:
    """Clusters of 17 held-out molecules or more, in an order drawn at random."""
    if key == "formula":
        elements = [SYMBOLS[number] for number in np.unique(held_out.numbers)]
        names = np.unique(formula_counts(held_out, elements), axis=0, return_inverse=True)[1].reshape(-1)
    else:
        names = np.unique(held_out.columns["ring_systems"].astype(str), return_inverse=True)[1]
    rng, found = np.random.default_rng(seed), []
    rings = held_out.columns["ring_systems"].astype(str)
    counts = np.bincount(names)
    for name in rng.permutation(np.flatnonzero(counts > max(GIVEN))):
        rows = rng.permutation(np.flatnonzero(names == name))[: 1 + max(GIVEN)]
        if key == "ring_systems" and not rings[rows[0]]:
            continue
        size = np.abs(held_out.sizes.astype(int) - int(held_out.sizes[rows[0]]))
        rival = rng.choice(np.flatnonzero((names != name) & (size <= 1)))
        member, *references = (held_out[row] for row in rows)
        found.append(Cluster(member, references, held_out[rival]))
        if len(found) == most:
            break
    return found


def graph(molecule: Molecule) -> Chem.Mol:
    """Without hydrogens, of the data set's SMILES string or, without one, of the geometry."""
    smiles = molecule.properties.get("smiles") or smiles_of(mol_from_molecule(molecule))
    return Chem.MolFromSmiles(str(smiles))


def measured(model: Model, clusters: list[Cluster]) -> dict[int, dict[str, np.ndarray]]:
    """By number of references: nats gained by members, (C, 2) of formula and geometry, and likewise by rivals, and by
    members given the references of the next cluster; the largest Tanimoto similarity of members and rivals, and the
    density of their descriptors."""
    found = {}
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)

    def likeness(molecule: Molecule, references: list[Molecule]) -> float:
        prints = [generator.GetFingerprint(graph(m)) for m in (molecule, *references)]
        return max(DataStructs.BulkTanimotoSimilarity(prints[0], prints[1:]))

    def values(molecule: Molecule) -> np.ndarray:
        return np.array([getattr(Descriptors, name)(graph(molecule)) for name in DESCRIPTORS])

    spread = np.std([values(m) for c in clusters for m in (c.rival, *c.references)], axis=0) + 1e-6

    def kernel_density(molecule: Molecule, references: list[Molecule]) -> float:
        z = (values(molecule) - np.array([values(m) for m in references])) / spread
        h = len(references) ** (-1 / (len(DESCRIPTORS) + 4))  # Scott's rule
        return float(np.logaddexp.reduce(-np.square(z).sum(1) / (2 * h**2)))

    judged = [[c.member, c.rival, clusters[(k + 1) % len(clusters)].member] for k, c in enumerate(clusters)]
    plain = [model.terms(molecules, RESOLUTION) for molecules in judged]
    for n in GIVEN:
        gains = []
        for cluster, molecules, before in zip(clusters, judged, plain, strict=True):
            after = model.given(cluster.references[:n]).terms_given(molecules, before, RESOLUTION)
            gains.append([
                after.log_composition - before.log_composition,
                after.log_density - before.log_density + after.log_series,
            ])  # fmt: skip
        member, rival, control = np.moveaxis(np.array(gains), 2, 0)
        tanimoto = [[likeness(c.member, c.references[:n]), likeness(c.rival, c.references[:n])] for c in clusters]
        kde = [[kernel_density(m, c.references[:n]) for m in (c.member, c.rival)] for c in clusters]
        rivals = {"tanimoto": np.array(tanimoto), "kde": np.array(kde)}
        found[n] = {"member": member, "rival": rival, "control": control} | rivals
    return found


def _nats(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {values.std() / len(values) ** 0.5:.2f}"


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="organic")
    parser.add_argument("--data", nargs="+", required=True, help="DISTRIBUTION=FILE, with a split held_out")
    parser.add_argument("-n", type=int, default=32, help="clusters of each kind")
    options = parser.parse_args()
    rows: list[list[Any]] = []
    for distribution, model, held_out in held_out_of(options.data, options.model):
        for key in ("ring_systems", "formula"):
            clusters = clusters_of(held_out, key, options.n)
            for n, at in measured(model, clusters).items() if len(clusters) > 1 else ():
                total = {name: at[name].sum(1) for name in ("member", "rival", "control")}
                rows.append([
                    distribution, f"{len(clusters)} {key.replace('_', ' ')}", n, _nats(total["member"]),
                    _nats(at["member"][:, 0]), _nats(total["control"]),
                    str(auroc(total["member"], total["rival"])), str(auroc(*at["tanimoto"].T)),
                    str(auroc(*at["kde"].T)),
                ])  # fmt: skip
                print(*rows[-1], sep=" | ", flush=True)
    title = "What are references worth on ring systems and formulas that no training saw?"
    note = (
        f"log-likelihoods at {RESOLUTION:g} Å given references less without; one molecule a cluster, "
        "mean ± standard error; rivals are held-out molecules of other clusters within an atom of its size; "
        "AUROC with a 95 % bootstrap interval; Tanimoto: largest to a reference (Morgan, radius 2, 2,048 bits); KDE: "
        "eight descriptors, Scott's rule"
    )
    record(RESULT, title, COLUMNS, rows, "python -m benchmarks.across --data DISTRIBUTION=FILE", note)


if __name__ == "__main__":
    main()
