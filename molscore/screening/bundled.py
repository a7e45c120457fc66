"""Where models lie: those that ship with the package, by name or by that of a distribution, and folders of others."""

import json
from pathlib import Path

__all__ = ["BUNDLED", "bundled_names", "name_of", "resolved"]

BUNDLED = Path(__file__).resolve().parents[1] / "models"


def resolved(name_or_folder: str | Path, distribution: str | None = None) -> tuple[Path, str | None]:
    """The folder of a model and the distribution that is meant, None for its first.

    The name of a distribution of a bundled model, such as ``leads``, stands for that model and that distribution;
    anything that is neither a bundled model nor a distribution is a path itself.
    """
    text = str(name_or_folder)
    if text in ("", ".", "..") or Path(text).name != text:
        return Path(name_or_folder), distribution
    if (BUNDLED / text).is_dir():
        return BUNDLED / text, distribution
    for folder, names in _distributions().items():
        if text in names:
            return BUNDLED / folder, distribution or text
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
