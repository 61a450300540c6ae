"""Pictures that a notebook shows, and that Pillow, NumPy and files get with one call."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, place, write_whole
from ganvas.core.shown import Shown
from ganvas.images import sheets
from ganvas.images import tensors as im

MOST = 100  # pictures that are shown at most
WIDE, LARGEST = 640, 1_280  # pixels: small pictures are enlarged up to the first, large ones made as small as the other


class Pictures(Shown):
    """Pictures [n, C, H, W] or one [C, H, W], float in [-1, 1] or uint8, that a notebook shows as a sheet.

    PyTorch treats them as an ordinary tensor, and what it makes of them is a plain tensor. Parts of them
    (`pictures[3]`, `pictures[:8]`) are pictures again.
    """

    columns: int  # of a sheet; 0: by their number and size

    @classmethod
    def of(cls, images: Tensor, columns: int = 0) -> Pictures:
        """The same pictures (no copy).

        Args:
            images: float [n, C, H, W] or [C, H, W] in [-1, 1], or uint8.
            columns: pictures in a row of a sheet; 0: by their number and size.

        Raises:
            UserError: a tensor of another shape or type.
        """
        if not _is_pictures(images):
            raise UserError(
                f"A tensor {[*images.shape]} of {str(images.dtype).removeprefix('torch.')} does not hold pictures: "
                "[n, C, H, W] or [C, H, W] with 1, 3 or 4 channels is needed, float in [-1, 1] or uint8."
            )
        return cls.around(images, columns=columns)

    def __getitem__(self, index: Any) -> Any:
        """As of a tensor; parts that are pictures are shown, too."""
        part: Tensor = super().__getitem__(index)
        same = part.shape[-3:-2] == self.shape[-3:-2]  # the channels are still the channels
        return Pictures.around(part, columns=0) if same and _is_pictures(part) else part

    def pixels(self) -> np.ndarray:
        """uint8 array [n, H, W, C] (or [H, W, C] of one picture) in 0..255, as NumPy users know them. See `numpy()` for
        the tensor's own values and axes.
        """
        return self._bytes().movedim(-3, -1).contiguous().numpy()

    def pil(self) -> Any:
        """A list of Pillow images; of one picture [C, H, W] the Pillow image."""
        pixels = self.pixels()
        return sheets.to_pil(pixels) if pixels.ndim == 3 else [sheets.to_pil(one) for one in pixels]

    def sheet(self) -> Image.Image:
        """All pictures in rows, as one Pillow image."""
        pictures = self._four()
        return sheets.to_pil(sheets.grid(pictures, self._columns(pictures)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all pictures as one sheet (NAME.png, .jpg or .webp), or each as a PNG into a folder (a name without a
        suffix). What is there is overwritten.

        Raises:
            UserError: another suffix, or the system refused.
        """
        to = place(path)
        if not to.suffix or to.is_dir():
            make_folder(to)
            pixels = self._four().permute(0, 2, 3, 1).contiguous().numpy()
            for number, one in enumerate(pixels):
                write_whole(to / f"{number:05d}.png", sheets.png(one))
            return
        if to.suffix.lower() not in sheets.FORMS:
            raise UserError(
                f"{to}: pictures are saved as .png, .jpg or .webp, or into a folder (a name without a dot)."
            )
        write_whole(to, sheets.encoded(self.sheet(), sheets.FORMS[to.suffix.lower()]))

    def _repr_png_(self) -> bytes | None:
        """The sheet for a notebook; None where these are no longer pictures, or there are none."""
        if not _is_pictures(self) or not self.numel():
            return None
        pictures = self._four()[:MOST]
        columns = self._columns(pictures)
        array = sheets.grid(pictures, columns)
        if max(array.shape) > LARGEST:
            picture = sheets.to_pil(array)
            picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
            return sheets.encoded(picture, "PNG")
        return sheets.png(array, max(1, min(8, WIDE // array.shape[1])))

    def _bytes(self) -> Tensor:
        """uint8, of the same shape, on the CPU; a plain tensor."""
        values = self.as_subclass(Tensor)
        return values.detach().cpu() if not values.is_floating_point() else im.to_uint8(values)

    def _four(self) -> Tensor:
        """uint8 [n, C, H, W]."""
        pictures = self._bytes()
        return pictures[None] if pictures.dim() == 3 else pictures

    def _columns(self, pictures: Tensor) -> int:
        wished = getattr(self, "columns", 0) or max(1, min(8, LARGEST // pictures.shape[3]))
        return max(1, min(len(pictures), wished))


def _is_pictures(images: Tensor) -> bool:
    fits = images.dim() in (3, 4) and images.shape[-3] in (1, 3, 4)
    return fits and (images.is_floating_point() or images.dtype == torch.uint8)
