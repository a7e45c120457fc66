"""Files under 300 lines, functions under 60, one idea a file."""

from pathlib import PurePath

import pytest

from tests.house.shape import complaints
from tests.house.sources import CODE_FOLDERS, name, python_files

AT_THE_LIMIT = "def f():\n" + "    pass\n" * 58


def test_files_and_functions_are_short() -> None:
    files = python_files(*CODE_FOLDERS)
    found = [line for path in files for line in complaints(path.read_text(encoding="utf-8"), PurePath(name(path)))]
    assert files
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("x = 1\n" * 300, "molscore/long.py"),
        (AT_THE_LIMIT + "    pass\n", "molscore/deep.py"),
        ("class A:\n    async def f(self):\n" + "        pass\n" * 59, "molscore/method.py"),
        ("", "molscore/utils.py"),
        ("", "molscore/utils/numbers.py"),
    ],
)
def test_bad_shapes_are_flagged(source: str, path: str) -> None:
    assert len(complaints(source, PurePath(path))) == 1


@pytest.mark.parametrize("source", ["x = 1\n" * 299, AT_THE_LIMIT])
def test_the_limits_are_exact(source: str) -> None:
    assert complaints(source, PurePath("molscore/fine.py")) == []
