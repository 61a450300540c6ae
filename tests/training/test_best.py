"""The best weights of a training: which they are, and that they come back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.training.best import best_check, best_weights, take_best


@pytest.mark.parametrize(
    ("figures", "place"),
    [([3.0], 0), ([3.0, 2.0, 1.0], 2), ([3.0, 1.0, 1.1, 1.2], 2), ([1.1, 1.0, 1.2], 1), ([1.0, 1.05, 0.5, 0.6], 2)],
)
def test_the_last_check_about_as_good_as_the_best_is_kept(figures: list[float], place: int) -> None:
    checks = [{"images": i, "nll": figure} for i, figure in enumerate(figures)]
    assert best_check(checks, "nll", lambda lowest: 1.1 * lowest) is checks[place]


def test_weights_and_statistics_come_back() -> None:
    network = nn.BatchNorm1d(2)
    state = {"best_nll": torch.tensor(1.0), **best_weights(network)}
    with torch.no_grad():
        network.weight.fill_(5)
    network(torch.randn(8, 2))
    assert int(network.state_dict()["num_batches_tracked"]) == 1
    take_best(network, state)
    assert network.weight.tolist() == [1, 1]
    assert int(network.state_dict()["num_batches_tracked"]) == 0
    assert network.running_mean is not None
    assert network.running_mean.tolist() == [0, 0]
