"""The values of columns: what tokens mean, numbers as the columns have them, and texts as the table writes them.

`rows.py` needs it.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np

DAY = 86_400
EPOCH = datetime(1970, 1, 1)


def cells_of(part, tokens):
    """The number of the cell that the tokens [n, t] of a part of a column name."""
    starts, groups = np.array(part["starts"]), len(part["starts"]) - 1
    group = tokens[:, 0]
    known = np.minimum(group, max(0, groups - 1))
    cells = starts[known]
    if part["base"]:
        within = tokens[:, 1] * part["base"] + tokens[:, 2] if tokens.shape[1] == 3 else tokens[:, 1]
        cells = np.minimum(cells + within, starts[known + 1] - 1)
    return np.where(group >= groups, part["cells"] + group - groups, cells)


def tokens_of(part, cells):
    """The tokens [n, t] of cells [n]; the inverse of `cells_of`."""
    starts, groups = np.array(part["starts"]), len(part["starts"]) - 1
    special = cells >= part["cells"]
    group = np.where(special, groups + cells - part["cells"], np.searchsorted(starts, cells, side="right") - 1)
    columns, within = [group], np.where(special, 0, cells - starts[np.minimum(group, max(0, groups - 1))])
    if part["base"]:
        columns += [within] if part["tokens"] == 2 else [within // part["base"], within % part["base"]]
    return np.stack(columns, 1).astype(np.int64)


def decoded(column, tokens, place):
    """The values of a column as it is learned: texts (None: missing), or float64 (NaN: missing).

    Dates are in days since 1970, times of day and durations in seconds.
    """
    end, numbers, missing = 0, [], np.zeros(len(tokens), bool)
    for part in column["parts"]:
        start, end = end, end + part["tokens"]
        cells = cells_of(part, tokens[:, start:end])
        if "values" in part:
            return np.array([*part["values"], None, None], object)[np.minimum(cells, len(part["values"]))]
        missing |= cells >= part["cells"]
        cells = np.minimum(cells, max(0, part["cells"] - 1))
        low, high = (np.array(part[name] or [0.0])[cells] for name in ("low", "high"))
        where = place[:, end - 1].astype(np.float64)
        whole = column["kind"] == "date" or column["decimals"] >= 0
        numbers.append(
            low
            + part["step"]
            * np.minimum(np.floor(where * ((high - low) // part["step"] + 1)), (high - low) // part["step"])
            if whole
            else low + where * (high - low)
        )
    if column["kind"] == "date":
        seconds = numbers[0] * DAY + (numbers[1] * column["step"] if len(numbers) > 1 else 0)
        if column["earliest"] < column["latest"]:
            seconds = np.clip(seconds, column["earliest"], column["latest"])
        return np.where(missing, np.nan, seconds / DAY)
    return np.where(missing, np.nan, rounded(column, numbers[0] * unit(column) if unit(column) else numbers[0]))


def unit(column):
    """The step between one value and the next that can be; 0: none is known."""
    if column["kind"] == "date":
        return 1.0 if column["type"] == "date" else column["step"] / DAY
    if column["type"] in ("clock", "span"):
        return float(column["step"])
    return 10.0 ** -column["decimals"] if column["decimals"] >= 0 else 0.0


def rounded(column, values):
    """Numbers as the column's can be."""
    if column["kind"] == "date":
        step = DAY if column["type"] == "date" else column["step"]
        return np.round(values * (DAY / step)) * step / DAY
    if column["type"] in ("clock", "span"):
        return np.round(values / column["step"]) * column["step"]
    return np.round(values, max(0, column["decimals"])) if column["decimals"] >= 0 else values


def gone(values):
    """Which are missing, bool [n]."""
    return np.array([v is None for v in values], bool) if values.dtype == object else np.isnan(values)


def numbers_of(values):
    """The values of a column as float64; NaN: missing."""
    return np.array([np.nan if v is None else float(v) for v in values]) if values.dtype == object else values


def values_of(column, numbers):
    """Computed numbers as the column has its values: rounded, or texts where it is a category."""
    numbers = rounded(column, numbers)
    if column["kind"] != "category":
        return numbers
    kind = float if column["type"] == "float" else int
    return np.array([None if np.isnan(v) else str(kind(v)) for v in numbers], object)


def keys_of(column, values):
    """The values as the tables of rules have them: texts; None: missing."""
    if values.dtype == object:
        return values
    known, back = np.unique(np.where(np.isnan(values), 0, values), return_inverse=True)
    if column["kind"] == "date":
        texts = np.datetime_as_string(np.round(known * DAY).astype("int64").astype("datetime64[s]"))
    else:
        texts = [str(int(v)) if column["type"] == "int" else repr(float(v)) for v in known]
    keys = np.array(list(map(str, texts)), object)[back]
    keys[np.isnan(values)] = None
    return keys


def from_keys(column, keys):
    """The inverse of `keys_of`."""
    if column["kind"] == "date":
        days = [np.nan if k is None else np.datetime64(k, "s").astype("int64") / DAY for k in keys]
        return np.array(days, np.float64)
    return keys if column["kind"] == "category" else numbers_of(keys)


# Texts, as `ganvas sample` writes them


def texts_of(column, values):
    """The values of a column as the table writes them; '': missing."""
    missing = gone(values)
    known, back = np.unique(values[~missing], return_inverse=True)
    texts = np.full(len(values), "", object)
    texts[~missing] = np.array(written(column, known), object)[back]
    return texts


def written(column, known):
    """Different values of a column as texts, a list."""
    if column["kind"] == "category":
        if column["digits"] >= 0 and column["type"] in ("int", "float"):
            return [f"{float(value):.{column['digits']}f}" for value in known]
        if column["type"] == "float":
            return [plain(float(value), column["decimals"] or -1) for value in known]
        return [value.capitalize() if column["type"] == "bool" else value for value in known]
    form, known = column["form"], known + 0.0  # no -0
    if column["kind"] == "date":
        return [moment(column, EPOCH + timedelta(seconds=int(s))) for s in np.round(known * DAY)]
    if column["type"] == "span" or (column["type"] == "clock" and not form):
        return [span(int(s), form) for s in np.round(known)]
    if column["type"] == "clock":
        return [(EPOCH + timedelta(seconds=int(s))).strftime(form.replace(".%f", "")) for s in np.round(known)]
    if form:
        return [notation(number, form, column["decimals"]) for number in known]
    if column["digits"] >= 0:
        return [f"{number:.{column['digits']}f}" for number in known]
    return [f"{n:.0f}" if column["type"] == "int" else plain(float(n), column["decimals"]) for n in known]


def constant(column):
    """The text of a column that has one value alone, or none."""
    value = column.get("value", "")
    if not value or column["type"] not in ("int", "float"):
        return value
    if column["digits"] >= 0:
        return f"{float(value):.{column['digits']}f}"
    return value if column["type"] == "int" else plain(float(value), column["decimals"])


def plain(number, decimals):
    """As few digits as tell the number, and at least one after the point."""
    if decimals < 0:
        return repr(number)
    whole, _, rest = f"{number:.{decimals}f}".partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}"


def notation(number, form, decimals):
    """A number in a form that says how 1234.5 is written: '€ 1.234,5'."""
    before, rest = form.split("1", 1)
    thousands, rest = rest.split("234")
    point, after = rest.split("5", 1)
    text = repr(float(number)) if decimals < 0 else f"{number:.{decimals}f}"
    whole, _, rest = text.lstrip("-").partition(".")
    if thousands and whole.isdecimal():
        whole = f"{int(whole):,}".replace(",", thousands)
    return f"{'-' * text.startswith('-')}{before}{whole}{point + rest if rest else ''}{after}"


def moment(column, time):
    """A date, or a date with a time by the clock of the column's zone."""
    form = column["form"]
    if column["zone"]:
        time = at(time, zone_of(column["zone"]))
    elif form.endswith("z"):
        time = time.replace(tzinfo=UTC)
    if not form:
        return str(time.date() if column["type"] == "date" and not column["zone"] else time)
    text = time.strftime(form.replace(".%f", "").replace("%:z", "%z"))
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text) if "%:z" in form else text


def zone_of(name):
    """The zone of this name; '': UTC."""
    if fixed := re.fullmatch(r"UTC([+-])(\d\d):(\d\d)", name):
        away = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-away if fixed[1] == "-" else away)
    return ZoneInfo(name) if name and name != "UTC" else UTC


def at(time, zone):
    """A time by the clock of a zone: the first of two that it shows, and the next one where it shows none."""
    there = time.replace(tzinfo=zone)
    while there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time:
        time = time.replace(second=0) + timedelta(minutes=1)
        there = time.replace(tzinfo=zone)
    return there


def span(seconds, form):
    """A duration."""
    days, rest = divmod(seconds, DAY)
    if form == "D days H:M:S":
        return f"{days} days {rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    h, m, s = seconds // 3600, seconds % 3600 // 60, seconds % 60
    if form == "PTHMS":
        return "PT" + (f"{h}H" * bool(h) + f"{m}M" * bool(m) + f"{s}S" * bool(s) or "0S")
    if form == "Hh Mm Ss":
        return " ".join(filter(None, (f"{h}h" * bool(h), f"{m}m" * bool(m), f"{s}s" * bool(s)))) or "0s"
    return f"{h}:{m:02d}" if form == "H:M" else f"{h}:{m:02d}:{s:02d}"
