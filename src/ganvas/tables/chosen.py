"""Kinds of columns that the user sets, in columns.toml or by column.NAME=kind."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError, unknown
from ganvas.core.text import one_line, quoted
from ganvas.tables import forms, number_forms, read, recognise
from ganvas.tables.columns import Column
from ganvas.tables.columns_file import SKIP

if TYPE_CHECKING:
    import pandas as pd


def columns(frame: pd.DataFrame, said: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    """The columns of a table, without those that the user leaves out.

    Args:
        said: entries of columns by name; see `columns_file.entries`.

    Raises:
        UserError: one is not in the table, or cannot be of that kind.
    """
    if strange := [name for name in said if name not in frame]:
        raise unknown("column", strange[0], map(str, frame.columns))
    chosen = [column(frame[name], str(name), said.get(str(name), {})) for name in frame]
    return [_with_digits(found, frame[found.name]) for found in chosen if found is not None]


def _with_digits(column: Column, series: pd.Series) -> Column:
    """The column with the digits after the point that all of its texts have, if they do: prices are written 12.50."""
    is_number = column.kind in ("number", "constant", "category") and column.type in ("int", "float")
    if not is_number or not _is_text(series):
        return column
    digits = number_forms.digits(series.dropna(), column.form)
    return dataclasses.replace(column, digits=digits) if digits >= max(0, column.decimals) else column


def column(series: pd.Series, name: str, said: Mapping[str, Any]) -> Column | None:
    """The column of these values, of the kind that the user says; None: it is left out.

    Raises:
        UserError: its values cannot be of that kind.
    """
    if said.get("kind") == SKIP:
        return None
    found = recognise.recognise(series, name)
    if not said:
        return found
    kind = said.get("kind", found.kind)
    known = series.dropna()
    if kind not in ("text", "constant", "id") and not len(known):
        raise UserError(f"The column {one_line(name)} cannot be a {kind}: no row has a value.")
    if kind != found.kind or said.get("form", found.form) != found.form or said.get("type", found.type) != found.type:
        found = {"number": _number, "category": _category, "date": _date}.get(kind, _other)(known, name, kind, said)
    more = {key: said[key] for key in ("decimals", "zone") if key in said}
    if said.get("order"):
        more["order"] = tuple(said["order"])
    return dataclasses.replace(found, doubt="", **more)


def _texts(known: pd.Series) -> pd.Series:
    return known.astype("str")


def _is_text(known: pd.Series) -> bool:
    return known.dtype == "str"


def _must(name: str, kind: str, known: pd.Series, parsed: pd.Series, hint: str) -> None:
    """Raise a UserError if most values are not of the kind that the user says."""
    wrong = known[parsed.isna()]
    if len(wrong) > 0.5 * len(known):
        row, value = int(wrong.index[0]) + 1, quoted(str(wrong.iloc[0])[:40])
        raise UserError(f"The column {one_line(name)} cannot be a {kind}: row {row:,} holds {value}. {hint}".rstrip())


def _number(known: pd.Series, name: str, kind: str, said: Mapping[str, Any]) -> Column:
    if said.get("type") in ("clock", "span"):
        return _seconds(known, name, said)
    form = said.get("form", "")
    if _is_text(known):
        best = None if form else number_forms.number_form(known)
        form = form or (best.form if best else "")
        numbers = number_forms.Notation.of(form).read(known)
        _must(name, kind, known, numbers, 'State how 1234.5 is written there: { kind = "number", form = "1.234,5" }.')
    elif known.dtype.kind not in "iufb":
        raise UserError(f"The column {one_line(name)} cannot be a number: it holds {known.dtype}.")
    else:
        numbers = known
    digits, _ = recognise.mostly_decimals(numbers.dropna().to_numpy(dtype="float64"))
    return Column(name, "number", "int" if digits == 0 else "float", decimals=digits, form=form)


def _seconds(known: pd.Series, name: str, said: Mapping[str, Any]) -> Column:
    """A time of day alone or a duration."""
    kind, form = str(said["type"]), str(said.get("form", ""))
    if not _is_text(known):
        if known.dtype.kind != "m":
            raise UserError(f"The column {one_line(name)} cannot be of type {kind}: it holds {known.dtype}.")
        return recognise.seconds_of(known, name, kind, form)
    find, parse = (forms.clock_form, forms.read_clocks) if kind == "clock" else (forms.span_form, forms.read_spans)
    best = None if form else find(known)
    form = form or (best.form if best else ("%H:%M:%S" if kind == "clock" else "H:M:S"))
    spans = parse(known, form)
    _must(name, "time of day" if kind == "clock" else "duration", known, spans, "State how it is written with form=.")
    return recognise.seconds_of(spans, name, kind, form)


def _category(known: pd.Series, name: str, kind: str, said: Mapping[str, Any]) -> Column:
    if known.dtype == bool or (known.dtype == object and known.isin([True, False]).all()):
        return Column(name, "category", "bool")
    if _is_text(known) or known.dtype.kind not in "iuf":
        return Column(name, "category", "text" if said.get("type", "text") == "text" else said["type"])
    whole = recognise.decimals_of(known.to_numpy(dtype="float64")) == 0
    return Column(name, "category", "int" if whole else "float")


def _date(known: pd.Series, name: str, kind: str, said: Mapping[str, Any]) -> Column:
    if known.dtype.kind == "M" or "datetime" in str(known.dtype):
        return recognise.date_of(known, name, "")
    form = said.get("form", "")
    texts = known if _is_text(known) else read.whole_texts(known)
    best = None if form else forms.date_form(texts)
    form = form or (best.form if best else "%Y-%m-%d")
    times = forms.read_dates(texts, form)
    _must(name, kind, known, times, 'State how it is written there: { kind = "date", form = "%d.%m.%Y" }.')
    return recognise.date_of(times, name, form)


def _other(known: pd.Series, name: str, kind: str, said: Mapping[str, Any]) -> Column:
    """An id, a free text or a constant."""
    if kind == "constant":
        if known.nunique() > 1:
            raise UserError(
                f"The column {one_line(name)} cannot be constant: it has {known.nunique():,} different values."
            )
        return recognise.constant(known, name) if len(known) else Column(name, "constant")
    if kind == "id" and not _is_text(known) and known.dtype.kind in "iuf":
        return Column(name, "id", "int")
    pattern = recognise.pattern_of(_texts(known)) if kind == "id" and len(known) else ""
    return Column(name, kind, "text", form=pattern)
