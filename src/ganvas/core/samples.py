"""The interface of a type of samples: pictures, rows of a table, points, sounds.

Each type has a class for each of these protocols; general code uses nothing else of it. `SpecBase`,
`DataConfigBase` and `InMemory` are bases with what most types have in common.
"""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from rich.text import Text
from torch import Tensor

from ganvas.core import config as cf
from ganvas.core.errors import UserError
from ganvas.core.progress import Counted

CHECK = 100  # samples of the check at each preview


class Spec(Protocol):
    """The shape of samples: what a generator makes and a discriminator judges."""

    @property
    def classes(self) -> int:
        """Number of classes; 0: unlabelled."""
        ...

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The shape in a model's card. Raises a UserError if it is not in order."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, for `from_dict`."""
        ...

    def zeros(self, count: int) -> Tensor:
        """Samples [count, ...] of zeros, as a discriminator's input."""
        ...

    def settings(self) -> dict[str, int]:
        """The settings that determine the size of a sample, and their values: what to lower if memory is short."""
        ...

    noun: ClassVar[str]  # what many samples are called: 'images'
    shown_as: ClassVar[str]  # what a preview of some is called: 'Picture'

    def words(self) -> str:
        """What a sample is like, for people: '28x28 grey'."""
        ...


class Stored(Protocol):
    """Samples [N, ...] that stay on the disk; indexing reads them as a tensor. See `core.memmap.Stored`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any) -> Tensor: ...


class Split(Protocol):
    """Samples [N, ...] as they are stored, and labels int64 [N] (None: unlabelled)."""

    @property
    def samples(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor | None: ...


class Preview(Protocol):
    """What the user is shown of a generator at some moment, or of the training data."""

    def files(self) -> dict[str, bytes]:
        """The files for samples/, by suffix, the most informative first: {'.png': ...}."""
        ...

    def lines(self, width: int, plain: bool, height: int = 14) -> list[Text]:
        """A small version for a terminal: `width` characters, `height` lines or a few more; without colours if `plain`.

        It may be empty.
        """
        return []


class Dataset(Protocol):
    """A data set: samples to train on, and held-out ones."""

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
        """The data set of the other domain, for tasks that learn from two; else None."""
        ...

    def decode(self, samples: Tensor) -> Tensor:
        """Samples as they are stored -> float samples, the networks' input."""
        ...

    def examples(self) -> Preview:
        """A preview of real samples."""
        ...

    def facts(self) -> dict[str, Any]:
        """More entries on the data for a model's card."""
        ...


class DataConfig(Protocol):
    """The settings of the data: a frozen dataclass with `source` among its fields, and no field without a default."""

    places: ClassVar[tuple[str, ...]]  # the fields that hold paths: they may differ when a run is resumed

    @classmethod
    def takes(cls, source: str) -> bool:
        """Does this look like data of this type? A place that suits two types belongs to the one that is asked for."""
        ...

    @property
    def source(self) -> str: ...
    def bare_name(self) -> str:
        """A short name of the data, for the name of a run's folder."""
        ...

    def bare(self, data: Any) -> dict[str, str]:
        """`places` without their folders, for a model's card, which keeps no paths."""
        ...

    def loading(self) -> Generator[Counted, None, Any]:
        """Read the data, yielding how far it is; returns a Dataset. Raises a UserError if that is not possible."""
        ...


@dataclass(frozen=True)
class Rows:
    """A split of samples in memory."""

    samples: Tensor
    labels: Tensor | None = None


class SpecBase:
    """The base of a frozen dataclass that is a `Spec`; it has `classes` and `zeros`."""

    noun: ClassVar[str] = "samples"
    shown_as: ClassVar[str] = "Preview"

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        if not isinstance(values, dict):
            raise UserError(f"the shape of its samples is {cf.shown(values)}, not a group of settings.")
        return cf.from_dict(cls, values, "spec")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # pyright: ignore[reportArgumentType]

    def settings(self) -> dict[str, int]:
        return {}

    def words(self) -> str:
        return type(self).__name__


class DataConfigBase:
    """The base of a frozen dataclass that is a `DataConfig`; it has `source` and `loading`."""

    places: ClassVar[tuple[str, ...]] = ("source",)

    @classmethod
    def takes(cls, source: str) -> bool:
        return False

    def bare_name(self) -> str:
        return Path(getattr(self, "source")).stem  # noqa: B009

    def bare(self, data: Any) -> dict[str, str]:
        return {place: Path(getattr(self, place)).name for place in self.places}


@dataclass(frozen=True)
class InMemory(ABC):
    """A data set whose samples are in memory as the networks' input: a `Dataset` but for its `examples`."""

    name: str
    spec: Any
    train: Rows
    held_out: Rows
    class_names: tuple[str, ...] = ()
    licence: str = "not stated"
    notes: tuple[str, ...] = ()
    other: Any = None

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for tensor in (self.train.samples, self.train.labels, self.held_out.samples, self.held_out.labels):
            if tensor is not None:
                digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
                digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def decode(self, samples: Tensor) -> Tensor:
        return samples.float()

    def facts(self) -> dict[str, Any]:
        return {}

    @abstractmethod
    def examples(self) -> Preview:
        """Real samples, for people."""
