"""What is expected of a ranking, from the row count or from the share of the file that has been read."""

import pytest

from molscore.screening.rank.run import Progress


def test_a_known_total_is_what_is_expected() -> None:
    with Progress(False, total=100) as bar:
        bar.advance(20, True)
        assert bar.expected() == 100
        bar.advance(30, False)  # done before: not ours to wait for
        assert bar.expected() == 70
        bar.advance(50, True)
        assert bar.expected() == bar.judged == 70


def test_the_share_read_gives_an_estimate() -> None:
    share = 0.0
    with Progress(False, share=lambda: share) as bar:
        assert bar.expected() is None
        for rows, share in ((100, 0.1), (300, 0.4)):  # noqa: B007
            bar.advance(rows, True)
            assert bar.expected() == 1000


def test_a_share_of_the_rows_is_a_share_of_the_work() -> None:
    with Progress(False, total=1000, of=4) as bar:
        bar.advance(100, True)
        assert bar.expected() == pytest.approx(325)
