"""The machine that a result was measured on: what a reader needs to judge a time, and nothing that names its owner."""

import argparse
import json
import os
import platform
from pathlib import Path

import torch

__all__ = ["describe", "sentence"]

GIB = 2**30


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


def sentence(machine: dict[str, str | int | float | None]) -> str:
    """One line for a table's caption."""
    accelerator = f", {machine['accelerator']}" if machine["accelerator"] else ""
    hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB{accelerator}"
    return f"{hardware}; torch {machine['torch']}, {machine['threads']} threads, Python {machine['python']}"


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


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(json.dumps(describe(), indent=2))
