"""ASE in and out."""

from ase.build import molecule as ase_molecule

from molscore.molecules import Molecule
from molscore.molecules.ase import from_ase, to_ase


def test_there_and_back_again(library) -> None:
    for molecule in library.values():
        named = Molecule(molecule.numbers, molecule.positions, "some name", {"energy": 1.5})
        back = from_ase(to_ase(named))
        assert back.numbers.tolist() == named.numbers.tolist()
        assert back.positions.tolist() == named.positions.tolist()
        assert (back.name, back.properties) == ("some name", {"energy": 1.5})


def test_a_molecule_of_ase() -> None:
    ethanol = from_ase(ase_molecule("CH3CH2OH"))
    assert (ethanol.formula, ethanol.name) == ("C2H6O", "")
