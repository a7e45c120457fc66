"""The state of a run: whole or not at all, and never code."""

import io
from pathlib import Path

import pytest
import torch

from molscore.errors import CheckpointError, OutputError
from molscore.training.loop import load_state, save_state

STATE = {"step": 7, "seconds": 1.5, "network": {"w": torch.arange(6.0).view(2, 3)}, "optimiser": [{"a": 1}]}


class Odd:
    """Something that only unpickling could bring back."""


def saved(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run" / "state.pt"
    path.parent.mkdir()
    (path.parent / ".state.pt.part").write_bytes(saved(STATE)[:100])  # what a kill leaves behind
    save_state(path, STATE)
    save_state(path, STATE | {"step": 8})
    loaded = load_state(path)
    assert loaded["step"] == 8
    assert (loaded["network"]["w"] == STATE["network"]["w"]).all()
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]
    with pytest.raises(CheckpointError, match="No such file"):
        load_state(tmp_path / "state.pt")
    with pytest.raises(OutputError, match="cannot write"):
        save_state(path / "below" / "state.pt", STATE)


@pytest.mark.parametrize(
    "content",
    [b"", b"step 7", saved(STATE)[:-200], saved(STATE)[:100], saved(Odd()), saved({"step": Odd()}), saved([1, 2])],
    ids=["empty", "text", "cut at the end", "cut at the start", "an object", "an object inside", "a list"],
)
def test_a_file_that_is_no_state_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state\.pt") as caught:
        load_state(path)
    assert "\n" not in str(caught.value)
