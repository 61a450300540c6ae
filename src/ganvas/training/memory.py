"""Memory of a training: a clear message, beforehand where possible, if it is not enough."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from ganvas.core.errors import UserError
from ganvas.core.samples import Spec

NO_MEMORY = ("DefaultCPUAllocator", "not enough memory", "out of memory", "Storage size calculation overflowed")


@contextlib.contextmanager
def enough_memory(batch: int, spec: Spec, network: Any) -> Iterator[None]:
    """A context in which running out of memory becomes an error that says which settings to lower.

    Raises:
        UserError: as described.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(text in str(error) for text in NO_MEMORY):
            raise
        raise lacking(batch, spec, network) from error


def lacking(batch: int, spec: Spec, network: Any) -> UserError:
    """The error for a training that does not fit into memory."""
    large, sizes = (
        ", ".join(f"{name}={value}" for name, value in settings.items() if type(value) is int)
        for settings in ({"batch": batch, **spec.settings()}, vars(network))
    )
    return UserError(
        f"This machine does not have enough memory for this training. Lower {large}, or what makes the "
        f"networks large: {sizes}. What was saved before is kept."
    )


def check_memory(networks: Sequence[nn.Module]) -> None:
    """
    Raises:
        MemoryError: the weights of these networks (which may be on `meta`), with gradients and averages, need more
            than the machine's memory: the system would kill the process without a message.
    """
    needed = 5 * sum(p.numel() * p.element_size() for network in networks for p in network.parameters())
    with contextlib.suppress(ValueError, OSError, AttributeError):  # not all systems report it
        if needed > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
            raise MemoryError(f"{needed:,} bytes")
