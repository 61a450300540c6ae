"""Time to quality: the Frechet distance of each MNIST recipe over its training, and how soon it is as good as another.

    python benchmarks/quality.py train mnist --seeds 0 1 2        # train and measure; a line a model in quality.jsonl
    python benchmarks/quality.py measure runs/00003-mnist ...     # the same for runs that were trained with keep_models
    python benchmarks/quality.py write                            # table and plot into docs/

Models are measured after the training: measuring costs it nothing. `seconds` of a model is what the training
had taken until then, snapshots, pictures and kept models included. docs/benchmarks.md says how to read the result.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import speed
import torch

from ganvas import api
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.metrics.figures import Figure
from ganvas.report.charts import ticks
from ganvas.tasks.generate.evaluate.evaluate import evaluate
from ganvas.training.events import Logged
from ganvas.training.trainer import choose_device, choose_precision

ROWS = Path(__file__).parent / "quality.jsonl"
PLOT = speed.PAGE.parent / "images" / "quality.svg"
METRICS = ["frechet", "precision", "recall", "density", "coverage", "class-accuracy"]
SHEETS = {"sample_every": "50k", "sample_at": "5000,10000,20000,30000,40000", "keep_models": "true"}
LONG = {"sample_every": "300k", "sample_at": "60000,120000", "keep_models": "true"}  # for recipes of 100 epochs
COLOURS = ("#1f66c7", "#c2510a", "#23774b", "#8a4fbe", "#b3261e")


def train(recipe: str, seed: int, folder: Path, settings: dict[str, str]) -> dict[str, Any]:
    """Train a recipe as a user would, with its models kept; what the machine was able to do before and after."""
    rhythm = LONG if api.experiment(recipe).training.images > 2_000_000 else SHEETS
    wanted = {**rhythm, "evaluate_every": "0", **settings, "seed": str(seed)}
    experiment = api.experiment(recipe, None, wanted)
    precision = choose_precision(experiment.training, choose_device(experiment.training))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    before = speed.matrix_rate(dtype)
    for event in experiment.run(folder):
        if isinstance(event, Logged):
            print(f"{folder.name}: {event.images:,} images, {event.row['seconds']:.0f} s", end="\r", flush=True)
    print()
    return {"matrix_rate": [round(before), round(speed.matrix_rate(dtype))], "rate_of": precision}


def measure(folder: Path, count: int, more: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each model that the run kept.

    Raises:
        UserError: it kept none.
    """
    run = Run(folder)
    card = json.loads(run.experiment.read_text())
    seconds = {row["images"]: row["seconds"] for row in run.rows()}
    models = sorted(run.models.glob("model_*.safetensors"))
    if not models:
        raise UserError(f"{folder} kept no models: train it with keep_models=true.")
    rows = []
    for model in models:
        found = [f for f in evaluate(model, METRICS, count=count, repeats=1) if isinstance(f, Figure)]
        images = found[0].images
        at = min(seconds, key=lambda logged: abs(logged - images))
        rows.append(
            {
                "recipe": card["recipe"],
                "length": card["training"]["images"],
                "seed": card["training"]["seed"],
                "images": images,
                "seconds": round(seconds[at] * images / at, 1),
                **{f.metric: round(f.value, 5) for f in found if not f.note},
                "floor": round(found[0].floor, 5),
                "extractor": f"{found[0].protocol.extractor} {found[0].protocol.mark[:8]}",
                "count": count,
                **more,
            }
        )
        print(
            f"{folder.name}: {images:,} images, {rows[-1]['seconds']:.0f} s, FD {rows[-1]['frechet']:.3f}", flush=True
        )
    return rows


def keep(rows: Iterable[dict[str, Any]]) -> None:
    with open(ROWS, "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def curves() -> dict[tuple[str, int, int], list[dict[str, Any]]]:
    """The newest curve of each recipe, length and seed, in the order of time."""
    found: dict[tuple[str, int, int], dict[int, dict[str, Any]]] = defaultdict(dict)
    for line in ROWS.read_text().splitlines():
        row = json.loads(line)
        found[row["recipe"], row["length"], row["seed"]][row["images"]] = row
    return {key: [rows[i] for i in sorted(rows)] for key, rows in sorted(found.items())}


def reached(curve: list[dict[str, Any]], goal: float) -> dict[str, Any] | None:
    """The first model of a curve that is at least as good."""
    return next((row for row in curve if row["frechet"] <= goal), None)


def table() -> str:
    """The last model of each curve, and when a curve was first as good as `classic-mlp` after its 100 epochs."""
    found = curves()
    classic = [c[-1] for (recipe, _, _), c in found.items() if recipe == "classic-mlp" and c[-1]["images"] >= 6_000_000]
    goal = classic[0] if classic else None
    lines = [
        "| recipe | images | seed | time | matrix GFLOP/s | FD | times the floor | as good as classic-mlp after |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (recipe, length, seed), curve in found.items():
        last, soon = curve[-1], reached(curve, goal["frechet"]) if goal else None
        when = f"{soon['seconds']:.0f} s ({soon['images']:,} images)" if soon else "–"
        when = f"at most {when}" if soon is curve[0] else when
        rate = ", ".join(map(str, last.get("matrix_rate", []))) or "–"
        rate += f" ({last.get('rate_of', 'fp32')})" if "matrix_rate" in last else ""
        note = " " + last["note"] if "note" in last else ""
        lines.append(
            f"| {recipe}{note} | {length:,} | {seed} | {last['seconds']:,.0f} s | {rate} | {last['frechet']:.3f} | "
            f"{last['frechet'] / last['floor']:.2f} | {when} |"
        )
    groups = defaultdict(list)
    for (recipe, length, _), curve in found.items():
        groups[recipe, length].append(curve[-1]["frechet"])
    for (recipe, length), values in groups.items():
        if len(values) > 1:
            spread = statistics.stdev(values)
            lines.append(
                f"\n{recipe}, {length:,} images: FD {statistics.fmean(values):.3f} ± {spread:.3f} (n = {len(values)})."
            )
    return "\n".join(lines)


def plot() -> str:
    """FD over time, both logarithmic, as SVG."""
    from math import log10

    found = {key: [r for r in c if r["seconds"] > 0] for key, c in curves().items()}
    times = [r["seconds"] for c in found.values() for r in c]
    values = [r["frechet"] for c in found.values() for r in c] + [next(iter(found.values()))[0]["floor"]]
    left, right = log10(min(times)), log10(max(times))
    low, high = log10(min(values)), log10(max(values))

    def at(seconds: float, value: float) -> tuple[float, float]:
        x = 70 + 560 * (log10(seconds) - left) / (right - left or 1)
        return x, 330 - 300 * (log10(value) - low) / (high - low or 1)

    parts = ['<rect width="700" height="400" fill="#fff"/>']
    for exponent in ticks(low, high, 4):
        y = at(10**left, 10**exponent)[1]
        if 29 <= y <= 331:
            parts.append(f'<line x1="70" x2="630" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            parts.append(f'<text x="62" y="{y + 4:.1f}" text-anchor="end">{10**exponent:.3g}</text>')
    for seconds in (10, 30, 60, 180, 600, 1800, 3600, 10800, 36000):
        if 10**left <= seconds <= 10**right:
            x = at(seconds, 10**low)[0]
            label = (
                f"{seconds} s" if seconds < 60 else f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"
            )
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="30" y2="330" stroke="#eee"/>')
            parts.append(f'<text x="{x:.1f}" y="350" text-anchor="middle">{label}</text>')
    names = sorted({recipe for recipe, _, _ in found})
    for (recipe, _, _), curve in found.items():
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(r["seconds"], r["frechet"]) for r in curve))
        colour = COLOURS[names.index(recipe) % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    y = at(10**left, next(iter(found.values()))[0]["floor"])[1]
    parts.append(f'<line x1="70" x2="630" y1="{y:.1f}" y2="{y:.1f}" stroke="#555" stroke-dasharray="3 5"/>')
    parts.append(f'<text x="630" y="{y - 5:.1f}" text-anchor="end">real images</text>')
    for i, name in enumerate(names):
        parts.append(f'<rect x="470" y="{38 + 20 * i}" width="18" height="3" fill="{COLOURS[i % len(COLOURS)]}"/>')
        parts.append(f'<text x="494" y="{44 + 20 * i}">{name}</text>')
    parts.append('<text x="350" y="380" text-anchor="middle">time of training</text>')
    parts.append('<text x="70" y="20">Frechet distance (digits)</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 400" font-family="system-ui, sans-serif" '
        f'font-size="12" fill="#333" role="img" aria-label="Frechet distance over time">{"".join(parts)}</svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how soon each recipe becomes how good.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    first = verbs.add_parser("train", help="train recipes and measure them")
    first.add_argument("recipes", nargs="+")
    first.add_argument("--seeds", nargs="+", type=int, default=[0])
    first.add_argument("--set", nargs="*", default=[], help="settings, key=value")
    first.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the runs")
    second = verbs.add_parser("measure", help="measure runs that were trained with keep_models=true")
    second.add_argument("folders", nargs="+", type=Path)
    second.add_argument("--note", help="what is to be known of how they were trained")
    for verb in (first, second):
        verb.add_argument("--count", type=int, default=10_000, help="pictures of each model")
    verbs.add_parser("write", help="write table and plot into docs/")
    a = parser.parse_args()
    if a.verb == "train":
        for recipe in a.recipes:
            for seed in a.seeds:
                folder = a.runs / f"quality-{recipe}-{'-'.join(a.set) or 'default'}-{seed}"
                more = train(recipe, seed, folder, dict(text.split("=", 1) for text in a.set))
                keep(measure(folder, a.count, more))
    elif a.verb == "measure":
        for folder in a.folders:
            keep(measure(folder, a.count, {"note": a.note} if a.note else {}))
    else:
        alt = f"![Frechet distance over the time of training](images/{PLOT.name})"
        text = f"{speed.machine()}; `python benchmarks/quality.py write`.\n\n{alt}\n\n{table()}"
        PLOT.write_text(plot())
        speed.PAGE.write_text(speed.put(speed.PAGE.read_text(), "time-to-quality", text))
        print(text)


if __name__ == "__main__":
    main()
