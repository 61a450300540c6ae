"""Rows of a table from an exported generator, with NumPy and ONNX Runtime alone.

python rows.py 1000 > rows.csv
python rows.py 1000 plan=gold city=Rome > rows.csv

Rows keep the rules of the table that are in columns.json: columns that follow from others are computed, and rows with
values that never occur together are drawn again, TRIES times at most.
"""

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent
DAY = 86_400
TRIES = 200


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


def tokens_of(part, cell):
    """The tokens of a cell; the inverse of `cells_of`."""
    starts, groups = np.array(part["starts"]), len(part["starts"]) - 1
    special = cell >= part["cells"]
    group = groups + cell - part["cells"] if special else int(np.searchsorted(starts, cell, side="right")) - 1
    within = 0 if special else cell - int(starts[group])
    deeper = [] if not part["base"] else [within] if part["tokens"] == 2 else list(divmod(within, part["base"]))
    return [group, *deeper]


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


def texts_of(column, values):
    """The values of a column as text; '': missing."""
    if values.dtype == object:
        return np.where(gone(values), "", values)
    missing, known = np.isnan(values), np.where(np.isnan(values), 0, values) + 0.0  # no -0
    if column["kind"] == "date":
        seconds, short = np.round(known * DAY).astype("int64"), "D" if column["type"] == "date" else "s"
        texts = np.datetime_as_string(seconds.astype("datetime64[s]").astype(f"datetime64[{short}]"))
    elif column["type"] in ("clock", "span"):
        texts = [f"{s // 3600}:{s % 3600 // 60:02d}:{s % 60:02d}" for s in np.round(known).astype(int)]
    elif column["decimals"] >= 0:
        texts = [f"{n:.{column['decimals']}f}" for n in known]
    else:
        texts = [repr(float(n)) for n in known]
    return np.where(missing, "", np.array(texts, object))


# Rules: each sets columns in `found`, by name, and says which rows cannot keep it, bool [n]


def formula(rule, found, columns):
    """A sum or a product. A sum stays within its span: where it is not, a term that nothing else binds gives way."""
    terms, target = rule["terms"], rule["target"]

    def value():
        each = [(factor, numbers_of(found[name])) for factor, name in terms]
        if rule["product"]:
            return each[0][0] * np.prod([v for _, v in each], axis=0)
        return sum(factor * v for factor, v in each) + rule["constant"]

    total = value()
    for (factor, name), (least, most) in zip(terms, rule["spans"][1:]):  # noqa: B905  # for old Pythons
        low, high = rule["spans"][0]
        over = np.nan_to_num(np.maximum(total - high, 0) + np.minimum(total - low, 0))
        if name in rule["free"] and not rule["product"] and over.any():
            moved = values_of(columns[name], np.clip(numbers_of(found[name]) - over / factor, least, most))
            found[name] = np.where(over != 0, moved, found[name])
            total = value()
    missing = gone(found[target]) if rule["gaps"] else np.zeros(len(total), bool)
    found[target] = values_of(columns[target], np.where(missing, np.nan, total))


def order(rule, found, columns):
    """One column never above another: it is learned as the distance from the other, or moved where it has to be."""
    target = rule["target"]
    if not target:
        return
    column, up = columns[target], target == rule["high"]
    against = rule["low"] if up else rule["high"]
    other, value = numbers_of(found[against]), numbers_of(found[target])
    if rule["distance"]:
        start = np.where(np.isnan(other), rule["least"] if up else rule["most"], other)
        away = value * rule["step"]
        value = np.clip(start + away if up else start - away, rule["least"], rule["most"])
    grid = unit(column)
    fine, bound = min((u for u in (grid, unit(columns[against])) if u), default=0.0), other
    if rule["strict"] and fine:
        bound = other + fine if up else other - fine
    elif rule["strict"]:
        bound = np.nextafter(other, np.inf if up else -np.inf)
    if grid:
        value, edge = np.round(value / grid) * grid, bound / grid
        bound = (np.ceil(edge - 1e-3) if up else np.floor(edge + 1e-3)) * grid
    limited = np.fmax(value, bound) if up else np.fmin(value, bound)
    found[target] = values_of(column, np.where(np.isnan(value), np.nan, limited))


def part(rule, found, columns):
    """A part of a date, in a time zone of its own where the rule names one."""
    days = found[rule["source"]]
    missing = np.isnan(days)
    seconds, back = np.unique(np.round(np.where(missing, 0, days) * DAY).astype("int64"), return_inverse=True)
    pick = {
        "date": lambda t: (t.replace(tzinfo=None) - datetime(1970, 1, 1)).days,
        "quarter": lambda t: (t.month + 2) // 3,
        "week": lambda t: t.isocalendar()[1],
        "day of year": lambda t: t.timetuple().tm_yday,
        "weekday": lambda t: t.weekday(),
    }.get(rule["part"], lambda t: getattr(t, rule["part"]))
    times = [datetime(1970, 1, 1) + timedelta(seconds=int(s)) for s in seconds]
    if rule["zone"]:
        from zoneinfo import ZoneInfo

        of = ZoneInfo(columns[rule["source"]]["zone"]) if columns[rule["source"]]["zone"] else UTC
        times = [t.replace(tzinfo=of).astimezone(ZoneInfo(rule["zone"])) for t in times]
    values = np.array([float(pick(t) + rule["plus"]) for t in times])
    found[rule["target"]] = values_of(columns[rule["target"]], np.where(missing, np.nan, values[back]))


def together(rule, found, columns):
    """Combinations of the first columns; the others are looked up from them."""
    names, by = rule["names"], rule["by"]
    known = [[*values, None] for values in rule["values"]]
    rows = [[known[i][j] for j in places] for i, places in enumerate(rule["rows"])]
    table = dict(zip(zip(*rows[:by]), range(len(rows[0]))))  # noqa: B905
    keys = zip(*(keys_of(columns[name], found[name]) for name in names[:by]))  # noqa: B905
    at = np.array([table.get(key, -1) for key in keys], np.int64)
    for i, name in enumerate(names[by:], by):
        found[name] = from_keys(columns[name], np.array([*rows[i], None], object)[at])
    for name in names[:by]:
        found[name] = from_keys(columns[name], keys_of(columns[name], found[name]))  # learned as categories
    return at < 0 if by == len(names) else None


def missing(rule, found, columns):
    """Columns that are missing exactly where another is, has a value, or has one of some values."""
    leader = found[rule["leader"]]
    if rule["when"] == "is":
        values = set(rule["values"])
        state = np.array([key in values for key in keys_of(columns[rule["leader"]], leader)], bool)
    else:
        state = gone(leader) == (rule["when"] == "missing")
    return np.logical_or.reduce([gone(found[name]) != state for name in rule["names"]])


def between(rule, found, columns):
    """Numbers within a range."""
    value = numbers_of(found[rule["column"]])
    return (value < rule["least"] - 1e-9) | (value > rule["most"] + 1e-9)


def unique(rule, found, columns):
    """No two rows have the same values there."""
    seen, again = set(), []
    for row in zip(*(texts_of(columns[name], found[name]) for name in rule["names"])):  # noqa: B905
        again.append("" not in row and row in seen)
        seen.add(row)
    return np.array(again, bool)


KINDS = {"formula": formula, "order": order, "part": part, "together": together}
CHECKED = {"missing": missing, "range": between}  # once all is computed


def kept(table, tokens, place):
    """Columns of rows that were drawn, with what rules compute; and by a rule's text which rows break it."""
    columns, found, broken = {column["name"]: column for column in table["columns"]}, {}, {}
    end = 0
    for name, column in columns.items():
        start, end = end, end + sum(p["tokens"] for p in column["parts"])
        if column["parts"]:
            found[name] = decoded({**column, **column["learned"]}, tokens[:, start:end], place[:, start:end])
    for kinds in (KINDS, CHECKED):
        for rule in table["rules"]:
            if rule["kind"] in kinds:
                rows = kinds[rule["kind"]](rule, found, columns)
                if rows is not None:
                    broken[rule["text"]] = rows
    return found, broken


def draw(count, seed=0, given=None):
    """Columns of `count` rows by name, each an array of text.

    Args:
        given: values of categories by the column's name, which all rows get.
    """
    table = json.loads((FOLDER / "columns.json").read_text(encoding="utf-8"))
    columns = {column["name"]: column for column in table["columns"]}
    width = sum(p["tokens"] for column in table["columns"] for p in column["parts"])
    rows, fixed, end = np.zeros(width, np.int64), np.zeros(width, bool), 0
    given = given or {}
    for name, column in columns.items():
        start, end = end, end + sum(p["tokens"] for p in column["parts"])
        p = column["parts"][0] if column["parts"] else {}
        if name in given and given[name] in p.get("values", []):
            rows[start:end] = tokens_of(p, p["values"].index(given[name]))
            fixed[start:end] = True
        elif name in given:
            sys.exit(f"{name}={given[name]} cannot be given: only values of categories that are not computed can.")
    if strange := given.keys() - columns.keys():
        sys.exit(f"There is no column {min(strange)}.")
    session = onnxruntime.InferenceSession(str(FOLDER / "generator.onnx"), providers=["CPUExecutionProvider"])
    source, found, broken = np.random.default_rng(seed), {}, {}
    some = np.arange(count)
    for _ in range(TRIES):
        inputs = {"noise": source.random((len(some), width), np.float32)}
        inputs |= {"rows": np.tile(rows, (len(some), 1)), "given": np.tile(fixed, (len(some), 1))}
        tokens, place = map(np.asarray, session.run(["tokens", "place"], inputs))
        new, wrong = kept(table, tokens, place)
        for into, each, empty in ((found, new, None), (broken, wrong, False)):
            for name, values in each.items():
                into.setdefault(name, np.full(count, empty, values.dtype))[some] = values
        broken |= {r["text"]: unique(r, found, columns) for r in table["rules"] if r["kind"] == "unique"}
        some = np.flatnonzero(np.logical_or.reduce([*broken.values(), np.zeros(count, bool)]))
        if not len(some):
            break
    for text, left in broken.items():
        if left.any():
            sys.stderr.write(f"{left.sum()} rows do not keep '{text}', after {TRIES} drawings.\n")
    out = {}
    for name, column in columns.items():  # constants; ids and free texts: ''
        out[name] = texts_of(column, found[name]) if name in found else np.full(count, column.get("value", ""), object)
    return out


if __name__ == "__main__":
    drawn = draw(int(sys.argv[1]), given=dict(word.split("=", 1) for word in sys.argv[2:]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(drawn)
    writer.writerows(zip(*drawn.values()))  # noqa: B905
