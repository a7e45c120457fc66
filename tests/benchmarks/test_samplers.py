"""The table of samplers can be made in pieces, and its plot is made of it."""

import json

import pytest

from benchmarks.generation import FIGURES, Setting, figures, measure
from benchmarks.pages import table
from benchmarks.samplers import COLUMNS, REAL, kept, plot_of, result_of, row_of, wanted
from tests import tiny

CELLS = [f"{10 * k}.0 [{10 * k - 4}.0, {10 * k + 2}.0]" for k in range(1, len(FIGURES) + 1)]
WEIGHTS = "0123456789abcdef"


def rows() -> list[list]:
    settings = [setting for setting, _ in wanted([], [25, 12], 20, 5)]
    return [[REAL, None, None, None, 9, *["95.2 [95.0, 95.4]"] * 5, None]] + [
        row_of(setting, 20, CELLS, 3.21) for setting in settings
    ]


def test_every_sampler_is_measured_at_every_number_of_evaluations() -> None:
    found = list(wanted([], [1000, 12], 20, 5))
    assert len({setting for setting, _ in found}) == len(found) == 12
    assert [setting.evaluations for setting, _ in found] == [12] * 6 + [1000] * 6
    assert {n for setting, n in found if setting.evaluations == 1000} == {5}
    assert [setting for setting, _ in wanted(["ode"], [12], 1, 1)] == [Setting("ode", 1, 0, 12)]
    assert [setting for setting, _ in wanted(["mala,0.6,2"], [12], 1, 1)] == [Setting("mala", 0.6, 2, 12)]


def test_rows_are_kept_for_the_same_weights_alone(tmp_path) -> None:
    path = tmp_path / "samplers.json"
    assert kept(path, WEIGHTS) == []
    result = result_of(rows(), WEIGHTS, "command")
    path.write_text(json.dumps(result))
    assert kept(path, WEIGHTS) == result["rows"]
    assert kept(path, "f" * 16) == []
    assert [row[3] for row in result["rows"][1:3]] == [12, 25]  # in order, whatever the order of measuring
    assert table(result).startswith("### Samplers")


def test_the_plot_has_a_curve_a_setting(tmp_path) -> None:
    plot = plot_of(result_of(rows(), WEIGHTS, "command")["rows"])
    assert len(plot.series) == 6 and plot.levels == [95.2]
    assert {tuple(series.x) for series in plot.series} == {(12, 25)}
    assert plot.series[0].y == (20.0, 20.0) and plot.series[0].error == ((4.0, 4.0), (2.0, 2.0))


@pytest.mark.parametrize("sampler", ["langevin", "mala"])
def test_a_row_has_the_cells_of_the_columns(sampler) -> None:
    found, speed = measure(tiny.model(), Setting(sampler, 1.0, 0.0, 5), 2, [0], None)
    row = row_of(Setting(sampler, 1.0, 0.0, 5), 2, figures(found), speed)
    assert len(row) == len(COLUMNS) and row[:5] == [sampler, 1.0, 0.0, 5, 2]
