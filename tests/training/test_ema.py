"""The moving average of the weights: its half-life is counted in images."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ganvas.training import ema

FULL = 1e9  # a ramp that never limits the half-life


def pair(start: float, target: float) -> tuple[nn.Module, nn.Module]:
    """Two linear layers whose weights are all `start` and all `target`."""
    average, network = nn.Linear(3, 2), nn.Linear(3, 2)
    for module, value in ((average, start), (network, target)):
        for weight in module.parameters():
            nn.init.constant_(weight, value)
    return average, network


def run(average: nn.Module, network: nn.Module, images: int, batch: int, half_life: int, ramp: float = FULL) -> None:
    for seen in range(batch, images + 1, batch):
        ema.update(average, network, batch, seen, half_life, ramp)


def values(module: nn.Module) -> set[float]:
    return {round(v, 5) for weight in module.parameters() for v in weight.flatten().tolist()}


@pytest.mark.parametrize("batch", [10, 50, 1000])
@pytest.mark.parametrize(("images", "left"), [(1000, 0.5), (2000, 0.25), (5000, 1 / 32)])
def test_half_of_the_gap_is_closed_in_a_half_life(batch: int, images: int, left: float) -> None:
    average, network = pair(4.0, 8.0)
    run(average, network, images, batch, half_life=1000)
    assert values(average) == {round(8 - 4 * left, 5)}
    assert values(network) == {8.0}


def test_no_half_life_copies_the_network() -> None:
    average, network = pair(4.0, 8.0)
    run(average, network, 10, batch=10, half_life=0)
    assert values(average) == {8.0}


def test_ramp_limits_the_half_life() -> None:
    """After 1,000 images, a ramp of 0.05 makes the half-life 50."""
    average, network = pair(4.0, 8.0)
    ema.update(average, network, 50, 1000, 10**6, 0.05)
    assert values(average) == {6.0}


def test_ramp_only_shortens() -> None:
    average, network = pair(4.0, 8.0)
    ema.update(average, network, 50, 10**9, 50, 0.05)
    assert values(average) == {6.0}


def test_no_ramp_copies_the_network() -> None:
    average, network = pair(4.0, 8.0)
    ema.update(average, network, 10, 10, 1000, 0.0)
    assert values(average) == {8.0}


def test_the_untrained_network_is_forgotten_with_a_ramp() -> None:
    """With a half-life of 0.05 of the images seen, what the network was in the first 1% has no weight left."""
    average, network = pair(100.0, 1.0)
    run(average, network, 10_000, batch=100, half_life=10_000, ramp=0.05)
    assert values(average) == {1.0}


def test_buffers() -> None:
    average = nn.BatchNorm1d(2)
    network = copy.deepcopy(average)
    network.running_mean.fill_(4.0)  # pyright: ignore[reportOptionalMemberAccess]
    network.num_batches_tracked.fill_(7)  # pyright: ignore[reportOptionalMemberAccess]
    ema.update(average, network, 100, 10**6, 100, FULL)
    assert average.running_mean.tolist() == [2.0, 2.0]  # pyright: ignore[reportOptionalMemberAccess]
    assert average.running_var.tolist() == [1.0, 1.0]  # pyright: ignore[reportOptionalMemberAccess]
    assert average.num_batches_tracked.item() == 7  # pyright: ignore[reportOptionalMemberAccess]


def test_no_gradients_are_recorded() -> None:
    average, network = pair(4.0, 8.0)
    ema.update(average, network, 10, 10, 1000, 0.5)
    assert all(p.grad_fn is None and p.is_leaf for p in average.parameters())
    assert all(torch.isfinite(p).all() for p in average.parameters())
