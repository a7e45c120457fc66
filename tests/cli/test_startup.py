"""Commands start without what they do not use, answer the same, and take nothing away from anybody."""

import subprocess
import sys

from tests import tiny
from tests.house.sources import ROOT

RANKED = """if True:
    import sys
    from molscore.program import import_to_judge
    import_to_judge()
    import molscore.molecules.batch
    assert not {"rdkit", "torch_geometric"} & set(sys.modules)  # molecules and batches need no chemistry
    from molscore.cli import main
    main(sys.argv[1:], standalone_mode=False)
    slow = ("torch._meta_registrations", "torch._dynamo", "torch._inductor", "sympy", "pandas")
    assert not set(slow) & set(sys.modules)

    import pyarrow, torch
    assert pyarrow.table({"a": [1.0, None]}).to_pandas()["a"].isna().tolist() == [False, True]
    import pandas
    assert pyarrow.array(pandas.Series([1.0, float("nan")])).null_count == 1
    from e3nn import o3
    from molscore.nn.harmonics import SphericalHarmonics
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
    assert "rdkit" in sys.modules and "torch" not in sys.modules
"""


def outputs(program: str, *words: object) -> str:
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_command_leaves_out_what_it_does_not_use_and_gives_the_same_bytes(run, folder, tmp_path) -> None:
    """What was left out comes when it is wanted."""
    (tmp_path / "in.smi").write_text("\n".join(tiny.LIBRARY))
    whole = run("rank", "in.smi", "--model", folder)
    assert outputs(RANKED, "rank", tmp_path / "in.smi", "--model", folder).splitlines() == whole.stdout.splitlines()


def test_who_computes_nothing_waits_for_no_network() -> None:
    assert not outputs(LEFT_OUT)
