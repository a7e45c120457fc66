"""Checkpoints in Hugging Face layout: a folder of config.json, model.safetensors, README.md. Nothing is unpickled."""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save

from molscore.errors import CheckpointError, InputError
from molscore.molecules.atomic import make_folder, replacing
from molscore.molecules.distribution import Distribution
from molscore.nn.adapter import merge
from molscore.nn.backbone import ModelConfig
from molscore.nn.discoformer import DiScoFormer

__all__ = ["Adapter", "Checkpoint", "build", "check_vacant", "from_pretrained", "save_pretrained", "started_from"]

FORMAT = "molscore-discoformer/2"
ADAPTER_FORMAT = "molscore-adapter/1"


class Adapter(NamedTuple):
    """What makes an adapted network of a base, see `molscore.nn.adapter`."""

    base: str  # name or folder of the base
    sha256: str  # of its model.safetensors
    tensors: dict[str, torch.Tensor]


class Checkpoint(NamedTuple):
    """A network and what it knows of its data."""

    network: DiScoFormer
    distributions: tuple[Distribution, ...]
    info: dict[str, Any]  # training data, compute and figures, free-form
    extras: dict[str, torch.Tensor]  # tables beside the weights, such as reference percentiles
    adapter: Adapter | None = None  # of an adapted network, which is saved as that alone

    def __repr__(self) -> str:
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        names = ", ".join(distribution.name for distribution in self.distributions)
        return f"Checkpoint({names}; {parameters:,} parameters, {len(self.extras)} tables)"


def build(
    config: ModelConfig, distributions: Sequence[Distribution], elements: tuple[str, ...] | None = None
) -> DiScoFormer:
    """A network at its random start, knowing `elements`, or the union of those of `distributions`."""
    elements = elements or tuple(dict.fromkeys(symbol for d in distributions for symbol in d.elements))
    largest = max(d.max_atoms for d in distributions)
    table = torch.ones(len(distributions), largest + 1)
    for row, distribution in enumerate(distributions):
        for n in range(2, largest + 1):
            table[row, n] = distribution.sigma_N[min(n, distribution.max_atoms)]
    return DiScoFormer(config, elements, table)


def started_from(start: Checkpoint, distributions: Sequence[Distribution]) -> DiScoFormer:
    """A network for `distributions` with the weights of a trained one.

    A distribution that the trained model has, by name, keeps its token; others begin at that of the first. Elements
    that it does not know begin at random.
    """
    known = start.network.elements
    elements = tuple(dict.fromkeys([*known, *(symbol for d in distributions for symbol in d.elements)]))
    network = build(start.network.config, distributions, elements)
    names = [d.name for d in start.distributions]
    state = network.state_dict()
    for name, value in start.network.state_dict().items():
        if name in ("distribution_token.weight", "noise_offset"):
            value = value[[names.index(d.name) if d.name in names else 0 for d in distributions]]
        if name != "sigma_N":
            state[name][: len(value)] = value
    network.load_state_dict(state)
    return network


def save_pretrained(folder: str | Path, checkpoint: Checkpoint, card: str = "") -> Path:
    """Write the folder, each file in one step; raises OutputError where that cannot be done.

    A weight that half precision holds exactly takes two bytes.
    """
    folder = Path(folder)
    network, distributions, info, extras, adapter = checkpoint
    config = {
        "format": FORMAT if adapter is None else ADAPTER_FORMAT,
        "model": network.config.to_dict(),
        "elements": list(network.elements),
        "distributions": [
            {
                "name": d.name,
                "elements": list(d.elements),
                "sigma_N": {str(size): sigma for size, sigma in sorted(d.sigma_N.items())},
                "molecules": d.n_molecules,
                "formulas": len(d.formula_counts),
            }
            for d in distributions
        ],
        "info": info,
    }
    if adapter is not None:
        config["base"] = {"name": adapter.base, "sha256": adapter.sha256}
    weights = network.state_dict() if adapter is None else adapter.tensors
    tensors = {name: _smallest(value.detach().cpu()) for name, value in weights.items()}
    tensors |= {f"extras.{name}": value.contiguous() for name, value in extras.items()}
    for d in distributions:  # tensors, for there can be ten thousands
        formulas, counts = zip(*sorted(d.formula_counts.items()), strict=True)
        tensors[f"formulas.{d.name}"] = torch.tensor(formulas, dtype=torch.uint8)
        tensors[f"counts.{d.name}"] = torch.tensor(counts, dtype=torch.int32)
    make_folder(folder)
    for name, content in (
        ("README.md", (card or "A molscore-discoformer checkpoint.\n").encode()),
        ("model.safetensors", save(tensors, metadata={"format": "pt"})),
        ("config.json", (json.dumps(config, indent=1) + "\n").encode()),
    ):
        with replacing(folder / name) as fresh:
            fresh.write_bytes(content)
    return folder


def check_vacant(folder: str | Path) -> None:
    """Raise `InputError` for a folder where `save_pretrained` would replace something, before the work for it."""
    if Path(folder).is_file():
        raise InputError(f"{folder} is a file: name a folder")
    if held := [name for name in ("config.json", "model.safetensors", "README.md") if (Path(folder) / name).exists()]:
        raise InputError(f"{folder} holds {held[0]} already, which would be lost: name another folder, or remove it")


def _smallest(value: torch.Tensor) -> torch.Tensor:
    half = value.half()
    return half if value.ndim > 1 and torch.equal(half.to(value.dtype), value) else value.contiguous()


def from_pretrained(name_or_path: str | Path, folder_of: Callable[[str], Path] = Path) -> Checkpoint:
    """Load a checkpoint folder, or a model of the Hugging Face hub where `huggingface_hub` is installed and reachable.

    The base of an adapter is looked for under its name, which `folder_of` makes a folder of, and beside the adapter.
    Raises CheckpointError naming the file that is missing, corrupt or of another kind.
    """
    folder = Path(name_or_path)
    if not folder.is_dir():
        folder = _from_hub(str(name_or_path))
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: {name} is missing, so this is not a model folder")
    try:
        config = json.loads((folder / "config.json").read_text())
        if not isinstance(config, dict) or config.get("format") not in (FORMAT, ADAPTER_FORMAT):
            raise CheckpointError(f"{folder / 'config.json'}: not a {FORMAT} model")
        tensors = load_file(folder / "model.safetensors")
        distributions = tuple(_distribution(values, tensors) for values in config["distributions"])
        extra = [name for name in tensors if name.startswith("extras.")]
        extras = {name.removeprefix("extras."): tensors.pop(name) for name in extra}
        adapter = None
        if config["format"] == ADAPTER_FORMAT:
            adapter = Adapter(config["base"]["name"], config["base"]["sha256"], tensors)
            base = from_pretrained(_base_of(folder, adapter, folder_of))
            network = merge(started_from(base, distributions), tensors)
        else:
            network = build(ModelConfig.from_dict(config["model"]), distributions, tuple(config["elements"]))
            network.load_state_dict(tensors)
    except Exception as error:  # json, safetensors, torch and e3nn raise many kinds for files that are not a model's
        if isinstance(error, CheckpointError) and str(folder) in str(error):
            raise
        line = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{folder}: the checkpoint is corrupt or of another version: {line[:200]}") from None
    return Checkpoint(network.eval(), distributions, config.get("info", {}), extras, adapter)


def _base_of(folder: Path, adapter: Adapter, folder_of: Callable[[str], Path]) -> Path:
    """The folder of the base that an adapter was made for; a CheckpointError that says what to do where it is not."""
    tried = [folder_of(adapter.base), folder.resolve().parent / Path(adapter.base).name]
    for base in tried:
        weights = base / "model.safetensors"
        if weights.is_file() and sha256(weights.read_bytes()).hexdigest() == adapter.sha256:
            return base
    found = "has other weights" if any((base / "model.safetensors").is_file() for base in tried) else "is not there"
    raise CheckpointError(
        f"{folder} adapts the model {adapter.base!r} with weights sha256:{adapter.sha256[:12]}…, which {found}: "
        "put its folder beside the adapter, or adapt again"
    )


def _distribution(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Distribution:
    """A distribution of a checkpoint; its formulas leave `tensors`."""
    formulas, counts = (tensors.pop(f"{part}.{values['name']}") for part in ("formulas", "counts"))
    sigma_N = {int(size): float(sigma) for size, sigma in values["sigma_N"].items()}
    # by element: ten thousands of lists, one a formula, would keep the garbage collector busy for half a second
    formula_counts = dict(zip(zip(*formulas.T.tolist(), strict=True), counts.tolist(), strict=True))
    return Distribution(values["name"], tuple(values["elements"]), formula_counts, sigma_N)


def _from_hub(name: str) -> Path:
    """Download `owner/model`; a CheckpointError that says what to do where that cannot be."""
    missing = f"no model folder {name!r}; give a folder that `molscore train` wrote, or a bundled model's name"
    if name.count("/") != 1:
        raise CheckpointError(missing)
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=["config.json", "model.safetensors", "README.md"]))
    except (ImportError, PackageNotFoundError):
        raise CheckpointError(f"{missing}; models of the hub need `pip install huggingface_hub`") from None
    except Exception as error:  # the hub client raises many kinds; none of them may reach a user as a traceback
        raise CheckpointError(f"{missing}; the hub said: {str(error).splitlines()[0][:200]}") from None
