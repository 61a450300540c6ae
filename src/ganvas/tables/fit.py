"""What the columns of a table are, and the shape of its rows, from what was looked at and what the user says."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.progress import Counted
from ganvas.core.text import one_line
from ganvas.tables import alike, chosen, columns_file, ids, kept, pack, private, private_cells, read
from ganvas.tables.columns import Column
from ganvas.tables.pack import Looked
from ganvas.tables.several import above
from ganvas.tables.several.joined import Joined
from ganvas.tables.spec import TableSpec, check

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.data import DataConfig


def columns_of(
    looked: Looked, config: DataConfig, joined: Joined | None = None, known: Mapping[str, Column] = {}
) -> tuple[list[Column], list[str]]:
    """What the columns are, by what was seen and what the user says, and sentences on what is doubtful or left out.

    Args:
        joined: what else was read with the table.
        known: columns of other tables, as they are there.
    """
    away = {} if joined is None else above.left_out(joined, known)
    said = {name: entries for name, entries in config.said().items() if name not in known} | away
    columns = [known.get(c.name, c) for c in chosen.columns(looked.frame, said)]
    notes = [doubted(c) for c in columns if c.doubt]
    seen = {*away, *(c.name for c in columns)}
    left = [str(name) for name in looked.frame if str(name) not in seen]
    if left:
        notes.append(f"Left out, as you asked: {', '.join(map(one_line, left))}.")
    if not looked.is_whole:
        notes.append(
            f"The kinds of the columns come from {len(looked.frame):,} of the {looked.count:,} rows, drawn at random."
        )
    return columns, notes


def doubted(column: Column) -> str:
    """A sentence on what is doubtful of a column."""
    return f"{one_line(column.name)}: {column.doubt}{'' if column.doubt.endswith('?') else '.'}"


def alone(looked: Looked, config: DataConfig) -> tuple[Column, ...]:
    """The columns of a table, fitted."""
    columns, _ = columns_of(looked, config)
    return fitted(looked, columns, pack.split(looked.count, config.held_out)[1], config)[0].columns


def given_of(joined: Joined | None, known: Mapping[str, Column]) -> frozenset[str]:
    """The columns that are given when rows are drawn: no rule computes or limits them."""
    if joined is None:
        return frozenset(known)
    return frozenset({*known, joined.position, *(parent.there for parent in joined.others)} - {""})


def fitted(
    looked: Looked, columns: Sequence[Column], held_out: Tensor, config: DataConfig, known: Mapping[str, Column] = {}
) -> tuple[TableSpec, list[str]]:
    """The shape of rows, from those of the sample that are trained on, and sentences for the user.

    Args:
        known: columns of other tables, fitted there.
    """
    first = looked.frame[_trained(looked, held_out)]
    joined = Joined.of(config.related)
    made = joined.made() if joined is not None else frozenset()
    done, notes, values = [], [], {}
    for column in columns:
        if column.kind == "id":
            done.append(ids.fitted(column, looked.frame[column.name], looked.is_whole))
            continue
        typed = read.values(first[column.name], column)
        if column.name in known:
            found, note = column, ""
        else:
            rare = 1 if column.name in made else config.rare
            found, note = _fitted(column, first[column.name] if typed is None else typed, config, rare)
        if found.parts:
            values[column.name] = first[column.name] if typed is None else typed
        if looked.missing.get(column.name) and found.parts and not found.parts[0].missing:  # in rows not looked at
            found = dataclasses.replace(found, parts=tuple(dataclasses.replace(p, missing=1) for p in found.parts))
        done.append(found)
        notes += [f"{one_line(column.name)}: {note}"] * bool(note)
    done = alike.ordered(done, values, known)
    return TableSpec(check([_without_quotes(column) for column in done])), notes


def _without_quotes(column: Column) -> Column:
    """The column as a model may keep it: without sentences that quote cells, and without values that are not drawn."""
    known = set(column.parts[0].values) if column.order and column.parts else set(column.order)
    return dataclasses.replace(column, doubt="", order=tuple(value for value in column.order if value in known))


def privately(
    looked: Looked, columns: Sequence[Column], held_out: Tensor, config: DataConfig
) -> tuple[TableSpec, list[str]]:
    """As `fitted`, with differential privacy.

    Raises:
        UserError: no column can be learned, or the user's file has rules.
    """
    if columns_file.read(config.columns).rules.get("keep"):
        raise UserError(
            f"{config.columns} has rules to keep, and how drawn rows keep them is learned from rows without noise: "
            "with privacy= remove keep from [rules]."
        )
    first = looked.frame[_trained(looked, held_out)]
    if config.text == "resample":
        columns = [dataclasses.replace(c, kind="category") if c.kind == "text" else c for c in columns]
    count = looked.count - len(held_out)
    privacy = private.planned(columns, count, config.privacy, config.delta)
    spans = {
        c.name: private_cells.span_of(c, config.said().get(c.name, {})["span"])
        for c in columns
        if "span" in config.said().get(c.name, {})
    }
    done, notes = private_cells.fitted(columns, read.typed(first, columns), privacy, config.rare, spans)
    return TableSpec(check(done), privacy=privacy), [*notes, *private.sentences(privacy)]


def _trained(looked: Looked, held_out: Tensor) -> Any:
    """Which rows of those looked at are trained on, bool [n]."""
    is_out = torch.zeros(looked.count, dtype=torch.bool)
    is_out[held_out] = True
    return ~is_out[torch.from_numpy(looked.frame.index.to_numpy().copy())].numpy()


def rules_of(
    rows: read.Rows,
    looked: Looked,
    spec: TableSpec,
    held_out: Tensor,
    config: DataConfig,
    given: frozenset[str] = frozenset(),
) -> Generator[Counted, None, kept.Kept]:
    """The rules of a table; see `kept.rules`."""
    entries = columns_file.read(config.columns).rules
    return (yield from kept.rules(rows, looked, spec.columns, _trained(looked, held_out), entries, config.rare, given))


def _fitted(column: Column, series: pd.Series, config: DataConfig, rare: int) -> tuple[Column, str]:
    """A column with its cells, or as one that is not learned, and a sentence on that."""
    if column.kind == "text" and config.text == "resample" and series.notna().any():
        resampled = dataclasses.replace(column, kind="category", doubt="").fitted(
            series.dropna().astype("str").reindex(series.index), rare
        )
        enough = resampled.parts[0].counts
        if enough:
            share = sum(enough) / series.notna().sum()
            return (
                resampled,
                f"drawn from {len(enough):,} texts that at least {rare} rows have ({share:.0%} of its rows).",
            )
        return column, f"no text occurs in {rare} rows or more: left empty."
    if column.kind in ("number", "date") and 0 < series.notna().sum() < rare:
        known = int(series.notna().sum())
        empty = dataclasses.replace(column, kind="constant", value="", form="")
        return empty, f"only {known} rows have a value, fewer than {rare}: left empty."
    found = column.fitted(series, rare)
    if found.kind != "category":
        return found, ""
    (part,) = found.parts
    if not part.counts:
        return dataclasses.replace(
            column, kind="text", type="text"
        ), f"no value occurs in {rare} rows or more: left empty."
    share = part.rare / max(1, part.rare + sum(part.counts))
    note = (
        f"{share:.0%} of its rows have values that fewer than {rare} rows have: these are not drawn."
        if share >= 0.05
        else ""
    )
    return found, note
