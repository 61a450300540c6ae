"""Ids that are made anew: in the form of those of the table, each once, and none that the table has.

Of the table's own ids only gaps between them are kept, rounded so that their ends give no id away.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import string
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables.columns import Column

if TYPE_CHECKING:
    import pandas as pd

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CLASSES = {  # of a pattern: which characters are allowed at a place
    "9": string.digits,
    "A": string.ascii_uppercase,
    "a": string.ascii_lowercase,
    "h": string.digits + "abcdef",
    "H": string.digits + "ABCDEF",
    "x": string.digits + string.ascii_lowercase,
    "X": string.digits + string.ascii_uppercase,
    "*": string.digits + string.ascii_uppercase + string.ascii_lowercase,
}
STRETCHES = 64  # that are kept at most
AHEAD = 10  # times as many ids as the table has must be free after its last one, else free stretches before it are used
LARGEST = 2**62
FEW = 10  # ids that have it at least
MOSTLY = 0.3  # share of the ids that must have the form in which new ones are made
RANDOM = "random"  # there are so many texts of a pattern that a random one is new


def pattern_of(texts: pd.Series) -> str:
    """What ids have in common: 'uuid'; a text of signs of CLASSES and of characters that all have, each after a
    backslash; such characters and '#' at the end for a number of any length; '' for nothing.

    'C-0012' and 'C-0977' have the pattern '9999' with a backslash and C, and a backslash and -, before it.
    """
    sample = texts.iloc[:10_000]
    if sample.str.fullmatch(UUID).all():
        return "uuid"
    if sample.str.fullmatch(UUID.replace("a-f", "A-F")).all():
        return "UUID"
    if sample.str.len().nunique() != 1:
        first = re.match(r"\D*", sample.iloc[0])
        prefix = first[0] if first else ""
        numbered = sample.str.fullmatch(re.escape(prefix) + r"[1-9][0-9]{0,17}").all()
        if numbered and len(prefix) <= 32:
            return "".join(f"\\{char}" for char in prefix) + "#"
        shapes = sample.str.replace("[0-9]", "9", regex=True).str.replace("[A-Z]", "A", regex=True)
        shapes = shapes.str.replace("[a-z]", "a", regex=True)
        counts = shapes.value_counts()
        usual = sample[shapes == counts.index[0]]  # there are several forms: ids are made in the most frequent one
        return pattern_of(usual) if counts.iloc[0] >= max(FEW, MOSTLY * len(sample)) else ""
    out = ""
    for place in zip(*sample, strict=True):
        seen = set(place)
        if len(seen) == 1 and place[0] not in string.digits:
            out += f"\\{place[0]}"
            continue
        sign = next((sign for sign, chars in CLASSES.items() if seen <= set(chars)), "")
        if not sign:
            return ""
        out += sign
    return out


def places_of(pattern: str) -> list[str]:
    """The characters that are allowed at each place of a pattern without '#'.

    Raises:
        UserError: it is none.
    """
    found = re.findall(r"\\(.)|(.)", pattern, re.S)
    if len(found) > 200 or any(sign and sign not in CLASSES for _, sign in found):
        raise UserError(
            f"{pattern[:60]!r} is not a pattern of ids: write 9 for a digit, A or a for a letter, \\ before others."
        )
    return [char or CLASSES[sign] for char, sign in found]


def fitted(column: Column, series: pd.Series, whole: bool) -> Column:
    """A column of ids with what is free, as its `value`.

    Args:
        series: the ids of all rows.
        whole: are these really all rows, not a sample?
    """
    texts: Any = series.dropna().astype("str")
    if column.type == "int":
        numbers = texts.str.removesuffix(".0")
        good = numbers[numbers.str.fullmatch(r"-?\d{1,18}")]
        most = int(good.astype("int64").max()) if len(good) else 0
        start = _round_up(max(0, most) + 1)
        return dataclasses.replace(column, value=f"{start if whole else min(LARGEST, 10 ** (len(str(start)) + 1))}-")
    form = column.form
    if form in ("uuid", "UUID"):
        return dataclasses.replace(column, value=RANDOM)
    if form.endswith("#") and not form.endswith("\\#"):
        prefix = "".join(places_of(form[:-1]))
        numbers = texts[texts.str.fullmatch(re.escape(prefix) + r"\d{1,18}")].str.slice(len(prefix)).astype("int64")
        start = _round_up(int(numbers.max()) + 1 if len(numbers) else 1)
        return dataclasses.replace(column, value=f"{start if whole else min(LARGEST, 10 ** (len(str(start)) + 1))}-")
    if not form:
        prefix = f"{column.name}-"
        while texts.str.startswith(prefix).any():
            prefix += "x"
        return dataclasses.replace(column, value=prefix)
    places = places_of(form)
    size = math.prod(map(len, places))
    if size > LARGEST:
        return dataclasses.replace(column, value=RANDOM)
    return dataclasses.replace(column, value=_free(_ranks(texts, places), size) if whole else "")


def _round_up(number: int) -> int:
    unit = 10 ** max(0, len(str(number)) - 2)
    return -(-number // unit) * unit


def _ranks(texts: pd.Series, places: list[str]) -> np.ndarray:
    """The ids as numbers, ascending, each once; those that have not this form are left out."""
    pattern = "".join(f"[{re.escape(chars)}]" for chars in places)
    good: Any = texts[texts.str.fullmatch(pattern)]
    if not len(good):
        return np.zeros(0, np.int64)
    letters = good.to_numpy(dtype=f"U{len(places)}").view("U1").reshape(len(good), len(places))
    ranks = np.zeros(len(good), np.int64)
    for i, chars in enumerate(places):
        known = np.array(sorted(chars))
        ranks = ranks * len(chars) + np.searchsorted(known, letters[:, i])
    return np.unique(ranks)


def _free(ranks: np.ndarray, size: int) -> str:
    """Stretches of ranks that no id has: 'first-last,first-last'."""
    last = int(ranks[-1]) if len(ranks) else -1
    start = _round_up(last + 1)
    if size - start >= AHEAD * max(1, len(ranks)):
        return f"{start}-{size - 1}"
    edges = np.concatenate([[-1], ranks, [size]])
    gaps = np.diff(edges) - 1
    chosen = np.sort(np.argsort(-gaps, kind="stable")[:STRETCHES])
    out = []
    for i in chosen:
        first, end = int(edges[i]) + 1, int(edges[i + 1])
        unit = 2 ** max(0, int(gaps[i]).bit_length() - 4)
        first, end = -(-first // unit) * unit, end // unit * unit
        if end > first:
            out.append(f"{first}-{end - 1}")
    return ",".join(out)


def stretches(column: Column) -> list[tuple[int, int]]:
    """The free stretches of a column, ends included; without end: LARGEST.

    Raises:
        UserError: the column has none that can be read.
    """
    found = []
    for text in column.value.split(",") if column.value else []:
        match = re.fullmatch(r"(\d{1,19})-(\d{0,19})", text)
        first, last = (int(match[1]), int(match[2] or LARGEST)) if match else (1, 0)
        if first > last or last > LARGEST:
            raise UserError(f"the column {column.name[:60]!r} has free ids {text[:40]!r}, which are none.")
        found.append((first, last))
    return found


def make(column: Column, start: int, count: int, seed: int = 0) -> pd.Series:
    """The ids of rows `start` to `start + count - 1`.

    Args:
        seed: of random ones.
    """
    return make_for(column, np.arange(start, start + count, dtype=np.int64), seed)


def make_for(column: Column, rows: np.ndarray, seed: int = 0) -> pd.Series:
    """As `make`: the ids of the rows with these numbers, int64 [N]."""
    import pandas as pd

    form, count = column.form, len(rows)
    if column.type == "int":
        numbers, _ = _take(rows, stretches(column) or [(1, LARGEST)])
        return pd.Series(numbers, name=column.name)
    if form in ("uuid", "UUID"):
        return pd.Series(
            [_uuid(seed, column.name, row, form == "UUID") for row in rows.tolist()], dtype="str", name=column.name
        )
    if not form:
        prefix = column.value or f"{column.name}-"
        return pd.Series([f"{prefix}{row + 1:06d}" for row in rows.tolist()], dtype="str", name=column.name)
    if form.endswith("#") and not form.endswith("\\#"):
        prefix = "".join(places_of(form[:-1]))
        numbers, _ = _take(rows, stretches(column) or [(1, LARGEST)])
        return pd.Series([f"{prefix}{n}" for n in numbers.tolist()], dtype="str", name=column.name)
    places = places_of(form)
    if column.value == RANDOM or math.prod(map(len, places)) > LARGEST:
        return pd.Series(
            [_random(seed, column.name, row, places) for row in rows.tolist()], dtype="str", name=column.name
        )
    ranks, again = _take(rows, stretches(column))
    letters = np.zeros((count, len(places)), "U1")
    for i in range(len(places) - 1, -1, -1):
        letters[:, i] = np.array(sorted(places[i]))[ranks % len(places[i])]
        ranks = ranks // len(places[i])
    texts = np.ascontiguousarray(letters).view(f"U{len(places)}")[:, 0].tolist() if places else [""] * count
    if again.any():  # all that were free are used: longer ones, which the table has not
        texts = [f"{text}-{n + 1}" if n else text for text, n in zip(texts, again.tolist(), strict=True)]
    return pd.Series(texts, dtype="str", name=column.name)


def _take(rows: np.ndarray, free: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """The row-th free number of each row, and how often all were used before; where none is free, those from 0."""
    lengths = np.array([last - first + 1 for first, last in free] or [LARGEST], np.int64)
    firsts = np.array([first for first, _ in free] or [0], np.int64)
    ends = np.cumsum(lengths)
    again, within = rows // ends[-1], rows % ends[-1]
    which = np.searchsorted(ends, within, side="right")
    return firsts[which] + within - (ends - lengths)[which], again + (not free)


def _uuid(seed: int, name: str, row: int, upper: bool) -> str:
    """A random UUID: RFC 9562, version 4."""
    digits = bytearray(hashlib.blake2b(f"{seed}/{name}/{row}".encode(), digest_size=16).digest())
    digits[6], digits[8] = digits[6] & 15 | 64, digits[8] & 63 | 128
    text = digits.hex()
    text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return text.upper() if upper else text


def _random(seed: int, name: str, row: int, places: list[str]) -> str:
    number = int.from_bytes(hashlib.blake2b(f"{seed}/{name}/{row}".encode(), digest_size=64).digest(), "big")
    out = []
    for chars in places:
        number, digit = divmod(number, len(chars))
        out.append(chars[digit])
    return "".join(out)
