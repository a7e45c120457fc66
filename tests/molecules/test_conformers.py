"""Geometries made from SMILES, here or in processes of which one that hangs or dies costs one molecule."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from molscore.errors import ConformerError, FragmentError, InputError, OvertimeError, ParseError
from molscore.molecules import Molecule, conformers, workers
from molscore.molecules.chem import from_smiles, molecule_from_mol, smiles_of
from molscore.molecules.conformers import ConformerPool, at_minimum, embed


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 1, -5])
def test_conformers_differ_by_seed_alone_and_come_lowest_energy_first(seed) -> None:
    conformers, again = (embed("OCC(O)CO", n_conformers=5, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(conformers[0].positions, again[0].positions)
    assert np.abs(conformers[0].positions - embed("OCC(O)CO", seed=seed + 1)[0].positions).max() > 1e-3
    energies = [molecule.properties["energy"] for molecule in conformers]
    assert len(conformers) == 5
    assert energies == sorted(energies)
    assert len({round(energy, 3) for energy in energies}) > 2
    assert {smiles_of(molecule) for molecule in conformers} == {"OCC(O)CO"}


def test_hydrogens_are_explicit_and_the_input_is_left_alone() -> None:
    graph = from_smiles("CCO")
    graph.SetProp("_Name", "ethanol")
    molecule = embed(graph)[0]
    assert (molecule.formula, molecule.name) == ("C2H6O", "ethanol")
    assert (graph.GetNumAtoms(), graph.GetNumConformers()) == (3, 0)
    assert molecule.properties["force_field"] == "MMFF94s"
    assert embed("OB(O)O")[0].properties["force_field"] == "UFF"  # which MMFF does not know
    for smiles in ("C[C@H](F)O", "C[C@@H](F)O", "F/C=C/F", "F/C=C\\F"):
        assert smiles_of(embed(smiles)[0]) == Chem.CanonSmiles(smiles)


def test_a_graph_that_fits_into_no_space_is_an_error(capfd) -> None:
    """A one-atom bridge cannot reach the far side of a ring of five; its mirror image, the control, can."""
    with pytest.raises(ConformerError, match="no conformer fits its bonds and stereochemistry"):
        embed("C[C@]12CC[C@@](F)(C1)O2")
    assert embed("C[C@]12CC[C@](F)(C1)O2")[0].n_atoms == 17
    assert capfd.readouterr() == ("", "")


def test_time_that_runs_out_is_told_from_a_graph_that_fits_nowhere(monkeypatch) -> None:
    """RDKit gives a conformer the number -1 when its time is over; none at all, the control, when it cannot be."""
    tried = []

    def out_of_time(mol, n, parameters):
        tried.append(parameters.timeout)
        return [-1]

    with monkeypatch.context() as patch:
        patch.setattr(conformers.rdDistGeom, "EmbedMultipleConfs", out_of_time)
        with pytest.raises(OvertimeError, match="within 8 s"):
            embed("CCO", time_limit=8.0)
        patch.setattr(conformers.rdDistGeom, "EmbedMultipleConfs", lambda *_: [])
        with pytest.raises(ConformerError, match="fits") as found:
            embed("CCO")
    assert found.type is ConformerError
    assert tried == [4, 8], "both ways of beginning are tried while there is time"
    graph = from_smiles("OCC(O)CO")
    one = embed(graph, 5, seed=3, time_limit=1e-9)  # those that are not relaxed in time are left out
    assert len(one) == 1 and len(embed(graph, 5, seed=3)) == 5
    np.testing.assert_array_equal(one[0].positions, embed(graph, 1, seed=3)[0].positions)


def shape(molecule: Molecule) -> np.ndarray:
    """Distances between atoms of each pair of elements, which no order, motion or mirror changes."""
    x, weights = molecule.positions, np.sqrt(1 + molecule.numbers)
    return np.sort((np.linalg.norm(x[:, None] - x, axis=-1) * np.outer(weights, weights)).ravel())


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("CCO", "OCC"),
        ("C1CC1C(=O)N", "NC(=O)C1CC1"),
        ("C[C@H](N)C(=O)O", "OC(=O)[C@@H](N)C"),
        ("C(C=C)O", "OCC=C"),
        ("CC(O)CCC=O", "[CH3:7][CH:6]([OH:5])[CH2:4][CH2:3][CH:2]=[O:1]"),
        ("COCCOC", "C(OCCOC)[2H]"),
        ("COCCOC", "[2H]C([2H])([2H])OCCOC"),
        ("CCO", "C[C@H]([2H])O"),
        ("CC(C)O", "C[C@H](O)[13CH3]"),
        ("[H][H]", "[2H][2H]"),
        ("C/C=N/[H]", "[H]/N=C/C"),
        ("C[C@H](O)CC(C)C", "C[C@@H](O)CC(C)C"),
        ("C[C@H](O)[C@@H](F)N", "C[C@@H](O)[C@H](F)N"),
        ("C[C@]12CC[C@](F)(C1)O2", "C[C@@]12CC[C@@](F)(C1)O2"),
    ],
)
def test_spellings_labels_and_mirror_images_have_the_same_shape(plain: str, other: str) -> None:
    one, two = embed(plain)[0], embed(other)[0]
    np.testing.assert_array_equal(shape(one), shape(two))
    assert one.properties["energy"] == pytest.approx(two.properties["energy"], abs=1e-9)
    graph = Chem.AddHs(from_smiles(other))
    assert [atom.GetAtomicNum() for atom in graph.GetAtoms()] == two.numbers.tolist()
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in graph.GetBonds()])
    lengths = np.linalg.norm(two.positions[ends[:, 0]] - two.positions[ends[:, 1]], axis=1)
    assert lengths.min() > 0.7 and lengths.max() < 1.7


def test_in_the_order_given_each_spelling_would_have_a_geometry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_given(graph: Chem.Mol) -> tuple[Chem.Mol, list[int], bool]:
        whole = Chem.AddHs(graph)
        return whole, list(range(whole.GetNumAtoms())), False

    whole = Chem.AddHs(from_smiles("OCC(O)CO"))  # hydrogens drawn are another spelling, a diastereomer another shape
    np.testing.assert_array_equal(shape(embed(whole)[0]), shape(embed("OCC(O)CO")[0]))
    one, two = (shape(embed(text)[0]) for text in ("C[C@H](O)[C@@H](F)N", "C[C@H](O)[C@H](F)N"))
    assert np.abs(one - two).max() > 0.01
    monkeypatch.setattr(conformers, "_canonical", as_given)
    energies = [embed(spelling, seed=0)[0].properties["energy"] for spelling in ("CCO", "OCC")]
    assert abs(energies[0] - energies[1]) > 1e-9


@pytest.mark.parametrize(
    ("smiles", "length"), [("N#N", 1.10), ("O=C=O", 1.16), ("N#CC#N", 1.16), ("C#N", 1.16), ("C#C", 1.20)]
)
def test_bonds_of_small_molecules_are_no_single_bonds(smiles: str, length: float) -> None:
    first = embed(smiles)[0].positions[:2]
    assert np.linalg.norm(first[0] - first[1]) == pytest.approx(length, abs=0.08)


@pytest.mark.parametrize("smiles", ["CC(=O)NC1CC1", "c1ccncc1OC", "CC(C)CC#N", "OCC(F)F", "O=S(=O)(N)c1ccc(Cl)cc1"])
def test_minima_are_told_also_when_rounded_or_of_a_variant(smiles, rng) -> None:
    made = embed(smiles)[0]
    assert at_minimum(Molecule(made.numbers, made.positions.round(3)))
    usual = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(usual, randomSeed=1)
    assert not at_minimum(molecule_from_mol(usual))  # a control: not yet relaxed
    AllChem.MMFFOptimizeMolecule(usual)
    assert at_minimum(molecule_from_mol(usual))
    moved = made.positions + 0.02 * rng.standard_normal(made.positions.shape)
    assert not at_minimum(Molecule(made.numbers, moved))
    assert not at_minimum(Molecule(made.numbers, np.zeros_like(moved) + rng.standard_normal(moved.shape)))


HANGS = "import time; time.sleep(600)"
HANGS_LATER = "print('ready', flush=True); import time; time.sleep(600)"
DIES = "print('ready', flush=True); import sys; sys.stdin.readline()"
DIES_AT_ONCE = ""


def test_a_pool_gives_what_embed_gives_in_order() -> None:
    smiles = ["OCCO", "C1CC", "c1ccccc1", "CC.O", "C#N"]
    with ConformerPool(2, seed=5, conformers=3) as pool:
        assert pool.embed([]) == [] and not pool._workers.processes
        found = pool.embed(smiles)
    assert [type(item) for item in found] == [list, ParseError, list, FragmentError, list]
    for text, item in zip(smiles, found, strict=True):
        if isinstance(item, list):
            expected = embed(text, 3, seed=5)
            assert [m.properties for m in item] == [m.properties for m in expected] and len(item) == 3
            assert all(np.array_equal(one.positions, two.positions) for one, two in zip(item, expected, strict=True))
            assert not np.array_equal(item[0].positions, embed(text, seed=6)[0].positions)
    assert not np.array_equal(found[0][0].positions, found[0][1].positions)


def test_what_has_been_parsed_is_parsed_once_more_in_its_canonical_form_and_no_third_time(monkeypatch) -> None:
    smiles = [
        "OCC", "C[C@@H](F)[C@H](Cl)Br", "F/C=C\\Cl", "[2H]C([2H])O", "[CH3:1][OH:2]", "CCO |$;;foo$| named",
        "N/N=C/C",
    ]  # fmt: skip
    graphs = [from_smiles(text) for text in smiles]
    expected = [embed(text, 2, seed=3) for text in smiles]
    texts, parse = [], Chem.MolFromSmiles
    monkeypatch.setattr(Chem, "MolFromSmiles", lambda text, *rest: texts.append(text) or parse(text, *rest))
    for text, graph, conformers_of in zip(smiles, graphs, expected, strict=True):
        found = conformers.answer(text, conformers._packed(graph), 2, 3, 30.0)
        assert found["shared"]["name"] == conformers_of[0].name
        for one, two in zip(found["conformers"], conformers_of, strict=True):
            assert np.array_equal(one["positions"], two.positions) and one["properties"] == two.properties
    assert len(texts) == len(smiles)


@pytest.mark.parametrize(
    ("program", "start", "kind", "reason"),
    [
        (HANGS, 0.3, OvertimeError, "within"),
        (HANGS_LATER, 600.0, OvertimeError, "within"),
        (DIES, 60.0, ConformerError, "crashed"),
        (DIES_AT_ONCE, 60.0, ConformerError, "crashed"),
    ],
)
def test_a_stuck_or_dead_worker_costs_its_own_molecule(monkeypatch, program, start, kind, reason) -> None:
    """Also where one follows the other: the time that a process may take to start is none that a molecule gets."""
    monkeypatch.setattr(workers, "_START_SECONDS", start)
    with ConformerPool(2, time_limit=0.1) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(workers, "_BOOT", program)
            broken = pool.embed(["CCO", "C"])
        assert all(type(item) is kind and reason in str(item) for item in broken)
        monkeypatch.setattr(workers, "_START_SECONDS", 60.0)
        pool.time_limit = 30.0
        assert isinstance(pool.embed(["CCO"])[0][0], Molecule)


@pytest.mark.parametrize(("size", "limit", "each"), [(0, 1.0, 1), (1, 0.0, 1), (1, float("nan"), 1), (1, 1.0, 0)])
def test_a_pool_needs_workers_time_and_conformers(size, limit, each) -> None:
    with pytest.raises(InputError):
        ConformerPool(size, time_limit=limit, conformers=each)


def test_two_atoms_at_one_place_are_no_conformer() -> None:
    """UFF leaves two fluorine atoms of an SF5 group at one point."""
    with pytest.raises(ConformerError, match=r"by UFF, atoms F\d and F\d are 0.00 Å apart"):
        embed("FS(F)(F)(F)(F)c1ccccc1")
