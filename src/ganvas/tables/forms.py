"""How dates, times of day and durations are written as text: found, read, and written again, as numbers are."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables.number_forms import FIRST, MOSTLY, Found, Notation

if TYPE_CHECKING:
    import pandas as pd

DATES = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
    "%d-%m-%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%d %b %Y", "%d %B %Y",
    "%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y %H:%M", "%b-%Y", "%b %Y",
    "%B %Y", "%m/%Y", "%Y-%m", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S",
    "%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %Y",
)  # fmt: skip
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I %p")
SPANS = {  # durations: how they are written, and the pattern of days, hours, minutes and seconds
    "H:M:S": r"(?P<d>)(?P<h>\d{1,6}):(?P<m>[0-5]?\d):(?P<s>[0-5]\d)(?:\.\d+)?",
    "H:M": r"(?P<d>)(?P<h>\d{1,6}):(?P<m>[0-5]\d)(?P<s>)",
    "D days H:M:S": r"(?:(?P<d>\d{1,6}) days? ?)(?:(?P<h>\d{1,2}):(?P<m>[0-5]?\d):(?P<s>[0-5]?\d)(?:\.\d+)?)?",
    "PTHMS": r"P(?:(?P<d>\d{1,6})D)?(?:T(?:(?P<h>\d{1,6})H)?(?:(?P<m>\d{1,6})M)?(?:(?P<s>\d{1,9})(?:\.\d+)?S)?)?",
    "Hh Mm Ss": r"(?P<d>)(?=\d)(?:(?P<h>\d{1,6})h ?)?(?:(?P<m>\d{1,6})m(?:in)? ?)?(?:(?P<s>\d{1,9})s)?",
}


def date_form(texts: pd.Series) -> Found | None:
    """The form in which most of these texts are dates; None where there is none."""
    few = texts.iloc[:: max(1, len(texts) // 200)].iloc[:200].str.strip()
    if few.str.len().max() > 40 or few.str.contains(r"\d").mean() < MOSTLY or not few.str.len().min():
        return None
    plain = bool(few.str.fullmatch(r"\d+").mean() >= MOSTLY)
    fitting, marks = [], _marks(few)
    for form in DATES:
        if not _can_fit(form, marks) or (plain and (not re.fullmatch(r"[%\w]+", form) or "%b" in form)):
            continue
        share = float(read_dates(few, form).notna().mean())
        if share >= MOSTLY:
            fitting.append((share, form))
    fitting = [(float(read_dates(texts, form).notna().mean()), form) for _, form in fitting]
    if not fitting or max(fitting, key=lambda pair: pair[0])[0] < MOSTLY:
        return None
    share, form = max(fitting, key=lambda pair: pair[0])  # the first of those with the same share
    years = read_dates(texts, form).dt.year
    if plain and not years.dropna().between(1900, 2100).all():
        return None  # numbers of eight digits
    other = [f for s, f in fitting if s == share and f != form and set(f) == set(form)]
    swapped = form.index("%d") > form.index("%m") if {"%d", "%m"} <= set(re.findall("%.", form)) else False
    doubt = ""
    if other and not form.startswith("%Y"):
        order = "month/day" if swapped else "day/month"
        doubt = f"day and month cannot be told apart: read as {order} ({form}, not {other[0]})"
    elif plain:
        doubt = "numbers with the digits of dates: read as dates"
    return Found(form, share, doubt)


def _marks(few: pd.Series) -> dict[str, float]:
    """The share of these texts that each mark between parts of dates and times is in."""
    listed = few.tolist()
    return {mark: sum(mark in text for text in listed) / len(listed) for mark in "-/.:,"}


def _can_fit(form: str, marks: dict[str, float]) -> bool:
    """Can most texts with these marks have this form? It spares nearly all forms the reading, which takes long."""
    if any(share < MOSTLY for mark, share in marks.items() if mark in form):
        return False
    strange = "/," if "%z" in form else "/,-:"  # a zone is written with a sign, and at times a colon
    return all(mark in form or marks[mark] <= 1 - MOSTLY + 1e-9 for mark in strange)


def read_dates(texts: pd.Series, form: str) -> pd.Series:
    """Texts -> datetime64; NaT where one is not such a date. Where the form has an offset (%z, %:z) they are in UTC."""
    import pandas as pd

    form = form.replace("%:z", "%z")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pd.to_datetime(texts.str.strip(), format=form, errors="coerce", utc=form.endswith("%z"))


def clock_form(texts: pd.Series) -> Found | None:
    """The form in which most of these texts are times of day."""
    few = texts.iloc[:FIRST]
    if not few.str.contains(r"\d", regex=True).all() or few.str.len().max() > 15:
        return None
    marks = _marks(few)
    for form in CLOCKS:
        if _can_fit(form, marks) and read_clocks(few, form).notna().mean() >= MOSTLY:
            share = float(read_clocks(texts, form).notna().mean())
            if share >= MOSTLY:
                return Found(form, share)
    return None


def read_clocks(texts: pd.Series, form: str) -> pd.Series:
    """Texts -> timedelta64 since midnight."""
    times = read_dates(texts, form)
    return times - times.dt.normalize()


def span_form(texts: pd.Series) -> Found | None:
    """The form in which most of these texts are durations."""
    few = texts.iloc[:FIRST]
    if few.str.len().max() > 30 or few.str.contains(r"\d").mean() < MOSTLY:
        return None
    for form, pattern in SPANS.items():
        if few.str.fullmatch(pattern).mean() >= MOSTLY:
            share = float(read_spans(texts, form).notna().mean())
            if share >= MOSTLY:
                return Found(form, share)
    return None


def read_spans(texts: pd.Series, form: str) -> pd.Series:
    """Texts -> timedelta64, whole seconds."""
    import pandas as pd

    if form not in SPANS:
        raise UserError(f"{form[:60]!r} is not a form of a duration. Use one of: {', '.join(SPANS)}.")
    pattern = SPANS[form].replace("(?=\\d)", "")
    good = texts.str.fullmatch(pattern).fillna(False).astype(bool) & texts.str.contains(r"\d").fillna(False).astype(
        bool
    )
    parts = texts.where(good).str.extract(f"^{pattern}$")
    seconds = np.zeros(len(texts))
    for name, unit in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        seconds += pd.to_numeric(parts[name], errors="coerce").fillna(0).to_numpy() * unit
    found = pd.Series(seconds.astype("int64").astype("timedelta64[s]"), index=texts.index, name=texts.name)
    return found.mask(~good)


def write_span(seconds: int, form: str) -> str:
    """A duration as text."""
    days, rest = divmod(seconds, 86_400)
    if form == "D days H:M:S":
        return f"{days} days {rest // 3_600:02d}:{rest % 3_600 // 60:02d}:{rest % 60:02d}"
    hours, minutes, left = seconds // 3_600, seconds % 3_600 // 60, seconds % 60
    if form == "H:M":
        return f"{hours}:{minutes:02d}"
    if form == "PTHMS":
        text = f"{f'{hours}H' * bool(hours)}{f'{minutes}M' * bool(minutes)}{f'{left}S' * bool(left)}"
        return f"PT{text or '0S'}"
    if form == "Hh Mm Ss":
        parts = (f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), f"{left}s" * bool(left))
        return " ".join(filter(None, parts)) or "0s"
    return f"{hours}:{minutes:02d}:{left:02d}"


def written(frame: pd.DataFrame, columns: Sequence[Any]) -> pd.DataFrame:
    """Rows as they are to be written: numbers, dates, times of day and durations as text in their columns' forms.

    Args:
        frame: as `TableSpec.decode` or `read.typed` give it; columns that are not in it are skipped.
        columns: of `columns.Column`.
    """
    changed = {c.name: _written(frame[c.name], c) for c in columns if c.form and c.name in frame}
    return frame.assign(**{k: v for k, v in changed.items() if v is not None}) if changed else frame


def _written(series: pd.Series, column: Any) -> pd.Series | None:
    import pandas as pd
    from pandas.api import types

    if column.kind == "date" and types.is_datetime64_any_dtype(series):
        clean = column.form.replace(".%f", "")
        if clean.endswith("z") and series.dt.tz is None:
            series = series.dt.tz_localize("UTC")
        texts = series.dt.strftime(clean.replace("%:z", "%z"))
        return texts.str.replace(r"([+-]\d\d)(\d\d)$", r"\1:\2", regex=True) if "%:z" in clean else texts
    if column.kind != "number":
        return None
    known = series.dropna()
    if column.type in ("clock", "span"):
        if not types.is_timedelta64_dtype(series):
            return None
        seconds = known.dt.total_seconds().astype("int64")
        if column.type == "span":
            texts = [write_span(s, column.form) for s in seconds.to_numpy()]
        else:
            texts = (pd.Timestamp(0) + known).dt.strftime(column.form.replace(".%f", "")).tolist()
    elif types.is_numeric_dtype(series):
        notation = Notation.of(column.form)
        decimals = max(column.decimals, column.digits) if column.decimals >= 0 else -1
        texts = [notation.write(n, decimals) for n in known.to_numpy(dtype=np.float64)]
    else:
        return None
    return pd.Series(texts, index=known.index, dtype="str", name=series.name).reindex(series.index)
