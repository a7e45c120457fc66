"""A data set of any library: geometries and bonds kept where there are any, made where there are none.

The rows are worked off part by part in ``OUTPUT.parts``, which outlives a kill and goes when the data set is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from rdkit import Chem
from tqdm import tqdm

from molscore import __version__
from molscore.datasets.assembly import Entry, LeftOut, Splitting, assemble, set_of
from molscore.datasets.graphs import bonds_over
from molscore.datasets.progress import progress
from molscore.datasets.store import MoleculeSet
from molscore.datasets.suitable import check_geometry, check_graph, check_size
from molscore.errors import InputError, MolscoreError, ParseError
from molscore.molecules.atomic import reason_of
from molscore.molecules.chem import RDKIT_VERSION, bond_array, mol_from_molecule, smiles_of
from molscore.molecules.conformers import ConformerPool
from molscore.molecules.files import Record, Scan, scan
from molscore.molecules.molecule import Molecule

__all__ = ["PART_ROWS", "build"]

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
    workers = _cores() if workers is None else workers
    with ConformerPool(workers, splitting.seed) as pool, progress(None, "data", found.total) as bar:
        for number, records in enumerate(_chunks(found, bar)):
            path = parts / f"part-{number:08d}.parquet"
            if not _is_whole(path, job):
                entries, bad = _worked(records(), pool, bar.update)
                note = {"job": job, "left_out": json.dumps(bad)}
                set_of(entries, note).save(path)
            part = MoleculeSet.load(path)
            left_out += [LeftOut(*row) for row in json.loads(part.metadata["left_out"])]
            kept += [part] if len(part) else []
    metadata = {
        "name": Path(output).stem,
        "source": Path(source).name,
        "units": "angstrom",
        "geometry": f"as given, else ETKDGv3 and MMFF94s with seed {splitting.seed}",
        "molscore": __version__,
        "rdkit": RDKIT_VERSION,
    }
    whole = MoleculeSet.concatenate(kept).with_metadata(metadata) if kept else set_of([], metadata)
    molecules = assemble(output, whole, left_out, splitting)
    shutil.rmtree(parts, ignore_errors=True)
    return molecules


def _worked(
    records: Sequence[Record], pool: ConformerPool, advance: Callable[[], object]
) -> tuple[list[Entry], list[LeftOut]]:
    """The entries of some rows, in order, and those that are left out."""
    results: dict[int, Entry | MolscoreError] = {}
    graphs: dict[int, Chem.Mol] = {}
    for record in records:
        try:
            if not record.ok:
                continue
            if record.molecule is not None:
                results[record.row] = _given(record)
            else:
                graphs[record.row] = check_graph(record.smiles or "")
        except MolscoreError as error:
            results[record.row] = error
    smiles = {row: smiles_of(graph) for row, graph in graphs.items()}
    for _ in range(len(records) - len(smiles)):
        advance()
    made = pool.embed(list(smiles.values()), advance)
    names = {record.row: str(record.columns.get("name") or "") for record in records}
    for row, geometries in zip(smiles, made, strict=True):
        failed = isinstance(geometries, MolscoreError)
        results[row] = geometries if failed else _made(row, smiles[row], geometries[0], names[row])
    rows = [(row, results[row]) for row in sorted(results)]
    bad = [(record.row, record.status, record.error) for record in records if not record.ok]
    bad += [(row, result.status, str(result)) for row, result in rows if isinstance(result, MolscoreError)]
    left_out = [LeftOut(row, names[row], status, error) for row, status, error in bad]
    return [result for _, result in rows if isinstance(result, Entry)], left_out


def _given(record: Record) -> Entry:
    """Entry of a row that has a geometry; raises why a data set cannot take it."""
    molecule = record.molecule
    check_size(molecule.n_atoms, molecule.label)
    if record.smiles:
        smiles, bonds = smiles_of(check_graph(record.smiles)), record.bonds
        if bonds is None and (bonds := bonds_over(record.smiles, molecule)) is None:
            raise ParseError(f"{molecule.label}: the geometry does not have the bonds of {record.smiles!r}")
    else:
        mol = mol_from_molecule(molecule)
        smiles, bonds = smiles_of(mol), bond_array(mol)
        check_graph(smiles)
    check_geometry(molecule, bonds)
    return Entry(record.row, molecule, smiles, bonds)


def _made(row: int, smiles: str, made: Molecule, name: str) -> Entry | MolscoreError:
    """Entry of a row whose geometry was made of its canonical SMILES, or why there is none."""
    molecule = Molecule(made.numbers, made.positions, name)
    bonds = bond_array(Chem.AddHs(check_graph(smiles)))
    try:
        if bonds is None:
            raise ParseError(f"{smiles!r} has a bond that is none of single, double, triple and aromatic")
        check_geometry(molecule, bonds)
    except MolscoreError as error:
        return error
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
        if _job_of(path) not in (None, job):
            raise InputError(f"{folder} holds parts of another library, seed or version: remove it to start anew")
    return folder


def _is_whole(path: Path, job: str) -> bool:
    return path.is_file() and _job_of(path) == job


def _job_of(path: Path) -> str | None:
    """What a part is of; None for one that is damaged."""
    try:
        return MoleculeSet.load(path).metadata.get("job", "")
    except MolscoreError:
        return None


def _digest(source: str, *others: object) -> str:
    """What the parts of a job depend on; the input counts by its content."""
    try:
        with open(source, "rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        if source != "-":
            raise InputError(f"{source}: cannot be read ({reason_of(error)})") from None
        content = "-"
    told = json.dumps([content, *others, PART_ROWS, __version__, RDKIT_VERSION])
    return hashlib.sha256(told.encode()).hexdigest()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
