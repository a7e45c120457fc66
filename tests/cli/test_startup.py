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
    import molscore.molecules.batch
    assert not {"rdkit", "ase", "torch_geometric"} & set(sys.modules)  # molecules and batches need no chemistry
    frame = pyarrow.table({"a": [1.0, None]}).select(["a"])
    assert "pandas" not in sys.modules
    assert frame.to_pandas()["a"].isna().tolist() == [False, True]
    import pandas
    assert pyarrow.array(pandas.Series([1.0, float("nan")])).null_count == 1

    from molscore.nn.harmonics import SphericalHarmonics  # e3nn starts neither compiler nor computer algebra
    slow = [name for name in ("torch._dynamo", "sympy", "torch._inductor") if name in sys.modules]
    assert not slow, slow
    from e3nn import o3
    assert o3.SphericalHarmonics is SphericalHarmonics
    assert o3._wigner.change_basis_real_to_complex._torchdynamo_disable
    from e3nn.o3 import *
    assert spherical_harmonics_alpha_beta is o3.spherical_harmonics_alpha_beta and "sympy" in sys.modules

    import torch._meta_registrations
    assert torch.empty(2, 3, device="meta").cumsum(1).shape == (2, 3)
    import torch._prims.rng_prims
    assert torch.Generator().manual_seed(0).initial_seed() == 0
"""
LEFT_OUT = """if True:
    import sys
    import molscore.evaluation.run, molscore.screening.info, molscore.screening.rank.merge
    assert "rdkit" in sys.modules and "torch" not in sys.modules  # who computes nothing waits for no network
"""


@pytest.mark.parametrize("program", [PREPARED, LEFT_OUT], ids=["to judge", "not to judge"])
def test_what_is_not_used_is_not_imported_and_comes_when_it_is_wanted(program) -> None:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_command_gives_the_same_bytes_with_everything_imported(run, folder, tmp_path) -> None:
    (tmp_path / "in.smi").write_text("\n".join(tiny.LIBRARY))
    whole = run("rank", "in.smi", "--model", folder)
    command = [sys.executable, "-m", "molscore", "rank", tmp_path / "in.smi", "--model", folder]
    prepared = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert prepared.returncode == whole.exit_code == 0
    assert [*prepared.stdout.splitlines()] == whole.stdout.splitlines()
