"""How the speed grows with the number of processes: measured on this machine, and computed for others.

    python benchmarks/scaling.py               # one and two processes of one thread each, in turn
    python benchmarks/scaling.py --recipe images --data FOLDER --batch 64
    python benchmarks/scaling.py --write       # the same, and into docs/howto/many-machines.md and its picture

Each process has the same number of images: two of them see twice as many per step. On a machine with fewer
quiet cores than processes the figures say nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import speed
import torch

from ganvas.api import RECIPES
from ganvas.core import distributed
from ganvas.training.experiment import Experiment
from ganvas.training.trainer import Trainer

PAGE = speed.PAGE.parent / "howto" / "many-machines.md"
PLOT = speed.PAGE.parent / "images" / "scaling.svg"
MARKS = ("<!-- measured -->\n", "<!-- end of measured -->\n")
WARM_UP = 20  # steps
LINKS = {  # bytes a second one way, seconds from one machine to the next
    "1 Gbit/s Ethernet": (0.117e9, 100e-6),
    "10 Gbit/s Ethernet": (1.17e9, 50e-6),
    "100 Gbit/s InfiniBand": (11.7e9, 5e-6),
}
COLOURS = ("#c0392b", "#2471a3", "#1e8449")
MOST = 64  # ranks in the picture
SHARED = 8  # batches of one process that many share, in the picture


@dataclass(frozen=True)
class Load:
    """What is trained: a recipe, its data where it has none, images a process and step (0: the recipe's own)."""

    recipe: str
    data: str = ""
    batch: int = 0

    def experiment(self, ranks: int = 1) -> Experiment:
        experiment = RECIPES[self.recipe]()
        batch = (self.batch or experiment.training.batch) * ranks
        source = {"source": self.data} if self.data else {}
        return experiment.override({"device": "cpu", "batch": str(batch), **source})

    def options(self) -> list[str]:
        return [f"--{name}={value}" for name, value in asdict(self).items() if value]


@dataclass(frozen=True)
class Model:
    """What the time of a step depends on: seconds of computing a rank, and numbers that travel in its two messages."""

    compute: float
    numbers: tuple[int, int]

    def step(self, ranks: int, link: tuple[float, float], part: float = 1.0) -> float:
        """Seconds of a step: computing, then a ring all-reduce for each network; neither hides behind the other.

        `part`: of the batch that `compute` is for.
        """
        bandwidth, latency = link
        return part * self.compute + sum(ring(4 * n, ranks, bandwidth, latency) for n in self.numbers)


def ring(size: int, ranks: int, bandwidth: float, latency: float) -> float:
    """Seconds of a ring all-reduce of `size` bytes: 2 (n - 1) hops, each with an n-th of the bytes.

    Source: Patarasuk and Yuan 2009, the bandwidth-optimal all-reduce.
    """
    hops = 2 * (ranks - 1)
    return hops * (size / ranks / bandwidth + latency)


def work(load: Load, steps: int) -> None:
    """One rank: make some steps; the first rank prints what it measured."""
    with distributed.joined():
        experiment = load.experiment(distributed.size())
        images = experiment.load_data()
        batches = experiment.batches(images)
        trainer = Trainer(experiment.build(images.spec), experiment.training)
        speed.advance(trainer, batches, WARM_UP)
        distributed.meet()
        start = time.monotonic()
        speed.advance(trainer, batches, steps)
        seconds = time.monotonic() - start
        numbers = sizes(trainer)
        messages = [[torch.zeros(n)] for n in numbers] * 20
        distributed.meet()
        start = time.monotonic()
        for message in messages:
            distributed.average(message)
        rate = steps * experiment.training.batch / seconds
        if distributed.is_first():
            print(json.dumps({"rate": rate, "averaging": (time.monotonic() - start) / 20, "numbers": numbers}))


def sizes(trainer: Trainer) -> tuple[int, int]:
    """Numbers in the message of the discriminator's phase and in that of the generator's."""
    task = trainer.task
    counts = [sum(p.numel() for p in network.parameters()) for network in (task.generator, task.discriminator)]
    return counts[1], counts[0] + sum(b.numel() for b in trainer.statistics())


def launch(ranks: int, load: Load, steps: int) -> dict[str, Any]:
    """Measure a number of processes on this machine, each with one thread."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    command += [__file__, "--worker", *load.options(), f"--steps={steps}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(load: Load, pairs: int, steps: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """One process and two, in turn."""
    found = []
    for i in range(pairs):
        one, two = launch(1, load, steps), launch(2, load, steps)
        found.append((one, two))
        print(f"pair {i + 1}: {one['rate']:.0f} and {two['rate']:.0f} images/s", file=sys.stderr, flush=True)
    return found


def plot(model: Model, batch: int, points: list[tuple[int, float]], recipe: str) -> str:
    """Images a second over ranks, both logarithmic, as SVG: curves of the model, points that were measured."""
    base = batch / model.compute
    top = base * MOST * 1.3

    def at(ranks: float, rate: float) -> str:
        x = 80 + 440 * math.log(ranks) / math.log(MOST)
        y = 330 - 290 * math.log(rate / base * 1.25) / math.log(top / base * 1.25)
        return f"{x:.1f},{y:.1f}"

    def text(ranks: float, rate: float, words: str, anchor: str = "start", dx: float = 0, dy: float = 4) -> str:
        x, y = map(float, at(ranks, rate).split(","))
        return f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{words}</text>'

    parts = ['<rect width="700" height="400" fill="#fff"/>']
    counts = [2**i for i in range(int(math.log2(MOST)) + 1)]
    for n in counts:
        x = at(n, base).split(",")[0]
        parts.append(f'<line x1="{x}" x2="{x}" y1="40" y2="330" stroke="#eee"/>')
        parts.append(f'<text x="{x}" y="350" text-anchor="middle">{n}</text>')
        y = at(1, base * n).split(",")[1]
        parts.append(f'<line x1="80" x2="520" y1="{y}" y2="{y}" stroke="#eee"/>')
        parts.append(text(1, base * n, f"{float(f'{base * n:.2g}'):,.0f}", "end", -8))
    ideal = " ".join(at(n, base * n) for n in counts)
    parts.append(f'<polyline points="{ideal}" fill="none" stroke="#999" stroke-dasharray="4 4"/>')
    for colour, link in zip(COLOURS, LINKS.values(), strict=True):
        rates = [(n, n * batch / model.step(n, link)) for n in range(1, MOST + 1)]
        line = " ".join(at(n, rate) for n, rate in rates)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        rates = [(n, SHARED * batch / model.step(n, link, SHARED / n)) for n in range(1, MOST + 1)]
        line = " ".join(at(n, rate) for n, rate in rates)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-dasharray="2 4"/>')
    names = [("n times one process", "#999"), *zip(reversed(LINKS), reversed(COLOURS), strict=True)]
    for i, (name, colour) in enumerate(names):
        parts.append(f'<rect x="534" y="{46 + 22 * i}" width="16" height="3" fill="{colour}"/>')
        parts.append(f'<text x="556" y="{52 + 22 * i}">{name}</text>')
    for ranks, rate in points:
        x, y = at(ranks, rate).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="#000"/>')
    parts.append('<circle cx="542" cy="136" r="4" fill="#000"/><text x="556" y="140">measured here</text>')
    parts.append('<text x="300" y="380" text-anchor="middle">processes</text>')
    parts.append(f'<text x="534" y="176">solid: each has {batch} images,</text>')
    parts.append(f'<text x="534" y="194">dots: they share {SHARED * batch}</text>')
    parts.append(f'<text x="80" y="24">images a second, {recipe}</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 400" font-family="system-ui, sans-serif" '
        f'font-size="12" fill="#333" role="img" aria-label="Images a second over processes">{"".join(parts)}</svg>\n'
    )


def report(load: Load, pairs: list[tuple[dict[str, Any], dict[str, Any]]], command: str) -> tuple[str, str]:
    """The measured part of the page, and the picture."""
    recipe, batch, numbers = load.recipe, load.experiment().training.batch, tuple(pairs[0][0]["numbers"])
    one, two = (statistics.median(pair[i]["rate"] for pair in pairs) for i in (0, 1))
    ratios = [b["rate"] / a["rate"] for a, b in pairs]
    each = "; ".join(f"{a['rate']:.0f} and {b['rate']:.0f} = {b['rate'] / a['rate']:.2f}" for a, b in pairs)
    averaging = statistics.median(pair[1]["averaging"] for pair in pairs)
    model = Model(batch / one, numbers)
    lines = [
        f"`{recipe}`, batch {batch} a process, one thread each: two processes make **{statistics.median(ratios):.2f}** "
        f"times the images of one (median of {len(pairs)} pairs; images/s: {each}). A step of one takes "
        f"{1e3 * batch / one:.1f} ms; the two messages of a step ({4e-6 * sum(numbers):.2f} MB) take "
        f"{1e3 * averaging:.1f} ms between two processes of this machine. {speed.machine()}; `{command}`.",
        "",
        "| computed: times one process, with | " + " | ".join(f"{n} processes" for n in (2, 8, 16, 64)) + " |",
        "| --- |" + " ---: |" * 4,
    ]
    for name, link in LINKS.items():
        gains = [f"{n * model.compute / model.step(n, link):.1f}" for n in (2, 8, 16, 64)]
        lines.append(f"| {name} | {' | '.join(gains)} |")
    return "\n".join(lines) + "\n", plot(model, batch, [(1, one), (2, two)], recipe)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="mnist", choices=list(RECIPES))
    parser.add_argument("--data", default="", help="of a recipe that has none")
    parser.add_argument("--batch", type=int, default=0, help="images a process and step (0: the recipe's own)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--write", action="store_true", help="into docs/howto/many-machines.md and its picture")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    load = Load(wanted.recipe, wanted.data, wanted.batch)
    if wanted.worker:
        work(load, wanted.steps)
        return
    shown = " ".join(replace(load, data=Path(load.data).name).options())  # no path of this machine
    command = f"python benchmarks/scaling.py {shown} --pairs {wanted.pairs} --steps {wanted.steps}"
    text, picture = report(load, measure(load, wanted.pairs, wanted.steps), command)
    print(text)
    if wanted.write:
        page = PAGE.read_text()
        before, after = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
        PAGE.write_text(page[:before] + text + page[after:])
        PLOT.write_text(picture)


if __name__ == "__main__":
    main()
