"""A result file: a table, and the command and machine that gave it; of the machine nothing that names its owner."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from molscore.evaluation.intervals import wilson_interval
from molscore.molecules.atomic import write_text

__all__ = ["RESULTS", "describe", "record", "share", "usable_cores"]

RESULTS = Path(__file__).parent / "results"
GIB = 2**30


def record(path: Path, title: str, columns: Sequence[str], rows: Sequence[list[Any]], command: str, note: str) -> None:
    """Write a table as a result file; README.md says what each field holds."""
    result = {
        "title": title, "columns": list(columns), "rows": list(rows), "machine": describe(),
        "command": command, "note": note,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def share(hits: Sequence[bool]) -> str:
    """Per cent of hits with the 95 % interval."""
    part = float(np.mean(hits))
    low, high = wilson_interval(part, len(hits))
    return f"{100 * part:.0f} [{low:.0f}, {high:.0f}]"


def describe() -> dict[str, str | int | float | None]:
    """CPU model, usable cores, memory in GiB, accelerator if there is one, versions and torch threads."""
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "memory_gib": memory_gib(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def cpu_model() -> str:
    """The CPU's marketing name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, names), platform.processor() or platform.machine())


def usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float | None:
    """Physical memory in GiB, or None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    except (AttributeError, OSError, ValueError):
        return None
