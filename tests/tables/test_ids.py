"""Ids that are made anew."""

from __future__ import annotations

import re
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ganvas.core.errors import UserError
from ganvas.tables import ids
from ganvas.tables.columns import Column


def column_of(texts: list[str], whole: bool = True) -> Column:
    series = pd.Series(texts, dtype="str")
    return ids.fitted(Column("id", "id", "text", form=ids.pattern_of(series)), series, whole)


def made(column: Column, count: int = 3_000, start: int = 0, seed: int = 0) -> list[Any]:
    return ids.make(column, start, count, seed).tolist()


def test_whole_numbers_go_on_after_the_largest() -> None:
    column = ids.fitted(Column("id", "id", "int"), pd.Series(range(1, 48_843)), True)
    assert made(column, 3) == [49_000, 49_001, 49_002]  # rounded up: the last id is nobody's business
    sample = ids.fitted(Column("id", "id", "int"), pd.Series([5, 77, 912]), False)
    assert made(sample, 1)[0] >= 10_000


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        ([f"CUST-{i:04d}" for i in range(500)], r"CUST-\d{4}"),
        ([f"C{i}" for i in range(1, 2_000)], r"C\d+"),
        ([f"{i * 977 % 65536:04x}-{i % 26 + 65:c}" for i in range(900)], r"[0-9a-f]{4}-[A-Z]"),
        ([str(uuid.UUID(int=i * 2**80, version=4)) for i in range(60)], ids.UUID),
        ([f"{i * 2**90:032X}" for i in range(60)], r"[0-9A-F]{32}"),
        ([f"S{i}" if i % 3 else str(i) for i in range(100_000, 101_000)], r"S\d{6}"),
        (["a@b.de", "cc@dd.com", "e.f@g.org"], r"id-\d{6}"),
    ],
)
def test_texts_keep_their_form_and_none_is_of_the_table(texts: list[str], form: str) -> None:
    column = column_of(texts)
    found = made(column)
    assert all(re.fullmatch(form, text) for text in found), found[:3]
    assert len({*found}) == len(found)
    assert not {*found} & {*texts}
    assert not any(text in repr(column.to_dict()) for text in texts)  # nothing of the table is kept
    assert Column.from_dict(column.to_dict()) == column
    assert made(column, 10, start=1_000) == found[1_000:1_010]


def test_where_the_form_is_nearly_full_free_stretches_are_used_and_then_longer_ids() -> None:
    random = np.random.default_rng(0)
    texts = [f"A{i:03d}" for i in random.permutation(1_000)[:900]] + ["A999"]
    column = column_of(texts)
    found = made(column, 500)
    assert len({*found}) == 500
    assert not {*found} & {*texts}
    assert re.fullmatch(r"A\d{3}", found[0])
    assert re.fullmatch(r"A\d{3}-\d+", found[-1])


def test_random_ids_follow_the_seed() -> None:
    column = column_of([str(uuid.UUID(int=i, version=4)) for i in range(60)])
    assert made(column, 5, seed=1) == made(column, 5, seed=1) != made(column, 5, seed=2)
    assert uuid.UUID(made(column, 1)[0]).version == 4


def test_what_others_write_into_a_card_is_checked() -> None:
    for value in ("9-5", "x", "1-99999999999999999999"):
        with pytest.raises(UserError, match="none"):
            ids.make(Column("id", "id", "int", value=value), 0, 3)
    with pytest.raises(UserError, match="pattern"):
        ids.make(Column("id", "id", "text", form="?", value="1-5"), 0, 3)
