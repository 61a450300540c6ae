"""Models whose samples have classes: which class is meant by a name or a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.core.errors import UserError, unknown


class Classed:
    """A base of trained models that draw a chosen class; without classes `class_names` is empty."""

    path: Path
    spec: Any
    class_names: tuple[str, ...]

    def labels(self, classes: int | str | Sequence[int | str] | None, n: int) -> Tensor | None:
        """Class numbers int64 [n] for `classes` as `sample` takes them; None for a model without classes.

        Raises:
            UserError: a class that the model does not have, or a list whose length is not n.
        """
        if not self.class_names:
            if classes is not None:
                raise UserError(f"{self.path} was trained without labels: it draws whatever it likes, no class.")
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
        raise unknown(f"class in {self.path.name}", str(name), self.class_names)
