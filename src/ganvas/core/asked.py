"""What models that draw samples are asked for: numbers and seeds in Python; seeds and classes on the command line."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ganvas.core.errors import UserError

if TYPE_CHECKING:
    from ganvas.core.classes import Classed

Class = Annotated[str | None, Parameter(name="--class")]


def whole(name: str, value: object, least: int | None = None) -> int:
    """The whole number that an argument of a method is (of Python, NumPy or PyTorch), not below `least`.

    Raises:
        UserError: it is not.
    """
    with contextlib.suppress(TypeError, ValueError, RuntimeError):
        number = operator.index(value)  # pyright: ignore[reportArgumentType]  # a TypeError says that it is not
        if not isinstance(value, bool) and (least is None or number >= least):
            return number
    shown = repr(value)[:40] if isinstance(value, str | int | float) else type(value).__name__
    raise UserError(f"{name}={shown} is not a whole number{'' if least is None else f' of at least {least}'}.")


def unused(when: str, **given: object) -> None:
    """Raise a UserError if options were given that mean nothing here.

    Args:
        when: such as 'with --report'.
        given: by name; None, False, and what is empty was not given. A tuple is of arguments, whose name is written
            in capitals.
    """
    names = [
        name.upper() if isinstance(value, tuple) else f"--{name.strip('_').replace('_', '-')}"
        for name, value in given.items()
        if value is not None and value is not False and value not in ((), "")  # 0 was given
    ]
    if names:
        raise UserError(f"{', '.join(names)} cannot be used {when}: leave {'it' if len(names) == 1 else 'them'} out.")


def classes_of(model: Classed, text: str | None, count: int) -> list[int | str] | None:
    """'3,8' -> `count` classes, these two in turn; None stays None.

    Raises:
        UserError: the model has no such class, or none at all.
    """
    if text is None:
        return None
    chosen = parse_classes(model, text)
    return [chosen[i % len(chosen)] for i in range(count)]


def parse_classes(model: Classed, text: str) -> list[int | str]:
    """'3,8' -> the numbers of these classes; a class with a comma in its name can only be given alone.

    Raises:
        UserError: the model has no such class.
    """
    if not model.class_names:
        return [text]  # the model raises an error later
    names = [text] if text in model.class_names else [name.strip() for name in text.split(",")]
    return [model.class_number(name) for name in names]


def numbers_of(seeds: str | None, count: int | None, noun: str) -> Sequence[int]:
    """The seeds that --seeds and --count stand for; `noun`: what one sample is called.

    Raises:
        UserError: they contradict each other, or are not numbers.
    """
    listed = seed_list(seeds or ("0" if count is not None else "0-63"))
    if count is None:
        return listed
    if count < 1:
        raise UserError(f"--count {count}: at least 1 {noun} is needed.")
    if len(listed) != 1:
        raise UserError(
            f"--seeds {seeds} and --count {count} contradict each other: give one, or one seed to start from."
        )
    return range(listed[0], listed[0] + count)


def seed_list(text: str) -> Sequence[int]:
    """'0,5,10-12' -> [0, 5, 10, 11, 12].

    Raises:
        UserError: the text is not a list of seeds.
    """
    numbers: list[range] = []
    try:
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            start, end = int(first), int(last if dash else first)
            if end < start:
                raise ValueError(part)
            numbers.append(range(start, end + 1))
    except ValueError as error:
        raise UserError(f"--seeds {text}: write seeds as 7, 0-63 or 0,5,10-19 (whole numbers from 0).") from error
    return numbers[0] if len(numbers) == 1 else [number for part in numbers for number in part]
