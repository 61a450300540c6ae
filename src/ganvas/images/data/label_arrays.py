"""Labels in arrays, in all common forms: numbers, strings, booleans, a column, one-hot rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.images.data.npz import Member
from ganvas.sources import labels as labelling

WAY_OUT = "Save one whole number or text per picture, or train without labels: labels=false."


def read(labels: Member, images: Member, count: int) -> np.ndarray:
    """The labels of `count` images.

    Returns:
        int64 [N], bool [N], or strings [N].

    Raises:
        UserError: they are more or fewer than the pictures, or not classes.
    """
    y = labels.read()
    if y.ndim > 1 and y.size == max(y.shape):  # a column, or a row
        y = y.reshape(-1)
    if not y.ndim or len(y) != count:
        have = f"{len(y):,} labels" if y.ndim else "a single value"
        raise UserError(f"{labels.called} has {have} for the {count:,} pictures of '{one_line(images.name)}'.")
    if y.dtype.kind not in "fiubUS" or y.ndim > 2:
        raise UserError(f"{labels.called} has the shape {labels.shape} of {y.dtype}: these are not labels. {WAY_OUT}")
    if y.dtype.kind in "US":
        if y.ndim > 1:
            raise UserError(f"{labels.called} has {y.shape[-1]} texts per picture. {WAY_OUT}")
        return _texts(labels, y)
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.rint(y)).all()):
        wrong = y[~(np.isfinite(y) & (y == np.rint(y)))].flat[0]
        raise UserError(f"{labels.called} holds {wrong:g}, which is not a class. {WAY_OUT}")
    if y.ndim == 2:
        if not (((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()):
            raise UserError(
                f"{labels.called} has {y.shape[-1]} numbers per picture that are not one-hot (a single 1, else 0): "
                f"Ganvas needs one class per picture. {WAY_OUT}"
            )
        return y.argmax(1).astype(np.int64)
    if y.dtype.kind == "b":
        return y
    if len(y) and y.min() < 0:
        raise UserError(f"{labels.called} holds {y.min():.0f}; classes are counted from 0.")
    if len(y) and y.max() >= 2**63:
        raise UserError(f"{labels.called} holds {y.max()}, which is not a class. {WAY_OUT}")
    return y.astype(np.int64)


def _texts(labels: Member, y: np.ndarray) -> np.ndarray:
    try:
        texts = [t.decode() if isinstance(t, bytes) else t for t in y.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise UserError(f"{labels.called} holds texts that are not UTF-8 ({error}). {WAY_OUT}") from error
    stripped = [one_line(t.strip()) for t in texts]
    if "" in stripped:
        raise UserError(f"{labels.called} has no text for picture {stripped.index('')}, counted from 0. {WAY_OUT}")
    return np.array(stripped)


def unite(
    place: Path, sides: Mapping[str, np.ndarray | None], named: Member | None
) -> tuple[dict[str, np.ndarray | None], tuple[str, ...]]:
    """The labels of all splits as int64 numbers 0..K-1, in the order of the classes, and the names of the classes.

    Args:
        sides: what `read` gave of each split, the training's first.
        named: the names of the classes 0, 1, ..., where the file has them.

    Raises:
        UserError: one split has no labels, they are of different types, a class has no name or no training pictures.
    """
    labelled = {name: y for name, y in sides.items() if y is not None}
    if not labelled:
        return dict.fromkeys(sides), ()
    if len(labelled) < len(sides):
        (without, *_) = sides.keys() - labelled.keys()
        raise UserError(f"{place}: the pictures of {without} have no labels, but others do. {WAY_OUT}")
    if len({y.dtype.kind for y in labelled.values()}) > 1:
        raise UserError(
            f"{place}: the labels of the splits are of different types, such as numbers and texts. {WAY_OUT}"
        )
    values = np.unique(next(iter(labelled.values())))
    if values.dtype.kind == "U":
        labelling.check_names(str(place), values.tolist())
    class_names = tuple(str(v) for v in values.tolist())
    if named is not None:
        values, class_names = _named(place, values, named)
    elif values.dtype.kind == "U":
        class_names = tuple(sorted(class_names, key=_by_number))
        values = np.array(class_names)
    return {name: _numbered(place, y, values) for name, y in labelled.items()}, class_names


def _by_number(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def _named(place: Path, values: np.ndarray, named: Member) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels that occur and their names, in the order of a file's list of classes."""
    names, called = _texts(named, named.read()).tolist(), one_line(named.name)
    if len({*names}) < len(names):
        raise UserError(f"{place}: '{called}' has the same name for two classes.")
    if values.dtype.kind == "U":
        if missing := {*values.tolist()} - {*names}:
            raise UserError(f"{place}: '{min(missing)}' is a label but not a class in '{called}'.")
        order = tuple(name for name in names if name in {*values.tolist()})
        return np.array(order), order
    numbers = [int(v) for v in values]
    if numbers[-1] >= len(names):
        raise UserError(f"{place}: there is a label {numbers[-1]}, but '{called}' names {len(names)} classes.")
    return values, tuple(names[v] for v in numbers)


def _numbered(place: Path, labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    positions = np.searchsorted(values, labels, sorter=order).clip(max=len(values) - 1)
    index = order[positions]
    if (values[index] != labels).any():
        unknown = labels[values[index] != labels][0]
        raise UserError(f"{place}: a held-out picture has the label {unknown}, which no training picture has.")
    return index.astype(np.int64)
