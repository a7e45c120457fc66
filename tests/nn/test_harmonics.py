"""e3nn comes whole, and without what takes long to import."""

import subprocess
import sys

SCRIPT = """
import sys
from molscore.nn.harmonics import SphericalHarmonics, wigner_3j
slow = [name for name in ("torch._dynamo", "sympy", "torch._inductor") if name in sys.modules]
assert not slow, slow
import pickle, torch
from e3nn import o3
assert pickle.loads(pickle.dumps(SphericalHarmonics([1], False))) is not None
assert o3.SphericalHarmonics is SphericalHarmonics
x = torch.nn.functional.normalize(torch.tensor([[0.1, 0.7, -0.4]]), dim=-1)
angles = o3.spherical_harmonics_alpha_beta([1], *o3.xyz_to_angles(x), normalization="component")
assert torch.allclose(angles, o3.spherical_harmonics([1], x, False, "component"), atol=1e-5)
from e3nn.o3 import *
assert Legendre([1]) is not None
assert o3._wigner.change_basis_real_to_complex._torchdynamo_disable
"""


def test_e3nn_is_whole_and_starts_neither_compiler_nor_algebra():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
