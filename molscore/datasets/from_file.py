"""A data set of any library: geometries and bonds kept where there are any, made where there are none.

The rows are worked off part by part in ``OUTPUT.parts``, which outlives a kill and goes when the data set is written.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rdkit import Chem
from tqdm import tqdm

from molscore import __version__
from molscore.datasets.assembly import Entry, LeftOut, assemble, progress, set_of
from molscore.datasets.molecule_set import MoleculeSet, load
from molscore.datasets.splits import Splitting
from molscore.datasets.suitable import check_distances, check_graph, check_size
from molscore.errors import InputError, MolscoreError, ParseError
from molscore.molecules.chem import RDKIT_VERSION, bond_array, bonds_over, mol_from_molecule, smiles_of
from molscore.molecules.conformers import ConformerPool
from molscore.molecules.files import Record, Scan, content_hash, scan
from molscore.molecules.molecule import Molecule
from molscore.molecules.workers import cores

__all__ = ["PART_ROWS", "build", "library_set"]

PART_ROWS = 1000


def build(
    source: str,
    output: str | os.PathLike[str],
    smiles_column: str | None = None,
    splitting: Splitting | None = None,
    workers: int | None = None,
    resume: bool = False,
) -> MoleculeSet:
    """Write a data set of the suitable rows of a file that `molscore.molecules.files.read` reads, and return it.

    Rows without a geometry with all hydrogens get one by ETKDGv3 and MMFF94s in `workers` processes (one a core unless
    given), seeded by `splitting`. Bonds are the file's own, those of the SMILES string, or read off the geometry. Rows
    that are left out are listed beside the data set with the reason, see `molscore.datasets.suitable`.
    The same rows and seed give the same bytes, whether or not a run was killed and carried on by `resume`.
    Raises `InputError` for a file that cannot be read, or parts of an earlier run without `resume`.
    """
    splitting = splitting or Splitting()
    if Path(source).resolve() == Path(output).resolve():
        raise InputError(f"{output} is the library itself: write the data set elsewhere with -o")
    if resume and source == "-":
        raise InputError("standard input cannot be read twice: resume from a file")
    found, job = scan(source, smiles_column), _digest(source, smiles_column, splitting.seed)
    parts = _parts(Path(f"{os.fspath(output)}.parts"), job, resume)
    left_out, kept = [], []
    workers = cores() if workers is None else workers
    with ConformerPool(workers, splitting.seed) as pool, progress(None, "data", found.total) as bar:
        for number, records in enumerate(_chunks(found, bar)):
            path = parts / f"part-{number:08d}.parquet"
            if _job_of(path) != job:
                entries, bad = _worked(records(), pool, bar.update)
                set_of(entries, {"job": job, "left_out": json.dumps(bad)}).save(path)
            part = MoleculeSet.load(path)
            left_out += [LeftOut(*row) for row in json.loads(part.metadata["left_out"])]
            kept += [part] if len(part) else []
    metadata = {
        "name": Path(output).stem,
        "source": Path(source).name,
        "job": job,
        "units": "angstrom",
        "geometry": f"as given, else ETKDGv3 and MMFF94s with seed {splitting.seed}",
        "molscore": __version__,
        "rdkit": RDKIT_VERSION,
    }
    whole = replace(MoleculeSet.concatenate(kept), metadata=metadata) if kept else set_of([], metadata)
    try:
        molecules = assemble(output, whole, left_out, splitting)
    except InputError:  # no row can be used: no run would get further with these parts
        shutil.rmtree(parts, ignore_errors=True)
        raise
    shutil.rmtree(parts, ignore_errors=True)
    return molecules


def library_set(
    source: str, output: Path, smiles_column: str | None, seed: int, workers: int | None, resume: bool
) -> MoleculeSet:
    """The molecules of a library to adapt to, with splits; one that is no data set is made into one at `output`.

    Of what is made here nothing is set aside for a test: a tenth is valid, and all else is learnt.
    Raises `InputError` as `build` does.
    """
    is_table = source.endswith(".parquet") and Path(source).is_file()
    if is_table and {"positions", "split", "smiles"} <= set(pq.read_schema(source).names):
        return load(source)
    if resume and output.is_file():
        made = load(output)
        if made.metadata["job"] != _digest(source, smiles_column, seed):
            raise _other_job(output.parent)
    else:
        made = build(source, output, smiles_column, Splitting(seed=seed), workers, resume)
    split = made.columns["split"]
    return made.with_columns(split=np.where(split == "test", "train", split))


def _worked(
    records: Sequence[Record], pool: ConformerPool, advance: Callable[[], object]
) -> tuple[list[Entry], list[LeftOut]]:
    """The entries of some rows, in order, and those that are left out."""
    found: dict[int, Entry | LeftOut] = {}
    flat: dict[int, str] = {}  # SMILES of rows whose geometry is to be made
    names = {record.row + 1: str(record.columns.get("name") or "") for record in records}
    for row, record in zip(names, records, strict=True):
        try:
            if not record.ok:
                found[row] = LeftOut(row, names[row], record.status, record.error)
            elif record.molecule is not None:
                found[row] = _given(row, record)
            else:
                flat[row] = smiles_of(check_graph(record.smiles or ""))
        except MolscoreError as error:
            found[row] = LeftOut.because(row, names[row], error)
    for _ in range(len(records) - len(flat)):
        advance()
    for (row, smiles), made in zip(flat.items(), pool.embed(list(flat.values()), progress=advance), strict=True):
        try:
            found[row] = _made(row, smiles, made, names[row])
        except MolscoreError as error:
            found[row] = LeftOut.because(row, names[row], error)
    in_order = [found[row] for row in names]
    return [e for e in in_order if isinstance(e, Entry)], [e for e in in_order if isinstance(e, LeftOut)]


def _given(row: int, record: Record) -> Entry:
    """Entry of a row that has a geometry; raises why a data set cannot take it."""
    molecule = record.molecule
    check_size(molecule.n_atoms, molecule.label)
    if record.bonds is None and record.other_smiles:
        raise ParseError(f"{molecule.label}: the geometry does not have the bonds of {record.other_smiles!r}")
    if record.smiles:
        smiles, bonds = smiles_of(check_graph(record.smiles)), record.bonds
        if bonds is None and (bonds := bonds_over(record.smiles, molecule)) is None:
            raise ParseError(f"{molecule.label}: the geometry does not have the bonds of {record.smiles!r}")
    else:
        mol = mol_from_molecule(molecule)
        smiles, bonds = smiles_of(mol), bond_array(mol)
        check_graph(smiles)
    check_distances(molecule, bonds)
    return Entry(row, molecule, smiles, bonds)


def _made(row: int, smiles: str, geometries: Sequence[Molecule] | MolscoreError, name: str) -> Entry:
    """Entry of a row whose geometry was made of its canonical SMILES; raises why there is none."""
    if isinstance(geometries, MolscoreError):
        raise geometries
    made = geometries[0]
    molecule = Molecule(made.numbers, made.positions, name)
    if (bonds := bond_array(Chem.AddHs(check_graph(smiles)))) is None:
        raise ParseError(f"{smiles!r} has a bond that is none of single, double, triple and aromatic")
    check_distances(molecule, bonds)
    return Entry(row, molecule, smiles, bonds, made.properties["force_field"])


def _chunks(found: Scan, bar: tqdm) -> Iterator[Callable[[], list[Record]]]:
    """The rows of each part, to be made into records when they are wanted; rows passed over are counted by the bar."""
    seen = 0
    while rows := list(islice(found.rows, PART_ROWS)):
        seen += len(rows)
        if found.total is None and (share := found.share()):
            bar.total = round(seen / share)
        yield lambda rows=rows: [make() for make in rows]
        bar.update(seen - bar.n)


def _parts(folder: Path, job: str, resume: bool) -> Path:
    """The folder of parts; raises `InputError` where there are parts that this run may not use."""
    held = sorted(folder.glob("part-*.parquet"))
    if held and not resume:
        raise InputError(f"{folder} holds parts of an earlier run: add --resume to carry on, or remove it")
    for path in held:
        if _job_of(path) not in (None, job):  # damaged ones are made again
            raise _other_job(folder)
    return folder


def _other_job(folder: Path) -> InputError:
    return InputError(f"{folder} is of another library, seed or version: remove it to start anew")


def _job_of(path: Path) -> str | None:
    """What a part is of; None for one that is not there or damaged."""
    try:
        return MoleculeSet.load(path).metadata.get("job", "")
    except MolscoreError:
        return None


def _digest(source: str, *others: object) -> str:
    """What the parts of a job depend on; the input counts by its content."""
    told = json.dumps([content_hash(source), *others, PART_ROWS, __version__, RDKIT_VERSION])
    return hashlib.sha256(told.encode()).hexdigest()
