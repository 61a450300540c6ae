"""Which pixels of a picture are missing, and what was taken for the hole, in words."""

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

KINDS = ("white", "black", "transparent")  # what can be the hole in a mask
NEAR = 24  # levels that a pixel may be away from the colour that marks holes: JPEG blurs it
DARK, LIGHT = 64, 191  # levels between which a pixel of a mask is neither black nor white, and neither clear nor opaque
BETWEEN = 0.005  # share of a mask's pixels that may be so, besides those at the hole's edge
EDGE = 3  # pixels about which a drawing program, or JPEG, blurs an edge
SAY = "Say what is to be filled: --mask-hole white, black or transparent."


@dataclass(frozen=True)
class Hole:
    """Which pixels are missing, bool [H, W], and what was taken for the hole: 'the white of mask.png'."""

    missing: np.ndarray
    what: str

    @property
    def told(self) -> str:
        """What was taken for the hole, and how large it is."""
        return f"{self.what}, {self.missing.mean():.1%} of the pixels"

    def checked(self, path: str | os.PathLike[str]) -> Hole:
        """The same, where there is something to fill, and something to fill it from.

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
        hole: 'white', 'black' or 'transparent': what is missing instead. Such a mask may be of any greys: what is
            darker than half is black.

    Raises:
        UserError: no such kind; or none is named, and the mask is of one colour, has much between black and white, or
            would have more than half of the picture filled.
    """
    if hole is not None and hole not in KINDS:
        raise unknown("kind of hole", hole, KINDS)
    drawn = originals.as_8_bits(originals.read(path))
    level = drawn.pixels.mean(2)
    alpha = np.full(level.shape, 255, np.uint8) if drawn.alpha is None else drawn.alpha
    light, clear = level > 127.5, alpha < 127.5
    parts = {"white": light & ~clear, "black": ~light & ~clear, "transparent": clear}
    if hole is None:
        _check(path, parts, (level, alpha))
    name = hole or "white"
    part = f"{name} part" if name == "transparent" else name
    return Hole(parts[name], f"the {part} of {path.name}").checked(path)


def _check(path: Path, parts: dict[str, np.ndarray], values: tuple[np.ndarray, np.ndarray]) -> None:
    """Is it beyond doubt that the white of a mask is what is missing?"""
    shares = {name: float(part.mean()) for name, part in parts.items() if part.any()}
    found = ", ".join(f"{share:.1%} {name}" for name, share in shares.items())
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
        raise UserError(f"The mask {path} has no white, which is what is missing ({found}). {SAY}")
    if shares["white"] > 0.5:
        raise UserError(f"By the mask {path} more than half of the picture would be filled ({found}). {SAY}")


def _between(parts: dict[str, np.ndarray], level: np.ndarray, alpha: np.ndarray) -> float:
    """The share of pixels that are neither one thing nor the other, and do not lie where two of them meet."""
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
    found = [p for p in place(folder).iterdir() if p.stem == path.stem and p.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        count = f"{len(found)} masks" if found else "no mask"
        raise UserError(f"{path}: there {'are' if found else 'is'} {count} of its name in {folder}.")
    return found[0]
