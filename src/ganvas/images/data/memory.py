"""Pictures that a Python program has in memory, as a data set: arrays, Pillow images, or a torch Dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from ganvas.core import files
from ganvas.core.errors import UserError, first_line
from ganvas.images import decode
from ganvas.images.data import arrays, label_arrays, npz
from ganvas.images.data.dataset import ImageData, fingerprint
from ganvas.sources.listing import Listing

MEMORY = "memory://"  # begins the name of such data, in place of a path
PLACE = Path("data")  # what errors and notes call them
WAY = (
    "Give a NumPy array or tensor [N, H, W, C] or [N, C, H, W], a pair of such an array and its labels, a list of "
    "Pillow images, or a torch Dataset of pictures or of (picture, label)."
)


class Held(str):
    """A name of data in memory, which holds them: they live as long as an experiment that has the name."""

    data: Any

    def __str__(self) -> str:
        return self  # `str` would give a name that holds nothing

    def __deepcopy__(self, _: object) -> Held:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (self[:],)  # another process gets the name alone


def held(data: Any) -> Held:
    """A name for data in memory, for `DataConfig.source`.

    Raises:
        UserError: they are not pictures, as far as a look at their type tells.
    """
    kind = type(data)
    if hasattr(data, "dataset") and hasattr(data, "batch_size"):
        raise UserError(f"data={kind.__name__}: give its Dataset (loader.dataset); Ganvas makes the batches itself.")
    if kind.__module__.partition(".")[0] == "pandas" or isinstance(data, bytes | dict | set):
        raise UserError(f"data={kind.__name__} does not hold pictures. {WAY}")
    if isinstance(data, IterableDataset | Iterator):
        raise UserError(f"data={kind.__name__} only gives its items in turn: give list(data).")
    if not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        raise UserError(f"data={kind.__name__}: data in memory need a length and numbered items. {WAY}")
    name = Held(MEMORY + kind.__name__)
    name.data = data
    return name


def name_of(data: object) -> str:
    """The name of a data set that is a name or a path already, or is in memory; see `held`."""
    return os.fspath(data) if isinstance(data, str | os.PathLike) else held(data)


@dataclass(frozen=True, eq=False)
class _Array(npz.Member):
    """An array in memory, in the place of one in a file."""

    values: np.ndarray

    @property
    def called(self) -> str:
        return f"data ({self.name})"

    def read(self) -> np.ndarray:
        if self.dtype.hasobject:
            raise UserError(f"{self.called} holds Python objects: make it numbers of one shape with np.stack(list).")
        return self.values


def _array(name: str, values: np.ndarray) -> _Array:
    return _Array(PLACE, name, values.shape, values.dtype, values)


def read(source: str, labelled: bool) -> ImageData | Listing:
    """The pictures of data in memory; a tenth is held out, chosen by content.

    Args:
        source: what `held` gave.

    Returns:
        A data set; pictures of different shapes are a listing, to be brought to one shape.

    Raises:
        UserError: the program that had them is not this one, or they are not pictures of one of the forms of `held`.
    """
    if not isinstance(source, Held):
        raise UserError(
            f"This training learns from pictures that only a Python program had ({source}). Give it the same ones "
            "there (ganvas.fit(..., data=pictures, run=FOLDER)), or save them as a file or folder and name that with "
            "--data."
        )
    pictures, labels, names = _split(source.data)
    if not labelled:
        labels, names = None, None
    if isinstance(pictures, list) and len({x.shape for x in pictures}) > 1:
        return _listing(_levels(pictures), labels, names)
    whole = np.stack(pictures) if isinstance(pictures, list) else pictures
    images, notes = arrays.pixels({"train": _array("pictures", whole)})
    numbers, class_names = _classes(labels, names, len(whole))
    return arrays.as_data("pictures", (images["train"], numbers), None, class_names, tuple(notes), "data")


Parts = tuple["np.ndarray | list[np.ndarray]", "np.ndarray | None", "list[str] | None"]


def _split(data: Any) -> Parts:
    """Pictures (an array of all, or a list of [C, H, W]), labels [N] and the names of the classes, where there are."""
    if isinstance(data, np.ndarray | Tensor):
        return _numbers(data), None, None
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], np.ndarray | Tensor) and data[0].ndim > 2:
        if data[1] is None:
            return _numbers(data[0]), None, None
        labels = _numbers(data[1]) if isinstance(data[1], np.ndarray | Tensor) else np.asarray(data[1])
        if labels.ndim <= 2:
            labels = _labels(labels.tolist()) if labels.dtype.hasobject else labels  # as pandas has texts
            return _numbers(data[0]), labels, None
    try:
        count = len(data)
    except Exception as error:  # of the user's own code
        raise UserError(f"len(data) fails with {_said(error)}.") from error
    if not count:
        raise UserError(f"data={type(data).__name__} is empty. {WAY}")
    pictures, labels, left = [], [], files.memory_left()
    for i in range(count):
        picture, label = _item(data, i)
        pictures.append(_one(picture, i))
        labels.append(label)
        if i == 0 and pictures[0].nbytes * count > left:
            raise UserError(
                f"{count:,} pictures of this size need {pictures[0].nbytes * count / 1e9:,.1f} GB of memory, and "
                f"{left / 1e9:,.1f} GB are free. Give uint8 instead of floats, or save them as files in a folder."
            )
    names = getattr(data, "classes", None)  # as the data sets of torchvision have it
    is_named = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return _alike(pictures), _labels(labels), [*names] if names and is_named else None


def _item(data: Any, i: int) -> tuple[Any, Any]:
    """A picture and its label (None: it has none)."""
    try:
        item = data[i]
    except Exception as error:  # of the user's own code
        raise UserError(f"data[{i}] of {len(data):,} fails with {_said(error)}.") from error
    if not isinstance(item, tuple | list):
        return item, None
    if len(item) == 1:
        return item[0], None
    if len(item) != 2:
        raise UserError(f"data[{i}] has {len(item)} parts; an item is a picture, or (picture, label).")
    return item[0], item[1]


def _said(error: Exception) -> str:
    text = first_line(error)[:200].rstrip(".")
    return type(error).__name__ if text == type(error).__name__ else f"{type(error).__name__}: {text}"


def _one(picture: Any, i: int) -> np.ndarray:
    """A picture as [C, H, W]; its numbers stay as they are."""
    if isinstance(picture, Image.Image | str | os.PathLike):
        return _from_picture(picture, i)
    if isinstance(picture, dict):
        keys = ", ".join(map(repr, [*picture][:6]))
        raise UserError(
            f"data[{i}] is a dict ({keys}), not a picture: give [(x['image'], x['label']) for x in data], with the "
            "names that yours has."
        )
    if not isinstance(picture, np.ndarray | Tensor):
        raise UserError(f"data[{i}] is a {type(picture).__name__}, not a picture. {WAY}")
    values = _numbers(picture)
    if values.ndim not in (2, 3):
        many = " Pictures and their labels are a pair (pictures, labels)." if values.ndim == 4 else ""
        raise UserError(f"data[{i}] has the shape {values.shape}; a picture is [H, W], [C, H, W] or [H, W, C].{many}")
    member = _array("pictures", values[None])
    arrays.check_form(member)
    return arrays.channels_first(values[None])[0]


def _from_picture(picture: Image.Image | str | os.PathLike[str], i: int) -> np.ndarray:
    """A Pillow image or a file as [C, H, W], uint8."""
    try:
        is_image = isinstance(picture, Image.Image)
        raw = picture.copy() if is_image else decode.opened(files.read_bytes(files.place(picture), decode.BYTES))
        if decode.is_wide(raw):
            raise UserError(
                f"data[{i}] has more than 8 bits a channel (mode {raw.mode}): convert all pictures to 8 first."
            )
        values = np.asarray(decode.plain(raw))
    except decode.Unreadable as error:
        raise UserError(f"data[{i}] cannot be read as a picture ({error}).") from error
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _numbers(values: np.ndarray | Tensor) -> np.ndarray:
    """Numbers as an array; floats of fewer than 32 bits that NumPy does not have become float32."""
    if isinstance(values, np.ma.MaskedArray):
        raise UserError("data: a masked array has places without a value: give x.filled(0), or another value for them.")
    if isinstance(values, np.ndarray):
        return values
    try:
        plain = values.detach().cpu()
        return (plain.float() if plain.dtype.is_floating_point and plain.element_size() <= 2 else plain).numpy()
    except (TypeError, RuntimeError) as error:  # a sparse tensor, one without data
        raise UserError(
            f"data: a tensor of {values.dtype} cannot be read ({first_line(error)[:200].rstrip('.')})."
        ) from error


def _labels(labels: Sequence[Any]) -> np.ndarray | None:
    """Labels as an array; None: there are none."""
    without = [i for i, label in enumerate(labels) if label is None]
    if len(without) == len(labels):
        return None
    if without:
        raise UserError(f"data: item {without[0]} has no label, and others have. Give one to each, or to none.")
    plain = [_numbers(label) if isinstance(label, Tensor) else label for label in labels]
    try:
        return np.array(plain)
    except ValueError as error:
        raise UserError(f"data: its labels are of different forms ({first_line(error)[:100]}).") from error


def _alike(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """The pictures with as many channels as the one with the most, all of one type.

    Raises:
        UserError: some hold floats, others whole numbers.
    """
    types = sorted({x.dtype.kind for x in pictures})
    if len(types) > 1 or len({x.dtype for x in pictures if x.dtype.kind != "f"}) > 1:
        found = ", ".join(sorted({str(x.dtype) for x in pictures}))
        raise UserError(f"data: its pictures hold different kinds of numbers ({found}). Convert them to one.")
    most = max(len(x) for x in pictures)
    if most == 4 and pictures[0].dtype != np.uint8 and any(len(x) < 4 for x in pictures):
        raise UserError("data: some pictures have four channels and others not. Give all the same channels.")
    return [_with_channels(x, most) for x in pictures]


def _with_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    if len(picture) == 1 < channels:
        picture = picture.repeat(3, 0)
    if len(picture) < channels:
        picture = np.concatenate([picture, np.full_like(picture[:1], 255)])
    return picture


def _levels(pictures: list[np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Pictures of different shapes as uint8, all converted alike, and notes on that."""
    rows = [x.reshape(-1) for x in pictures]
    values, notes = arrays.pixels({"train": _array("pictures", np.concatenate(rows)[None, None, None])})
    flat = values["train"].reshape(-1)
    ends = np.cumsum([len(row) for row in rows])[:-1]
    return [part.reshape(x.shape) for part, x in zip(np.split(flat, ends), pictures, strict=True)], notes


def _classes(
    labels: np.ndarray | None, names: list[str] | None, count: int
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The numbers of the classes, int64 [N], and their names."""
    if labels is None:
        return None, ()
    pictures = _Array(PLACE, "pictures", (count,), np.dtype("u1"), np.empty(0, "u1"))
    found = label_arrays.read(_array("labels", labels), pictures, count)
    usable = names is not None and found.dtype.kind == "i" and len(found) and found.max() < len(names)
    called = _array("classes", np.array(names)) if usable else None
    numbers, class_names = label_arrays.unite(PLACE, {"train": found}, called)
    return numbers["train"], class_names


def _listing(levels: tuple[list[np.ndarray], list[str]], labels: np.ndarray | None, names: list[str] | None) -> Listing:
    pictures, notes = levels
    numbers, class_names = _classes(labels, names, len(pictures))

    def reading(wanted: Sequence[int]) -> Iterator[np.ndarray]:
        yield from (pictures[i] for i in wanted)

    read: Callable[[Sequence[int]], Iterator[Any]] = reading
    stamps = [fingerprint(*pictures)]
    titles = [f"{i:06d}" for i in range(len(pictures))]
    classes = None if numbers is None else [class_names[i] for i in numbers]
    return Listing("pictures", "pictures", titles, stamps, read, classes, None, tuple(notes))
