"""A checkpoint gives back the same numbers; anything else is one line that says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from molscore.errors import CheckpointError, OutputError
from molscore.nn.checkpoint import Checkpoint, build, from_pretrained, save_pretrained
from tests.nn.conftest import METALLIC, ORGANIC, TINY, Inputs


@pytest.fixture
def checkpoint(randomised: Callable) -> Checkpoint:
    extras = {"percentiles": torch.arange(5.0), "sizes": torch.tensor([3, 4])}
    return Checkpoint(randomised(ORGANIC, METALLIC), (ORGANIC, METALLIC), {"steps": 10, "note": "é"}, extras)


@pytest.fixture
def folder(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    return save_pretrained(tmp_path / "runs" / "model", checkpoint, "# A card")


def test_saved_and_loaded_is_the_same(checkpoint: Checkpoint, folder: Path, inputs: Callable[..., Inputs]) -> None:
    loaded, x = from_pretrained(folder), inputs()
    with torch.no_grad():
        for estimate, expected in zip(loaded.network(*x), checkpoint.network(*x), strict=True):
            assert (estimate == expected).all()
    assert (loaded.distributions, loaded.info) == (checkpoint.distributions, checkpoint.info)
    assert (loaded.network.config, loaded.network.elements) == (TINY, checkpoint.network.elements)
    assert not loaded.network.training
    assert loaded.extras.keys() == checkpoint.extras.keys()
    assert all((loaded.extras[name] == value).all() for name, value in checkpoint.extras.items())
    assert (folder / "README.md").read_text() == "# A card"
    save_pretrained(str(folder), checkpoint._replace(info={"steps": 20}))  # in place of the older one
    assert from_pretrained(str(folder)).info == {"steps": 20}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    tensors = load_file(folder / "model.safetensors")
    tensors["element_token.weight"][0, 0] += 1  # one weight changed on disk changes the numbers
    save_file(tensors, folder / "model.safetensors")
    with torch.no_grad():
        assert (from_pretrained(folder).network(*x).log_density != checkpoint.network(*x).log_density).any()


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def truncate(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def weights(folder: Path, **tensors: torch.Tensor) -> None:
    save_file(tensors, folder / "model.safetensors")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "config is a folder": lambda folder: [(folder / "config.json").unlink(), (folder / "config.json").mkdir()],
    "weights cut to half": lambda folder: truncate(folder / "model.safetensors", 0.5),
    "weights cut in the header": lambda folder: truncate(folder / "model.safetensors", 0.001),
    "pickled weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\x80\x04pickle"),
    "foreign weights": lambda folder: weights(folder, embedding=torch.zeros(3, 3)),
    "wrong shape": lambda folder: weights(
        folder, **load_file(folder / "model.safetensors") | {"element_token.weight": torch.zeros(2, 2)}
    ),
    "config cut": lambda folder: truncate(folder / "config.json", 0.5),
    "config not text": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x00"),
    "another format": lambda folder: edit_config(folder, format="bert/1"),
    "another network": lambda folder: edit_config(folder, model=TINY.to_dict() | {"dim": 32}),
    "no heads": lambda folder: edit_config(folder, model=TINY.to_dict() | {"heads": 0}),
    "sizes in words": lambda folder: edit_config(folder, model=TINY.to_dict() | {"dim": "wide"}),
    "unknown size": lambda folder: edit_config(folder, model=TINY.to_dict() | {"depth": 2}),
    "model a number": lambda folder: edit_config(folder, model=3),
    "no distributions": lambda folder: edit_config(folder, distributions=[]),
    "odd distributions": lambda folder: edit_config(folder, distributions=[{"name": "x"}]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_one_line(damage: Callable[[Path], object], folder: Path) -> None:
    damage(folder)
    with pytest.raises(CheckpointError) as caught:
        from_pretrained(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < 500


def test_what_is_no_folder_is_one_line(checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("nowhere", "no/where/at/all", ""):
        with pytest.raises(CheckpointError) as caught:
            from_pretrained(name)
        assert "\n" not in str(caught.value)
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputError, match="file"):
        save_pretrained(tmp_path / "file" / "model", checkpoint)


def test_the_element_table_is_the_union_and_missing_sizes_take_the_nearest() -> None:
    network = build(TINY, (ORGANIC, METALLIC))
    assert network.elements == ("H", "C", "O", "Si")
    assert network.sigma_N.shape == (2, 10)
    torch.testing.assert_close(network.sigma_N[0, 2:], torch.tensor([0.8 + 0.05 * n for n in range(2, 10)]))
    torch.testing.assert_close(network.sigma_N[1], torch.tensor([1.0, 1.0] + [1.5] * 8))
