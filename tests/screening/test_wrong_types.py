"""Whatever a caller hands over by mistake is answered with one error that says what is wanted."""

import numpy as np
import pytest

import molscore
from molscore.errors import InputError
from molscore.screening.guidance import guide_of
from tests import tiny


def drawn(model, counts, *_):
    """Real molecules instead of draws."""
    return [tiny.geometries()[row] for row in range(len(counts))]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (3, r"not an int \(3\)"),
        (None, "not None"),
        (b"qm9", "not a bytes"),
    ],
)
def test_what_names_no_model(given, told) -> None:
    for ask in (
        molscore.load,
        lambda x: molscore.rank(x, ["CCO"]),
        lambda x: molscore.explain(x, "CCO"),
        molscore.Scorer,
        lambda x: molscore.DensityEstimator(x).fit(),
        lambda x: molscore.adapt(x, ["CCO"]),
        molscore.AddLogLikelihood,
    ):
        with pytest.raises(InputError, match=f"a bundled model's name or a model folder, {told}"):
            ask(given)


@pytest.mark.parametrize("ask", ["estimate", "percentile", "log_likelihood", "bonds", "atom_contributions"])
def test_a_resolution_that_is_no_number(model, ask) -> None:
    with pytest.raises(InputError, match=r"a resolution is a number in Å, not a str \('0.05'\)"):
        getattr(model, ask)("CCO", "0.05")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"formula": 3}, "C7H10O2"),
        ({"n_atoms": "9"}, "n_atoms must be a whole number"),
        ({"keep_atoms": 3}, "a Molecule or several, not an int"),
        ({"keep_atoms": ["C*"]}, "a Molecule or several, not a str"),
        ({"keep_atoms": []}, "at least one atom"),
        ({"guide": "qed"}, r"guide_of\('qed'\) .*, not a str \('qed'\)"),
        ({"guide": lambda c: None}, "a number of nats, not None"),
        ({"guide": lambda c: np.ones(2)}, "a number of nats, not a ndarray"),
        ({"steps": 5.5}, "steps must be a whole number"),
        ({"temperature": "1"}, "temperature is a number"),
        ({"guidance": None}, "guidance is a number"),
        ({"min_percentile": "1"}, "min_percentile is a number"),
        ({"keep": "1"}, "keep is a number"),
        ({"smarts": 3}, "3 is not a SMARTS pattern"),
    ],
)
def test_generate(model, monkeypatch, options, told) -> None:
    monkeypatch.setattr("molscore.screening.generate.draw_positions", drawn)
    with pytest.raises(InputError, match=told):
        model.generate(1, **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"seed": "a"}, "seed must be a whole number"),
        ({"workers": "a"}, "workers must be a whole number"),
        ({"conformers": 1.5}, "conformers must be a whole number"),
        ({"smiles_column": 3}, "smiles_column is a string"),
        ({"like": 3}, "an int is not a Molecule"),
        ({"like": tiny.model()}, "was given no references"),
        ({"smarts": 3}, "3 is not a SMARTS pattern"),
    ],
)
def test_rank(model, options, told) -> None:
    with pytest.raises(InputError, match=told):
        molscore.rank(model, ["CCO"], **options)


def test_a_smiles_string_that_is_taken_for_a_file_is_told_how_to_be_one(model) -> None:
    with pytest.raises(InputError, match=r"CCO: unknown file type; .*give SMILES as a list, \['CCO'\]"):
        molscore.rank(model, "CCO")


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda model, path: molscore.rank(model, 3), "an int is not a file, a DataFrame"),
        (lambda model, path: molscore.report(3, model), "an int is not a file, a DataFrame"),
        (lambda model, path: molscore.report(["CCO"], model, most="a"), "most must be a whole number"),
        (lambda model, path: model.given(3), "an int is not a Molecule"),
        (lambda model, path: molscore.evaluate(3), "an int is not several molecules"),
        (lambda model, path: molscore.evaluate(tiny.geometries()[0]), "a Molecule is not several"),
        (lambda model, path: molscore.evaluate(tiny.geometries()[:2], 3), "reference for novelty must be molecules"),
        (lambda model, path: molscore.DensityEstimator(model).sample(1, "a"), "random_state is a seed"),
        (lambda model, path: molscore.AddLogLikelihood(model)(3), "an int is not a PyG Data"),
        (lambda model, path: molscore.load(model, device="cpu:x"), "device 'cpu:x' is none"),
        (lambda model, path: molscore.Scorer(model, time_limit="a"), "time_limit is a number in seconds"),
        (lambda model, path: molscore.adapt(model, [], minutes="a"), "minutes is a number"),
        (lambda model, path: molscore.adapt(model, [], minutes=0), "minutes must be above zero"),
        (lambda model, path: molscore.read(3), "a string or a Path, not an int"),
        (lambda model, path: molscore.write(3, []), "a string or a Path, not an int"),
        (lambda model, path: molscore.write(path / "x.sdf", 3), "an int is not several rows"),
        (lambda model, path: model.save_pretrained(3), "a string or a Path, not an int"),
        (lambda model, path: guide_of(3), "logp=1.5"),
        (lambda model, path: guide_of("qed", "a"), "the strength of a guide is a number"),
    ],
)
def test_other_entries(model, tmp_path, ask, told) -> None:
    with pytest.raises(InputError, match=told):
        ask(model, tmp_path)
