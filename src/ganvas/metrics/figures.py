"""Figures: the value of a metric, with all that it depends on. Only values of the same protocol can be compared."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.core.samples import Dataset
from ganvas.core.text import command

NO_EXTRACTOR = "none"  # for figures of the samples themselves
VERSION = 2  # of the protocol: raised when the same images would give other figures
MOST = 1e100  # a larger value counts as not measured


@dataclass(frozen=True)
class Protocol:
    """All that a figure depends on besides the generator."""

    extractor: str
    mark: str
    count: int
    split: str
    seed: int
    repeats: int
    labels: str
    data: str
    fingerprint: str
    form: str = "8 bits, lossless"
    version: int = VERSION

    def differences(self, other: Protocol) -> list[str]:
        """What differs between two protocols (their figures cannot be compared): 'count (10,000 and 2,000)'."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))
        return [f"{name} ({a} and {b})" for name, a, b in pairs if a != b]


@dataclass(frozen=True)
class Figure:
    """A metric's value (mean over repeats), its spread, and the floor.

    `spread` is the standard deviation over the repeats, or, for a metric that is computed once, its standard error; NaN
    where it is not known. `note` says why there is no value (then it is NaN).
    """

    metric: str
    title: str
    value: float
    spread: float
    floor: float
    floor_spread: float
    better: str
    share: bool
    protocol: Protocol
    images: int = 0
    note: str = ""

    def row(self) -> dict[str, Any]:
        """The row for metrics.jsonl."""
        return {**row_of(self), "protocol": vars(self.protocol)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Figure:
        """The figure of a `row`.

        Raises:
            ValueError: it is not such a row.
        """
        values = _checked(cls, {k: math.nan if v is None else v for k, v in row.items() if k != "protocol"})
        return cls(**values, protocol=Protocol(**_checked(Protocol, row.get("protocol"))))

    @property
    def times_floor(self) -> float:
        return self.value / self.floor if self.better == "lower" and self.floor > 0 else math.nan


def figure(
    metric: str,
    value: float,
    data: Dataset,
    count: int,
    seed: int,
    *,
    title: str = "",
    spread: float = math.nan,
    floor: float = math.nan,
    floor_spread: float = math.nan,
    better: str = "lower",
    share: bool = False,
    note: str = "",
    split: str = "held-out",
    repeats: int = 1,
    extractor: str = NO_EXTRACTOR,
    mark: str = "-",
    form: str = "as they are drawn",
) -> Figure:
    """A figure with its protocol, for tasks that compute their own (see `Task.measure`).

    Args:
        metric: its name in metrics.jsonl, and for people its `title` (empty: the name).
        value: NaN, with a `note` that says why, where there is none.
        data: what the samples are compared with.
        count: samples that were drawn, from `seed` on.
        spread, floor, floor_spread: see `Figure`; NaN: not known.
        better: 'lower', 'higher' or 'near' (to the floor).
        share: it is shown as a percentage.
        split: 'held-out' or 'train': of `data`.
        extractor: what turned samples into features; `mark`: identifies its version.
        form: how the samples were compared, such as '8 bits, lossless'.
    """
    labels = "as often as in the data" if data.class_names else "none"
    protocol = Protocol(extractor, mark, count, split, seed, repeats, labels, data.name, data.fingerprint, form)
    return Figure(metric, title or metric, value, spread, floor, floor_spread, better, share, protocol, note=note)


def row_of(record: Any) -> dict[str, Any]:
    """The fields of a dataclass for a JSON file, where NaN is null."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in vars(record).items()}


def number(value: float | None, share: bool = False) -> str:
    """A figure as people read it: '1.07', '98.6%', '-'."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.1%}" if share else f"{value:.4g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _checked(kind: type[Any], values: Any) -> dict[str, Any]:
    """Values for the plain fields of a dataclass, from a file that anyone may have written.

    Raises:
        ValueError: one is missing, unknown, or of another type.
    """
    fields = {f.name: f for f in dataclasses.fields(kind) if f.name != "protocol"}
    needed = {name for name, f in fields.items() if f.default is dataclasses.MISSING}
    if not isinstance(values, dict) or not needed <= values.keys() <= fields.keys():
        raise ValueError("its fields are others")
    for name, value in values.items():
        expected = str(fields[name].type)
        fits = type(value).__name__ == expected or (expected == "float" and type(value) is int)
        if not fits or (expected in ("float", "int") and not abs(value) < MOST and not math.isnan(value)):
            raise ValueError(f"{name} is {str(value)[:40]}")
    return values


def readable(rows: object) -> list[Figure]:
    """The figures in rows of metrics.jsonl or of a card; other entries are skipped."""
    figures: list[Figure] = []
    for row in rows if isinstance(rows, list) else []:
        with contextlib.suppress(ValueError, AttributeError):
            figures.append(Figure.from_row(row))
    return figures


def figures_of(folder: str | os.PathLike[str]) -> list[Figure]:
    """The newest figure of each metric in a run's folder.

    Raises:
        UserError: the run was not evaluated yet.
    """
    figures = readable(Run(Path(folder)).figures())
    if not figures:
        raise UserError(f"{folder} has no metrics yet. Measure it first: {command('ganvas', 'evaluate', folder)}")
    return list({figure.metric: figure for figure in figures}.values())


def compare(a: Figure, b: Figure) -> float:
    """a's value divided by b's; NaN where one of them has none (its `note` says why).

    Raises:
        UserError: they are of different metrics or protocols.
    """
    differences = (
        [f"metric ({a.metric} and {b.metric})"] if a.metric != b.metric else a.protocol.differences(b.protocol)
    )
    if differences:
        raise UserError(
            f"These metrics cannot be compared: they differ in {', '.join(differences)}. Measure both in the same way."
        )
    return a.value / b.value if b.value else math.nan
