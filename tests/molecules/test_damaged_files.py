"""A damaged file costs its own rows or is refused in one line: no reader crashes, and none makes up a molecule."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from molscore.errors import MolscoreError
from molscore.molecules.files import read, write
from tests import tiny

TIMES = 40


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut out, repeated or put in; or the end cut off."""
    data = bytearray(whole)
    for _ in range(rng.integers(1, 6)):
        start, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
        piece = [bytes(rng.integers(0, 256, length, dtype=np.uint8)), b"", bytes(data[start : start + length]) * 2]
        data[start : start + length] = piece[rng.integers(3)]
    return bytes(data[: rng.integers(1, len(data))]) if rng.random() < 0.2 else bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".sdf", ".sdf.gz", ".xyz", ".extxyz", ".parquet"])
def test_damaged_files_are_answered_or_refused(suffix: str, tmp_path: Path) -> None:
    path, rng = tmp_path / f"whole{suffix}", np.random.default_rng(0)
    write(path, tiny.geometries()[:8])
    packed = suffix.endswith(".gz")
    whole = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    assert len(list(read(path))) == 8
    for _ in range(TIMES):
        content = damaged(whole, rng)
        path.write_bytes(gzip.compress(content) if packed else content)
        try:
            records = list(read(path))
        except MolscoreError as error:
            assert str(error)
            continue
        for record in records:
            assert record.ok or record.status
            if record.molecule is not None:
                assert np.isfinite(record.molecule.positions).all()
