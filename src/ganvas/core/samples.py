"""What general code knows of a kind of sample: pictures, rows of a table, points, sounds.

A kind of sample brings a class of each; nothing below `tasks/` and beside its own folder asks which kind it is.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from rich.text import Text
from torch import Tensor

from ganvas.core.progress import Counted

CHECK = 100  # samples of the check beside each preview


class Spec(Protocol):
    """The shape of a kind of sample: what a generator draws and a discriminator judges."""

    @property
    def classes(self) -> int:
        """Number of classes; 0: unlabelled."""
        ...

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The shape that a model's card names. Raises a UserError where it names none."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, for `from_dict`."""
        ...

    def zeros(self, count: int) -> Tensor:
        """Samples [count, ...] of nothing but zeros, as a discriminator takes them."""
        ...

    def settings(self) -> dict[str, int]:
        """The settings that make a sample large, and their values: what to lower where memory lacks."""
        ...

    @property
    def noun(self) -> str:
        """What many samples are called: 'images'."""
        ...

    def words(self) -> str:
        """What a sample is like, for people: '28x28 grey'."""
        ...


class Stored(Protocol):
    """Samples [N, ...] that stay on the disk; an index gives those rows as a tensor. See `core.memmap.Stored`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any) -> Tensor: ...


class Split(Protocol):
    """Samples [N, ...] as they are stored, and labels int64 [N] (None: unlabelled)."""

    @property
    def samples(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor | None: ...


class Preview(Protocol):
    """What people are shown of a generator at a moment, or of the training data."""

    def files(self) -> dict[str, bytes]:
        """What is kept in samples/, by suffix, the most telling first: {'.png': ...}."""
        ...

    def lines(self, width: int, plain: bool) -> list[Text]:
        """A small form for a terminal of `width` characters, without colours where it is `plain`; may be empty."""
        ...


class Dataset(Protocol):
    """What is trained on, and what is held out."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> Any:
        """A Spec."""
        ...

    @property
    def train(self) -> Split: ...
    @property
    def held_out(self) -> Split: ...
    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def fingerprint(self) -> str:
        """SHA-256 of both splits."""
        ...

    @property
    def licence(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, such as files that could not be read."""
        ...

    @property
    def other(self) -> Any:
        """A second data set, for tasks that learn from two kinds of samples; else None."""
        ...

    def decode(self, samples: Tensor) -> Tensor:
        """Samples as they are stored -> float, as networks take them."""
        ...

    def examples(self) -> Preview:
        """Real samples, for people."""
        ...

    def facts(self) -> dict[str, Any]:
        """More that a model's card says of the data."""
        ...


class DataConfig(Protocol):
    """The settings of the data: a frozen dataclass with `source` among its fields, and no field without a default."""

    places: ClassVar[tuple[str, ...]]  # the fields that say where data lies: a run may find it elsewhere later

    @property
    def source(self) -> str: ...
    def bare_name(self) -> str:
        """What the data is called: a part of the name of a run's folder."""
        ...

    def bare(self, data: Any) -> dict[str, str]:
        """`places` by their names alone, for a model's card: it keeps no paths."""
        ...

    def loading(self) -> Generator[Counted, None, Any]:
        """Read the data, and tell how far it is; returns a Dataset. Raises a UserError where that cannot be done."""
        ...


@dataclass(frozen=True)
class Rows:
    """A split of samples in memory."""

    samples: Tensor
    labels: Tensor | None = None
