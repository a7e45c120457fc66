"""What REINVENT4 sends is answered in its own words: a number or NaN for each SMILES, in order, and nothing else."""

import json

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from molscore.cli import main
from molscore.errors import InputError
from molscore.integrations.reinvent import VALUES, answer_process, judge_lines, read_lines
from molscore.screening.scorer import Scorer
from tests import tiny

SMILES = ["CCO", "C1CC", "C", "", "ClC", "c1ccccc1", "[CH3]", "O"]
GOOD = [True, False, True, False, False, True, False, True]
#: Made once: a scorer holds nothing that a test could change.
SCORER = Scorer(tiny.model(), by="log_likelihood")


def as_reinvent(smiles: list[str], text: str) -> tuple[list[np.ndarray], dict[str, list]]:
    """What REINVENT4 makes of standard output: the scores and, since it has `property`, the metadata."""
    payload = json.loads(text)["payload"]
    scores = np.array(payload["predictions"])
    metadata = {name: values for name, values in payload.items() if name != "predictions"}
    assert scores.shape == (len(smiles),) and scores.dtype == np.float64
    assert all(len(values) == len(smiles) for values in metadata.values())
    return scores, metadata


def run(folder, text: str | bytes, *options: str) -> Result:
    return CliRunner().invoke(main, ["reinvent", "--workers", "1", "--model", str(folder), *options], input=text)


def test_a_number_or_nan_for_each_in_order(folder) -> None:
    done = run(folder, "\n".join(SMILES))
    assert done.exit_code == 0, done.output
    scores, metadata = as_reinvent(SMILES, done.stdout)
    expected = SCORER.judge(SMILES)
    assert np.isfinite(scores).tolist() == GOOD
    assert np.array_equal(scores, expected.percentile, equal_nan=True)
    assert metadata["status"] == expected.status.tolist()
    backwards, _ = as_reinvent(SMILES, run(folder, "\n".join(SMILES[::-1])).stdout)
    assert np.array_equal(backwards, scores[::-1], equal_nan=True)


@pytest.mark.parametrize("by", VALUES)
def test_any_of_the_numbers_can_be_the_predictions(folder, by) -> None:
    scores, metadata = as_reinvent(SMILES, run(folder, "\n".join(SMILES), "--by", by).stdout)
    assert np.array_equal(scores, getattr(SCORER.judge(SMILES), by), equal_nan=True)
    assert np.array_equal(scores, metadata[by], equal_nan=True)


def test_standard_output_is_for_the_answer_alone(folder, monkeypatch) -> None:
    def chatty(*arguments: object):
        print("a library says hello")
        return judge_lines(*arguments)

    monkeypatch.setattr("molscore.integrations.reinvent.judge_lines", chatty)
    done = run(folder, "CCO")
    assert list(json.loads(done.stdout)) == ["version", "payload"]
    assert "hello" in done.stderr


def test_what_cannot_be_done_fails_with_one_line(folder, tmp_path) -> None:
    for options in (["--resolution", "-1"], ["--resolution", "0.07", "--by", "percentile"]):
        done = run(folder, "CCO", *options)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1 and "resolution" in done.stderr
    assert run(tmp_path, "CCO").exit_code == 2


def test_without_percentiles_they_are_log_likelihoods_and_bytes_that_are_no_text_cost_their_row(tmp_path) -> None:
    bare = type(tiny.model())(tiny.checkpoint(), "bare").save_pretrained(tmp_path / "bare")
    scores, _ = as_reinvent(["CCO"], run(bare, "CCO").stdout)
    assert scores == SCORER.judge(["CCO"]).log_likelihood
    scores, _ = as_reinvent(["C", "?", "O"], run(bare, b"C\n\xff\xfe\nO").stdout)
    assert np.isfinite(scores).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", []), ("C", ["C"]), ("C\n", ["C"]), ("C\n\nN", ["C", "", "N"]), ("C\r\nN\r\n", ["C", "N"]), ("\n", [""])],
)
def test_lines(text, lines) -> None:
    assert read_lines(text) == lines


def test_several_conformers_are_judged_as_one(folder) -> None:
    texts = ["CCO", "C1CC", "OCCCO"]
    scores, _ = as_reinvent(texts, run(folder, "\n".join(texts), "--by", "log_density", "--conformers", "3").stdout)
    expected = Scorer(tiny.model(), by="log_likelihood", conformers=3).judge(texts).log_density
    assert np.allclose(scores, expected, atol=1e-3, equal_nan=True)
    assert not np.allclose(scores, SCORER.judge(texts).log_density, atol=1e-3, equal_nan=True)


# Lines that hold a newline are two lines; a line feed alone separates them, whatever Unicode calls a line.
line = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12),
    st.text("CNOF=#()123[]cn+-@/\\.%H", max_size=14),
    st.sampled_from(["C", "O", "CC", "\u2028", "\x0b", "\x1c", "C C", "NaN", "null", "\x00C"]),
)


@settings(max_examples=60)
@given(st.lists(line, min_size=1, max_size=6).filter(lambda lines: lines[-1] != ""))
def test_order_and_length_are_kept_whatever_comes(lines) -> None:
    assert read_lines("\n".join(lines)) == lines
    judged = SCORER.judge(lines, SCORER.pool().embed)
    scores, metadata = as_reinvent(lines, answer_process(judged, "log_likelihood"))
    assert np.isnan(scores).tolist() == [status != "ok" for status in metadata["status"]]
    for text, value in zip(lines, scores, strict=True):
        alone = SCORER.judge([text]).log_likelihood[0]
        assert np.isnan(value) == np.isnan(alone) and (np.isnan(value) or abs(value - alone) < 1e-3)


def test_ratio_is_answered_where_there_are_references() -> None:
    alcohols = Scorer(tiny.model(), by="log_likelihood", like=["CO", "CCO"])
    judged = alcohols.judge(["CCCO"])
    payload = json.loads(answer_process(judged, "log_ratio"))["payload"]
    assert payload["predictions"] == payload["log_ratio"] == [pytest.approx(float(judged.log_ratio[0]), abs=1e-3)]
    for missing in ("log_ratio", "docking"):
        with pytest.raises(InputError, match="percentile"):
            answer_process(SCORER.judge(["CCCO"]), missing)
