"""Every module says what it holds, and every public name what it is."""

import pytest

from tests.house.sources import name, python_files
from tests.house.words import complaints

HEAD = '"""Module."""\n__all__ = ["f"]\n'

BAD = {
    "no module docstring": '__all__ = ["f"]\n',
    "no __all__": '"""Module."""\n',
    "function": HEAD + "def f() -> None: ...\n",
    "class": HEAD + "class F: ...\n",
    "method": HEAD + 'class F:\n    """A class."""\n    def f(self) -> None: ...\n',
    "argument without a type": HEAD + 'def f(x) -> None:\n    """Do."""\n',
    "keyword without a type": HEAD + "def _f(*, x=1) -> None: ...\n",
    "result without a type": HEAD + "def _f(x: int): ...\n",
}
GOOD = {
    "private": HEAD + "def _f(x: int) -> None: ...\nclass _F:\n    def f(self) -> None: ...\n",
    "special method": HEAD + 'class F:\n    """A class."""\n    def __len__(self) -> int: ...\n',
    "annotated __all__": '"""Module."""\n__all__: list[str] = []\n',
    "nested function": HEAD + 'def f() -> None:\n    """Do."""\n    def g() -> None: ...\n',
}


def test_the_package_is_documented() -> None:
    files = python_files("molscore")
    found = [line for path in files for line in complaints(path.read_text(encoding="utf-8"), name(path)[:-3])]
    assert files
    assert not found, "\n".join(found)


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for path in python_files("molscore")}
    assert [name(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("case", BAD)
def test_silence_is_flagged(case: str) -> None:
    assert len(complaints(BAD[case], "molscore/module")) == 1


@pytest.mark.parametrize("case", GOOD)
def test_enough_is_enough(case: str) -> None:
    assert complaints(GOOD[case], "molscore/module") == []


def test_main_needs_no_exports() -> None:
    assert complaints('"""Module."""\n', "molscore/__main__") == []
