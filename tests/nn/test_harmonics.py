"""e3nn comes whole, and without what takes long to import."""

import subprocess
import sys

SCRIPT = """
import sys
from molscore.nn.harmonics import SphericalHarmonics, wigner_3j
slow = [name for name in ("torch._dynamo", "sympy", "torch._inductor") if name in sys.modules]
assert not slow, slow
from e3nn import o3
assert o3.SphericalHarmonics is SphericalHarmonics
assert o3._wigner.change_basis_real_to_complex._torchdynamo_disable
from e3nn.o3 import *
assert spherical_harmonics_alpha_beta is o3.spherical_harmonics_alpha_beta and "sympy" in sys.modules
"""


def test_e3nn_is_whole_and_starts_neither_compiler_nor_algebra():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
