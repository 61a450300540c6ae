"""Of which kind each column of a table is: a number, a category, a date, an id, free text or a constant."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np

from ganvas.core.text import quoted
from ganvas.tables import forms, number_forms
from ganvas.tables.columns import DAY, Column, decimals_of, step_of
from ganvas.tables.ids import pattern_of
from ganvas.tables.number_forms import Found

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 200_000  # rows at most that a kind is read from
FEW = 20  # rows from which it means something that all values differ
CODES = 12  # distinct whole numbers up to which a column that is called so holds codes
ODD = 10  # different texts among numbers up to which they are taken for words that mean 'none'
EXACT = 2**53  # whole numbers from here on are not all known to a float
WORDS = re.compile(r"\s")
IDS = re.compile(r"(^|[_\s-])(id|key|uuid|guid|nr|no|number|num|code)$|(?<=[a-z])(Id|ID|Key|No|Nr)$", re.I)
POSTAL = re.compile(
    r"(^|[_\s-])(zip|plz|postal|postcode|post.?code|zip.?code|phone|telephone|tel|fax|mobile|iban)($|[_\s-])", re.I
)
CODED = re.compile(r"(^|[_\s-])(code|type|class|status|category|kind|state|group|flag|gender|sex)$", re.I)
SECONDS = (
    ("clock", "time of day", forms.clock_form, forms.read_clocks),
    ("span", "duration", forms.span_form, forms.read_spans),
)
JSON = r"\s*(?:\{.*\}|\[.*\])\s*"


def recognise(series: pd.Series, name: str | None = None) -> Column:
    """The column of these values, without its cells.

    Args:
        series: values as `read` gives them: numbers, booleans, dates, durations or text. The index
            has the rows' numbers.
        name: of the column; None: the series' own.
    """
    import pandas as pd
    from pandas.api import types

    name = str(series.name) if name is None else name
    known = series.dropna()
    complete = len(known) == len(series)
    rising = _rises(known)
    if len(known) > LOOKED_AT:
        known = known.sample(LOOKED_AT, random_state=0).sort_index()
    distinct = known.nunique()
    if distinct == 0:
        return Column(name, "constant", doubt="no row has a value")
    if distinct == 1 and complete:
        return constant(series, name)
    if types.is_bool_dtype(known) or (known.dtype == object and known.isin([True, False]).all()):
        return Column(name, "category", "bool")
    if types.is_datetime64_any_dtype(known):
        return date_of(known, name)
    if types.is_timedelta64_dtype(known):
        return seconds_of(known, name, "span", "")
    if isinstance(series.dtype, pd.CategoricalDtype):
        texts = known.cat.categories
        kind = "int" if types.is_integer_dtype(texts) else "text"
        order = tuple(map(str, texts)) if series.cat.ordered else ()
        return Column(name, "category", kind, order=order)
    if types.is_numeric_dtype(known):
        return _number(known, name, complete, rising)
    return _text(known.astype("str"), name, distinct, complete)


def constant(series: pd.Series, name: str) -> Column:
    """The column of the one value that all rows have."""
    texts, value = series.iloc[:1].astype("str"), series.iloc[0]
    number = _number_of(texts) if str(series.dtype) in ("str", "object") else None
    if number is not None and not _keeps_zeros(texts):
        column = number[0]
        value = number[1].iloc[0]
        value = int(value) if column.type == "int" else value
        return dataclasses.replace(column, name=name, kind="constant", value=str(value), doubt="")
    known = series.dropna()
    decimals = decimals_of(known.iloc[:1].to_numpy(np.float64)) if _type(known) == "float" else 0
    return Column(name, "constant", _type(known), value=_written(value), decimals=decimals)


def _type(known: pd.Series) -> str:
    from pandas.api import types

    if types.is_bool_dtype(known):
        return "bool"
    if types.is_integer_dtype(known):
        return "int"
    return "float" if types.is_float_dtype(known) else "text"


def _written(value: object) -> str:
    return str(value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value)


def _rises(known: pd.Series) -> bool:
    """Is each value one more than that of the row before?"""
    from pandas.api import types

    if not types.is_numeric_dtype(known) or types.is_bool_dtype(known) or len(known) <= FEW:
        return False
    return bool((np.diff(known.to_numpy(np.float64)) == 1).all())


def _number(known: pd.Series, name: str, complete: bool, rising: bool, form: str = "", doubt: str = "") -> Column:
    """A number, an id or the codes of a category."""
    numbers = known.to_numpy(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if np.abs(numbers).max(initial=0) >= EXACT and (numbers == np.round(numbers)).all() and not form:
        return Column(name, "id", "int", doubt="whole numbers with too many digits to calculate with: an id?")
    digits, rounded = mostly_decimals(numbers)
    doubt = _both(doubt, rounded)
    kind = "int" if digits == 0 else "float"  # pandas reads whole numbers with gaps as floats
    values = np.unique(numbers)
    distinct = len(values)
    if digits == 0 and not form:
        if distinct == len(known) and len(known) > FEW and (rising or (complete and IDS.search(name))):
            return Column(name, "id", "int")
        if distinct == len(known) and distinct > 100 and complete:
            return Column(name, "number", "int", doubt="every row has a different whole number: an id?")
        if IDS.search(name) and distinct > max(100, 0.5 * len(known)):
            return Column(name, "id", "int", doubt="most rows have a different number, like ids")
        dates = _date_numbers(known, name)
        if dates is not None:
            return dates
        if POSTAL.search(name):
            return Column(name, "category", "int", doubt="a code of digits: a category, not a number")
        if set(values) <= {0.0, 1.0} or (CODED.search(name) and distinct <= CODES):
            return Column(name, "category", "int", doubt="" if set(values) <= {0.0, 1.0} else "numbers that are codes?")
    return Column(name, "number", kind, decimals=digits, form=form, doubt=doubt)


def mostly_decimals(numbers: np.ndarray) -> tuple[int, str]:
    """As `decimals_of`, but where a few values have many more decimals than the others; and a sentence on these."""
    digits = decimals_of(numbers)
    if 0 <= digits <= 6:
        return digits, ""
    values = np.unique(numbers)  # so that a value that most rows have does not decide
    for fewer in range(5):
        scaled = values * 10.0**fewer
        more = float((np.abs(scaled - np.round(scaled)) > 1e-6).mean())
        if more <= 0.1 and np.abs(scaled).max(initial=0) < EXACT:
            return fewer, f"{more:.1%} of the different values have more decimals: rounded to {fewer}"
    return digits, ""


def _date_numbers(known: pd.Series, name: str) -> Column | None:
    """The column of whole numbers that are dates, such as 20230623; None if they are none."""
    numbers = known.to_numpy(np.float64)
    if not ((numbers >= 19_000_101) & (numbers <= 21_001_231)).all():
        return None
    texts = known.astype("int64").astype("str")
    times = forms.read_dates(texts, "%Y%m%d")
    if times.isna().any():
        return None
    doubt = "numbers of eight digits that are all valid dates: read as dates"
    return dataclasses.replace(date_of(times, name, "%Y%m%d"), doubt=doubt)


def date_of(times: pd.Series, name: str, form: str = "", doubt: str = "") -> Column:
    """The column of datetime64 values, with or without a time of day."""
    zone = str(times.dt.tz) if times.dt.tz is not None else ""
    clock = times.dt.tz_localize(None) if zone else times
    seconds = clock.dropna().to_numpy("datetime64[s]").astype(np.int64) % DAY
    if "%" in form and "%H" not in form and "%I" not in form:
        seconds = seconds[:0]
    if not seconds.any():
        return Column(name, "date", "date", form=form, zone=zone, doubt=doubt)
    if not doubt and bool((clock.dropna().dt.microsecond != 0).any()):
        doubt = "fractions of a second are dropped"
    return Column(name, "date", "time", form=form, zone=zone, step=step_of(np.unique(seconds)), doubt=doubt)


def seconds_of(spans: pd.Series, name: str, kind: str, form: str, doubt: str = "") -> Column:
    """A time of day alone (kind 'clock') or a duration ('span')."""
    seconds = np.unique(spans.dropna().to_numpy("timedelta64[s]").astype(np.int64))
    return Column(name, "number", kind, form=form, step=step_of(seconds), doubt=doubt)


def _keeps_zeros(texts: pd.Series) -> bool:
    """Are these digits with zeros in front, or more than a number holds: codes, not numbers?"""
    digits = texts.str.fullmatch(r"\s*[+-]?\d+\s*")
    if digits.mean() < number_forms.MOSTLY:
        return False
    clean = texts[digits].str.strip()
    return bool(clean.str.fullmatch(r"0\d+").any() or (clean.str.len() > 15).any())


def _number_of(texts: pd.Series) -> tuple[Column, pd.Series] | None:
    """The column of texts that are numbers, and the numbers; None if they are none."""
    found = number_forms.number_form(texts)
    if found is None:
        return None
    numbers = number_forms.Notation.of(found.form).read(texts)
    digits = decimals_of(numbers.dropna().to_numpy())
    return Column(
        "", "number", "int" if digits == 0 else "float", decimals=digits, form=found.form, doubt=found.doubt
    ), numbers


def odd_ones(texts: pd.Series, parsed: pd.Series, what: str, share: float) -> str | None:
    """A sentence on the texts that are not `what`; None if they are too many to be anything but other values.

    Args:
        parsed: the values, missing where a text is none.
        share: of the texts that are.
    """
    odd = texts[parsed.isna()]
    if not len(odd):
        return ""
    if share < 0.99 and odd.nunique() > ODD:
        return None
    shown = ", ".join(quoted(text[:30]) for text in odd.unique()[:3])
    rows = ", ".join(f"{int(row) + 1:,}" for row in odd.index[:3])
    more = ", ..." if len(odd) > 3 else ""
    values, holds = ("1 value is", "row") if len(odd) == 1 else (f"{len(odd):,} values are", "rows")
    return f"{values} not a {what} ({shown}; {holds} {rows}{more}): treated as missing"


def _text(texts: pd.Series, name: str, distinct: int, complete: bool) -> Column:
    """What is written as text: a number, a date, a time of day, a duration, or a real text."""
    if _keeps_zeros(texts) or (POSTAL.search(name) and texts.str.contains(r"\d").mean() > 0.5):
        found = forms.date_form(texts) if texts.str.fullmatch(r"\d{14}").all() else None
        dates = None if found is None else _typed_dates(texts, name, found)
        return dates or _words(texts, name, distinct, complete, codes=True)
    mixed = ""
    found = number_forms.number_form(texts)
    if found is not None:
        numbers = number_forms.Notation.of(found.form).read(texts)
        odd = odd_ones(texts, numbers, "number", found.share)
        if odd is not None and not (found.form and distinct <= 3 and re.search("[a-z]{3}", found.form)):
            known = numbers.dropna()
            return _number(known, name, complete and not odd, _rises(known), found.form, _both(found.doubt, odd))
        mixed = "numbers and words in one column" if odd is None else ""
    for kind, what, form_of, parse in SECONDS:
        found = form_of(texts)
        if found is not None:
            times = parse(texts, found.form)
            odd = odd_ones(texts, times, what, found.share)
            if odd is not None:
                return seconds_of(times, name, kind, found.form, odd)
    found = forms.date_form(texts)
    if found is not None:
        column = _typed_dates(texts, name, found)
        if column is not None:
            return column
        mixed = "dates and words in one column"
    return _words(texts, name, distinct, complete, mixed or _mixture(texts))


def _typed_dates(texts: pd.Series, name: str, found: Found) -> Column | None:
    times = forms.read_dates(texts, found.form)
    odd = odd_ones(texts, times, "date", found.share)
    if odd is None:
        return None
    form, doubt = found.form, _both(found.doubt, odd)
    if form.endswith("%z"):
        offsets = texts[times.notna()].str.extract(r"([+-]\d\d:?\d\d)\s*$")[0].dropna().unique()
        if len(offsets) and all(":" in offset for offset in offsets):
            form = form.removesuffix("%z") + "%:z"
        if len(offsets) == 1 and offsets[0].strip("+-0:"):
            plain = offsets[0].replace(":", "")
            times = times.dt.tz_convert(f"UTC{plain[:3]}:{plain[3:]}")
        elif len(offsets) > 1:
            doubt = _both(doubt, "its offsets from UTC differ: kept in UTC")
    return date_of(times, name, form, doubt)


def _both(first: str, second: str) -> str:
    return "; ".join(filter(None, (first, second)))


def _mixture(texts: pd.Series) -> str:
    """A sentence on numbers among words, and on numbers with several units; '' where there are none."""
    few = texts.iloc[: number_forms.FIRST]
    if few.nunique() <= 3:
        return ""
    parts = few.str.extract(r"^\s*[-+]?[\d.,]*\d\s*([^\d\s]*)\s*$")[0].dropna()
    if len(parts) < 0.1 * len(few):
        return ""
    units = [unit for unit in parts.value_counts().index[:4] if unit]
    if len(parts) > number_forms.MOSTLY * len(few) and units and few.str.contains(r"\d\s*[^\d\s]+\s*$").mean() > 0.5:
        return f"numbers with several units ({', '.join(units)}): kept as they are written"
    plain = few.str.fullmatch(r"\s*[-+]?\d+(?:[.,]\d+)?\s*")
    if not 0.1 < plain.mean() < 1:
        return ""
    number, word = few[plain].index[0], few[~plain].index[0]
    rows = f"row {int(number) + 1:,} holds {quoted(few[number][:30])}, row {int(word) + 1:,} {quoted(few[word][:30])}"
    return f"numbers and words in one column ({rows}): kept as they are written"


def _words(texts: pd.Series, name: str, distinct: int, complete: bool, mixed: str = "", codes: bool = False) -> Column:
    """A category, an id or free text."""
    lengths, count = texts.str.len(), len(texts)
    spaced = float(texts.str.contains(WORDS).mean())
    if texts.str.fullmatch(JSON).mean() >= number_forms.MOSTLY:
        return Column(name, "text", "text", doubt="lists or JSON: skipped")
    digital = bool(texts.str.fullmatch(r"[\d\s+()/.-]+").mean() > number_forms.MOSTLY)  # as telephone numbers are
    short = spaced < 0.1 or ((codes or digital) and lengths.max() <= 24)
    if count > FEW and short and lengths.max() <= 64:
        if distinct == count and complete:
            return Column(name, "id", "text", form=pattern_of(texts))
        if distinct > 0.9 * count and count > 100 and (IDS.search(name) or texts.str.contains(r"\d").mean() > 0.9):
            return Column(
                name,
                "id",
                "text",
                form=pattern_of(texts),
                doubt=_both(mixed, "nearly every row has a different value: an id?"),
            )
    if distinct > 0.5 * count and count > 100 and (lengths.mean() > 40 or spaced > 0.9):
        return Column(name, "text", "text", doubt="free text, nearly every row has different words: skipped")
    if distinct > 0.4 * count and count > 100 and spaced > 0.5:
        return Column(name, "text", "text", doubt="many different words: free text, or a category? Skipped")
    doubt = "nearly every row has a different value: a category?" if distinct > 0.9 * count and count > 100 else ""
    return Column(name, "category", "text", doubt=_both(mixed, doubt))
