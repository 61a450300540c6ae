"""A model of sounds against its bars in one run: how good it is, what it took to train, to draw and to pack.

    python benchmarks/sounds.py spoken-digits.zip
    python benchmarks/sounds.py drums.zip --recipe sound-few --seed 1 --out sounds.jsonl
    python benchmarks/sounds.py spoken-digits.zip --run runs/digits      # a training that is there

Packing, training and drawing happen in separate processes, on one thread. The figures are those of `ganvas
evaluate`; what real sounds get by the same code (the floor) is next to each. With --out a line of
JSON is added to a file.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import process
import speed

from ganvas.core.model import load
from ganvas.metrics.figures import Figure
from ganvas.tasks.sound.evaluate.evaluate import Measured, evaluate
from ganvas.training.evaluate import Options

PACK = """
import json, sys, time, resource, tempfile, pathlib
from ganvas.core.progress import last
from ganvas.sounds import decode, kind, pack
from ganvas.sounds.data import DataConfig
def cpu():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)
found = kind.find(sys.argv[1])
soundfile = decode.library("soundfile")
decode.library("soxr")
import io
numbers = range(0, len(found.names), max(1, len(found.names) // 500))
contents = [io.BytesIO(content) for content in found.read(numbers) if isinstance(content, bytes)]
began = cpu()
for content in contents:
    try:
        soundfile.read(content)
    except Exception:
        pass
alone, began = (cpu() - began) / len(contents), cpu()
with tempfile.TemporaryDirectory() as folder:
    last(pack.write(found, DataConfig(sys.argv[1]).shape(), pathlib.Path(folder) / "pack"))
print(json.dumps({"files": len(found.names), "cpu": cpu() - began, "soundfile": alone * len(found.names)}))
"""


@dataclass(frozen=True)
class Bar:
    """A line of the table of bars; `value` of the figures or of what it took, and `met`: is it within the bar?"""

    title: str
    bar: str
    value: Callable[[dict[str, Any]], float]
    met: Callable[[float], bool]


def of(name: str) -> Callable[[dict[str, Figure]], float]:
    return lambda figures: figures[name].value


def relative(name: str) -> Callable[[dict[str, Figure]], float]:
    """The value in multiples of what real sounds get."""
    return lambda figures: figures[name].value / figures[name].floor if figures[name].floor else math.nan


BARS = (
    Bar("recognised as requested", "at least .96", of("class-accuracy"), lambda x: x >= 0.96),
    Bar("the same, worst class", "at least .88", of("worst-class"), lambda x: x >= 0.88),
    Bar("Frechet, what is said, x floor", "at most 4", relative("frechet"), lambda x: x <= 4),
    Bar("Frechet, timbre, x floor", "at most 3", relative("timbre-frechet"), lambda x: x <= 3),
    Bar("coverage, x floor", "at least .5", relative("coverage"), lambda x: x >= 0.5),
    Bar("spread, what is said", ".85 to 1.15", of("spread"), lambda x: 0.85 <= x <= 1.15),
    Bar("spread, timbre", ".85 to 1.15", of("timbre-spread"), lambda x: 0.85 <= x <= 1.15),
    Bar("silent", "0", of("silent"), lambda x: x == 0),
    Bar("hum", "0", of("hum"), lambda x: x == 0),
    Bar("clipped", "0", of("clipped"), lambda x: x == 0),
    Bar("with a click", "at most .01", of("clicks"), lambda x: x <= 0.01),
    Bar("tail after the end, dB", "at most -65", of("tail"), lambda x: x <= -65),
    Bar("clear pitch, x real", "at least .8", relative("clear-pitch"), lambda x: x >= 0.8),
    Bar("near copies less those of held-out", "at most 0", lambda f: f["near-copies"].value - f["near-copies"].floor,
        lambda x: x <= 0),
)  # fmt: skip


FEW = {  # of the recipe for few sounds: what differs from BARS, and None: no bar
    "recognised as requested": None,
    "the same, worst class": Bar("the same, worst class", "at least .80", of("worst-class"), lambda x: x >= 0.8),
}
COSTS = (  # of what it took
    Bar("CPU minutes of training", "at most 30", lambda took: took.get("train_cpu_seconds", math.nan) / 60,
        lambda x: x <= 30),
    Bar("CPU s to draw 1,000 s of sound", "under 20",
        lambda took: took["draw_cpu_seconds"] * 1_000 / took["drawn"] / took["seconds_a_sound"], lambda x: x < 20),
    Bar("files packed a CPU second", "at least 1,000", lambda took: took["packed_per_cpu_second"],
        lambda x: x >= 1_000),
)  # fmt: skip


def bars(recipe: str) -> list[Bar]:
    few = FEW if recipe.startswith("sound-few") else {}
    return [bar for bar in (few.get(bar.title, bar) for bar in BARS) if bar is not None]


def judged(run: Path, data: str, count: int, seed: int) -> tuple[dict[str, Figure], Measured]:
    """The figures of a training, by name, and what was found besides."""
    figures, measured = {}, None
    for event in evaluate(run, Options(count=count, seed=seed, data=data)):
        if isinstance(event, Figure):
            figures[event.metric] = event
        elif isinstance(event, Measured):
            measured = event
    assert measured is not None
    return figures, measured


def table(figures: dict[str, Figure], took: dict[str, Any], recipe: str = "sound") -> str:
    """The bars as Markdown; '-' where there is no figure, and no verdict then."""
    lines = ["| | bar | drawn | |", "| --- | --- | ---: | --- |"]
    values = [(bar, bar.value(figures)) for bar in bars(recipe)] + [(bar, bar.value(took)) for bar in COSTS]
    for bar, value in values:
        shown = "-" if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        verdict = "" if math.isnan(value) else "yes" if bar.met(value) else "**no**"
        lines.append(f"| {bar.title} | {bar.bar} | {shown} | {verdict} |")
    return "\n".join(lines)


def row(figures: dict[str, Figure], measured: Measured, more: dict[str, Any]) -> dict[str, Any]:
    """A line for the file: all figures with their floors, the bars, and what it took."""
    known = {name: None if math.isnan(x := bar.value(figures)) else x for name, bar in ((b.title, b) for b in BARS)}
    both = {name: [None if math.isnan(x) else x for x in (f.value, f.floor)] for name, f in figures.items()}
    reads = None if math.isnan(measured.reads) else measured.reads
    return {**more, "n": 1, "reads": reads, "held_out": measured.held, "bars": known, "figures": both}


def took(data: str, run: Path, train: list[str] | None, count: int) -> dict[str, Any]:
    """What packing, training (None: it was done before) and drawing took, on one thread."""
    packed = json.loads(process.run([sys.executable, "-c", PACK, data]).said)
    found: dict[str, Any] = {"files": packed["files"], "packed_per_cpu_second": packed["files"] / packed["cpu"]}
    found["soundfile_per_cpu_second"] = packed["files"] / max(packed["soundfile"], 1e-9)
    ganvas = [sys.executable, "-m", "ganvas"]
    if train is not None:
        cost = process.run([*ganvas, "train", *train, "--data", data, "--run", str(run)])
        found |= {"train_cpu_seconds": cost.cpu, "train_wall_seconds": cost.wall, "train_peak_mb": cost.memory}
    spec = load(run).spec
    with tempfile.TemporaryDirectory() as folder:
        drawn = process.run([*ganvas, "sample", str(run), "--count", str(count), "--out", str(Path(folder) / "out")])
    found |= {"draw_cpu_seconds": drawn.cpu, "drawn": count, "draw_peak_mb": drawn.memory}
    return {**found, "seconds_a_sound": spec.samples / spec.rate}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a training on sounds against its bars.")
    parser.add_argument("data", help="a folder or an archive of sounds")
    parser.add_argument("--recipe", default="sound")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the training: images=100000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000, help="sounds that are drawn")
    parser.add_argument("--run", type=Path, help="a run's folder: what is there is not trained anew")
    parser.add_argument("--out", type=Path, help="a file to which a line of JSON is added")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = a.run or Path(scratch) / "run"
        train = None if (run / "model.safetensors").exists() else [a.recipe, f"seed={a.seed}", *a.set]
        cost = took(a.data, run, train, a.count)
        figures, measured = judged(run, a.data, a.count, a.seed)
    what = {"data": Path(a.data).name, "recipe": a.recipe, "settings": a.set, "seed": a.seed, "count": a.count}
    print(table(figures, cost, a.recipe))
    print(f"\n{what['data']}, {a.recipe}, seed {a.seed}, {a.count:,} drawn sounds, measured once; {speed.machine()}")
    print(f"The classifier reads {measured.reads:.1%} of {measured.held:,} held-out sounds.")
    for name, value in cost.items():
        print(f"{name.replace('_', ' ')}: {value:,.1f}")
    if a.out is not None:
        made = row(figures, measured, {**what, "machine": speed.machine(), "took": cost})
        with open(a.out, "a") as file:
            file.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
