"""What a filter saves."""

import numpy as np
import pytest

from benchmarks.filtering import saved


def test_an_order_that_knows_saves_all_that_can_be_saved_and_chance_nothing() -> None:
    rng = np.random.default_rng(0)
    good = rng.random(20_000) < 0.65
    assert saved(good, good.astype(float))[1] == pytest.approx(1 - good.mean(), abs=0.01)
    assert saved(good, rng.random(20_000))[1] == pytest.approx(0, abs=0.02)
    assert saved(good, -good.astype(float))[1] < -0.3


def test_what_has_no_number_comes_last() -> None:
    kept, fewer = saved(np.array([True, True, False, False]), np.array([1.0, 2.0, np.nan, np.nan]), keep=0.5)
    assert (kept, fewer) == (1.0, 0.5)
