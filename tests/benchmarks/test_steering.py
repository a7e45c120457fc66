"""What is cut out of a molecule."""

from rdkit import Chem

from benchmarks.steering import cuts


def symbols(mol: Chem.Mol, atoms: list[int]) -> str:
    return "".join(sorted(mol.GetAtomWithIdx(a).GetSymbol() for a in atoms))


def test_a_fragment_is_the_larger_side_of_a_single_bond() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("OCc1ccccc1"))
    kept = [symbols(mol, atoms) for atoms in cuts(mol, linker=False)]
    assert kept == ["CCCCCC" + "HHHHH"]


def test_a_linker_is_what_touches_both_bonds_be_it_one_atom() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("O=CCC=O"))
    (kept,) = cuts(mol, linker=True)
    assert symbols(mol, kept) == "CC" + "HH" + "OO"
    assert not list(cuts(Chem.AddHs(Chem.MolFromSmiles("CCC")), linker=True))
