"""Nothing is ever unpickled: a model or a data file from a stranger must not run code."""

import re

import pytest

from tests.house.sources import ROOT

UNSAFE = [
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^\s*(import|from) (cPickle|cloudpickle|dill|joblib|marshal|pickle|shelve)\b",
        r"^\s*from torch import .*\bload\b",  # a bare `load` could not be told from the safe one of safetensors
        r"\btorch\.load\((?![^()]*(\([^()]*\)[^()]*)*weights_only=True)",
        r"\b(read_pickle|to_pickle)\(",
        r"\ballow_pickle=(?!False)",
    )
]


def found(source: str) -> list[str]:
    return [match[0] for pattern in UNSAFE if (match := pattern.search(source))]


def test_nothing_is_unpickled() -> None:
    files = [path for folder in ("molscore", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    assert files
    assert {path.name: seen for path in files if (seen := found(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "def f():\n    import joblib", "from torch import load",
        "torch.load(path)", "torch.load(open(path), weights_only=False)", "np.load(path, allow_pickle=True)",
        "frame.to_pickle(path)",
    ],
)  # fmt: skip
def test_pickles_are_seen(source: str) -> None:
    assert len(found(source)) == 1
    safe = "torch.load(f(path), weights_only=True)\nnp.load(a, allow_pickle=False)\nfrom safetensors.torch import load"
    assert found(safe) == []
