"""The package declares what it imports, and installs under the right names."""

import re
import sys
import tomllib
from importlib.metadata import entry_points, version

import pytest

import molscore
from tests.house.imports import imported
from tests.house.packaging import undeclared, unused
from tests.house.sources import PACKAGE, ROOT
from tests.house.test_imports import modules

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = {"dependencies": ["torch==2.13.0", "torch-geometric>=2.6"], "optional-dependencies": {"qm9": ["qm9pack>=1"]}}


def foreign() -> set[str]:
    """Top-level names of the foreign libraries that the package imports."""
    roots = {target.split(".")[0] for module in modules() for target in imported(*module)}
    return roots - set(sys.stdlib_module_names) - {"molscore"}


def test_every_import_is_declared() -> None:
    assert undeclared(foreign(), PYPROJECT["project"]) == set()


@pytest.mark.skipif(not (PACKAGE / "cli.py").exists(), reason="the package has no command line")
def test_every_dependency_is_imported() -> None:
    assert unused(foreign(), PYPROJECT["project"]) == set()


def test_differences_are_flagged() -> None:
    assert undeclared({"torch", "torch_geometric", "qm9pack", "scipy"}, PROJECT) == {"scipy"}
    assert unused({"torch", "qm9pack"}, PROJECT) == {"torch-geometric"}


def test_the_distribution_has_its_own_name() -> None:
    assert version("molscore-discoformer") == molscore.__version__
    (script,) = entry_points(group="console_scripts", name="molscore")
    assert script.value == "molscore.cli:main"


def test_torch_has_one_version_everywhere() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "Makefile", "environment.yml")]
    pins = [set(re.findall(r"torch==[\d.]+", text)) for text in texts]
    assert pins[0] == pins[1] == pins[2]
    assert len(pins[0]) == 1


def test_the_citation_has_the_same_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == molscore.__version__
