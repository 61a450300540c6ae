"""Tensors that a notebook shows as what they are: pictures, sounds."""

from __future__ import annotations

import base64
import copy
from html import escape
from typing import Any, Self

import torch
from torch import Tensor


class Shown(Tensor):
    """A base of tensors that a notebook shows. PyTorch treats them as ordinary tensors; what it makes of them is a
    plain tensor, and so is what is read from a file that they were saved to.

    A subclass has the `_repr_..._` methods of notebooks and looks first whether it still holds what it shows: the
    tensor may have been changed in place.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @classmethod
    def around(cls, values: Tensor, **known: Any) -> Self:
        """The same values (no copy), with attributes that say how to show them."""
        made: Any = values.detach().as_subclass(cls)
        for name, value in known.items():
            setattr(made, name, value)
        return made

    def __reduce_ex__(self, proto: Any) -> Any:
        """Saved as a plain tensor, which is read without this class."""
        return self.as_subclass(Tensor).__reduce_ex__(proto)

    def __deepcopy__(self, memo: Any) -> Tensor:
        return copy.deepcopy(self.as_subclass(Tensor), memo)


def image(content: bytes, alt: str, kind: str = "png", width: int | None = None) -> str:
    """An image that is inside the page, as HTML.

    Args:
        kind: of the file: png, svg+xml.
        width: in CSS pixels; None: its own.
    """
    place = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    size = "" if width is None else f'width="{width}" '
    return f'<img alt="{escape(alt)}" {size}style="max-width: 100%" src="{place}">'


def player(content: bytes, caption: str) -> str:
    """A player of a WAV file that is inside the page, as HTML."""
    place = f"data:audio/wav;base64,{base64.b64encode(content).decode()}"
    audio = f'<audio controls preload="metadata" style="width: 210px" src="{place}"></audio>'
    return f'<figure style="margin: 0">{audio}<figcaption>{escape(caption)}</figcaption></figure>'
