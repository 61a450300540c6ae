"""Walks through latent space, from picture to picture, saved as animated WebP or GIF, or MP4."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, make_folder, place, replacing
from ganvas.core.latent import points, positions, shares_of, slerp, stations
from ganvas.core.run import Run
from ganvas.images import sheets
from ganvas.images import tensors as im
from ganvas.tasks.generate.model import Model

__all__ = ["Frames", "between", "check", "positions", "save", "shares_of", "slerp", "training_sheets", "walk"]
FORMS = (".webp", ".gif", ".mp4")
WIDTH = 640  # pixels to which small pictures are enlarged, about
HOLD = 8  # frames for which a time-lapse shows its last picture


class Frames(Iterator[Tensor]):
    """The frames of a walk, uint8 [T, C, H, W] each, drawn when they are needed."""

    def __init__(self, frames: Iterator[Tensor]) -> None:
        self._frames = frames

    def __next__(self) -> Tensor:
        return next(self._frames)

    def save(self, path: str | os.PathLike[str], rate: float = 24, scale: int | None = None) -> str:
        """Draw the frames that are left and write them as an animation; returns the path. What is there is overwritten.

        Raises:
            UserError: as the function `save` of this module.
        """
        for _ in save(place(path), self, rate, scale, force=True):
            pass
        return os.fspath(path)


def walk(
    model: Model,
    numbers: Sequence[int] = range(8),
    classes: Sequence[int | str] | None = None,
    frames: int = 24,
    loop: bool = True,
    truncation: float | None = None,
) -> Frames:
    """Walk from seed to seed (and from class to class), and generate each step without the selector.

    Args:
        numbers: seeds to pass through; if there are more classes than seeds, the seeds repeat.
        classes: classes to pass through; None: each class walks in its own tile.
        frames: frames between two stops.
        loop: return to the start, so that the animation can play endlessly.

    Returns:
        Frames uint8 [T, C, H, W], T tiles in each; `walk(...).save("walk.gif")` writes them as an animation.

    Raises:
        UserError: a class that the model does not have, fewer than two stops, or `frames` below 1.
    """
    chosen, kinds = stations(numbers, classes)
    z = seeds.latents(chosen, model.latent_dim, truncation=truncation)
    count = len(model.class_names)
    if kinds is not None:
        shares = shares_of(model.labels(kinds, len(chosen)), count)
    else:
        shares = torch.eye(count).expand(len(chosen), count, count) if count else None
    return Frames(between(model, z, shares, frames, loop))


def between(model: Model, z: Tensor, shares: Tensor | None, frames: int = 24, loop: bool = True) -> Iterator[Tensor]:
    """Walk through latent vectors [S, D] and shares of the classes [S, T, K] (None: no classes); see `walk`."""
    if len(z) < 2:
        raise UserError(f"A walk needs at least two pictures to pass through; there is only {len(z)}.")
    if frames < 1:
        raise UserError(f"{frames} frames from one picture to the next: at least 1 is needed.")
    return _between(model, z, shares, frames, loop)


def _between(model: Model, z: Tensor, shares: Tensor | None, frames: int, loop: bool) -> Iterator[Tensor]:
    device = next(model.generator.parameters()).device
    for point, mixed in points(z, shares, frames, loop):
        labels = None if mixed is None else mixed.to(device)
        tiles = point.expand(1 if labels is None else len(labels), -1)
        with torch.inference_mode():
            yield im.to_uint8(model.generator(tiles.to(device), labels))


def training_sheets(run: Run) -> Iterator[Tensor]:
    """The sheets of a training, from noise to its last picture, uint8 [1, C, H, W] each.

    Raises:
        UserError: there are fewer than two.
    """
    previews = run.previews()
    if len(previews) < 2:
        raise UserError(f"{run.folder} has {len(previews)} sheets of pictures; a time-lapse needs two (samples/).")
    for path in [path for _, path in previews] + [previews[-1][1]] * (HOLD - 1):
        yield sheets.read(path)[None]


def check(path: Path, rate: float = 24, force: bool = False) -> None:
    """Check that an animation can be saved there; called before any frame is generated. See `save`."""
    if path.suffix.lower() not in FORMS:
        raise UserError(f"{path}: an animation is written as {', '.join(FORMS)}.")
    if not rate > 0:
        raise UserError(f"{rate:g} frames a second: it must be above 0.")
    check_free(path, force=force)


def save(
    path: Path, frames: Iterator[Tensor], rate: float = 24, scale: int | None = None, force: bool = False
) -> Iterator[int]:
    """Write an animation as the frames come; yields how many are done.

    Args:
        path: NAME.webp, NAME.gif or NAME.mp4 (which needs the extra `video`).
        rate: frames a second.
        scale: factor by which pictures are enlarged; None: to a width of about 640 pixels.
        force: overwrite an existing file.

    Raises:
        UserError: another ending, an existing file, a missing extra, or writing failed; nothing half-written is left.
    """
    check(path, rate, force)
    ending = path.suffix.lower()
    make_folder(path.parent)
    images: list[Image.Image] = []

    def sheet(tiles: Tensor) -> Image.Image:
        columns = next(c for c in range(math.isqrt(len(tiles) - 1) + 1, len(tiles) + 1) if len(tiles) % c == 0)
        image = sheets.to_pil(sheets.grid(tiles, columns))
        factor = scale or max(1, WIDTH // image.width)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)

    with replacing(path) as part:
        if ending == ".mp4":
            yield from _write_mp4(part, map(sheet, frames), rate)
        else:
            for tiles in frames:
                images.append(sheet(tiles))
                yield len(images)
            options = {"format": ending[1:], "duration": round(1000 / rate), "loop": 0}
            options |= {"lossless": True, "quality": 40, "method": 2} if ending == ".webp" else {}
            images[0].save(part, save_all=True, append_images=images[1:], **options)


def _write_mp4(part: Path, frames: Iterator[Image.Image], rate: float) -> Iterator[int]:
    try:
        import av
    except ImportError as error:
        raise UserError("MP4 needs PyAV: pip install 'ganvas[video]'. Or write a .webp or a .gif.") from error
    from fractions import Fraction

    done = 0
    with av.open(str(part), "w", format="mp4") as film:
        stream = None
        for image in frames:
            if stream is None:
                stream = film.add_stream("h264", Fraction(rate).limit_denominator(1000))
                stream.width, stream.height = image.width + image.width % 2, image.height + image.height % 2
                stream.pix_fmt = "yuv420p"
            padded = Image.new("RGB", (stream.width, stream.height))  # H.264 needs even sides
            padded.paste(image)
            for packet in stream.encode(av.VideoFrame.from_image(padded)):
                film.mux(packet)
            done += 1
            yield done
        if stream is not None:
            for packet in stream.encode():
                film.mux(packet)
