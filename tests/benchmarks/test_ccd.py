"""Components of the dictionary become molecules where everything is known of them."""

import numpy as np

from benchmarks.ccd import neutral_molecules

NAMES = np.array(["HOH"] * 3 + ["OH-"] * 2 + ["NAC"] * 2 + ["GAP"] * 3 + ["BIG"] * 4)
SYMBOLS = np.array(["O", "H", "H", "O", "H", "NA", "CL", "O", "H", "H", "C", "C", "C", "C"])


def test_only_what_is_whole_neutral_known_and_small(rng) -> None:
    positions = rng.standard_normal((len(NAMES), 3))
    positions[8] = np.nan
    charges = np.zeros(len(NAMES), dtype=np.int64)
    charges[3] = -1
    found = list(neutral_molecules(NAMES, SYMBOLS, positions, charges, ["H", "C", "O"], 3))
    assert [(molecule.name, molecule.formula) for molecule in found] == [("HOH", "H2O")]
    assert np.allclose(found[0].positions, positions[:3])
    more = neutral_molecules(NAMES, SYMBOLS, positions, charges, ["H", "C", "O", "Na", "Cl"], 4)
    assert [molecule.name for molecule in more] == ["HOH", "NAC", "BIG"]
