"""Images in memory: NumPy's .npz files, as `ganvas sample --out NAME.npz` gives them, and data sets as listings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ganvas.data.listing import Listing
from ganvas.data.sets import ImageData
from ganvas.errors import UserError


def read_npz(place: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The array `images` of an .npz file (or its first with three dimensions or more), and `labels` where they fit.

    Returns:
        uint8 [N, C, H, W] and int64 [N] or None.

    Raises:
        UserError: the file cannot be read, has no images, or holds values that are no pixels or no classes.
    """
    try:
        with np.load(place, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # numpy raises what its parts raise: OSError, ValueError, BadZipFile, TypeError ...
        raise UserError(f"{place} cannot be read as an .npz file ({error}).") from error
    name = "images" if "images" in arrays else next((n for n, a in arrays.items() if a.ndim >= 3), None)
    if name is None:
        raise UserError(f"{place} has no array of images (it has {', '.join(arrays) or 'nothing'}).")
    x = arrays[name]
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        x = x.transpose(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[1] not in (1, 3, 4) or not x.size:
        raise UserError(
            f"{place}: '{name}' has the shape {arrays[name].shape}; [N, H, W], [N, H, W, C] or [N, C, H, W] is needed."
        )
    if x.dtype.kind not in "fiub":
        raise UserError(f"{place}: '{name}' holds {x.dtype}, no numbers.")
    if x.dtype.kind == "b":
        x = x.astype(np.uint8) * 255
    if x.dtype.kind == "f":
        if not np.isfinite(x).all():
            raise UserError(f"{place}: '{name}' holds values that are not numbers (NaN or infinite).")
        low, high = float(x.min()), float(x.max())
        if low < -1.001 or high > 1.001:
            raise UserError(f"{place}: '{name}' goes from {low:g} to {high:g}; floats must lie in [-1, 1] or [0, 1].")
        x = np.rint((x + 1) * 127.5 if low < 0 else x * 255)
    elif x.min() < 0 or x.max() > 255:
        raise UserError(f"{place}: '{name}' holds values outside 0..255.")
    labels = arrays.get("labels")
    images = np.ascontiguousarray(x.astype(np.uint8))
    if labels is None or labels.shape != (len(x),) or labels.dtype.kind not in "iu":
        return images, None
    if labels.min() < 0:
        raise UserError(f"{place}: 'labels' holds {labels.min()}; classes are counted from 0.")
    return images, labels.astype(np.int64)


def listed(data: ImageData) -> Listing:
    """A data set in memory as a listing, so that it can be brought into another shape."""
    splits = {"train": data.train, "test": data.held_out}
    names = [f"{name}/{i}" for name, split in splits.items() for i in range(len(split.images))]
    labels = [data.class_names[i] for split in splits.values() if split.labels is not None for i in split.labels]
    count = len(data.train.images)

    def read(numbers: Sequence[int]) -> Iterator[np.ndarray]:
        for i in numbers:
            split, row = (data.train, i) if i < count else (data.held_out, i - count)
            yield split.images[row : row + 1][0].numpy()

    tests = [i >= count for i in range(len(names))]
    stamps = [data.fingerprint]  # it stands for all of them
    return Listing(data.name, data.name, names, stamps, read, labels or None, tests, licence=data.licence)
