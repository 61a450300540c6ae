"""How many threads PyTorch computes with on the CPU: those that are quickest while the machine is as busy as it is.

PyTorch takes as many as there are cores. They wait for each other after every layer, so two can be many times slower
than one where other programs use the cores, or where a container gets less of them than it sees; and networks that are
small are slower with many threads anywhere. So a piece of the work is timed with 1, 2, 4 ... of them (decision 28).
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F  # noqa: N812

GIVEN = "OMP_NUM_THREADS", "MKL_NUM_THREADS"  # variables by which a user says how many
SECONDS = 0.1  # for which the work is timed with each number
SLOWER = 4.0  # times the least time: a single piece is enough to see
GAIN = 0.9  # of the time with fewer threads: more must take less than that


def given() -> bool:
    """Has the user said how many?"""
    return any(os.environ.get(name) for name in GIVEN)


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """A context after which PyTorch has as many threads as before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quickest(work: Callable[[], object], most: int) -> tuple[int, float]:
    """The number of threads with which `work` is quickest, and the seconds that it then takes; PyTorch is set to it.

    More are tried as long as they are a gain.

    Args:
        work: what always takes as long with as many threads.
        most: threads to try.
    """
    best, least = 1, math.inf
    for count in (*(2**k for k in range((most - 1).bit_length())), most):
        torch.set_num_threads(count)
        took = _seconds(work, SLOWER * least)
        if took > GAIN * least:
            break
        best, least = count, took
    torch.set_num_threads(best)
    return best, least


def _seconds(work: Callable[[], object], limit: float) -> float:
    """The mean seconds that it takes after a first time, which alone may show that it takes longer than `limit`."""
    start = time.monotonic()
    work()
    if (first := time.monotonic() - start) > limit:
        return first
    start, times = time.monotonic(), 0
    while not times or time.monotonic() - start < SECONDS:
        work()
        times += 1
    return (time.monotonic() - start) / times


def choose() -> None:
    """Choose the number of threads for a process that uses networks, by a small one; not where the user has said it."""
    if given() or torch.get_num_threads() == 1:
        return
    images, first, second = torch.rand(64, 1, 28, 28), torch.rand(16, 1, 3, 3), torch.rand(32, 16, 3, 3)
    with torch.inference_mode():
        quickest(lambda: F.conv2d(F.relu_(F.conv2d(images, first)), second, stride=2), torch.get_num_threads())
