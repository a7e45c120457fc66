"""Commands start without what they do not use, answer the same, and take nothing away from anybody."""

import subprocess
import sys

import pytest

from tests import tiny
from tests.house.sources import ROOT

PREPARED = """if True:
    import sys
    from molscore.program import import_to_judge
    import_to_judge()
    import pyarrow, torch
    assert "torch._meta_registrations" not in sys.modules
    frame = pyarrow.table({"a": [1.0, None]}).select(["a"])
    assert "pandas" not in sys.modules
    assert frame.to_pandas()["a"].isna().tolist() == [False, True]
    import pandas
    assert pyarrow.array(pandas.Series([1.0, float("nan")])).null_count == 1
    import torch._meta_registrations
    assert torch.empty(2, 3, device="meta").cumsum(1).shape == (2, 3)
    import torch._prims.rng_prims
    assert torch.Generator().manual_seed(0).initial_seed() == 0
"""


def test_what_was_left_out_comes_when_it_is_wanted() -> None:
    done = subprocess.run([sys.executable, "-c", PREPARED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["screening.rank.merge", "screening.info", "evaluation.run"])
def test_who_computes_nothing_waits_for_no_network(module) -> None:
    program = f"import sys, molscore.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_a_command_gives_the_same_bytes_with_everything_imported(run, folder, tmp_path) -> None:
    (tmp_path / "in.smi").write_text("\n".join(tiny.LIBRARY))
    whole = run("rank", "in.smi", "--model", folder)
    command = [sys.executable, "-m", "molscore", "rank", tmp_path / "in.smi", "--model", folder]
    prepared = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert prepared.returncode == whole.exit_code == 0
    assert [*prepared.stdout.splitlines()] == whole.stdout.splitlines()
