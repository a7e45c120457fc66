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
    assert loaded.distributions == checkpoint.distributions
    assert loaded.info == checkpoint.info
    assert loaded.network.config == TINY
    assert loaded.network.elements == checkpoint.network.elements
    assert not loaded.network.training
    assert loaded.extras.keys() == checkpoint.extras.keys()
    assert all((loaded.extras[name] == value).all() for name, value in checkpoint.extras.items())
    assert (folder / "README.md").read_text() == "# A card"
    assert from_pretrained(str(folder)).info == checkpoint.info


def test_one_weight_changed_on_disk_changes_the_numbers(
    checkpoint: Checkpoint, folder: Path, inputs: Callable[..., Inputs]
) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["element_token.weight"][0, 0] += 1
    save_file(tensors, folder / "model.safetensors")
    x = inputs()
    with torch.no_grad():
        assert (from_pretrained(folder).network(*x).log_density != checkpoint.network(*x).log_density).any()


def test_an_older_checkpoint_is_replaced_and_nothing_else_is_left(checkpoint: Checkpoint, folder: Path) -> None:
    save_pretrained(folder, checkpoint._replace(info={"steps": 20}))
    assert from_pretrained(folder).info == {"steps": 20}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def truncate(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def foreign_weights(folder: Path) -> None:
    save_file({"embedding.weight": torch.zeros(3, 3)}, folder / "model.safetensors")


def wrong_shape(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["element_token.weight"] = torch.zeros(2, 2)
    save_file(tensors, folder / "model.safetensors")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "config is a folder": lambda folder: [(folder / "config.json").unlink(), (folder / "config.json").mkdir()],
    "weights cut to half": lambda folder: truncate(folder / "model.safetensors", 0.5),
    "weights cut in the header": lambda folder: truncate(folder / "model.safetensors", 0.001),
    "foreign weights": foreign_weights,
    "wrong shape": wrong_shape,
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


@pytest.mark.parametrize("name", ["nowhere", "no/where/at/all", ""])
def test_a_name_that_is_no_folder_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        from_pretrained(name)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_an_output_error(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputError, match="file"):
        save_pretrained(tmp_path / "file" / "model", checkpoint)


def test_the_element_table_is_the_union_and_missing_sizes_take_the_nearest() -> None:
    network = build(TINY, (ORGANIC, METALLIC))
    assert network.elements == ("H", "C", "O", "Si")
    assert network.sigma_N.shape == (2, 10)
    torch.testing.assert_close(network.sigma_N[0, 2:], torch.tensor([0.8 + 0.05 * n for n in range(2, 10)]))
    torch.testing.assert_close(network.sigma_N[1], torch.tensor([1.0, 1.0] + [1.5] * 8))
