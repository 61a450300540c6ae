"""Our table task compared with CTGAN and a Gaussian copula of SDV on any CSV file: quality, CPU seconds, memory.

    python benchmarks/tables.py adult.csv --held-out 0.26 --sdv-python /path/to/venv/bin/python
    python benchmarks/tables.py adult.csv --set images=400000      # our task alone

With --out FOLDER each method's rows and times are kept there: after a break the same command continues with what is
missing, and --again METHOD makes one of them anew.

SDV is third-party software under its own licence: install it where you like (`python -m venv sdv; sdv/bin/pip
install 'sdv>=2'`) and name that environment's Python; without it our task is measured alone. Each method trains and
draws in its own process, on the same training rows, on one thread, and is judged by the code of `ganvas evaluate`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import process

from ganvas.core.progress import Doing, last
from ganvas.tables import read
from ganvas.tables.data import DataConfig, TableData
from ganvas.tasks.table.evaluate import source
from ganvas.tasks.table.evaluate.measure import measure
from ganvas.tasks.table.evaluate.metrics import METRICS, choose
from ganvas.tasks.table.evaluate.sides import Sides

OURS = """
import sys, time, json, ganvas
source, out, run, count, seed, *settings = sys.argv[1:]
settings = dict(s.split("=", 1) for s in settings)
settings = {k: json.loads(v) if v[:1] in "0123456789-.tfn" else v for k, v in settings.items()}
for _ in ganvas.train("table", source=source, run=run, seed=int(seed), **settings):
    pass
fitted = time.process_time()
from ganvas.core.model import load
load(run).sample(int(count), seed=int(seed)).to_csv(out, index=False)
print(json.dumps({"fit": fitted, "draw": time.process_time() - fitted}))
"""
THEIRS = """
import sys, time, json, warnings
warnings.filterwarnings("ignore")
import numpy, torch, pandas as pd
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer
source, out, method, count, seed, epochs = sys.argv[1:]
numpy.random.seed(int(seed)); torch.manual_seed(int(seed)); torch.set_num_threads(1)
frame = pd.read_csv(source)
metadata = Metadata.detect_from_dataframes({"table": frame})
model = CTGANSynthesizer(metadata, epochs=int(epochs)) if method == "ctgan" else GaussianCopulaSynthesizer(metadata)
model.fit({"table": frame})
fitted = time.process_time()
rows = model.sample(num_rows=int(count))
(rows["table"] if isinstance(rows, dict) else rows).to_csv(out, index=False)
print(json.dumps({"fit": fitted, "draw": time.process_time() - fitted}))
"""
ROWS = (
    "c2st", "c2st-accuracy", "c2st-linear", "shape", "shape-worst", "trend", "correlations", "tstr", "tstr-auc",
    "precision", "recall", "density", "coverage", "nearer-training", "neighbour-ratio", "copies", "repeats",
    "membership-distance", "impossible",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What it took a method to train and draw: CPU seconds, wall seconds, and MB at the peak."""

    fit: float
    draw: float
    wall: float
    memory: float


def in_process(words: list[str]) -> Made:
    """Run a program to its end, on one thread.

    Raises:
        SystemExit: it failed.
    """
    cost = process.run(words)
    times = json.loads(cost.said.strip().splitlines()[-1])
    return Made(times["fit"], times["draw"], cost.wall, cost.memory)


def judge(
    data: TableData, train: pd.DataFrame, held_out: pd.DataFrame, rows: Path, seed: int, target: str
) -> dict[str, Any]:
    """The figures of what a method drew: value and floor by name; 'target': of the column to be predicted."""
    real = source.of_frames(data.spec, train, held_out, seed)
    codes = [c.name for c in data.spec.columns if c.kind == "category" and c.type == "text"]
    texts = pd.read_csv(rows, dtype=dict.fromkeys(codes, "str"))
    texts = texts.assign(
        **{name: texts[name].str.removesuffix(".0") for name in codes}
    )  # pandas took 98101 for a number
    dates = {c.name: texts[c.name] for c in data.spec.columns if c.kind == "date"}  # written by pandas, in ISO 8601
    iso = {name: pd.to_datetime(each, format="ISO8601", errors="coerce") for name, each in dates.items()}
    drawn = read.typed(texts.assign(**iso), data.spec.columns)
    sides = Sides(data.spec, real, [drawn], seed)
    names = [name for name in choose(None) if name in ROWS]
    found = {k: v for event in measure(sides, names) if not isinstance(event, Doing) for k, v in event.items()}
    out: dict[str, Any] = {name: (found[name].value, found[name].floor) for name in names}
    out["cells"] = found["impossible"].parts.get("cells", {})
    for row in found["tstr"].parts.get("targets", []):
        if data.spec.columns and sides.held_out.columns[row["column"]].name == target:
            out["target"] = row
    return out


def shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def table(found: dict[str, dict[str, Any]], made: dict[str, Made], target: str) -> str:
    """A column a method and one for other real rows, as Markdown."""
    heads = [*found, "real rows"]
    lines = [f"| | {' | '.join(heads)} |", "|" + " --- |" * (len(heads) + 1)]
    first = next(iter(found.values()))
    for name in [name for name in ROWS if name in first]:
        cells = [shown(of[name][0]) for of in found.values()] + [shown(first[name][1])]
        lines.append(f"| {METRICS[name].title} | {' | '.join(cells)} |")
    if all("target" in of for of in found.values()) and target:
        row = first["target"]
        cells = [shown(of["target"]["drawn"]) for of in found.values()] + [shown(row["real"])]
        lines.append(f"| {target} learned from drawn rows, {row['measure']} | {' | '.join(cells)} |")
    for title, of in (
        ("CPU s to train", "fit"),
        ("CPU s to draw", "draw"),
        ("wall s", "wall"),
        ("peak memory, MB", "memory"),
    ):
        lines.append(f"| {title} | {' | '.join(f'{getattr(m, of):,.0f}' for m in made.values())} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare our table task with SDV's CTGAN and GaussianCopula.")
    parser.add_argument("csv", type=Path)
    parser.add_argument("--held-out", type=float, default=0.25, help="share of the rows that is held out")
    parser.add_argument("--sdv-python", help="the Python of an environment with sdv")
    parser.add_argument("--methods", default="ours,gaussian-copula,ctgan", help="which, with commas between them")
    parser.add_argument("--epochs", type=int, default=100, help="of CTGAN")
    parser.add_argument("--set", nargs="*", default=[], help="settings of our training: images=400000")
    parser.add_argument("--target", default="", help="a column whose prediction is shown by itself")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, help="a folder for the drawn rows and table.md; without it they are removed"
    )
    parser.add_argument("--again", default="", help="methods whose rows in --out are made anew, with commas")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = a.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        data = last(DataConfig(source=str(a.csv), held_out=a.held_out).loading())
        frame = read.typed(read.table(str(a.csv)), data.spec.columns)
        held = frame.index.isin(data.held_out_rows.tolist())
        train, held_out = (frame.loc[rows].reset_index(drop=True) for rows in (~held, held))
        train_csv = folder / "train.csv"
        train.to_csv(train_csv, index=False)
        print(
            f"{a.csv.name}: {len(train):,} training rows, {len(held_out):,} held-out ones, {frame.shape[1]} columns",
            flush=True,
        )
        made: dict[str, Made] = {}
        found: dict[str, dict[str, Any]] = {}
        for method in a.methods.split(","):
            out, times = folder / f"{method}.csv", folder / f"{method}.json"
            if method == "ours":
                run = str(Path(scratch) / "run")
                settings = [f"held_out={a.held_out}", *a.set]
                words = [sys.executable, "-c", OURS, str(a.csv), str(out), run, str(len(train)), str(a.seed), *settings]
            elif a.sdv_python:
                options = [str(train_csv), str(out), method, str(len(train)), str(a.seed), str(a.epochs)]
                words = [a.sdv_python, "-c", THEIRS, *options]
            else:
                continue
            if times.exists() and out.exists() and method not in a.again.split(","):
                made[method] = Made(**json.loads(times.read_text()))
            else:
                made[method] = in_process(words)
                times.write_text(json.dumps(asdict(made[method])))
            print(f"{method}: trained in {made[method].fit:.0f} CPU s, peak {made[method].memory:.0f} MB", flush=True)
            found[method] = judge(data, train, held_out, out, a.seed, a.target)
            for what, count in found[method]["cells"].items():
                print(f"  impossible: {what}: {count:,}", flush=True)
            (folder / "table.md").write_text(table(found, made, a.target) + "\n")  # what there is so far
        print(table(found, made, a.target))


if __name__ == "__main__":
    main()
