"""Rows of a table from an exported generator, with NumPy and ONNX Runtime alone.

python rows.py 1000 > rows.csv
python rows.py 1000 plan=gold city=Rome > rows.csv

Rows keep the rules of the table that are in columns.json: columns that follow from others are computed, and a token is
drawn only among those that can follow the others. What nothing sees to beforehand is drawn again, TRIES times at most.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from row_rules import CHECKED, KINDS, combinations, strays, unique  # pyright: ignore[reportMissingImports]
from row_values import constant, decoded, texts_of, tokens_of  # pyright: ignore[reportMissingImports]

FOLDER = Path(__file__).parent
TRIES = 200
PORTION = 4_096  # rows at a time


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


def rare_in(table):
    """By the place of a column's first token the one that stands for values that few rows have, and how many tokens the
    column's cells have."""
    found, place = {}, 0
    for part in (part for column in table["columns"] for part in column["parts"]):
        if "rare" in part["specials"]:
            found[place] = len(part["starts"]) - 1 + part["specials"].index("rare"), part["tokens"]
        place += part["tokens"]
    return found


def drawn(session, limits, sizes, rare, given, count, source):
    """Tokens and places [count, tokens] of rows that have the given tokens, by place, and keep the limits.

    A token that cannot follow those before it is drawn again among those that can, and all after it with it. At the end
    values that few rows have give way to others that go with the rest of the row.
    """
    width, at = len(sizes), np.arange(len(sizes))
    trees, gaps = limits
    held = {place for tree in trees for place in tree.places} | {place for gap in gaps for place, _ in gap}
    base, starts = np.ones(sum(sizes), bool), np.cumsum([0, *sizes])
    base[[starts[i] + token for i, (token, _) in rare.items() if i in held]] = False  # they would break limits
    tokens, place = np.zeros((count, width), np.int64), np.zeros((count, width), np.float32)
    known = np.tile(np.isin(at, list(given)), (count, 1))
    for i, token in given.items():
        tokens[:, i] = token
    allowed, left = np.tile(base, (count, 1)), np.arange(count)
    while len(left):
        noise = source.random((len(left), width), np.float32)
        inputs = {"noise": noise, "rows": tokens[left], "given": known[left], "allowed": allowed[left]}
        new, where = map(np.asarray, session.run(["tokens", "place"], inputs))
        where = np.where(known[left] & ~np.isin(at, list(given)), place[left], where)  # of what was drawn before
        tokens[left], place[left] = new, where
        first, can = strays(*limits, new, given)
        left, first, can = left[first >= 0], first[first >= 0], can[first >= 0]
        known[left] |= at < first[:, None]
        allowed[left] = base
        for i in np.unique(first):
            allowed[left[first == i], starts[i] : starts[i + 1]] &= can[first == i, : sizes[i]]
    again = np.zeros((count, width), bool)
    for i, (token, length) in rare.items():
        if i not in given:
            again[:, i : i + length] |= (tokens[:, i] == token)[:, None]
            base[starts[i] + token] = False
    some = np.flatnonzero(again.any(1))
    if len(some):
        noise, may = source.random((len(some), width), np.float32), np.tile(base, (len(some), 1))
        inputs = {"noise": noise, "rows": tokens[some], "given": ~again[some], "allowed": may}
        new, where = map(np.asarray, session.run(["tokens", "place"], inputs))
        tokens[some], place[some] = new, np.where(again[some], where, place[some])
    return tokens, place


def given_tokens(table, starts, given):
    """The tokens of values of categories, by their places."""
    columns, fixed = {column["name"]: column for column in table["columns"]}, {}
    for name, value in given.items():
        if name not in columns:
            sys.exit(f"There is no column {name}.")
        values = columns[name]["parts"][0].get("values", []) if columns[name]["parts"] else []
        if not values:
            sys.exit(f"{name}={value} cannot be given: only values of categories that are not computed can.")
        if value not in values:
            some = ", ".join(values[:8]) + (", ..." if len(values) > 8 else "")
            sys.exit(f"{name}={value} cannot be given: the table has {some}.")
        tokens = tokens_of(columns[name]["parts"][0], np.array([values.index(value)]))[0]
        fixed |= dict(enumerate(tokens.tolist(), starts[name]))
    return fixed


def draw(count, seed=0, given=None):
    """Columns of `count` rows by name, each an array of text.

    Args:
        given: values of categories by the column's name, which all rows get.
    """
    table = json.loads((FOLDER / "columns.json").read_text(encoding="utf-8"))
    columns, starts, sizes = {column["name"]: column for column in table["columns"]}, {}, []
    for name, column in columns.items():
        starts[name] = len(sizes)
        sizes += [size for p in column["parts"] for size in p["sizes"]]
    fixed = given_tokens(table, starts, given or {})
    whole = [r for r in table["rules"] if r["kind"] == "together" and r["by"] == len(r["names"])]
    try:
        trees = [tree for r in whole if (tree := combinations(r, columns, starts, fixed))]
    except ValueError as error:
        sys.exit(f"No row can be drawn: {error}.")
    session = onnxruntime.InferenceSession(str(FOLDER / "generator.onnx"), providers=["CPUExecutionProvider"])
    source, found, broken = np.random.default_rng(seed), {}, {}
    some = np.arange(count)
    for _ in range(TRIES):
        parts = [
            drawn(session, (trees, table["gaps"]), sizes, rare_in(table), fixed, min(PORTION, len(some) - i), source)
            for i in range(0, len(some), PORTION)
        ]
        tokens, place = (np.concatenate(each) for each in zip(*parts))  # noqa: B905
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
            sys.stderr.write(f"{left.sum()} rows break '{text}', after {TRIES} drawings.\n")
    out = {}
    for name, column in columns.items():  # constants; ids and free texts: ''
        out[name] = texts_of(column, found[name]) if name in found else np.full(count, constant(column), object)
    return out


if __name__ == "__main__":
    if len(sys.argv) < 2 or not sys.argv[1].isdecimal() or int(sys.argv[1]) < 1:
        sys.exit("How many rows? python rows.py 1000 > rows.csv")
    if strange := [word for word in sys.argv[2:] if "=" not in word]:
        sys.exit(f"{strange[0]!r} is not a condition: write it as plan=gold.")
    made = draw(int(sys.argv[1]), given=dict(word.split("=", 1) for word in sys.argv[2:]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(made)
    writer.writerows(zip(*made.values()))  # noqa: B905
