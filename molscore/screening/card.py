"""What a model is, in facts: parameters, elements, sizes, training data, figures, resolutions."""

from collections.abc import Mapping
from typing import Any

from molscore.screening.model import Model

__all__ = ["facts", "to_text"]


def facts(model: Model) -> dict[str, Any]:
    """JSON-able facts by name."""
    distribution = model.distribution
    return {
        "model": model.name,
        "weights": f"sha256:{model.weights}",
        "parameters": sum(parameter.numel() for parameter in model.network.parameters()),
        "network": model.network.config.to_dict(),
        "distribution": distribution.name,
        "distributions": [known.name for known in model.checkpoint.distributions],
        "elements": list(distribution.elements),
        "atoms": [2, model.max_atoms],
        "training_molecules": distribution.n_molecules,
        "training_formulas": len(distribution.formula_counts),
        "percentiles_at": model.resolutions,
        "known_molecules": None if model.known is None else len(model.known),
        "info": model.checkpoint.info,
    }


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
