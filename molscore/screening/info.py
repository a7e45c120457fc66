"""Where models lie, those that ship with the package and folders of others, and what they are in facts.

Facts are read from the model's files, without the network: a look at a model needs no torch.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from molscore.arguments import with_type
from molscore.errors import CheckpointError, DistributionError, InputError

__all__ = ["BUNDLED", "DEFAULT", "bundled_names", "facts", "name_of", "resolved", "to_text"]

BUNDLED = Path(__file__).resolve().parents[1] / "models"
DEFAULT = "organic"  # the model that is meant where none is named; its first distribution is qm9

_NO_PARAMETERS = (  # tensors of a checkpoint that are not learnt
    "extras.", "formulas.", "counts.", "sigma_N", "reference_encoder.mean", "reference_encoder.deviation",
)  # fmt: skip


def resolved(name_or_folder: str | Path, distribution: str | None = None) -> tuple[Path, str | None]:
    """The folder of a model and the distribution that is meant, None for its first.

    The name of a distribution of a bundled model, such as ``leads``, stands for that model and that distribution;
    anything that is neither a bundled model nor a distribution is a path itself.
    Raises `DistributionError` for such a name with another distribution beside it, `InputError` for what is no name.
    """
    if not isinstance(name_or_folder, (str, os.PathLike)):
        given = with_type(name_or_folder)
        raise InputError(f"a model is a Model, a bundled model's name or a model folder, not {given}")
    text = str(name_or_folder)
    if text in ("", ".", "..") or Path(text).name != text:
        return Path(name_or_folder), distribution
    if (BUNDLED / text).is_dir():
        return BUNDLED / text, distribution
    for folder, names in _distributions().items():
        if text in names:
            if distribution not in (None, text):
                raise DistributionError(
                    f"{text!r} means the distribution {text} of model {folder}, and not {distribution!r}: give one of "
                    f"the two, or the model as {folder!r}"
                )
            return BUNDLED / folder, text
    return Path(name_or_folder), distribution


def _distributions() -> dict[str, list[str]]:
    """The distributions of each bundled model of molecules."""
    configs = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in BUNDLED.glob("*/config.json")}
    return {name: [d["name"] for d in config.get("distributions", ())] for name, config in sorted(configs.items())}


def name_of(folder: Path) -> str:
    """The folder's own name; `molscore train` calls every one ``model``, in a folder that has the name of the run."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def bundled_names() -> str:
    """The bundled models and their distributions, for an error message."""
    names = [f"{model} ({', '.join(held)})" for model, held in _distributions().items() if held]
    return f" (bundled: {', '.join(names)})" if names else " (no model is bundled)"


def facts(name_or_folder: str | Path = DEFAULT, distribution: str | None = None) -> dict[str, Any]:
    """JSON-able facts by name of a bundled model or a model folder, for one of its distributions, else the first.

    Raises `CheckpointError` or `DistributionError`, as `molscore.load` does.
    """
    folder, distribution = resolved(name_or_folder, distribution)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise CheckpointError(f"no model folder {str(name_or_folder)!r}: {weights} is missing{bundled_names()}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        named = {values["name"]: values for values in config["distributions"]}
        chosen = named.get(distribution or next(iter(named)))
        if chosen is None:
            raise DistributionError(f"model {name_of(folder)} holds {', '.join(named)}, not {distribution!r}")
        with safe_open(weights, framework="numpy") as tensors:
            shapes = {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
            stem = f"extras.reference.{chosen['name']}."
            tables = [name for name in shapes if name.startswith(stem) and name.endswith(".resolutions")]
            resolutions = tensors.get_tensor(tables[0]).tolist() if tables else []
            most = int(tensors.get_tensor(f"formulas.{chosen['name']}").sum(1).max())
            fewest = int(tensors.get_tensor(f"{stem}support.fewest")) if tables else 0
        known = shapes.get(f"extras.known.{chosen['name']}")  # see `Predictor.training_index`
        return {
            "model": name_of(folder),
            "weights": f"sha256:{sha256(weights.read_bytes()).hexdigest()}",
            **({"base": dict(config["base"])} if "base" in config else {}),  # of an adapter
            "parameters": sum(prod(shape) for name, shape in shapes.items() if not name.startswith(_NO_PARAMETERS)),
            "network": dict(config["model"]),
            "distribution": chosen["name"],
            "distributions": list(named),
            "elements": chosen["elements"],
            "atoms": [2, max(map(int, chosen["sigma_N"]))],
            "atoms_with_percentile": [fewest, most] if tables else [],
            "training_molecules": chosen["molecules"],
            "training_formulas": chosen["formulas"],
            "percentiles_at": resolutions,
            "novel_means_not_in": None if known is None else chosen["name"],
            "known_molecules": None if known is None else known[0],
            "info": dict(config.get("info", {})),
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SafetensorError, InputError) as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{folder}: the checkpoint is corrupt or of another version: {line[:200]}") from None


def to_text(values: Mapping[str, Any], indent: str = "") -> str:
    """One line a fact, nested facts indented."""
    lines = []
    for name, value in values.items():
        label = f"{indent}{name.replace('_', ' '):<{22 - len(indent)}}"
        if isinstance(value, Mapping):
            lines += [label.rstrip(), to_text(value, indent + "  ")] if value else [f"{label}-"]
        elif isinstance(value, (list, tuple)):
            lines.append(f"{label}{' '.join(str(item) for item in value) or '-'}")
        elif isinstance(value, int) and not isinstance(value, bool):
            lines.append(f"{label}{value:,}")
        else:
            lines.append(f"{label}{'-' if value is None else value}")
    return "\n".join(lines)
