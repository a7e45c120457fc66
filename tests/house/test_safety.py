"""No pickles: a model or a data file from a stranger must not run code."""

import pytest

from tests.house.safety import complaints
from tests.house.sources import name, python_files


def test_nothing_is_unpickled() -> None:
    files = python_files("molscore", "benchmarks", "examples")
    found = [line for path in files for line in complaints(path.read_text(encoding="utf-8"), name(path))]
    assert files
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import joblib",
        "from torch import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=safe)",
        "np.load(path, allow_pickle=True)",
        "frame.to_pickle(path)",
    ],
)
def test_pickles_are_flagged(source: str) -> None:
    assert len(complaints(source, "module")) == 1


@pytest.mark.parametrize(
    "source",
    ["torch.load(path, weights_only=True)", "np.load(path, allow_pickle=False)", "from safetensors.torch import load"],
)
def test_safe_loading_passes(source: str) -> None:
    assert complaints(source, "module") == []
