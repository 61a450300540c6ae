"""Rows that have given values, drawn; see `conditions`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Columns, Rule
from ganvas.tables.rules.limits import RuleLimits
from ganvas.tables.rules.order import Order
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Condition:
    """What `drawn` needs to draw rows that have certain values.

    Attributes:
        rows, given: int64 and bool [tokens]: tokens that are given, and which.
        limits: which combinations of the others may be drawn.
        fixed: the values, a row each.
        rules: the table's, inverted where what they compute is given.
        guessed: columns that are solved for: they are given to the generator once they are about known.
    """

    rows: Tensor
    given: Tensor
    limits: RuleLimits
    fixed: dict[str, pd.Series]
    rules: tuple[Rule, ...]
    guessed: tuple[str, ...]


def drawn(
    draw: Callable[..., tuple[Tensor, Tensor]], spec: TableSpec, noise: Tensor, condition: Condition
) -> dict[str, pd.Series]:
    """Rows that have the values of a condition.

    Args:
        draw: the generator's.
        noise: uniform in [0, 1), [B, tokens].
    """
    rows = condition.rows.to(noise.device).expand(len(noise), -1)
    given = condition.given.to(noise.device).expand(len(noise), -1)
    tokens, place = tokens_of(draw, spec, noise, condition, rows, given)
    return decoded(spec, condition, tokens, place)


def tokens_of(
    draw: Callable[..., tuple[Tensor, Tensor]],
    spec: TableSpec,
    noise: Tensor,
    condition: Condition,
    rows: Tensor,
    given: Tensor,
) -> tuple[Tensor, Tensor]:
    """As `drawn`: tokens and places, for `decoded`.

    Args:
        rows, given: the condition's for each row, and what else is given.
    """
    tokens, place = draw(noise, rows, given, limits=condition.limits)
    if condition.guessed:
        found = _decoded(spec, condition, tokens, place)
        rows, given = rows.clone(), given.clone()
        learned = {column.name: column for column in spec.learned}
        for name in condition.guessed:
            rows[:, spec.places[name]] = torch.from_numpy(learned[name].encode(found[name])).long().to(rows.device)
            given[:, spec.places[name]] = True
        tokens, place = draw(noise, rows, given, limits=condition.limits)
    return tokens, place


def decoded(spec: TableSpec, condition: Condition, tokens: Tensor, place: Tensor) -> dict[str, pd.Series]:
    """The columns of rows that were drawn for a condition."""
    return spec.in_order(_decoded(spec, condition, tokens, place))


def _decoded(spec: TableSpec, condition: Condition, tokens: Tensor, place: Tensor) -> dict[str, pd.Series]:
    found = spec.decode_learned(tokens, place)
    for name, value in condition.fixed.items():
        if name in found:
            found[RAW + name] = found[name]
        kind = "category" if spec.by_name[name].kind == "category" else value.dtype
        found[name] = value.astype(kind).iloc[np.zeros(len(tokens), np.int64)].reset_index(drop=True)
    for rule in condition.rules:
        rule.decode(found, spec.by_name)
    return found


NOUNS = {
    "int": "whole number", "float": "number", "text": "text", "bool": "yes or no", "date": "date",
    "time": "date and time", "clock": "time of day", "span": "duration",
}  # fmt: skip
RAW = "\0"  # before a column's name: the column as it was learned


@dataclass(frozen=True)
class Back(Rule):
    """What an order that is learned as a distance says of the column that the distance is from."""

    kind: ClassVar[str] = "back"
    order: Order
    span: tuple[float, float]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.order.columns

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.order.other,)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.order.target,)

    @property
    def text(self) -> str:
        return self.order.text

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        order = self.order
        assert order.form is not None
        away = vl.numbers(order.form, frame[RAW + order.target]) * order.step
        away = np.where(np.isnan(away), 0.0, away)
        value = vl.numbers(columns[order.target], frame[order.target])
        value = np.clip(value - away if order.target == order.high else value + away, *self.span)
        if RAW + order.other not in frame:
            frame[RAW + order.other] = frame[order.other]
        frame[order.other] = vl.series_of(columns[order.other], value)
        dataclasses.replace(order, target=order.other, form=None).decode(frame, columns)


def text_of(column: Column, series: pd.Series) -> str | None:
    """The text of one value; None: missing."""
    return None if bool(series.isna().iloc[0]) else str(vl.as_text(column, series).iloc[0])


def value_of(column: Column, value: Any) -> pd.Series:
    """A value as a column of one row, of the type that drawn rows have.

    Raises:
        UserError: it is none of this column's type.
    """
    import pandas as pd

    missing = value is None or value == "" or (isinstance(value, float) and np.isnan(value))
    known: Any = value
    if column.kind in ("id", "text", "constant"):
        raise UserError(f"{column.name} is not learned ({column.kind}): its values cannot be set.")
    try:
        if column.kind == "date":
            moment = pd.NaT if missing else pd.to_datetime(known, format=column.form or None)
            if moment is not pd.NaT and moment.tzinfo is None and column.zone:
                moment = moment.tz_localize(column.zone)
            return pd.Series([moment], name=column.name).dt.as_unit("s")
        if column.kind == "number":
            return vl.series_of(column, np.array([np.nan if missing else float(known)]))
        if missing:
            return pd.Series([None], dtype=object, name=column.name)
        if column.type == "bool":
            truth = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
            return pd.Series([truth[str(value).strip().lower()]], dtype=object, name=column.name)
        if column.type == "int" and isinstance(value, str) and float(value).is_integer():
            value = int(float(value))  # codes may be written as 3.0
        typed = {"int": int, "float": float}.get(column.type, str)(value)
        return pd.Series([typed], dtype=object, name=column.name)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise UserError(
            f"{column.name} = {value}: that is not a {NOUNS[column.type]} like those of this column."
        ) from error
