"""Names of the output's columns: no two alike, and each leads back to the input's."""

from hypothesis import given
from hypothesis import strategies as st

from molscore.screening.columns import given_name, output_name
from molscore.screening.scorer import COLUMNS

NAME = st.one_of(
    st.text(max_size=8),
    st.builds("input_".__mul__, st.integers(0, 3)).flatmap(
        lambda start: st.sampled_from([start + name for name in (*COLUMNS, "molscore_row", "id")])
    ),
)


@given(NAME)
def test_an_output_name_is_not_ours_and_leads_back(name) -> None:
    given = output_name(name)
    assert given not in COLUMNS and not given.startswith("molscore_")
    assert given_name(given) == name


@given(st.sets(NAME, min_size=2, max_size=6))
def test_different_columns_stay_different(names) -> None:
    assert len({output_name(name) for name in names}) == len(names)


def test_other_names_stay() -> None:
    assert output_name("id") == "id" and output_name("input_id") == "input_id" and given_name("input_id") == "input_id"
