"""The generator in the studio: sheets and files of pictures, points between seeds, writing, an ONNX file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.latent import blend, corner_weights, mixed
from ganvas.core.naming import safe
from ganvas.export import onnx
from ganvas.images import sheets, uploads
from ganvas.images import tensors as im
from ganvas.tasks.generate.latent.write import write
from ganvas.tasks.generate.model import Model

PICTURES = 256  # in one request, at most
ATLAS = 9  # pictures in a row of the map
LETTERS = 60  # in a text, at most


def draw(model: Model, numbers: list[int], kind: str | None, truncation: float | None, columns: int) -> bytes:
    """Pictures of seeds: one PNG with `columns` columns, or for columns=0 a zip of PNG files named after their seeds.

    Raises:
        UserError: there are too many, or the model has no such class.
    """
    if not 0 < len(numbers) <= PICTURES:
        raise UserError(f"{len(numbers)} pictures at once: from 1 to {PICTURES} are possible.")
    pictures = model.pictures(numbers, kind if model.class_names else None, truncation)
    if columns:
        return sheets.png(sheets.grid(pictures, max(1, min(columns, len(pictures)))))
    buffer, suffix = io.BytesIO(), f"-{safe(kind or '')}" if kind in model.class_names else ""
    with zipfile.ZipFile(buffer, "w") as file:
        for number, picture in zip(numbers, pictures, strict=True):
            file.writestr(f"seed{number:06d}{suffix}.png", uploads.tensor_png(picture))
    return buffer.getvalue()


@torch.inference_mode()
def walk(model: Model, corners: list[int], x: float, y: float, kinds: list[str] | None) -> bytes:
    """The picture at a point of the map whose corners are four seeds; x, y in 0..1.

    Args:
        kinds: the class of each corner (none: the first); between two classes the picture is a mixture of both.
    """
    if len(corners) != 4 or not (0 <= x <= 1 and 0 <= y <= 1):
        raise UserError("A place on the map has four corner seeds, and x and y between 0 and 1.")
    device = next(model.generator.parameters()).device
    weights = corner_weights(x, y)
    z = blend(seeds.latents(corners, model.latent_dim), weights)[None].to(device)
    labels = model.labels(kinds or [0] * 4, 4) if model.class_names else None
    if labels is not None:
        labels = mixed(labels, weights, len(model.class_names)).to(device)
    return uploads.tensor_png(im.to_uint8(model.generator(z, labels))[0])


@torch.inference_mode()
def atlas(model: Model, corners: list[int], kinds: list[str] | None) -> bytes:
    """The map between four seeds as a PNG of ATLAS x ATLAS pictures, the first at one corner, the last at another.

    Args:
        kinds: as for `walk`.
    """
    if len(corners) != 4:
        raise UserError(f"A map has four corner seeds; these are {len(corners)}.")
    device = next(model.generator.parameters()).device
    ends, given = (
        seeds.latents(corners, model.latent_dim),
        model.labels(kinds or [0] * 4, 4) if model.class_names else None,
    )
    steps = [i / (ATLAS - 1) for i in range(ATLAS)]
    pictures = []
    for y in steps:
        weights = [corner_weights(x, y) for x in steps]
        z = torch.stack([blend(ends, w) for w in weights]).to(device)
        labels = None
        if given is not None:
            labels = torch.cat([mixed(given, w, len(model.class_names)) for w in weights]).to(device)
        pictures.append(im.to_uint8(model.generator(z, labels)).cpu())
    return sheets.png(sheets.grid(torch.cat(pictures), ATLAS))


def write_text(model: Model, text: str, seed: int) -> bytes:
    """A text written by the model, as a PNG."""
    if len(text) > LETTERS:
        raise UserError(f"That text is too long: {LETTERS} characters at most.")
    return sheets.png(sheets.grid(write(model, text, seed), 1))


def export(model: Model, folder: str) -> str:
    """Export the generator as an ONNX file for the browser, unless the folder has one; returns its path."""
    target = Path(folder) / "generator.onnx"
    if not target.is_file():
        onnx.export(model, Path(folder), only=target.name)
    return str(target)
