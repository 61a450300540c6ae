"""A second device that every machine has: torch's `meta`, with the rules of a GPU.

A tensor there has a shape and no numbers, so what would make a program wait for a GPU fails: reading a number, choosing
by a mask. `Strict` also refuses operations whose tensors are on two devices, which `meta` itself often allows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganvas.core import optimizers
from ganvas.training import trainer

META = torch.device("meta")
COPIES = ("aten::copy_", "aten::_to_copy")


class Strict(TorchDispatchMode):
    """Refuses operations on tensors of two devices, except copies, and numbers on the CPU as on a GPU."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        there = any(x.device == META for x in tensors)
        here = [x for x in tensors if x.device != META and (x.dim() or "cat" in func.name())]
        if there and here and not func.name().startswith(COPIES):
            raise AssertionError(f"{func.name()}: a tensor {[*here[0].shape]} was left on the CPU")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def second_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A context in which trainers train on `meta`."""
    adam: Callable[..., Any] = optimizers.Adam.__init__

    def plain(self: Any, *args: Any, **options: Any) -> None:
        adam(self, *args, **{**options, "fused": False, "foreach": False})  # `meta` has no fused steps

    with monkeypatch.context() as patch, Strict():
        patch.setattr(trainer, "choose_device", lambda config: META)
        patch.setattr(torch, "autocast", lambda *args, **options: contextlib.nullcontext())
        patch.setattr(optimizers.Adam, "__init__", plain)
        yield
