"""Which pixels of a picture are missing: the hole, from a mask, a colour or the transparent part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from ganvas.core.errors import UserError, unknown
from ganvas.core.files import place
from ganvas.images import originals
from ganvas.images.decode import SUFFIXES
from ganvas.images.originals import Original

KINDS = ("white", "black", "transparent")  # what can mark the hole in a mask
NEAR = 24  # levels by which a pixel may differ from the colour that marks holes: JPEG changes it
DARK, LIGHT = (
    64,
    191,
)  # a mask's pixel between these levels is neither black nor white, or neither transparent nor opaque
BETWEEN = 0.005  # largest share of such pixels in a mask, besides those at the hole's edge
EDGE = 3  # pixels by which a drawing program or JPEG blurs an edge
SAY = "Say what is to be filled: --mask-hole white, black or transparent."


@dataclass(frozen=True)
class Hole:
    """Which pixels are missing, bool [H, W], and by what they are marked: 'the white of mask.png'."""

    missing: np.ndarray
    what: str

    @property
    def description(self) -> str:
        """What marks the hole, and how large it is."""
        return f"{self.what}, {self.missing.mean():.1%} of the pixels"

    def checked(self, path: str | os.PathLike[str]) -> Hole:
        """The same hole, if some pixels are missing and some are not.

        Raises:
            UserError: nothing of the picture, or all of it, is missing.
        """
        if not self.missing.any():
            raise UserError(f"{path}: nothing is missing in it, by {self.what}.")
        if self.missing.all():
            raise UserError(f"{path}: all of it would be filled, by {self.what}; something must be left to go by.")
        return self


def of_mask(path: Path, hole: str | None = None) -> Hole:
    """The hole that a mask shows.

    Args:
        path: a picture: white is missing, black (or transparent) is not.
        hole: 'white', 'black' or 'transparent': what is missing instead. Such a mask may have any greys: what is
            darker than half is black.

    Raises:
        UserError: no such kind; or none is named, and the mask has a single colour, many greys, or marks more than half
            of the picture.
    """
    if hole is not None and hole not in KINDS:
        raise unknown("kind of hole", hole, KINDS)
    mask = originals.as_8_bits(originals.read(path))
    level = mask.pixels.mean(2)
    alpha = np.full(level.shape, 255, np.uint8) if mask.alpha is None else mask.alpha
    light, clear = level > 127.5, alpha < 127.5
    parts = {"white": light & ~clear, "black": ~light & ~clear, "transparent": clear}
    if hole is None:
        _check(path, parts, (level, alpha))
    name = hole or "white"
    part = f"{name} part" if name == "transparent" else name
    return Hole(parts[name], f"the {part} of {path.name}").checked(path)


def _check(path: Path, parts: dict[str, np.ndarray], values: tuple[np.ndarray, np.ndarray]) -> None:
    """Raise a UserError if it is in doubt that the white of a mask is what is missing."""
    shares = {name: float(part.mean()) for name, part in parts.items() if part.any()}
    listed = ", ".join(f"{share:.1%} {name}" for name, share in shares.items())
    between = _between(parts, *values)
    if between > BETWEEN:
        raise UserError(
            f"The mask {path} has much that is neither black nor white nor transparent ({between:.1%} of its pixels). "
            f"Make it black and white. Or say what is to be filled: --mask-hole white takes all that is lighter than "
            "half, black and transparent alike."
        )
    if len(shares) == 1:
        name = next(iter(shares))
        what = "everything" if name == "white" else "nothing"
        raise UserError(f"By the mask {path} {what} is missing: it is all {name}. White is what is to be filled.")
    if "white" not in shares:
        raise UserError(f"The mask {path} has no white, which is what is missing ({listed}). {SAY}")
    if shares["white"] > 0.5:
        raise UserError(f"By the mask {path} more than half of the picture would be filled ({listed}). {SAY}")


def _between(parts: dict[str, np.ndarray], level: np.ndarray, alpha: np.ndarray) -> float:
    """The share of pixels that are clearly in none of the parts, and are not where two parts meet."""
    unclear = ((level >= DARK) & (level <= LIGHT) & ~parts["transparent"]) | ((alpha >= DARK) & (alpha <= LIGHT))
    near = torch.stack([torch.from_numpy(part & ~unclear) for part in parts.values()])[None].float()
    meets = F.max_pool2d(near, 2 * EDGE + 1, 1, EDGE)[0].sum(0) > 1
    return float((unclear & ~meets.numpy()).mean())


def of_colour(original: Original, colour: tuple[int, ...], name: str, path: Path) -> Hole:
    """The pixels of a colour (three levels 0..255), or nearly so.

    Raises:
        UserError: none or all of them are.
    """
    levels = original.pixels.astype(np.float32) * (255 / original.top)
    near = (np.abs(levels - np.array(colour, np.float32)) <= NEAR).all(2)
    return Hole(np.asarray(near), f"the colour {name}").checked(path)


def of_alpha(original: Original, path: Path) -> Hole:
    """The transparent part of a picture itself.

    Raises:
        UserError: it has none, or nothing else.
    """
    if original.alpha is None:
        raise UserError(
            f"{path}: say which pixels are missing: --mask FILE, --colour '#ff00ff', or a transparent part."
        )
    return Hole(np.asarray(original.alpha < original.top / 2), "its transparent part").checked(path)


def beside(folder: Path, path: Path) -> Path:
    """The mask of a picture's name in a folder of masks.

    Raises:
        UserError: there is none, or more than one.
    """
    masks = [p for p in place(folder).iterdir() if p.stem == path.stem and p.suffix.lower() in SUFFIXES]
    if len(masks) != 1:
        count = f"{len(masks)} masks" if masks else "no mask"
        raise UserError(f"{path}: there {'are' if masks else 'is'} {count} of its name in {folder}.")
    return masks[0]
