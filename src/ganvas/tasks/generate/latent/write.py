"""Text written by a generator: each character is a new sample of the class of that name."""

from __future__ import annotations

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.classes import MARKS
from ganvas.images import tensors as im
from ganvas.images.shown import Pictures
from ganvas.tasks.generate.model import Model

__all__ = ["MARKS", "write"]
FINE = 8  # marks are drawn larger by this factor and then scaled down
INK = 0.25  # difference from the background, in [-1, 1], from which a pixel counts as written


def write(model: Model, text: str, seed: int = 0, truncation: float | None = None) -> Pictures:
    """Write a text of class names as one picture; each character is a new sample.

    Args:
        text: names of the model's classes one after the other, with spaces and the marks - . : / , + between them.
        seed: another seed gives other samples.
        truncation: see `Model.sample`.

    Returns:
        uint8 [1, C, H, W], with the height of the model's pictures, shown by a notebook; see `Pictures`.

    Raises:
        UserError: the model has no classes, or the text has a character that is neither a class nor a mark.
    """
    parts = model.parts(text)
    classes = [part.text for part in parts if part.is_class]
    numbers = [seeds.key(seed, "write", i) for i in range(len(classes))]
    samples = iter(torch.cat(list(model.draw(numbers, classes, truncation))))
    pictures = [next(samples) if part.is_class else None for part in parts]
    written = torch.stack([p for p in pictures if p is not None])
    paper = torch.stack([written[..., 0, :], written[..., -1, :]]).median()
    ink = 1.0 if float(written.max() - paper) >= float(paper - written.min()) else -1.0
    gap = paper.expand(model.spec.channels, model.spec.size, max(1, model.spec.size // 9))
    row = [gap]
    for part, picture in zip(parts, pictures, strict=True):
        cell = _trim(picture, paper) if picture is not None else _mark(part.text, model, float(paper), ink)
        row += [cell, gap]
    return Pictures.around(im.to_uint8(torch.cat(row, -1)[None]), columns=1)


def _trim(picture: Tensor, paper: Tensor) -> Tensor:
    """[C, H, W] without the blank columns at its sides; unchanged if nothing stands out from the paper."""
    written = ((picture - paper).abs() > INK).any(0).any(0).nonzero().flatten()
    return picture[..., int(written[0]) : int(written[-1]) + 1] if len(written) else picture


def _mark(name: str, model: Model, paper: float, ink: float) -> Tensor:
    """A space or a mark, [C, H, W], in the colours of the pictures."""
    size = model.spec.size
    width = {" ": size // 2, "-": size // 3, "+": size // 2, "/": size // 2}.get(name, max(3, size // 8))
    canvas = Image.new("L", (width * FINE, size * FINE), 0)
    pen, w, h = ImageDraw.Draw(canvas), width * FINE, size * FINE
    thick = h // 11
    if name in "-+":
        pen.line([(thick // 2, h // 2), (w - thick // 2, h // 2)], 255, thick)
    if name == "+":
        pen.line([(w // 2, h // 2 - w // 2 + thick // 2), (w // 2, h // 2 + w // 2 - thick // 2)], 255, thick)
    if name == "/":
        pen.line([(w - thick, h // 6), (thick, h - h // 6)], 255, thick)
    if name == ",":
        pen.line([(w // 2, h * 3 // 4), (w // 3, h * 7 // 8)], 255, thick)
    for y in {".": (0.79,), ":": (0.35, 0.7)}.get(name, ()):
        pen.ellipse([(w - thick * 1.3) / 2, h * y - thick * 0.65, (w + thick * 1.3) / 2, h * y + thick * 0.65], 255)
    small = canvas.resize((width, size), Image.Resampling.BOX)
    share = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(1, size, width).float() / 255
    return (paper + (ink - paper) * share).expand(model.spec.channels, -1, -1)
