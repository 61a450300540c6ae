"""Images in memory: NumPy's .npz and .npy files, as `ganvas sample --out NAME.npz` writes them, and their listings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.data import label_arrays, npz
from ganvas.images.data.dataset import ImageData, Split, fingerprint, hold_out
from ganvas.images.data.npz import Member
from ganvas.sources.listing import Listing

SPLITS = {"training": "train", "train": "train", "tr": "train", "testing": "test", "test": "test", "te": "test"}
SPLITS |= {"validation": "val", "valid": "val", "val": "val", "dev": "val"}  # longer words first
IMAGES = ("images", "image", "imgs", "img", "x", "data", "samples", "pixels", "pictures", "features", "inputs", "input")
LABELS = ("labels", "label", "y", "target", "targets", "class", "classes")
NAMES = ("classnames", "labelnames", "targetnames", "categories", "classes")
PASSED = ("seeds",)  # what `ganvas sample` writes together with the pictures
CHANNELS = (1, 3, 4)
NEEDED = "[N, H, W], [N, H, W, C] or [N, C, H, W] is needed"
NAMED = 8  # arrays that a note or an error names at most


@dataclass(frozen=True)
class Arrays:
    """The images of a file, uint8 [N, C, H, W], and labels int64 [N] (None: unlabelled); without splits `test` is None.

    `class_names` belong to the labels 0..K-1; `notes` say what was converted, chosen and ignored.
    """

    train: tuple[np.ndarray, np.ndarray | None]
    test: tuple[np.ndarray, np.ndarray | None] | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass
class _Side:
    """The arrays of one split that may be its images, and those that may be its labels."""

    images: list[Member] = field(default_factory=list)
    labels: list[Member] = field(default_factory=list)


def read(place: Path, labelled: bool = True, split: bool = True) -> Arrays:
    """The images of an .npz or .npy file, with labels and splits if it has them.

    Arrays are known by the names that Keras, MedMNIST, scikit-learn and Ganvas use (x_train, train_images, data,
    images ...; y_train, train_labels, target, labels ...); a single array of three dimensions or more needs no name.

    Args:
        labelled: look for labels.
        split: accept several splits; otherwise a file with more than one is refused.

    Raises:
        UserError: the file cannot be read, or it is not clear which arrays are images and which are labels.
    """
    sides, named, rest, notes = _sorted(place, npz.members(place), labelled)
    if not split and len(sides) > 1:
        raise UserError(
            f"{place} holds several sets of pictures: {_listed([i for i, _ in sides.values()])}. Save the one that "
            "you mean in its own file."
        )
    if split and "train" not in sides:
        raise UserError(f"{place} has pictures of a {next(iter(sides))} split, and none to train on (x_train).")
    images, converted = pixels({name: images for name, (images, _) in sides.items()})
    by_split = {n: y and label_arrays.read(y, i, len(images[n])) for n, (i, y) in sides.items()}
    numbers, class_names = label_arrays.unite(place, by_split, named)
    first, *other_splits = sides
    if other_splits:
        held = " and ".join(f"{len(images[o]):,} pictures of '{one_line(sides[o][0].name)}'" for o in other_splits)
        notes.append(f"{place.name}: {held} are held out.")
    if rest:
        notes.append(f"{place.name}: skipped {_listed(rest)}.")
    test = None
    if other_splits:
        labels = [y for o in other_splits if (y := numbers[o]) is not None]
        test = np.concatenate([images[o] for o in other_splits]), np.concatenate(labels) if labels else None
    return Arrays((images[first], numbers[first]), test, class_names, (*converted, *notes))


def data_set(path: Path, labelled: bool = True) -> ImageData:
    """A data set of an .npz or .npy file; if it has no splits, a tenth is held out, chosen by content.

    Raises:
        UserError: as `read`; or there are too few images to hold some out.
    """
    found = read(path, labelled)
    return as_data(path.stem, found.train, found.test, found.class_names, found.notes, str(path))


def as_data(
    name: str,
    train: tuple[np.ndarray, np.ndarray | None],
    test: tuple[np.ndarray, np.ndarray | None] | None,
    class_names: tuple[str, ...],
    notes: tuple[str, ...],
    place: str,
) -> ImageData:
    """The data set of these images uint8 [N, C, H, W] and labels; without `test` a tenth is held out, by content.

    Raises:
        UserError: there are too few images to hold some out; it names `place`.
    """
    train, test = (train, test) if test is not None else hold_out(*train, place=place)
    sides = [Split(torch.from_numpy(x), None if y is None else torch.from_numpy(y)) for x, y in (train, test)]
    return ImageData(name, sides[0], sides[1], class_names, fingerprint(*train, *test), notes=notes)


def _listed(members: Sequence[Member]) -> str:
    return ", ".join(map(str, members[:NAMED])) + (", ..." if len(members) > NAMED else "") or "nothing"


# -------------------- which array is what


def _role(member: Member) -> tuple[str, str]:
    """Split ('' for none) and 'images', 'labels' or 'names', by an array's name; ('', '') if it is unknown."""
    if member.key in NAMES and member.dtype.kind in "USO" and len(member.shape) == 1 and member.key not in LABELS:
        return "", "names"
    for word in ("", *SPLITS):
        if member.key.startswith(word) or member.key.endswith(word):
            for bare in (member.key.removeprefix(word), member.key.removesuffix(word)):
                if bare in IMAGES or (word and not bare):
                    return SPLITS.get(word, ""), "images"
                if bare in LABELS:
                    return SPLITS.get(word, ""), "labels"
    return "", ""


def _sorted(
    place: Path, members: Sequence[Member], labelled: bool
) -> tuple[dict[str, tuple[Member, Member | None]], Member | None, list[Member], list[str]]:
    """The images and labels of each split ('train' first), the names of the classes, the other arrays, and notes."""
    sides: dict[str, _Side] = {}
    names: list[Member] = []
    rest: list[Member] = []
    notes: list[str] = []
    for member in members:
        split, role = _role(member)
        if role == "names":
            names.append(member)
        elif role == "images":
            sides.setdefault(split, _Side()).images.append(member)
        elif role == "labels":
            sides.setdefault(split, _Side()).labels.append(member)
        elif member.key not in PASSED:
            rest.append(member)
    if not labelled:
        names = []
        for side in sides.values():
            side.labels = []
    if not any(side.images for side in sides.values()):
        images = _only(place, members, rest)
        rest.remove(images)
        side = sides.setdefault("", _Side())
        side.images.append(images)
        second = [m for m in rest if m.key.startswith("arr") and m.shape[:1] == images.shape[:1] and len(m.shape) < 3]
        if labelled and not side.labels and len(second) == 1:
            rest.remove(second[0])
            side.labels.append(second[0])
            notes.append(f"{place.name}: '{images.name}' is read as pictures, '{second[0].name}' as their labels.")
    for side in sides.values():
        deep = [m for m in side.images if len(m.shape) > 2]
        if deep and len(side.images) > 1:  # next to images, flat rows of numbers are not images
            rest += [m for m in side.images if m not in deep]
            side.images = deep
        lists = [m for m in side.labels if m.key in NAMES and m.dtype.kind in "US"]
        if len(side.labels) > 1 or not side.images or side.images[0].shape[:1] not in [m.shape for m in lists]:
            names += lists
            side.labels = [m for m in side.labels if m not in lists]
    sides = {name: side for name, side in sides.items() if side.images or side.labels}
    if "" in sides and "train" not in sides:
        sides["train"] = sides.pop("")
    chosen = _chosen(place, sides)
    if len(names) > 1:
        raise UserError(f"{place} has several lists of classes: {_listed(names)}. Keep one.")
    if names and not any(labels for _, labels in chosen.values()):
        return chosen, None, rest + names, notes
    return chosen, names[0] if names else None, rest, notes


def _only(place: Path, members: Sequence[Member], rest: Sequence[Member]) -> Member:
    """The array of images where no name says so: the only one of three dimensions or more."""
    deep = [m for m in rest if len(m.shape) > 2]
    if len(deep) == 1:
        return deep[0]
    if len(deep) > 1:
        raise UserError(
            f"{place} has several arrays that may be pictures: {_listed(deep)}. Call them images, or x_train and "
            "x_test, and their labels labels, or y_train and y_test."
        )
    if len(rest) == 1:
        return rest[0]  # `check_form` reports what is wrong with it
    raise UserError(f"{place} has no array of images (it has {_listed(members)}); {NEEDED}.")


def _chosen(place: Path, sides: dict[str, _Side]) -> dict[str, tuple[Member, Member | None]]:
    """The one array of images of each split and, if there is one, that of labels; 'train' first."""
    if "" in sides:
        both = [m for side in sides.values() for m in side.images + side.labels]
        raise UserError(
            f"{place} has arrays with and without a split in their names: {_listed(both)}. Keep one or the other."
        )
    chosen: dict[str, tuple[Member, Member | None]] = {}
    for name in sorted(sides, key=["train", "test", "val"].index):
        side = sides[name]
        for what, members in (("pictures", side.images), ("labels", side.labels)):
            if len(members) > 1:
                raise UserError(f"{place} has several arrays that may be {what}: {_listed(members)}. Keep one of them.")
        if not side.images:
            raise UserError(f"{place} has {_listed(side.labels)} but no pictures that belong to it.")
        chosen[name] = side.images[0], side.labels[0] if side.labels else None
    return chosen


# -------------------- pixels


def pixels(sides: Mapping[str, Member]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The images of each split as uint8 [N, C, H, W], all converted alike, and notes on that."""
    for member in sides.values():
        if not member.dtype.hasobject:
            check_form(member)
    raw = {name: channels_first(member.read()) for name, member in sides.items()}
    (first, *others), members = raw.values(), list(sides.values())
    for member, other in zip(members[1:], others, strict=True):
        if other.shape[1:] != first.shape[1:]:
            raise UserError(f"{member.place} has pictures of different shapes: {_listed(members)}.")
        if other.dtype.kind != first.dtype.kind or (
            other.dtype != first.dtype and np.uint8 in (other.dtype, first.dtype)
        ):
            raise UserError(
                f"{member.called} holds {other.dtype} and '{one_line(members[0].name)}' {first.dtype}: save both in "
                "the same type."
            )
    kind = first.dtype.kind
    if kind == "b":
        return {name: np.ascontiguousarray(x).astype(np.uint8) * 255 for name, x in raw.items()}, []
    if first.dtype == np.uint8:
        return {name: np.ascontiguousarray(x) for name, x in raw.items()}, []
    low, high = (float(f([f(x) for x in raw.values()])) for f in (np.min, np.max))
    if not math.isfinite(low) or not math.isfinite(high):
        raise UserError(f"{members[0].called} holds values that are not numbers (NaN or infinite).")
    whole = kind != "f" or all(map(decode.is_whole, raw.values()))
    black, white = decode.natural(low, high, kind == "f", whole)
    if low < 0 and (kind != "f" or black not in (0, -1)):
        raise UserError(
            f"{members[0].called} goes from {low:g} to {high:g}: values below 0 are not pixels. Floats must be in "
            "[-1, 1] or [0, 1], whole numbers in 0..255. If they were standardised, undo it: x * std + mean."
        )
    beyond = ", and values beyond were clipped" if low < black or high > white else ""
    note = (
        f"{members[0].place.name}: pixels of {first.dtype} from {decode.range_text((low, high))}: "
        f"{decode.range_text((black, white))} became 0 to 255{beyond}."
    )
    plain = kind != "f" and white == 255
    return {name: decode.scaled(x, black, white) for name, x in raw.items()}, [] if plain else [note]


def check_form(member: Member) -> None:
    """Raise a UserError, with the way out, if the layout of the images in an array is not certain."""
    shape, called = member.shape, member.called
    if member.dtype.kind not in "fiub":
        raise UserError(f"{called} holds {member.dtype}, not numbers.")
    wrong = f"{called} has the shape {shape}; {NEEDED}"
    if not math.prod(shape):
        raise UserError(f"{wrong}.")
    if len(shape) == 3 and shape[2] in CHANNELS:
        raise UserError(f"{wrong}. It seems to be one picture: put many into one array with np.stack.")
    if len(shape) == 2:
        raise UserError(f"{wrong}. {_flat(shape[1])}")
    if len(shape) == 5 and shape[0] == 1:
        raise UserError(f"{wrong}. It is stacked once too often: save x[0].")
    if len(shape) not in (3, 4):
        raise UserError(f"{wrong}.")
    if len(shape) == 3:
        return
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first and last:
        raise UserError(
            f"{wrong}, and this may be either of the last two. If it is [N, C, H, W], save x.transpose(0, 2, 3, 1); "
            "else save the pictures as files."
        )
    if not (first or last):
        reason = f"There are {shape[3]} channels, it seems; 1 (grey), 3 (colour) or 4 (with transparency) are possible."
        if 2 in (shape[1], shape[3]):
            reason = "There are two channels, it seems: keep one (x[..., :1]), or add a third."
        if shape[2] in CHANNELS:
            reason = "It is [H, W, C, N], it seems: save x.transpose(3, 0, 1, 2)."
        raise UserError(f"{wrong}. {reason}")


def _flat(values: int) -> str:
    """Advice on how to reshape flat rows of so many values."""
    ways = [
        (c, math.isqrt(values // c)) for c in CHANNELS if values % c == 0 and math.isqrt(values // c) ** 2 * c == values
    ]
    if values < 64 or not ways:
        return "If it is one picture: put many into one array with np.stack. If rows are pictures: reshape them."
    if ways[0][0] == 1:
        return f"Its rows are flat pictures, it seems: save x.reshape(-1, {ways[0][1]}, {ways[0][1]})."
    c, side = ways[0]
    return (
        f"Its rows are flat pictures, it seems: save x.reshape(-1, {c}, {side}, {side}), or x.reshape(-1, {side}, "
        f"{side}, {c}) where each pixel's colours are side by side."
    )


def channels_first(x: np.ndarray) -> np.ndarray:
    if x.ndim == 3:
        return x[:, None]
    return x if x.shape[1] in CHANNELS else x.transpose(0, 3, 1, 2)


def listed(data: ImageData) -> Listing:
    """A data set in memory as a listing, so that it can be converted to another shape."""
    splits = {"train": data.train, "test": data.held_out}
    names = [f"{name}/{i}" for name, split in splits.items() for i in range(len(split.images))]
    labels = [data.class_names[i] for split in splits.values() if split.labels is not None for i in split.labels]
    count = len(data.train.images)

    def read(numbers: Sequence[int]) -> Iterator[np.ndarray]:
        for i in numbers:
            split, row = (data.train, i) if i < count else (data.held_out, i - count)
            yield split.images[row : row + 1][0].numpy()

    tests = [i >= count for i in range(len(names))]
    stamps = [data.fingerprint]  # one for all images
    return Listing(data.name, data.name, names, stamps, read, labels or None, tests, data.notes, data.licence)
