"""Where models lie: those that ship with the package, by name, and folders of others."""

from pathlib import Path

__all__ = ["BUNDLED", "bundled_names", "folder_of", "name_of"]

BUNDLED = Path(__file__).resolve().parents[1] / "models"


def folder_of(name_or_folder: str | Path) -> Path:
    """The folder of a bundled model for its name; anything else is a path itself."""
    text = str(name_or_folder)
    is_name = text not in ("", ".", "..") and Path(text).name == text
    return BUNDLED / text if is_name and (BUNDLED / text).is_dir() else Path(name_or_folder)


def name_of(folder: Path) -> str:
    """The folder's own name; `molscore train` calls every one ``model``, in a folder that has the name of the run."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def bundled_names() -> str:
    """The bundled models, for an error message."""
    names = sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))
    return f" (bundled: {', '.join(names)})" if names else " (no model is bundled)"
