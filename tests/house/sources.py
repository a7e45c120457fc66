"""The repository's own files."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "molscore"
CODE_FOLDERS = ("molscore", "tests", "benchmarks", "examples")
SKIPPED_FOLDERS = {".git", ".venv", "__pycache__", "build", "demo", "dist", "runs"}


def name(path: Path) -> str:
    """Path relative to the repository root."""
    return path.relative_to(ROOT).as_posix()


def python_files(*folders: str) -> list[Path]:
    """Python files under the given folders, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def own_files() -> list[Path]:
    """Files of the repository, committed or about to be; outside git, every file but build products."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        return sorted(path for path in ROOT.rglob("*") if path.is_file() and not is_product(path))
    return sorted(path for path in (ROOT / line for line in listed if line) if path.is_file())


def is_product(path: Path) -> bool:
    """Whether the file lies in a folder that a build or an install makes."""
    return any(part in SKIPPED_FOLDERS or part.endswith("_cache") for part in path.relative_to(ROOT).parts)


def text_of(path: Path) -> str | None:
    """The file's text, or None where it is binary."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
