"""Of which kind each column of a table is: a number, a category, a date, an id, free text or a constant."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import numpy as np

from ganvas.tables.columns import DAY, Column, decimals_of, step_of

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 200_000  # rows at most that a kind is read from
FEW = 20  # distinct whole numbers up to which they may be the codes of a category
WORDS = re.compile(r"\s")
IDS = re.compile(r"(^|[_\s-])(id|key|uuid|guid|nr|no|number|num|code)$|(?<=[a-z])(Id|ID|Key|No|Nr)$", re.I)


def recognise(series: pd.Series, name: str | None = None) -> Column:
    """The column of these values, without its cells.

    Args:
        series: values as pandas reads them: numbers, booleans, dates or text.
    """
    import pandas as pd
    from pandas.api import types

    name = str(series.name) if name is None else name
    known = series.dropna()
    if len(known) > LOOKED_AT:
        known = known.sample(LOOKED_AT, random_state=0)
    distinct = known.nunique()
    if distinct == 0:
        return Column(name, "constant", doubt="no row has a value")
    if distinct == 1 and len(known) == len(series):
        return Column(name, "constant", _type(known), value=_written(known.iloc[0]), decimals=_decimals(known))
    if types.is_bool_dtype(known) or (known.dtype == object and known.isin([True, False]).all()):
        return Column(name, "category", "bool")
    if types.is_datetime64_any_dtype(known):
        return _date(known, name)
    if isinstance(series.dtype, pd.CategoricalDtype):
        texts = known.cat.categories
        kind = "int" if types.is_integer_dtype(texts) else "text"
        order = tuple(map(str, texts)) if series.cat.ordered else ()
        return Column(name, "category", kind, order=order)
    if types.is_numeric_dtype(known):
        return _number(known, name, distinct, len(known) == len(series))
    texts = known.astype(str)
    dates = parse_dates(texts)
    if dates is not None:
        return _date(*dates[:1], name, form=dates[1])
    return _text(texts, name, distinct, len(known) == len(series))


def _type(known: pd.Series) -> str:
    from pandas.api import types

    if types.is_bool_dtype(known):
        return "bool"
    if types.is_integer_dtype(known):
        return "int"
    return "float" if types.is_float_dtype(known) else "text"


def _decimals(known: pd.Series) -> int:
    return decimals_of(known.to_numpy(np.float64)) if _type(known) == "float" else 0


def _written(value: object) -> str:
    return str(value.item() if isinstance(value, np.generic) else value)


def _number(known: pd.Series, name: str, distinct: int, complete: bool) -> Column:
    """A number, an id or the codes of a category."""
    numbers = known.to_numpy(np.float64)
    digits = decimals_of(numbers[np.isfinite(numbers)])
    kind = "int" if digits == 0 else "float"  # pandas reads whole numbers with gaps as floats
    if digits == 0 and distinct == len(known) and complete and len(known) > FEW:
        rising = bool((np.diff(numbers) == 1).all())
        if rising or IDS.search(name):
            return Column(name, "id", "int")
        if distinct > 100:
            return Column(name, "number", "int", doubt="every row has another value: an id?")
    if digits == 0 and distinct == 2 and set(np.unique(numbers)) <= {0.0, 1.0}:
        return Column(name, "category", "int")
    return Column(name, "number", kind, decimals=digits)


def _date(times: pd.Series, name: str, form: str = "") -> Column:
    zone = str(times.dt.tz) if times.dt.tz is not None else ""
    clock = times.dt.tz_localize(None) if zone else times
    seconds = clock.to_numpy("datetime64[s]").astype(np.int64) % DAY
    if not seconds.any():
        return Column(name, "date", "date", form=form, zone=zone)
    return Column(name, "date", "time", form=form, zone=zone, step=step_of(np.unique(seconds)))


def _text(texts: pd.Series, name: str, distinct: int, complete: bool) -> Column:
    """A category, an id or free text."""
    lengths = texts.str.len()
    spaced = float(texts.str.contains(WORDS).mean())
    if distinct == len(texts) and complete and len(texts) > FEW and spaced < 0.1 and lengths.max() <= 64:
        return Column(name, "id", "text", form=pattern_of(texts))
    if distinct > 0.5 * len(texts) and len(texts) > 100 and (lengths.mean() > 40 or spaced > 0.9):
        return Column(name, "text", "text", doubt="nearly every row has other words: passed over" if complete else "")
    doubt = (
        "nearly every row has another value: a category?" if distinct > 0.9 * len(texts) and len(texts) > 100 else ""
    )
    return Column(name, "category", "text", doubt=doubt)


def pattern_of(texts: pd.Series) -> str:
    """What the ids have in common: '9' for a digit, 'A' and 'a' for letters, '*' for any of these; '' for none.

    'CUST-0012' and 'CUST-0977' are 'CUST-0999': a place with one character in all of them is that character, escaped
    by a backslash where it could be taken for a class.
    """
    sample = texts.iloc[:10_000]
    if sample.str.len().nunique() != 1:
        return ""
    places = zip(*sample, strict=True)
    classes = ((str.isdigit, "9"), (str.isupper, "A"), (str.islower, "a"))
    out = ""
    for place in places:
        seen = set(place)
        if len(seen) == 1:
            out += f"\\{place[0]}"
            continue
        out += next(
            (sign for test, sign in classes if all(map(test, seen))), "*" if all(c.isalnum() for c in seen) else ""
        )
        if not out or (out[-1] not in "9Aa*"):
            return ""
    return out


FORMS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S", "%d %b %Y", "%b %d %Y", "%B %d %Y", "%d %B %Y", "%d-%b-%Y", "%d.%m.%y", "%m/%d/%y",
)  # fmt: skip


def parse_dates(texts: pd.Series) -> tuple[pd.Series, str] | None:
    """Texts as dates, and the form that they are all written in; None where there is no such form."""
    import pandas as pd

    first = texts.iloc[:200]
    if not first.str.contains(r"\d").all() or first.str.len().max() > 40:
        return None
    for form in FORMS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in (first, texts):
                times = pd.to_datetime(part, format=form, errors="coerce", utc=form.endswith("%z"))
                if times.isna().any():
                    break
            else:
                return times, form
    return None
