"""Networks without numbers: only the sizes of their tensors, for what is to be known before memory is taken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as f
from torch.overrides import TorchFunctionMode


def _same(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    return tensor


def _repeat(tensor: Tensor, *counts: int) -> Tensor:
    shape = (1,) * (len(counts) - tensor.ndim) + tensor.shape
    return tensor.new_empty([size * count for size, count in zip(shape, counts, strict=True)])


SIZES: dict[Any, Callable[..., Tensor]] = {
    torch.rand: torch.empty,
    torch.randn: torch.empty,
    torch.eye: lambda n: torch.empty(n, n),
    torch.mv: lambda matrix, _: matrix.new_empty(len(matrix)),
    torch.vdot: lambda vector, _: vector.new_empty(()),
    f.normalize: _same,
    Tensor.normal_: _same,
    Tensor.repeat: _repeat,
    Tensor.uniform_: _same,
}
SCALED = {"mul", "div", "__truediv__"}


class _Sizes(TorchFunctionMode):
    """What networks are made of, by sizes alone: torch would import its compiler for it, two seconds a process.

    A function that is not here does the same, only later.
    """

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        scaled = getattr(func, "__name__", "") in SCALED and args[0].is_floating_point()
        if getattr(func, "__module__", "") == "torch.nn.init" or (scaled and not getattr(args[1], "ndim", 0)):
            func = _same
        return SIZES.get(func, func)(*args, **kwargs)


@contextlib.contextmanager
def sizes_only() -> Iterator[None]:
    """A context in which networks are built of tensors of the device `meta`: nothing is computed or taken."""
    with torch.device("meta"), _Sizes():
        yield
