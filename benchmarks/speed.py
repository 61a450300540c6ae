"""Speed, memory and start-up of every recipe, and `classic-mlp` against the tutorials' loop: `make bench`.

    python benchmarks/speed.py --quick          # a rough look
    python benchmarks/speed.py --write          # for the record: into docs/benchmarks.md

docs/benchmarks.md says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plain_mlp
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganvas.api import RECIPES
from ganvas.training.batches import Batches
from ganvas.training.experiment import Experiment
from ganvas.training.trainer import Config, Trainer, choose_precision

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
WITH_DATA = [name for name, recipe in RECIPES.items() if recipe().data.source]  # the others want the user's images
SIDE = 2048  # of the matrices whose product is the machine's own rate
# The names of operations that multiply and add: those of them that PyTorch has no formula for must not go unnoticed.
PRODUCT = re.compile(r"(^|_|add|b)mm|(^|add)mv|matmul|dot|einsum|conv(?!ert)|(?<!bi)linear|attention")
NOT_COUNTED = "operations that look like products were not counted: "

MEMORY = """
import pathlib, resource, sys, ganvas
for _ in ganvas.train(sys.argv[1], run=sys.argv[2], images=int(sys.argv[3]), select=0):
    pass
status = pathlib.Path("/proc/self/status")
if status.is_file():  # ru_maxrss on Linux also holds the process that started this one
    peak = int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(peak)
"""
FIRST_STEP = """
import sys, ganvas
for event in ganvas.train(sys.argv[1], run=sys.argv[2]):
    if isinstance(event, ganvas.Stepped):
        print("stepped", flush=True)
        break
"""


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    windows: int
    seconds: float  # of a window
    pairs: int
    images: int  # of each half of a pair
    starts: int


FULL, QUICK = Effort(7, 3.0, 3, 20_000, 3), Effort(3, 0.5, 2, 2_000, 1)


class Counter(TorchDispatchMode):
    """Counts the multiply-adds of every matrix product and convolution within it, by PyTorch's own formulas.

    `FlopCounterMode` itself breaks on `torch.autograd.grad`, and so on R1; its table of formulas is used here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.missed: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=out)
        elif PRODUCT.search(func._overloadpacket.__name__):
            self.missed.add(str(func._overloadpacket))
        return out

    @property
    def multiply_adds(self) -> int:
        return self.flops // 2


def period(experiment: Experiment) -> int:
    """Steps after which the rhythm of penalties and generator steps repeats."""
    return math.lcm(experiment.task.penalty_every, experiment.task.d_steps)


def multiply_adds(trainer: Trainer, batches: Batches, steps: int) -> float:
    """The mean multiply-adds of a training step, over so many steps that the trainer makes.

    Raises:
        RuntimeError: an operation was met that looks like a product and has no formula.
    """
    with Counter() as counter:
        for _ in range(steps):
            trainer.step(batches.at(trainer.images))
    if counter.missed:
        raise RuntimeError(NOT_COUNTED + ", ".join(sorted(counter.missed)))
    return counter.multiply_adds / steps


def matrix_rate(dtype: torch.dtype) -> float:
    """GFLOP/s of this machine's matrix product: the best of three windows, each the median of five products."""
    a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    seconds(lambda: a @ b)  # warm up
    windows = [statistics.median(seconds(lambda: a @ b) for _ in range(5)) for _ in range(3)]
    return 2 * SIDE**3 / min(windows) / 1e9


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def prepare(experiment: Experiment) -> tuple[Trainer, Batches]:
    """A trainer with fresh networks, on the processor, and its batches."""
    experiment = experiment.override({"device": "cpu"})
    digits = experiment.load_data()
    trainer = Trainer(experiment.build(digits.spec), experiment.training)
    return trainer, Batches(digits, experiment.training.batch, experiment.training.seed, trainer.device)


def advance(trainer: Trainer, batches: Batches, steps: int) -> None:
    """Make so many steps, batches included."""
    for _ in range(steps):
        trainer.step(batches.at(trainer.images))


def images_per_second(trainer: Trainer, batches: Batches, unit: int, effort: Effort) -> list[float]:
    """The rate of each window; a window is a multiple of `unit` steps and about `effort.seconds` long."""
    advance(trainer, batches, max(unit, 5))
    once = seconds(lambda: advance(trainer, batches, unit)) / unit
    steps = unit * max(1, round(effort.seconds / once / unit))
    took = [seconds(lambda: advance(trainer, batches, steps)) for _ in range(effort.windows)]
    return [steps * trainer.config.batch / t for t in took]


def peak_memory(recipe: str, batch: int) -> float:
    """Megabytes that a real training of 60 steps with its pictures and snapshots holds at most, in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-c", MEMORY, recipe, f"{folder}/run", str(60 * batch)]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1e6


def first_step(recipe: str) -> float:
    """Seconds from starting Python to the end of the first training step: imports, data, first picture and snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, "-c", FIRST_STEP, recipe, f"{folder}/run"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            took = time.perf_counter() - began
    if said.strip() != "stepped":
        raise RuntimeError(f"{recipe} made no step.")
    return took


def help_seconds() -> float | None:
    """Seconds of `ganvas --help`, the median of five; None where this checkout has no command line."""
    if importlib.util.find_spec("ganvas.cli") is None:
        return None
    command = [sys.executable, "-m", "ganvas", "--help"]
    return statistics.median(
        seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(5)
    )


def measure(name: str, effort: Effort) -> list[str]:
    """A recipe's row of the table."""
    experiment = RECIPES[name]()
    trainer, batches = prepare(experiment)
    unit, batch = period(experiment), experiment.training.batch
    work = multiply_adds(trainer, batches, unit)
    dtype = torch.bfloat16 if trainer.precision == "bf16" else torch.float32
    before = matrix_rate(dtype)
    rates = images_per_second(trainer, batches, unit, effort)
    after = matrix_rate(dtype)
    rate = statistics.median(rates)
    achieved = 2 * work * rate / batch / 1e9
    starts = [first_step(name) for _ in range(effort.starts)]
    return [
        name,
        trainer.precision,
        str(batch),
        f"{work / 1e6:,.0f} M",
        f"{work / batch / 1e6:.2f} M",
        f"{rate:,.0f} ({min(rates):,.0f}–{max(rates):,.0f})",
        f"{achieved:.1f}",
        f"{before:.0f}, {after:.0f}",
        f"{2 * achieved / (before + after):.0%}",
        f"{peak_memory(name, batch):.0f} MB",
        f"{statistics.median(starts):.1f} s",
    ]


HEAD = [
    "recipe",
    "precision",
    "batch",
    "multiply-adds a step",
    "an image",
    "images/s (range)",
    "GFLOP/s",
    "matrix product before, after",
    "share",
    "peak memory",
    "first step after",
]


def against_plain(effort: Effort, precision: str) -> str:
    """`classic-mlp` and the tutorials' loop in turn; the ratio of each pair."""
    experiment = RECIPES["classic-mlp"]().override({"precision": precision})
    trainer, batches = prepare(experiment)
    tutorial, steps = plain_mlp.Tutorial(), effort.images // experiment.training.batch
    pairs = []
    for _ in range(effort.pairs):
        plain = tutorial.train(effort.images)
        advance(trainer, batches, plain_mlp.WARM_UP)
        ours = effort.images / seconds(lambda: advance(trainer, batches, steps))
        pairs.append((ours, plain))
    ratios = [ours / plain for ours, plain in pairs]
    each = "; ".join(f"{a:,.0f} / {b:,.0f} = {a / b:.2f}" for a, b in pairs)
    return f"**{statistics.median(ratios):.2f}** times (median of {len(ratios)} pairs, images/s: {each})"


def machine() -> str:
    """The processor's name and what else the figures depend on; nothing that tells whose machine it is."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.is_file() else []
    cpu = names[0].strip() if names else platform.processor() or platform.machine()
    return (
        f"{cpu}, {os.cpu_count()} cores ({torch.get_num_threads()} threads used), "
        f"torch {torch.__version__}, Python {platform.python_version()}, {datetime.date.today().isoformat()}"
    )


def report(names: list[str], effort: Effort, command: str) -> str:
    """All measurements as Markdown."""
    native = choose_precision(Config(), torch.device("cpu")) == "bf16"
    lines = [f"{machine()}; `{command}`.", "", f"| {' | '.join(HEAD)} |", "| --- | --- |" + " ---: |" * (len(HEAD) - 2)]
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        lines.append(f"| {' | '.join(measure(name, effort))} |")
    print("measuring the rest ...", file=sys.stderr, flush=True)
    bf16 = f"{matrix_rate(torch.bfloat16):,.0f} GFLOP/s" if native else "not native here, so not used"
    lines += ["", f"- Matrix product of {SIDE} x {SIDE}: fp32 {matrix_rate(torch.float32):,.0f} GFLOP/s; bf16 {bf16}."]
    started = help_seconds()
    if started is not None:
        lines.append(f"- `ganvas --help` answers in {started:.2f} s (median of 5).")
    lines.append(f"- `classic-mlp` against `plain_mlp.py`, both fp32: {against_plain(effort, 'fp32')}.")
    if native:
        lines.append(f"- As it is trained here, in bf16, against the same fp32 loop: {against_plain(effort, 'bf16')}.")
    return "\n".join(lines)


def put(page: str, name: str, text: str) -> str:
    """The page with `text` between its markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises:
        ValueError: the page does not have these markers once each, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs {begin} and after it {end}, once each")
    return f"{page[: page.index(begin)]}{begin}\n{text}\n{page[page.index(end) :]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure speed, memory and start-up of the recipes.")
    parser.add_argument("recipes", nargs="*", default=[], help="names (none: all of them)")
    parser.add_argument("--quick", action="store_true", help="short windows: a rough look, not for the record")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    arguments = parser.parse_args()
    if strange := set(arguments.recipes) - set(WITH_DATA):
        parser.error(f"no such recipe: {', '.join(sorted(strange))}; valid: {', '.join(WITH_DATA)}")
    command = " ".join(["python benchmarks/speed.py", *sys.argv[1:]])
    text = report(arguments.recipes or WITH_DATA, QUICK if arguments.quick else FULL, command)
    print(text)
    if arguments.write:
        PAGE.write_text(put(PAGE.read_text(), "speed", text))


if __name__ == "__main__":
    main()
