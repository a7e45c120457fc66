"""Bonds come from a process that no molecule can hang or crash for long."""

import os
import time

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molscore.errors import ParseError
from molscore.molecules import Molecule, bonds, workers
from molscore.molecules.bonds import perceive_bonds
from molscore.molecules.chem import smiles_of
from molscore.molecules.conformers import embed
from molscore.molecules.identity import geometry_key

# Its sulfates leave millions of valence combinations to try: rdkit issue 9227.
ENDLESS = "[N-]=[N+]=NCC1OC(OS(=O)(=O)[O-])C(OS(=O)(=O)[O-])C(OS(=O)(=O)[O-])C1OS(=O)(=O)[O-]"


@pytest.fixture
def endless() -> Molecule:
    """Azide and sulfates, for which the search does not end."""
    mol = Chem.AddHs(Chem.MolFromSmiles(ENDLESS))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    return Molecule([atom.GetAtomicNum() for atom in mol.GetAtoms()], mol.GetConformer().GetPositions(), "endless")


@pytest.fixture
def fresh(monkeypatch) -> workers.Workers:
    """A worker of this test alone."""
    found = workers.Workers("molscore.molecules.bonds", 1)
    monkeypatch.setattr(bonds, "shared", lambda _: found)
    yield found
    found.close()


def test_iterations_and_time_are_bounded_and_a_killed_worker_is_replaced(endless, water, fresh) -> None:
    began = time.monotonic()
    with pytest.raises(ParseError, match="'endless'.*Iterations"):
        perceive_bonds(endless, max_iterations=200)
    with pytest.raises(ParseError, match="'endless': no bonds found within 0.2 s"):
        perceive_bonds(endless, max_iterations=2**31, time_limit=0.2)
    assert time.monotonic() - began < 30
    assert len(perceive_bonds(water).orders) == 2
    first = fresh.processes[-1]
    first.kill()
    first.wait()
    assert len(perceive_bonds(water).orders) == 2
    assert fresh.processes[-1].pid != first.pid


def test_an_interrupted_exchange_does_not_put_the_pipe_out_of_step(water, library, fresh, monkeypatch) -> None:
    perceive_bonds(water)
    with monkeypatch.context() as patch:
        patch.setattr(workers, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            perceive_bonds(library["CCO"])
    assert len(perceive_bonds(water).orders) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_a_worker_of_its_own(water, fresh) -> None:
    perceive_bonds(water)
    pid = fresh.processes[-1].pid
    child = os.fork()
    if child == 0:
        right = len(perceive_bonds(water).orders) == 2 and fresh.processes[-1].pid != pid
        fresh.close()
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(perceive_bonds(water).orders) == 2
    assert fresh.processes[-1].pid == pid


def test_atoms_that_are_no_closed_shell_molecule_are_refused(scattered) -> None:
    with pytest.raises(ParseError, match="'scattered'.*no neutral closed-shell"):
        perceive_bonds(scattered)
    methyl = np.array([[0.0, 0.0, 0.0], [1.09, 0.0, 0.0], [-0.5, 0.95, 0.0], [-0.5, -0.95, 0.0]])
    heap = np.random.default_rng(0).normal(scale=0.3, size=(29, 3))
    for numbers, positions in (([6, 1, 1, 1], methyl), ([6, 1, 1], methyl[:3]), ([6] * 29, heap)):
        with pytest.raises(ParseError, match="closed-shell"):
            perceive_bonds(Molecule(numbers, positions))


def test_a_stretched_bond_is_found_where_a_tight_rule_would_lose_it(library) -> None:
    """C-H at 1.3 Å lies beyond 1.15 covalent radii (1.23 Å), so the next reading must be tried."""
    ethanol = library["CCO"]
    positions = ethanol.positions.copy()
    hydrogen = int(np.flatnonzero(ethanol.numbers == 1)[0])
    carbon = int(np.argmin(np.linalg.norm(positions[:3] - positions[hydrogen], axis=1)))
    bond = positions[hydrogen] - positions[carbon]
    positions[hydrogen] = positions[carbon] + 1.3 * bond / np.linalg.norm(bond)
    assert smiles_of(Molecule(ethanol.numbers, positions)) == "CCO"
    positions[hydrogen] = positions[carbon] + 4.0 * bond / np.linalg.norm(bond)
    with pytest.raises(ParseError):
        smiles_of(Molecule(ethanol.numbers, positions))


def test_pieces_of_hundreds_of_atoms_are_read(library) -> None:
    benzene = library["c1ccccc1"]
    shifts = 8.0 * np.array([[i, j, 0] for i in range(5) for j in range(5)])
    many = Molecule(np.tile(benzene.numbers, 25), np.concatenate([benzene.positions + shift for shift in shifts]))
    assert smiles_of(many) == ".".join(["c1ccccc1"] * 25)


MIDDLE = ["Cn1sc(=O)cc1C", "O=C(NC1CC1)c1ccc(Cl)s1", "NS(=O)(=O)c1cc2ccccc2s1", "O=c1ccsc2ccccc12", "CSc1ncccc1C(=O)N"]
CHARGED = ["C[N+](=O)[O-]", "[O-][n+]1ccccc1", "[NH3+]CC(=O)[O-]", "C[n+]1cccc([O-])c1", "C[N+]#[C-]"]
AZIDES = ["CN=[N+]=[N-]", "[N-]=[N+]=Nc1ccccc1", "[N-]=[N+]=NCC(=O)O", "C/N=N\\N=[N+]=[N-]", "C[Si](C)(C)N=[N+]=[N-]"]
DIAZO = ["C=[N+]=[N-]", "CC(=O)C(C)=[N+]=[N-]", "CCOC(=O)C=[N+]=[N-]", "CN(C)C=[N+]=[N-]", "[N-]=[N+]=C1C(=O)CCCC1=O"]
NITRO = [
    "O=[N+]([O-])c1ccc([N+](=O)[O-])cc1",
    "Cc1nnn(C)c1[N+](=O)[O-]",
    "O=[N+]([O-])N1CCN([N+](=O)[O-])NC1",
    "CO[N+](=O)[O-]",
]
OXIDES = ["C[N+](C)(C)[O-]", "Cc1no[n+]([O-])c1C", "Cn1n[n+]([O-])c2ccccc21", "CC(C)=[N+]([O-])c1ccccc1", "CC#[N+][O-]"]
OTHERS = [
    "[C-]#[N+]CC(=O)OC",
    "[N-]=[N+]=Nc1ccc([N+](=O)[O-])cc1",
    "C[N+]1(C)CC([O-])C1",
    "[BH3-][NH3+]",
    "O=[O+][O-]",
    "[C-]#[O+]",
]
HYPERVALENT = ["CS(C)=O", "CS(=O)c1ccc([N+](=O)[O-])cc1", "CS(C)(=O)=O", "CP(C)(C)=O", "COP(=O)(OC)OC", "CS(C)(=N)=O"]


@pytest.mark.parametrize("smiles", MIDDLE + CHARGED + AZIDES + DIAZO + NITRO + OXIDES + OTHERS + HYPERVALENT)
def test_bonds_are_those_that_chemists_write_whatever_the_order_of_the_atoms(smiles, rng) -> None:
    """RDKit alone reads O=C-C=C-S at times as [O-]C=C-C=[S+], azides two ways, and half of the dinitrobenzenes not."""
    molecule = embed(smiles)[0]
    for _ in range(8):
        order = rng.permutation(molecule.n_atoms)
        shuffled = Molecule(molecule.numbers[order], molecule.positions[order])
        assert smiles_of(shuffled, stereo="/" in smiles) == Chem.CanonSmiles(smiles)
        assert geometry_key(shuffled) == geometry_key(molecule)
