"""The folder of a job's parts: what makes a killed run worth resuming, and several machines one job.

``manifest.json`` says what the parts are of, ``part-00000000.parquet`` … hold the rows, and ``shard-1-of-8.json`` says
that a share is complete and how many rows the input has. Each file is written in one step; any of them may be missing.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from molscore.errors import InputError, OutputError
from molscore.molecules.atomic import reason_of, write_text
from molscore.screening.rank.job import WHOLE, Job, Shard, differences
from molscore.screening.rank.parts import is_whole, read_part, write_part

__all__ = ["Manifest", "PartFolder", "complete_parts", "part_path", "read_manifest"]

_MANIFEST = "manifest.json"
_PART = re.compile(r"part-(\d{8,})\.parquet")
_SHARD = re.compile(r"shard-(\d+)-of-(\d+)\.json")
Manifest = dict[str, Any]


class PartFolder:
    """Parts in a folder, each made once.

    Raises `InputError` for a folder that holds parts of another job, or of this one unless `resume`.
    """

    def __init__(
        self, path: Path, job: Job, provenance: Mapping[str, Any], resume: bool = False, shard: Shard = WHOLE
    ) -> None:
        self.path, self.shard = path, shard
        self.manifest: Manifest = {
            "identity": job.identity,
            "provenance": dict(provenance),
            "by": job.scorer.by,
            "optional": job.optional,
        }
        self._digest = hashlib.sha256(json.dumps(job.identity, sort_keys=True).encode()).hexdigest()
        if (known := read_manifest(path)) is None:
            if any(path.glob("part-*.parquet")):
                raise InputError(f"{path} holds parts of an unknown job (its {_MANIFEST} is missing): remove it")
            self._written = False
            return
        if found := list(differences(known["identity"], job.identity)):
            raise InputError(f"{path} holds parts of another job: {'; '.join(found)}. Remove it to start anew")
        if not resume and self._begun():
            share = "" if shard == WHOLE else f" of shard {shard}"
            raise InputError(f"{path} holds parts{share} already: add --resume to carry on, or remove it to start anew")
        self._written = True

    def part(self, number: int) -> Path:
        """File of a part, counted from 0."""
        return part_path(self.path, number)

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


def part_path(folder: Path, number: int) -> Path:
    """File of a part, counted from 0."""
    return folder / f"part-{number:08d}.parquet"


def read_manifest(folder: Path) -> Manifest | None:
    """What the parts of a folder are of, or None where it does not say; raises `InputError` for a damaged one."""
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / _MANIFEST}: cannot be read ({reason_of(error)})") from None


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
    found = [next((p for f in folders if (p := part_path(f, i)).is_file()), None) for i in range(total)]
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
