"""Reading from text that a test holds in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from molscore.molecules.files import Record, read


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., list[Record]]:
    """Records of a file of this name with this content; strange rows are the point, so bytes go in as they are."""

    def reading(name: str, content: str | bytes, smiles_column: str | None = None) -> list[Record]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return list(read(path, smiles_column))

    return reading
