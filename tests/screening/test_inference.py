"""Batches side by side: in order, the same numbers as one by one, each in a thread of its own with one core."""

import threading

import pytest
import torch

from molscore.screening.predictor import side_by_side

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest):
    """With one core and with three."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_order_whoever_is_first(threads: int) -> None:
    gates = [threading.Event() for _ in range(8)]
    for gate in gates[1:]:
        gate.set()

    def work(i: int) -> int:
        if threads > 1 and i == 1:
            gates[0].set()  # the first waits for the second
        assert threads == 1 or gates[i].wait(10)
        return i * i

    assert list(side_by_side(work, range(8), CPU)) == [(i, i * i) for i in range(8)]


def test_each_batch_has_one_core_and_keeps_no_gradient(threads: int) -> None:
    weight = torch.ones(2, requires_grad=True)

    def work(_: int) -> tuple[int, int, bool, float]:
        tiny = (torch.tensor(1e-30) * torch.tensor(1e-12)).item()
        return threading.get_ident(), torch.get_num_threads(), (2 * weight).requires_grad, tiny

    found = [result for _, result in side_by_side(work, range(6), CPU)]
    assert {result[1:] for result in found} == {(1, False, 0.0)}
    assert (threading.get_ident() in {result[0] for result in found}) == (threads == 1)
    assert torch.get_num_threads() == threads
    assert (2 * weight).requires_grad
    seen = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [threads], "threads made later have all cores again"


def test_an_error_ends_the_rest(threads: int) -> None:
    done = []

    def work(i: int) -> None:
        if i == 2:
            raise ValueError("the third")
        done.append(i)

    with pytest.raises(ValueError, match="the third"):
        list(side_by_side(work, range(100), CPU))
    assert len(done) < 10
    assert torch.get_num_threads() == threads
