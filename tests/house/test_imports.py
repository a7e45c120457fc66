"""Imports run one way, and foreign libraries enter by their gate."""

import subprocess
import sys

import pytest

from tests.house.imports import LAYERS, complaints, imported, layer_of
from tests.house.sources import PACKAGE, ROOT, python_files

HEAVY = ("ase", "e3nn", "pandas", "rdkit", "torch", "torch_geometric")

BAD = {
    "upward": ("from molscore.nn.model import Model", "molscore.molecules.batch"),
    "upward, relative": ("from ..nn import Model", "molscore.molecules.batch"),
    "upward, package": ("from molscore import nn", "molscore.molecules.batch"),
    "upward, inside a function": ("def f():\n    import molscore.nn.model", "molscore.datasets.store"),
    "pipelines from screening": ("from molscore.pipelines.service import Service", "molscore.screening.rank"),
    "sideways": ("from molscore.evaluation import evaluate", "molscore.screening.rank"),
    "the command line": ("from molscore.cli import main", "molscore.training.loop"),
    "the front door": ("import molscore", "molscore.nn.model"),
    "chemistry in diffusion": ("from molscore.molecules import Batch", "molscore.diffusion.langevin"),
    "numpy in diffusion": ("import numpy as np", "molscore.diffusion.langevin"),
    "rdkit outside its gate": ("from rdkit import Chem", "molscore.screening.report"),
    "rdkit in the command line": ("from rdkit.Chem import AllChem", "molscore.cli"),
    "e3nn outside its gate": ("from e3nn import o3", "molscore.molecules.batch"),
    "unknown layer": ("", "molscore.drawer"),
    "by string": ("import importlib\nimportlib.import_module('molscore.nn')", "molscore.molecules.batch"),
    "lazy attribute": ("def __getattr__(name): ...", "molscore.molecules"),
}
GOOD = {
    "downward": ("from molscore.molecules import Batch\nfrom molscore.errors import SizeError", "molscore.nn.model"),
    "within": ("from .batch import collate\nfrom . import batch", "molscore.molecules.pyg"),
    "gate": ("from rdkit import Chem\nimport os", "molscore.molecules.chem"),
    "network": ("from e3nn import o3", "molscore.nn.tokenizer"),
    "diffusion": ("import math\nimport torch", "molscore.diffusion.langevin"),
    "top": ("from molscore.screening import rank", "molscore.cli"),
    "version": ("from molscore import __version__", "molscore.molecules.writing"),
}


def modules() -> list[tuple[str, str, bool]]:
    """(source, dotted name, is a package) of every module."""
    found = []
    for path in python_files("molscore"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        package = parts[-1] == "__init__"
        found.append((path.read_text(encoding="utf-8"), ".".join(parts[:-1] if package else parts), package))
    return found


def loaded_by(code: str) -> list[str]:
    """Which of the heavy libraries are loaded after the code has run in a fresh interpreter."""
    probe = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_imports_run_one_way() -> None:
    found = [complaint for module in modules() for complaint in complaints(*module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("case", BAD)
def test_bad_imports_are_flagged(case: str) -> None:
    source, module = BAD[case]
    assert len(complaints(source, module)) == 1


@pytest.mark.parametrize("case", GOOD)
def test_good_imports_pass(case: str) -> None:
    assert complaints(*GOOD[case]) == []


def test_relative_imports_resolve_from_a_package() -> None:
    source = "from .batch import Batch\nfrom ..errors import SizeError"
    found = list(imported(source, "molscore.molecules", is_package=True))
    assert found == ["molscore.molecules.batch", "molscore.errors"]


def test_the_table_of_layers_is_one_way() -> None:
    for layer, below in LAYERS.items():
        assert all(LAYERS[other] <= below for other in below), f"{layer} does not contain what is below its layers"
        assert layer not in below


def test_every_folder_is_a_layer() -> None:
    folders = {layer_of(module) for _, module, _ in modules()}
    assert {"molecules", "datasets"} <= folders, f"the package was not read: {PACKAGE}"


def test_import_is_light() -> None:
    assert loaded_by("import molscore") == []


def test_a_heavy_import_is_seen() -> None:
    assert "rdkit" in loaded_by("import molscore, rdkit")
