"""Models whose samples have classes: which class is meant by a name or a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.core import distributed
from ganvas.core.errors import MANY, UserError, unknown

MARKS = " -.:/,+"  # what may stand between the classes of a text
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Part(NamedTuple):
    """A part of a text: the name of a class, or one of MARKS."""

    text: str
    is_class: bool


class Classed:
    """A base of trained models that draw a chosen class; without classes `class_names` is empty."""

    path: Path
    spec: Any
    class_names: tuple[str, ...]

    def labels(self, classes: int | str | Sequence[int | str] | None, n: int) -> Tensor | None:
        """Class numbers int64 [n] for `classes` as `sample` accepts them; None for a model without classes.

        Raises:
            UserError: a class that the model does not have, or a list whose length is not n.
        """
        if not self.class_names:
            if classes is not None:
                raise UserError(f"{self.path} was trained without labels, so no class can be chosen.")
            return None
        if classes is None:
            return torch.arange(n) % len(self.class_names)
        if isinstance(classes, int | str):
            return torch.full((n,), self.class_number(classes))
        numbers = [self.class_number(c) for c in classes]
        if len(numbers) != n:
            raise UserError(f"{len(numbers)} classes were given for {n} {self.spec.noun}; give one class, or {n}.")
        return torch.tensor(numbers, dtype=torch.int64)

    def class_number(self, name: int | str) -> int:
        """The number of a class that is given by number or name.

        Raises:
            UserError: the model has no such class.
        """
        if str(name) in self.class_names:
            return self.class_names.index(str(name))
        if isinstance(name, int) and 0 <= name < len(self.class_names):
            return name
        raise unknown("class", str(name), self.class_names, start="This model has no")

    def parts(self, text: str) -> list[Part]:
        """The classes and marks of a text; longer names are tried before shorter ones.

        A digit that is not a class stands for the class of its English name: `2` for a class `two`.

        Raises:
            UserError: the model has no classes, or the text has none, or has something that is neither class nor mark.
        """
        if not self.class_names:
            raise UserError(f"{self.path} was trained without labels, so it cannot write.")
        known = {name: name for name in self.class_names if name}
        known |= {str(i): name for i, name in enumerate(DIGITS) if name in known and str(i) not in known}
        longest, parts, at = sorted(known, key=len, reverse=True), list[Part](), 0
        while at < len(text):
            found = next((name for name in longest if text.startswith(name, at)), "")
            if not found and text[at] not in MARKS:
                marks = " ".join(MARKS.strip())
                raise UserError(
                    f"This model cannot write '{text[at]}'; it knows {self._known()}, spaces and the characters {marks}"
                )
            parts.append(Part(known[found], True) if found else Part(text[at], False))
            at += len(found) or 1
        if not any(part.is_class for part in parts):
            raise UserError(f"There is nothing to write in '{text}': this model knows {self._known()}.")
        return parts

    def _known(self) -> str:
        """The classes for an error: '0 to 9', 'cat, dog and owl'."""
        names = [*self.class_names]
        if len(names) > 2 and names == [str(number) for number in range(len(names))]:
            return f"0 to {names[-1]}"
        if len(names) > MANY:
            return f"{', '.join(names[:MANY])} and {len(names) - MANY} more classes"
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))

    def in_portions(self, numbers: Sequence[int], size: int, portion: Callable[[int], Tensor]) -> Iterator[Tensor]:
        """The samples of these seeds, `size` at a time; processes that run together share the portions.

        Args:
            portion: the samples [n, ...] of the seeds from this place in `numbers` on.

        Raises:
            UserError: values that are not numbers.
        """
        done = 0
        for samples in distributed.spread(range(0, len(numbers), size), portion):
            if bad := (~samples.isfinite()).flatten(1).any(1).nonzero()[:, 0].tolist():
                raise UserError(
                    f"{self.path} draws values that are not numbers (seed {numbers[done + bad[0]]}): its training went "
                    "wrong."
                )
            done += len(samples)
            yield samples


def check_truncation(limit: float | None) -> None:
    """Raise a UserError if latent numbers cannot be kept within this limit; None: there is none."""
    if limit is not None and not limit > 0:
        raise UserError(f"truncation is {limit:g}; it must be above 0 (1 to 2 is usual; none: leave it out).")
