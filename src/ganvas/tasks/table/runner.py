"""Rows of a table from an exported generator, with NumPy and ONNX Runtime alone.

python rows.py 1000 > rows.csv
python rows.py 1000 plan=gold city=Rome > rows.csv
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent


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
    """The values of a column, as text; '' where a cell is missing."""
    end, numbers, missing = 0, [], np.zeros(len(tokens), bool)
    for part in column["parts"]:
        start, end = end, end + part["tokens"]
        cells = cells_of(part, tokens[:, start:end])
        if "values" in part:
            values = np.array([*part["values"], "", ""], object)
            return values[np.minimum(cells, len(part["values"]))]
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
        seconds = numbers[0] * 86_400 + (numbers[1] * column["step"] if len(numbers) > 1 else 0)
        unit = "D" if column["type"] == "date" else "s"
        texts = np.datetime_as_string(seconds.astype("int64").astype("datetime64[s]").astype(f"datetime64[{unit}]"))
    elif column["type"] in ("clock", "span"):
        texts = [f"{s // 3600}:{s % 3600 // 60:02d}:{s % 60:02d}" for s in (numbers[0] * column["step"]).astype(int)]
    elif column["decimals"] >= 0:
        texts = [f"{n / 10.0 ** column['decimals']:.{column['decimals']}f}" for n in numbers[0]]
    else:
        texts = [repr(float(n)) for n in numbers[0]]
    return np.where(missing, "", np.array(texts, object))


def draw(count, seed=0, given=None):
    """Columns of `count` rows by name, each an array of text.

    Args:
        given: values of categories by the column's name, which all rows get.
    """
    table = json.loads((FOLDER / "columns.json").read_text(encoding="utf-8"))
    width = sum(part["tokens"] for column in table["columns"] for part in column["parts"])
    noise = np.random.default_rng(seed).random((count, width), np.float32)
    rows, fixed, end = np.zeros((count, width), np.int64), np.zeros((count, width), bool), 0
    places = {}
    given = given or {}
    for column in table["columns"]:
        places[column["name"]] = start = end
        end += sum(part["tokens"] for part in column["parts"])
        if column["name"] in given:
            part = column["parts"][0]
            rows[:, start:end] = tokens_of(part, part["values"].index(given[column["name"]]))
            fixed[:, start:end] = True
    session = onnxruntime.InferenceSession(str(FOLDER / "generator.onnx"), providers=["CPUExecutionProvider"])
    tokens, place = map(np.asarray, session.run(["tokens", "place"], {"noise": noise, "rows": rows, "given": fixed}))
    found = {}
    for column in table["columns"]:
        start = places[column["name"]]
        stop = start + sum(part["tokens"] for part in column["parts"])
        value = np.full(count, column.get("value", ""), object)  # constants; ids, free texts and what rules compute: ''
        drawn = column["parts"] and not column.get("computed")
        found[column["name"]] = decoded(column, tokens[:, start:stop], place[:, start:stop]) if drawn else value
    return found


if __name__ == "__main__":
    columns = draw(int(sys.argv[1]), given=dict(word.split("=", 1) for word in sys.argv[2:]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))  # noqa: B905  # for old Pythons
