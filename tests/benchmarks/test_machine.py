"""The machine is described well enough to judge a time, and without its owner's name."""

import importlib.util
import platform

import torch

from tests.house.sources import ROOT

SPEC = importlib.util.spec_from_file_location("benchmarks_machine", ROOT / "benchmarks" / "machine.py")
machine = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(machine)


def test_the_description_is_whole() -> None:
    record = machine.describe()
    assert record["torch"] == torch.__version__
    assert record["threads"] == torch.get_num_threads() == 1
    assert record["cores"] >= 1
    assert record["memory_gib"] is None or record["memory_gib"] > 0.5
    assert record["cpu"]


def test_the_host_has_no_name() -> None:
    host = platform.node()
    assert not host or host not in machine.describe().values()


def test_the_sentence_names_the_accelerator_only_where_there_is_one() -> None:
    record = machine.describe() | {"accelerator": None}
    assert "an accelerator" not in machine.sentence(record)
    assert "an accelerator" in machine.sentence(record | {"accelerator": "an accelerator"})
