"""The number of threads: as many as are a gain, and one where others use the cores. The clock is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ganvas.core import threads


class Machine:
    """A clock and PyTorch's threads, where a piece of work takes the seconds that are given for each number."""

    def __init__(self, patch: pytest.MonkeyPatch, seconds: dict[int, float]) -> None:
        self.now, self.count, self.seconds, self.pieces = 0.0, 0, seconds, []
        patch.setattr(threads, "time", SimpleNamespace(monotonic=lambda: self.now))
        patch.setattr(torch, "set_num_threads", self.set)

    def set(self, count: int) -> None:
        self.count = count

    def work(self) -> None:
        self.now += self.seconds[self.count]
        self.pieces.append(self.count)


@pytest.mark.parametrize(
    ("seconds", "most", "best"),
    [
        ({1: 0.02, 2: 0.012, 4: 0.008, 8: 0.005}, 8, 8),  # a large network on an idle machine
        ({1: 0.02, 2: 0.012, 4: 0.0115, 8: 0.003}, 8, 2),  # a small one: 4 are hardly a gain, and 8 are not tried
        ({1: 0.02, 2: 0.013, 3: 0.010}, 3, 3),
        ({1: 0.02, 2: 1.5}, 2, 1),  # the cores are taken
        ({1: 3.0, 2: 1.6}, 2, 2),  # steps of seconds
        ({1: 0.02}, 1, 1),
    ],
)
def test_as_many_as_are_a_gain(
    seconds: dict[int, float], most: int, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, seconds)
    count, least = threads.quickest(machine.work, most)
    assert (count, machine.count) == (best, best)
    assert least == pytest.approx(seconds[best])


def test_what_is_slow_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {1: 0.02, 2: 30.0})
    threads.quickest(machine.work, 2)
    assert machine.pieces.count(2) == 1
    machine = Machine(monkeypatch, {1: 5.0, 2: 4.0})
    threads.quickest(machine.work, 2)
    assert machine.pieces == [1, 1, 2, 2]  # a first time, and one that is timed, with each


def test_a_number_that_is_given_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(threads, "quickest", lambda work, most: asked.append(most))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    threads.choose()
    assert not asked
    for name in threads.GIVEN:
        monkeypatch.delenv(name, raising=False)
    threads.choose()
    assert asked == [4]


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with threads.restored():
        torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before
