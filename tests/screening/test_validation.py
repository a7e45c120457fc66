"""One rule for every way in, and a status of its own for every kind of row that a model cannot judge."""

import time
from dataclasses import replace

import ase
import numpy as np
import pytest
import torch
from ase import build
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from torch_geometric.data import Batch, Data

from molscore import errors
from molscore.errors import MolscoreError
from molscore.molecules import Molecule
from molscore.molecules.ase import from_ase
from molscore.molecules.conformers import embed
from molscore.molecules.convert import records_of
from molscore.molecules.files import Record, read, write
from molscore.screening.validation import validated
from tests import tiny
from tests.house.sources import ROOT

BOHR, NM = 1 / 0.529177, 0.1
REFUSED = [
    ("[O-]C(=O)[O-]", "charged"),
    ("[NH4+]", "charged"),
    ("CC(=O)[O-].[NH4+]", "fragments"),
    ("[O][O]", "radical"),
    ("[CH2]", "radical"),
]


def status(item: object) -> str:
    """Status of the one record of a file or of a molecule in any form."""
    (record,) = records_of(item if isinstance(item, str) else [item])
    found = validated(record, tiny.distribution())
    return found.error.status if record.ok and found.error else record.status


def with_geometry(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=7) == 0
    return mol


@pytest.mark.parametrize(("smiles", "expected"), [*REFUSED, ("CC(=O)O", "ok"), ("[NH3+]CC(=O)[O-]", "ok")])
def test_ions_salts_and_radicals_are_refused_whatever_holds_them(smiles, expected, tmp_path) -> None:
    mol = with_geometry(smiles)
    numbers, positions = [atom.GetAtomicNum() for atom in mol.GetAtoms()], mol.GetConformer().GetPositions()
    charge, unpaired = Chem.GetFormalCharge(mol), sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
    lines = [" ".join(map(str, (symbol, *x))) + "\n" for symbol, x in zip(symbols, positions, strict=True)]
    stated = f"charge={charge} multiplicity={unpaired + 1}"
    (tmp_path / "a.xyz").write_text(f"{len(lines)}\n{stated}\n" + "".join(lines))
    (tmp_path / "a.sdf").write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
    write(tmp_path / "a.parquet", [(Molecule(numbers, positions), {"smiles": smiles})])
    forms = [mol, *(str(tmp_path / f"a.{kind}") for kind in ("sdf", "parquet"))]
    assert [status(form) for form in forms] == [expected] * 3
    if expected != "fragments":  # nothing states the pieces of what follows; real geometries show them
        info = {"charge": charge, "spin": unpaired + 1}
        atoms = ase.Atoms(numbers=numbers, positions=positions, info=info)
        spins = ase.Atoms(numbers=numbers, positions=positions, charges=[charge] + [0] * (len(numbers) - 1))
        spins.set_initial_magnetic_moments([unpaired] + [0] * (len(numbers) - 1))
        data = Data(z=torch.tensor(numbers), pos=torch.tensor(positions), charge=torch.tensor([charge]), uhf=unpaired)
        assert [status(form) for form in (str(tmp_path / "a.xyz"), atoms, spins, data)] == [expected] * 4


@pytest.mark.parametrize(("smiles", "expected"), REFUSED)
def test_the_model_itself_refuses_them(smiles, expected) -> None:
    """One molecule is named as it was given; among several, of one even, its place is."""
    for form in (smiles, with_geometry(smiles)):
        with pytest.raises(MolscoreError) as found:
            tiny.model().log_likelihood(form)
        assert found.value.status == expected and "molecules[" not in str(found.value)
        assert form != smiles or repr(smiles) in str(found.value)
        with pytest.raises(type(found.value), match=r"^molecules\[1\]: (?!molecule: )"):
            tiny.model().log_likelihood(["CCO", form])
        with pytest.raises(type(found.value), match=r"^molecules\[0\]: "):
            tiny.model().log_likelihood([form])
        with pytest.raises(type(found.value), match=r"^references\[1\]: "):
            tiny.model().given(["CCO", form])


def test_partial_charges_are_no_charge() -> None:
    water = embed("O")[0]
    data = Data(z=torch.tensor(water.numbers), pos=torch.tensor(water.positions), charge=torch.tensor([-0.8, 0.4, 0.4]))
    atoms = ase.Atoms(numbers=water.numbers, positions=water.positions, charges=[-0.8, 0.4, 0.4])
    assert status(data) == status(atoms) == "ok"


@pytest.mark.parametrize("name", ["CH3CH2OH", "HCN", "H2", "C2H4", "C6H6", "NH3", "CO2", "N2", "F2"])
def test_positions_in_other_units_are_refused(name) -> None:
    molecule = from_ase(build.molecule(name))
    for unit in (BOHR, NM, 100.0):
        assert status(Molecule(molecule.numbers, molecule.positions * unit)) == "bad_positions"
    for unit in (1.0, 1.02, 0.98):
        assert status(Molecule(molecule.numbers, molecule.positions * unit)) == "ok"


@pytest.mark.parametrize("smiles", ["CCO", "CC(=O)O", "CCCO", "c1cnc[nH]1", "C1CC1C", "C12C3C4C1C5C2C3C45"])
def test_heavy_atoms_alone_are_refused(smiles) -> None:
    molecule = embed(smiles)[0]
    heavy = molecule.numbers > 1
    assert status(Molecule(molecule.numbers[heavy], molecule.positions[heavy])) == "bad_positions"


@pytest.mark.parametrize("name", ["CF4", "C2F4", "CO2", "CO", "N2", "N2O", "NF3", "F2", "F2O", "O3"])
def test_molecules_without_hydrogens_are_not_taken_for_heavy_atoms_alone(name) -> None:
    assert status(build.molecule(name)) == "ok"


@pytest.mark.parametrize("distance", [0.0, 0.35])
def test_atoms_on_top_of_each_other_are_named_with_their_distance(distance) -> None:
    """A methyl carbon driven into the other end of propane, which leaves its own hydrogens behind, and a hydrogen."""
    propane = embed("CCC")[0]
    for atom in (2, propane.n_atoms - 1):
        x = propane.positions.copy()
        x[atom] = x[0] + [distance, 0, 0]
        error = validated(Record(0, Molecule(propane.numbers, x)), tiny.distribution()).error
        assert error.status == "bad_positions"
        assert f"C0 and {propane.symbols[atom]}{atom} are {distance:.2f} Å apart" in str(error)
        assert np.isfinite(tiny.model().log_likelihood(Molecule(propane.numbers, x))).all(), "a density is of any"
    water = Molecule([8, 1, 1], [[0, 0, 0], [0.96, distance / 2, 0], [0.96, -distance / 2, 0]])
    assert f"H1 and H2 are {distance:.2f} Å apart" in str(validated(Record(0, water), tiny.distribution()).error)
    in_nm = validated(Record(0, Molecule(propane.numbers, propane.positions / 10)), tiny.distribution()).error
    assert "are these in nm" in str(in_nm)


def test_noise_is_not_refused(rng) -> None:
    shaken = [
        Molecule(m.numbers, m.positions + 0.1 * rng.normal(size=m.positions.shape)) for m in tiny.geometries() * 3
    ]
    assert [status(molecule) for molecule in shaken].count("ok") >= 0.98 * len(shaken)


@pytest.mark.parametrize("smiles", ["CCCO", "c1cnc[nH]1", "C1CC1"])
def test_a_molecule_that_the_walls_of_a_box_cut_is_put_together(smiles, tmp_path) -> None:
    molecule = embed(smiles)[0]
    for cell in ([8.0, 9.0, 10.0], [[9.0, 0, 0], [2.0, 9.0, 0], [1.0, 2.0, 9.0]]):
        atoms = ase.Atoms(numbers=molecule.numbers, positions=molecule.positions, cell=cell, pbc=True)
        atoms.wrap()
        torn = ase.Atoms(numbers=atoms.numbers, positions=atoms.positions)
        assert status(torn) == "fragments"
        atoms.write(tmp_path / "a.xyz", format="extxyz")
        data = Data(
            z=torch.tensor(atoms.numbers), pos=torch.tensor(atoms.positions), cell=torch.tensor(atoms.cell.array)
        )
        (written,) = read(tmp_path / "a.xyz")
        for form in (atoms, data, written.molecule):
            assert status(form) == "ok"
        values = tiny.model().log_likelihood([molecule, atoms, data, written.molecule])
        np.testing.assert_allclose(values, values[0], atol=2e-3)


def test_pieces_crystals_and_a_box_of_two_are_refused() -> None:
    diamond = ase.Atoms("C8", scaled_positions=[[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0],
                                                [0.25, 0.25, 0.25], [0.25, 0.75, 0.75], [0.75, 0.25, 0.75],
                                                [0.75, 0.75, 0.25]], cell=[3.57] * 3, pbc=True)  # fmt: skip
    assert status(diamond) == "bad_positions"
    water = embed("O")[0]
    for gap in (3.0, 1e3):
        apart = np.concatenate([water.positions, water.positions + [gap, 0, 0]])
        assert status(Molecule([*water.numbers] * 2, apart)) == "fragments"
    two = ase.Atoms(numbers=[*water.numbers] * 2, cell=[12.0] * 3, pbc=True,
                    positions=np.concatenate([water.positions, water.positions + 5]))  # fmt: skip
    assert status(two) == "fragments"


def test_batches_of_pyg_are_taken_apart_however_they_were_made() -> None:
    z, pos = torch.full((4,), 7), torch.tensor([[0.0, 0, 0], [1.1, 0, 0], [0, 5, 0], [1.1, 5, 0]])
    nitrogen = tiny.model().log_likelihood(Molecule([7, 7], [[0, 0, 0], [1.1, 0, 0]]))
    for batch in (torch.tensor([0, 0, 1, 1]), torch.tensor([3, 3, 8, 8])):
        for made in (Data(z=z, pos=pos, batch=batch), Batch(z=z, pos=pos, batch=batch)):
            np.testing.assert_allclose(tiny.model().log_likelihood(made), [nitrogen[0]] * 2, rtol=1e-6)
            assert status(made) == "bad_input"  # a row is one molecule
    mixed = Batch(z=z, pos=pos, batch=torch.tensor([0, 1, 0, 1]))
    mixed.pos = pos[[0, 2, 1, 3]]
    np.testing.assert_allclose(tiny.model().log_likelihood(mixed), [nitrogen[0]] * 2, rtol=1e-6)
    assert status(Data(z=z, pos=pos, batch=torch.tensor([0, 0, 1]))) == "bad_input"
    assert status(Data(z=z[:2], pos=pos[:2], batch=torch.tensor([0, 0]))) == "ok"


STATUSES = {
    "unparsable": ("", " ", "C1CC", "CC(C)(C)(C)C", "c1cccc1", "C C", "CO ethanol", "42", "NaN", "\x00C", "é", "🧪"),
    "pattern": ("*", "*CC", "C[*:1]", "C~C"),
    "fragments": ("C.C", "[Na+].[Cl-]", "CC(=O)O.C=O", "O" + ".O" * 99),
    "too_small": ("[He]", "[H+]", "[Cl-]"),
    "too_large": ("CCCCCCCCCC", "C" * 9_000, "C" * 100_000, "ClC" + "C" * 40),
    "unknown_element": ("ClCCl", "[Na]C", "S", "[BH4-]", "[SiH3]"),
    "charged": ("[NH4+]", "C[O-]", "[OH3+]"),
    "radical": ("[CH3]", "[O][O]", "C[CH]C", "[CH2]"),
    "ok": ("CCO", "[NH3+]CC(=O)[O-]", "C[N+](=O)[O-]", "[C-]#[O+]", "[13CH4]", "[2H]C", " CCO ", "[H][H]"),
}


def status_of(record: Record) -> str:
    found = validated(record, tiny.distribution())
    assert (found.error is None) == bool(found.key)
    return "ok" if found.error is None else found.error.status


@pytest.mark.parametrize(("expected", "text"), [(name, text) for name, texts in STATUSES.items() for text in texts])
def test_each_kind_of_row_has_its_status_at_once(expected, text) -> None:
    started = time.process_time()
    assert status_of(Record(0, None, text)) == expected
    assert time.process_time() - started < 1.0


def test_atoms_are_counted_as_far_as_they_are_known() -> None:
    texts = ("C1CC", "ClCCl", "CCO", "C" * 20_000)
    counts = [validated(Record(0, None, text), tiny.distribution()).n_atoms for text in texts]
    assert counts == [None, 5, 9, None]


def test_geometries_have_statuses_too() -> None:
    water = Molecule([8, 1, 1], [[0, 0, 0.1], [0.76, 0, -0.48], [-0.76, 0, -0.48]])
    assert status_of(Record(0, water)) == "ok"
    assert status_of(Record(0, replace(water, charge=1))) == "charged"
    assert status_of(Record(0, replace(water, unpaired=2))) == "radical"
    assert status_of(Record(0, replace(water, pieces=2))) == "fragments"
    cases = {(8,): "too_small", (6,) * 40: "too_large", (17, 1): "unknown_element", (8, 1): "bad_formula"}
    for numbers, expected in cases.items():
        line = np.outer(np.arange(len(numbers)), [1.1, 0, 0])
        assert status_of(Record(0, Molecule(numbers, line))) == expected
    assert status_of(Record(0, Molecule([8, 1, 1], np.zeros((3, 3))))) == "bad_positions"


def test_each_error_has_a_status_of_its_own() -> None:
    kinds = [kind for name in errors.__all__ if issubclass(kind := getattr(errors, name), MolscoreError)]
    assert len({kind.status for kind in kinds}) == len(kinds)


def test_the_page_lists_every_status_that_a_row_can_have() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    others = "duplicate no_conformer timed_out bad_positions bad_formula bad_size bad_input over_limit"
    assert {*others.split(), *STATUSES} <= rows
    assert "no_such_status" not in rows
