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
aten = torch.ops.aten
COPIES = ("aten::copy_", "aten::_to_copy", "aten::to")
INDICES = ("aten::index", "aten::_index")  # may be on the CPU, which then waits until they are copied


class Strict(TorchDispatchMode):
    """Refuses operations on tensors of two devices, except copies.

    Args:
        reads: numbers may be read from the device, and are zero; indices may be on the CPU.
    """

    def __init__(self, reads: bool = False) -> None:
        super().__init__()
        self.reads = reads

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        there = any(x.device == META for x in tensors)
        here = [x for x in tensors if x.device != META and (x.dim() or "cat" in func.name())]
        if there and here and not func.name().startswith((*COPIES, *(INDICES if self.reads else ()))):
            raise AssertionError(f"{func.name()}: a tensor {[*here[0].shape]} was left on the CPU")
        if self.reads and there:
            if func.name() in ("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero"):
                return torch.zeros((), dtype=args[0].dtype).item()
            if func.name().startswith(COPIES[1:]):
                leaves = tree_leaves((args[1:], kwargs))
                dtype = next((x for x in leaves if isinstance(x, torch.dtype)), args[0].dtype)
                if torch.device("cpu") in [torch.device(x) for x in leaves if isinstance(x, str | torch.device)]:
                    return torch.zeros(args[0].shape, dtype=dtype)
            if func is aten.nonzero.default:
                return torch.empty(1, args[0].dim(), dtype=torch.int64, device=META)
            if func is aten.copy_.default and args[0].device != META:
                return args[0]
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def second_device(monkeypatch: pytest.MonkeyPatch, reads: bool = False) -> Iterator[None]:
    """A context in which trainers train on `meta`; `reads` as in `Strict`."""

    def plain(kind: Any) -> Callable[..., None]:
        made = kind.__init__

        def make(self: Any, *args: Any, **options: Any) -> None:
            made(self, *args, **{**options, "fused": False, "foreach": False})  # `meta` has no fused steps

        return make

    with monkeypatch.context() as patch, Strict(reads):
        patch.setattr(trainer, "choose_device", lambda config: META)
        patch.setattr(torch, "autocast", lambda *args, **options: contextlib.nullcontext())
        for kind in (optimizers.Adam, optimizers.AdamW, optimizers.SGD):
            patch.setattr(kind, "__init__", plain(kind))
        yield
