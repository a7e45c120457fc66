"""Numbers that chemists read off a molecular graph, and patterns that they look for in it."""

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from molscore.errors import InputError
from molscore.molecules.chem import without_hydrogens

__all__ = ["descriptors", "graph_counts", "pattern_of"]


def descriptors(mol: Chem.Mol) -> dict[str, str | float | int]:
    """InChIKey, weight (g/mol), Crippen logP, TPSA (Å²), rotatable bonds (RDKit's strict rule) and rings of a graph.

    The InChIKey is that of the SMILES string, as databases have it: in a geometry InChI would see stereocentres that
    invert, such as nitrogen's. It is empty where there is none.

    References:
        Wildman and Crippen 1999, https://doi.org/10.1021/ci990307l (logP)
        Ertl, Rohde, Selzer 2000, https://doi.org/10.1021/jm000942e (TPSA)
    """
    from rdkit.Chem.Descriptors import MolWt  # a slow import

    with rdBase.BlockLogs():
        flat = without_hydrogens(mol)
        named = Chem.MolFromSmiles(Chem.MolToSmiles(flat))
        return {
            "inchikey": "" if named is None else Chem.MolToInchiKey(named),
            "mol_weight": round(MolWt(flat), 3),
            "logp": round(rdMolDescriptors.CalcCrippenDescriptors(flat)[0], 3),
            "tpsa": round(rdMolDescriptors.CalcTPSA(flat), 2),
            "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds(flat),
            "rings": rdMolDescriptors.CalcNumRings(flat),
        }


def graph_counts(mol: Chem.Mol) -> tuple[int, int, int, int, int]:
    """Atoms, heavy atoms, rings, rotatable bonds, and whether there is an aromatic ring, of a graph with hydrogens."""
    flat = without_hydrogens(mol)
    rings, turns = rdMolDescriptors.CalcNumRings(flat), rdMolDescriptors.CalcNumRotatableBonds(flat)
    aromatic = int(rdMolDescriptors.CalcNumAromaticRings(flat) > 0)
    return mol.GetNumAtoms(), mol.GetNumHeavyAtoms(), rings, turns, aromatic


def pattern_of(smarts: str) -> Chem.Mol:
    """Query of a SMARTS string; raises `InputError` for what is none."""
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(smarts)
    if pattern is None or not pattern.GetNumAtoms():
        raise InputError(f"{smarts!r} is not a SMARTS pattern")
    return pattern
