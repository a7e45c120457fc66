"""Write the sample library beside this file: ``sample.sdf`` (geometries) and ``sample.csv`` (SMILES, some bad).

    python data/make_sample.py

The molecules are common ones, picked by hand; the geometries are ETKDGv3 conformers relaxed with MMFF94s. Nothing is
taken from another data set. The columns ``shelf`` and ``stock_mg`` of the CSV are invented.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rdkit import Chem

from molscore.molecules.atomic import replacing
from molscore.molecules.chem import from_smiles, mol_from_molecule, smiles_of
from molscore.molecules.conformers import embed

__all__ = ["BAD_ROWS", "MOLECULES", "main"]

FOLDER = Path(__file__).parent

#: Names and SMILES: H, C, N, O, F and at most 29 atoms.
MOLECULES = {
    "water": "O",
    "ammonia": "N",
    "methane": "C",
    "ethane": "CC",
    "ethene": "C=C",
    "ethyne": "C#C",
    "hydrogen cyanide": "C#N",
    "formaldehyde": "C=O",
    "methanol": "CO",
    "fluoromethane": "CF",
    "methylamine": "CN",
    "acetonitrile": "CC#N",
    "acetaldehyde": "CC=O",
    "formic acid": "OC=O",
    "formamide": "NC=O",
    "urea": "NC(N)=O",
    "nitromethane": "C[N+](=O)[O-]",
    "trifluoromethane": "FC(F)F",
    "ethanol": "CCO",
    "dimethyl ether": "COC",
    "oxirane": "C1CO1",
    "acetone": "CC(C)=O",
    "acetic acid": "CC(O)=O",
    "1,3-butadiene": "C=CC=C",
    "isobutane": "CC(C)C",
    "cyclobutane": "C1CCC1",
    "cyclohexane": "C1CCCCC1",
    "glycine": "NCC(O)=O",
    "L-alanine": "C[C@H](N)C(O)=O",
    "D-alanine": "C[C@@H](N)C(O)=O",
    "L-lactic acid": "C[C@H](O)C(O)=O",
    "glycerol": "OCC(O)CO",
    "N,N-dimethylformamide": "CN(C)C=O",
    "tetrahydrofuran": "C1CCOC1",
    "1,4-dioxane": "C1COCCO1",
    "morpholine": "C1COCCN1",
    "gamma-butyrolactone": "O=C1CCCO1",
    "pyrrole": "c1cc[nH]c1",
    "furan": "c1ccoc1",
    "imidazole": "c1c[nH]cn1",
    "pyridine": "c1ccncc1",
    "benzene": "c1ccccc1",
    "fluorobenzene": "Fc1ccccc1",
    "toluene": "Cc1ccccc1",
    "phenol": "Oc1ccccc1",
    "aniline": "Nc1ccccc1",
    "anisole": "COc1ccccc1",
    "benzoic acid": "OC(=O)c1ccccc1",
    "nicotinamide": "NC(=O)c1cccnc1",
    "uracil": "O=c1cc[nH]c(=O)[nH]1",
    "norbornane": "C1CC2CCC1C2",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "naphthalene": "c1ccc2ccccc2c1",
    "vanillin": "COc1cc(C=O)ccc1O",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "aspirin": "CC(=O)Oc1ccccc1C(O)=O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "camphor": "CC1(C)C2CCC1(C)C(=O)C2",
}

#: Rows of the CSV that no model of QM9 can judge: SMILES and what is wrong.
BAD_ROWS = {
    "C1CC": "ring that is never closed",
    "": "no SMILES",
    "lemon juice": "no SMILES but words",
    "CC(C)(C)(C)C": "carbon with five bonds",
    "CS(C)=O": "sulphur, which QM9 lacks",
    "ClCCl": "chlorine, which QM9 lacks",
    "CC(=O)O.N": "two molecules in one row",
    "[NH4+]": "an ion",
    "[CH3]": "a radical",
    "*CC": "a dummy atom",
    "CCCCCCCCCCCCCCCC": "50 atoms, more than any molecule of QM9",
}

#: A good row that repeats another in a different spelling.
REPEATED = ("ethyl alcohol", "OCC")


def main(folder: Path = FOLDER) -> None:
    """Write both files into `folder`."""
    _replace(folder / "sample.sdf", _write_sdf)
    _replace(folder / "sample.csv", _write_csv)


def _write_sdf(file: TextIO) -> None:
    writer = Chem.SDWriter(file)
    for name, smiles in MOLECULES.items():
        (molecule,) = embed(smiles, seed=0)
        mol = mol_from_molecule(molecule)
        if smiles_of(mol, stereo=False) != smiles_of(from_smiles(smiles), stereo=False):
            raise SystemExit(f"{name}: the geometry of {smiles} reads as {smiles_of(mol)}")
        mol.SetProp("_Name", name)
        mol.SetProp("smiles", smiles_of(from_smiles(smiles)))
        writer.write(mol)
    writer.close()


def _write_csv(file: TextIO) -> None:
    rows = [[name, smiles, ""] for name, smiles in MOLECULES.items()]
    rows.append([*REPEATED, "the same as ethanol"])
    for k, (smiles, reason) in enumerate(BAD_ROWS.items()):
        rows.insert(6 * k + 4, [f"bad {k + 1}", smiles, reason])
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", "name", "smiles", "shelf", "stock_mg", "note"])
    for k, (name, smiles, note) in enumerate(rows):
        writer.writerow([f"S{k + 1:03d}", name, smiles, "ABC"[k % 3] + str(k // 12 + 1), 5 * (7 * k % 41 + 1), note])


def _replace(path: Path, write: Callable[[TextIO], None]) -> None:
    with replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        write(file)


if __name__ == "__main__":
    main()
