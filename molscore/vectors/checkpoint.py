"""A trained network on vectors in one file: weights as safetensors, sizes and provenance as JSON in its header."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from molscore.errors import CheckpointError
from molscore.vectors.network import VectorConfig, VectorNetwork

__all__ = ["load_network", "save_network"]

FORMAT = "molscore-vectors/1"


def save_network(path: Path, config: VectorConfig, weights: dict[str, torch.Tensor], info: dict[str, Any]) -> None:
    """Write the file in one step; `info` is free-form provenance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    header = {"format": FORMAT, "config": json.dumps(asdict(config)), "info": json.dumps(info)}
    save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, fresh, metadata=header)
    fresh.replace(path)


def load_network(path: Path) -> tuple[VectorNetwork, dict[str, Any]]:
    """The network, in float32 and evaluation mode, and its provenance; CheckpointError where there is none."""
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise CheckpointError(f"{path}: not a {FORMAT} model")
            config = json.loads(header["config"])
            network = VectorNetwork(VectorConfig(**{**config, "bandwidths": tuple(config["bandwidths"])}))
            network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        line = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: the model is missing, corrupt or of another version: {line}") from None
    return network.eval().requires_grad_(False), json.loads(header["info"])
