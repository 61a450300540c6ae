"""The weights with which a check of the training was best, kept in a task's state until its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX = "best."


def best_weights(network: nn.Module) -> dict[str, Tensor]:
    """A copy of a network's weights and of its norms' statistics, as entries of a task's state."""
    return {f"{PREFIX}{name}": value.detach().clone() for name, value in network.state_dict().items()}


def take_best(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Give a network the weights that a task's state keeps."""
    network.load_state_dict({k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)})


def best_check(checks: Sequence[dict[str, Any]], figure: str, limit: Callable[[float], float]) -> dict[str, Any]:
    """The check whose weights are kept: the last one whose metric was at most `limit` of the lowest until then.

    Args:
        checks: at least one, oldest first; each has the metric.
    """
    lowest, found = math.inf, checks[0]
    for check in checks:
        lowest = min(lowest, check[figure])
        found = check if check[figure] <= limit(lowest) else found
    return found
