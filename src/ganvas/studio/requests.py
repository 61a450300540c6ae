"""What the worker does for the studio: draw, judge, mend, play, look at data. Results are plain values and PNGs."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.model import task_name
from ganvas.core.naming import safe
from ganvas.core.progress import last
from ganvas.export import onnx as exporting
from ganvas.images import originals, sheets
from ganvas.images import tensors as im
from ganvas.studio.judge import NEAREST, game, judge  # noqa: F401  # the worker calls them by their names here
from ganvas.studio.models_cache import as_png, cut, drawer, load, sent
from ganvas.tasks.generate import data_check
from ganvas.tasks.generate.latent import write as lettering
from ganvas.tasks.generate.model import Model
from ganvas.tasks.restore.model import Restorer
from ganvas.tasks.translate.model import Translator

PICTURES = 256  # drawn at once, at most
LONGEST = 4_096  # pixels of the longer side of a picture to mend


def describe(path: str) -> dict[str, Any]:
    """What a model can do."""
    model = load(path)
    spec, task = model.spec, task_name(model.card)
    found = {
        "task": task,
        "size": spec.size,
        "channels": spec.channels,
        "classes": list(model.card["classes"]),
        "images": model.card["images"],
        "mark": str(Path(path).stat().st_mtime_ns),
        "finished": bool(model.card.get("finished")),
    }
    if isinstance(model, Model):
        found |= {
            "latent_dim": model.latent_dim,
            "detector": model.detector is not None,
            "no_detector": model.no_detector,
        }
        found |= {"selector": model.selector is not None}
        found["writes"] = bool(model.class_names) and all(len(name) == 1 for name in model.class_names)
    if isinstance(model, Restorer):
        found |= {"damage": model.card["task"]["degrade"], "scale": spec.scale, "masked": spec.masked}
    if isinstance(model, Translator):
        found |= {"kinds": list(model.kinds), "any_size": model.any_size}
    return found


def sheet(path: str, numbers: list[int], kind: str | None, truncation: float | None, columns: int) -> bytes:
    """Pictures of seeds on one PNG. Raises a UserError where they are too many, or the model has no such class."""
    drawn = _drawn(path, numbers, kind, truncation)
    return sheets.png(sheets.grid(drawn, max(1, min(columns, len(drawn)))))


def _drawn(path: str, numbers: list[int], kind: str | None, truncation: float | None) -> Tensor:
    model = drawer(path)
    if not 0 < len(numbers) <= PICTURES:
        raise UserError(f"{len(numbers)} pictures at once: from 1 to {PICTURES} are possible.")
    return model.pictures(numbers, kind if model.class_names else None, truncation)


def archive(path: str, numbers: list[int], kind: str | None, truncation: float | None) -> bytes:
    """The same pictures as a zip of PNG files that are named after their seeds."""
    buffer, end = io.BytesIO(), f"-{safe(kind or '')}" if kind in drawer(path).class_names else ""
    drawn = _drawn(path, numbers, kind, truncation)
    with zipfile.ZipFile(buffer, "w") as file:
        for number, picture in zip(numbers, drawn, strict=True):
            file.writestr(f"seed{number:06d}{end}.png", as_png(picture))
    return buffer.getvalue()


@torch.inference_mode()
def point(path: str, corners: list[int], x: float, y: float, kinds: list[str] | None) -> bytes:
    """The picture at a place of the map between four seeds, whose corners they are; x, y in 0..1.

    Args:
        kinds: the class of each corner (none: the first); between two classes the picture is of both, in shares.
    """
    model = drawer(path)
    if len(corners) != 4 or not (0 <= x <= 1 and 0 <= y <= 1):
        raise UserError("A place on the map has four corner seeds, and x and y between 0 and 1.")
    device = next(model.generator.parameters()).device
    weights = torch.tensor([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])
    z = blend(seeds.latents(corners, model.latent_dim), weights)[None].to(device)
    labels = model.labels(kinds or [0] * 4, 4) if model.class_names else None
    if labels is not None:
        shares = weights @ F.one_hot(labels, len(model.class_names)).float()
        labels = labels[:1].to(device) if len(set(labels.tolist())) == 1 else shares[None].to(device)
    return as_png(im.to_uint8(model.generator(z, labels))[0])


def blend(corners: Tensor, weights: Tensor) -> Tensor:
    """Latent vectors [4, dim] of the corners (above left, above right, below left, below right) -> [dim].

    The weights, those of bilinear interpolation, are scaled so that the squares of all add up to 1: the point stays as
    far from the middle as a normal vector is.
    """
    return (weights / weights.square().sum().sqrt()) @ corners


def written(path: str, text: str, seed: int) -> bytes:
    """A text in the model's hand."""
    model = drawer(path)
    if len(text) > 60:
        raise UserError("That text is too long: 60 characters at most.")
    return sheets.png(sheets.grid(lettering.write(model, text, seed), 1))


def onnx(path: str, folder: str) -> str:
    """The generator as an ONNX file for the browser, made once for each state of the model; returns its path."""
    model, place = drawer(path), Path(folder)
    target = place / "generator.onnx"
    if not target.is_file():
        exporting.export(model, place)
    return str(target)


def table(dim: int, count: int) -> bytes:
    """The latent vectors of the first seeds, little-endian float32 [count, dim]."""
    return seeds.latents(range(count), dim).numpy().astype("<f4").tobytes()


# ---- mending


def mend(path: str, content: bytes, to: str, mask: bytes | None) -> dict[str, Any]:
    """A picture before and after, as PNG; and what the user should know."""
    model = load(path)
    if isinstance(model, Model):
        raise UserError("This model draws from noise: it mends nothing. Choose one of denoise, derain, superres ...")
    if isinstance(model, Translator) and not model.any_size:
        fitted = cut(content, model.spec).transpose(1, 2, 0)
        square = originals.Original(fitted[:, :, :3], fitted[:, :, 3] if fitted.shape[2] == 4 else None)
        after = last(model.translate_picture(square, to))
        return {"before": _as_png(square), "after": _as_png(after), "warnings": []}
    original = _original(content)
    missing = None
    if isinstance(model, Restorer) and model.spec.masked:
        missing = _mask(mask, original)
    if isinstance(model, Translator):
        after, told = last(model.translate_picture(original, to)), []
    else:
        after = last(model.restore_picture(original, missing))
        told = [f"It is unlike the pictures of the training: {text}." for text in model.unlike(original)]
    if missing is not None:  # what was painted over is seen as a hole
        original = replace(original, pixels=np.where(missing[:, :, None], np.uint8(127), original.pixels))
    return {"before": _as_png(original), "after": _as_png(after), "warnings": told}


def _original(content: bytes) -> originals.Original:
    """An upright picture of 8 bits, no larger than can be mended while someone waits."""
    picture = sent(content)
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    array = np.asarray(picture)
    if array.ndim == 2:
        return originals.Original(array[:, :, None], None)
    if array.shape[2] == 4:
        return originals.Original(array[:, :, :3], array[:, :, 3])
    return originals.Original(array, None)


def _mask(mask: bytes | None, original: originals.Original) -> np.ndarray:
    height, width, _ = original.pixels.shape
    if mask is None:
        if original.alpha is None:
            raise UserError("This model fills holes: paint over what is missing first.")
        return original.alpha < 128
    drawn = np.asarray(sent(mask).convert("L").resize((width, height), Image.Resampling.NEAREST))
    if not (drawn > 127).any():
        raise UserError("Nothing is marked as missing: paint over what shall be filled.")
    return drawn > 127


def _as_png(original: originals.Original) -> bytes:
    pixels = original.pixels if original.alpha is None else np.dstack([original.pixels, original.alpha])
    if pixels.shape[2] == 2:
        pixels = np.dstack([pixels[:, :, [0, 0, 0]], pixels[:, :, 1]])
    return sheets.png(np.ascontiguousarray(pixels))


# ---- data


def look(place: str, out: str) -> dict[str, Any]:
    """The data doctor's result, and a sheet of pictures as they would be cut."""
    steps = data_check.check(place, Path(out))
    checked = last(steps)
    found = checked.to_dict()
    sheet = checked.preview.read_bytes() if checked.preview is not None else None
    names = ("total", "looked", "classes", "findings", "forecast", "mirror")
    return {**{name: found[name] for name in names if name in found}, "sheet": sheet}


def forecast(recipe: str, data: str | None, settings: dict[str, str], to: str | None) -> dict[str, Any]:
    """How long a training would take, by a few true steps."""
    from ganvas import api
    from ganvas.training.trainer import Trainer, speed

    experiment = api.experiment(recipe, data, settings, to)
    images = experiment.load_data()
    trainer = Trainer(experiment.build(images.spec), experiment.training)
    rate = speed(trainer, experiment.batches(images), 2.0)
    return {
        "images": experiment.training.images,
        "images_per_second": rate,
        "seconds": experiment.training.images / rate,
        "data": f"{len(images.train.images):,} of {images.name}, {images.spec.size}x{images.spec.size}",
    }
