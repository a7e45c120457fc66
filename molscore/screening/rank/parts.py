"""Parts: some rows of a ranking in a Parquet file that is whole or not there, and the folder of a job's parts.

The folder makes a killed run worth resuming, and several machines one job: ``manifest.json`` says what the parts are
of, ``part-00000000.parquet`` … hold the rows, and ``shard-1-of-8.json`` says that a share is complete and how many rows
the input has. Each file is written in one step; any of them may be missing.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from molscore.errors import InputError, MolscoreError, OutputError
from molscore.molecules.atomic import reason_of, replacing, write_text
from molscore.molecules.chem import from_smiles, mol_from_smiles
from molscore.molecules.files.parquet import array_of, geometry_arrays
from molscore.molecules.files.record import Row, is_smiles_name, label_of, smiles_among
from molscore.molecules.molecule import Molecule
from molscore.screening.columns import COLUMNS, ETKDG

if TYPE_CHECKING:
    from molscore.screening.scorer import Result

__all__ = [
    "CONTRADICTED", "HIDDEN", "KEY", "LABEL", "LACKING", "ROW", "WHOLE", "PartFolder", "Shard", "complete_parts",
    "differences", "given_name", "input_columns", "is_whole", "numbers_of", "output_name", "read_manifest", "read_part",
    "rows_of", "table_of", "write_part",
]  # fmt: skip

ROW, KEY, LABEL = "molscore_row", "molscore_key", "molscore_label"
LACKING = "molscore_lacking"  # whether the row gave 3D positions without hydrogens, which were not judged
CONTRADICTED = "molscore_contradicted"  # whether its SMILES string is of another molecule than its geometry or bonds
NUMBERS, POSITIONS = "molscore_numbers", "molscore_positions"
SMILES = "molscore_smiles"  # of a row without a geometry
HIDDEN = (ROW, KEY, LABEL, LACKING, CONTRADICTED, NUMBERS, POSITIONS, SMILES)
_TYPES = dict.fromkeys(("status", "geometry", "reference", "error"), pa.string()) | {"n_atoms": pa.int64()}
_NOTE = b"molscore_part"
_MANIFEST = "manifest.json"
_PART = re.compile(r"part-(\d{8,})\.parquet")
_SHARD = re.compile(r"shard-(\d+)-of-(\d+)\.json")
_GIVEN = "input_"
_CHANGED = {
    "input": "the input has changed",
    "model": "the weights of the model are others",
    "like": "the references have changed",
}


class Shard(NamedTuple):
    """The i-th of n shares: every n-th part, so that slow stretches of a library are shared by all."""

    index: int  # from 1
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Shard of ``i/n``; raises `InputError` for anything else."""
        index, _, of = text.partition("/")
        if not (index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of)):
            raise InputError(f"a shard is i/n with i from 1 to n, such as 3/8, not {text!r}")
        return cls(int(index), int(of))

    def owns(self, part: int) -> bool:
        """Whether a part, counted from 0, is one of this share."""
        return part % self.of == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


WHOLE = Shard(1, 1)


def numbers_of(results: Sequence["Result"], start: int) -> pa.Table:
    """What is said of rows `start`, `start` + 1 … of a library: their number from 0, the key of the molecule, its name
    or SMILES string, our columns."""
    arrays = {
        ROW: pa.array(range(start, start + len(results)), pa.int64()),
        KEY: pa.array([result.key or None for result in results], pa.string()),
        LABEL: pa.array([label_of(result.record) for result in results], pa.string()),
        LACKING: pa.array([result.record.lacks_hydrogens for result in results], pa.bool_()),
        CONTRADICTED: pa.array([bool(result.record.other_smiles) for result in results], pa.bool_()),
    }
    for name in results[0].columns:
        arrays[name] = pa.array([result.columns[name] for result in results], _TYPES.get(name, pa.float64()))
    return pa.table(arrays)


def table_of(
    results: Sequence["Result"], start: int, types: Mapping[str, pa.DataType] | None = None, shapes: bool = False
) -> pa.Table:
    """`numbers_of` some rows after the columns of the input, and geometries.

    Geometries of the input are kept, those made here where `shapes` says so. A column of the input has its type in
    `types`, or is text, so that all parts of a job agree.
    """
    table, rows = numbers_of(results, start), [input_columns(result) for result in results]
    names = dict.fromkeys(name for row in rows for name in row)
    for place, name in enumerate(names, table.column_names.index("status")):
        values = array_of([row.get(name) for row in rows], (types or {}).get(name, pa.string()))
        table = table.add_column(place, name, values)
    held = [(result.molecule if shapes else None) or result.record.molecule for result in results]
    if any(molecule is not None for molecule in held):
        for name, values in zip((NUMBERS, POSITIONS), geometry_arrays(held, np.float64), strict=True):
            table = table.append_column(name, values)
    judged = [result.record.smiles if result.record.molecule is None else None for result in results]
    return table.append_column(SMILES, pa.array(judged, pa.string()))


def input_columns(result: "Result") -> dict[str, Any]:
    """The input's columns, renamed where they clash with ours, and the SMILES of a record that has bonds."""
    record = result.record
    given = {output_name(name): value for name, value in record.columns.items()}
    if record.molecule is not None and record.smiles and not any(is_smiles_name(name) for name in given):
        given["smiles"] = record.smiles
    return given


def output_name(name: str) -> str:
    """What an input column is called in the output: renamed where it has a name of ours."""
    return f"{_GIVEN}{name}" if _clashes(name) else name


def given_name(name: str) -> str:
    """What a column of the output is called in the input."""
    bare = name.removeprefix(_GIVEN)
    return bare if name != bare and _clashes(bare) else name


def _clashes(name: str) -> bool:
    """Whether an input column has a name of ours, whatever its case, or one that a renamed column would get."""
    name = name.lower()  # as DuckDB, which merges, knows columns
    while name.startswith(_GIVEN):
        name = name.removeprefix(_GIVEN)
    return name in COLUMNS or name.startswith("molscore_")


def rows_of(table: pa.Table, optional: bool = False, shapes: bool = True) -> Iterator[Row]:
    """Rows to write, the input's columns before ours; where columns are `optional`, a row lacks those without value.

    Geometries that were made are left out unless `shapes`, and have the bonds of the SMILES string that they were made
    of; those of the input stay. Rows whose columns do not say which SMILES string was judged have its bonds.
    """
    names = [name for name in table.column_names if name not in HIDDEN]
    names.sort(key=lambda name: name in COLUMNS)
    for columns, molecule, smiles in zip(
        table.select(names).to_pylist(), _molecules(table), _smiles(table), strict=True
    ):
        if optional:
            columns = {name: value for name, value in columns.items() if value is not None or name in COLUMNS}
        if not shapes and columns["geometry"] == ETKDG:
            molecule = None
        if molecule is not None and isinstance(name := columns.get("name"), str):
            molecule = Molecule(molecule.numbers, molecule.positions, name)
        mol = None
        if smiles is not None and (molecule is not None or smiles != smiles_among(columns)):
            with suppress(MolscoreError):
                mol = from_smiles(smiles) if molecule is None else mol_from_smiles(molecule, smiles)
        yield Row(molecule, columns, mol)


def _smiles(table: pa.Table) -> list[str | None]:
    return table[SMILES].to_pylist() if SMILES in table.column_names else [None] * len(table)


def _molecules(table: pa.Table) -> Iterator[Molecule | None]:
    if NUMBERS not in table.column_names:
        yield from [None] * len(table)
        return
    for numbers, flat in zip(table[NUMBERS], table[POSITIONS], strict=True):
        if numbers.is_valid:
            yield Molecule(numbers.values.to_numpy(), flat.values.to_numpy().reshape(-1, 3))
        else:
            yield None


def write_part(path: Path, table: pa.Table, note: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write a part in one step; raises `OutputError` where that cannot be done."""
    about = {_NOTE: json.dumps(dict(note)), b"molscore": json.dumps(dict(provenance))}
    with replacing(path) as fresh:
        pq.write_table(table.replace_schema_metadata(about), fresh, compression="zstd", write_page_checksum=True)


def read_part(path: Path) -> pa.Table:
    """The table of a part; raises `InputError` for one that is damaged."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged ({reason_of(error)}); run the job again with --resume") from None


def is_whole(path: Path, note: Mapping[str, Any]) -> bool:
    """Whether a part is there, undamaged, and of the job that `note` tells."""
    try:
        table = read_part(path)
    except InputError:
        return False
    return (table.schema.metadata or {}).get(_NOTE) == json.dumps(dict(note)).encode()


class PartFolder:
    """Parts in a folder, each made once.

    Raises `InputError` for a folder that holds parts of another job, or of this one unless `resume`.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any], resume: bool = False, shard: Shard = WHOLE) -> None:
        self.path, self.manifest, self.shard = path, manifest, shard
        identity = manifest["identity"]
        self._digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        known = read_manifest(path)
        self._written = known is not None
        if known is None:
            if any(path.glob("part-*.parquet")):
                raise InputError(f"{path} holds parts of an unknown job (its {_MANIFEST} is missing): remove it")
        elif found := list(differences(known["identity"], identity)):
            raise InputError(f"{path} holds parts of another job: {'; '.join(found)}. Remove it to start anew")
        elif not resume and self._begun():
            share = "" if shard == WHOLE else f" of shard {shard}"
            raise InputError(f"{path} holds parts{share} already: add --resume to carry on, or remove it to start anew")

    def part(self, number: int) -> Path:
        """File of a part, counted from 0."""
        return _part_path(self.path, number)

    def save(self, number: int, table: pa.Table) -> None:
        """Write a part; raises `OutputError` where that cannot be done."""
        if not self._written:
            try:
                self.path.mkdir(exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self.path}: cannot be made ({reason_of(error)})") from None
            write_text(self.path / _MANIFEST, json.dumps(self.manifest, indent=1) + "\n")
            self._written = True
        write_part(self.part(number), table, self._note(number), self.manifest["provenance"])

    def mend(self, number: int, table: pa.Table) -> None:
        """Write a part again where its table has come to say something else."""
        if not table.equals(read_part(self.part(number))):
            self.save(number, table)

    def done(self) -> set[int]:
        """Parts of the share that are there and whole."""
        return {number for number in self._begun() if is_whole(self.part(number), self._note(number))}

    def finish(self, rows: int, parts: int) -> None:
        """Note that the share is complete, of an input of so many rows and parts."""
        name = f"shard-{self.shard.index}-of-{self.shard.of}.json"
        write_text(self.path / name, json.dumps({"rows": rows, "parts": parts}) + "\n")

    def remove(self) -> None:
        """Remove the folder, which has served."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _begun(self) -> set[int]:
        """Parts of the share that are there, whole or not."""
        found = (_PART.fullmatch(path.name) for path in self.path.glob("part-*.parquet"))
        return {number for match in found if match and self.shard.owns(number := int(match[1]))}

    def _note(self, number: int) -> dict[str, Any]:
        return {"job": self._digest, "part": number}


def _part_path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:08d}.parquet"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What the parts of a folder are of, or None where it does not say; raises `InputError` for a damaged one."""
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / _MANIFEST}: cannot be read ({reason_of(error)})") from None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What sets two identities apart, in words."""
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            yield _CHANGED.get(name, f"{name} was {before.get(name)} and is {now.get(name)}")


def complete_parts(folders: list[Path]) -> list[Path]:
    """All parts of a job, in order, from the folders of its shards; raises `InputError` that says what is missing."""
    notes: dict[Shard, dict[str, int]] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("shard-*.json"))):
        if match := _SHARD.fullmatch(path.name):
            with suppress(OSError, ValueError):
                notes[Shard(int(match[1]), int(match[2]))] = json.loads(path.read_text(encoding="utf-8"))
    where = ", ".join(str(folder) for folder in folders)
    if not notes:
        raise InputError(f"{where}: no shard has finished; run it again with --resume")
    total = max(note["parts"] for note in notes.values())
    found = [next((p for f in folders if (p := _part_path(f, i)).is_file()), None) for i in range(total)]
    if None in found:
        raise InputError(f"{where}: {_missing(notes, found)}; run what is missing with --resume")
    return found


def _missing(notes: dict[Shard, dict[str, int]], found: list[Path | None]) -> str:
    """What is missing, in words."""
    lost = [number for number, path in enumerate(found) if path is None]
    of = max(shard.of for shard in notes)
    shards = sorted({Shard(number % of + 1, of) for number in lost})
    named = ", ".join(str(shard) for shard in shards[:10]) + (" …" if len(shards) > 10 else "")
    rows = max(note["rows"] for note in notes.values())
    return f"{len(lost)} of {len(found)} parts of {rows} rows are missing, those of shard {named}"
