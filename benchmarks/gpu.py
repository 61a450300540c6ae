"""Everything that only a GPU can show, in one run of less than an hour, without a person: is it right, and how fast?

    python benchmarks/gpu.py --out gpu.md            # on a machine with an NVIDIA GPU
    python benchmarks/gpu.py --device cpu --quick    # the same program where there is none: only that it runs

Each part is written as soon as it is known; one that fails is said and the others are still run. The exit code is 1
if anything was wrong. The parts: each recipe's first steps against the CPU's, and how often a step waits for the GPU; a
resume; two processes on one GPU (by gloo, as NCCL wants a GPU for each); images a second, share of the bf16 peak and
memory for several batches; pictures of 256 pixels.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import speed
import torch

import ganvas
from ganvas.api import RECIPES
from ganvas.core import distributed
from ganvas.images import data
from ganvas.training.batches import Batches
from ganvas.training.experiment import Experiment
from ganvas.training.trainer import Trainer

LIMIT = 3300  # seconds after which no further measurement is begun
NEAR = 2e-3  # relative difference of the losses of the first steps, on CPU and GPU, both in fp32
STEPS = 3  # that are compared: later ones multiply the differences of rounding
BATCHES = (0, 64, 256, 1024)  # 0: the recipe's own
SIDES = 4096  # of the matrices whose product is the peak


def wait(device: torch.device) -> None:
    """Wait until a device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def write_sounds(folder: Path) -> Path:
    """A folder of 24 short tones."""
    folder.mkdir()
    for i in range(24):
        tone = [int(9000 * math.sin(2 * math.pi * (200 + 20 * i) * t / 8000)) for t in range(4000)]
        with wave.open(str(folder / f"{i}.wav"), "wb") as file:
            file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
            file.writeframes(struct.pack(f"<{len(tone)}h", *tone))
    return folder


def write_rows(path: Path) -> Path:
    """A table of 1,000 rows."""
    rows = [f"{i % 7},{(i * i) % 11},{'abc'[i % 3]}" for i in range(1000)]
    path.write_text("\n".join(["a,b,c", *rows]) + "\n")
    return path


def digits(size: int = 28, most: int = 60_000) -> data.ImageData:
    """MNIST's digits; of another size, pictures of noise."""
    whole = data.mnist()
    if size == 28:
        return whole
    random = torch.Generator().manual_seed(0)
    parts = (torch.randint(0, 256, (n, 1, size, size), dtype=torch.uint8, generator=random) for n in (most, 64))
    train, held_out = (data.Split(part, None) for part in parts)
    return dataclasses.replace(whole.unlabelled(), train=train, held_out=held_out)


def prepared(recipe: str, folder: Path, device: str, **settings: str) -> tuple[Experiment, Any]:
    """A recipe's experiment and samples for it."""
    experiment = RECIPES[recipe]().override({"device": device, **settings})
    if "dropout" in experiment.to_dict()["network"]:  # whose random numbers are the GPU's own
        experiment = experiment.override({"dropout": "0"})
    if recipe == "table":
        source = folder / "rows.csv"
        experiment = experiment.override({"source": str(source if source.exists() else write_rows(source))})
        return experiment, experiment.load_data()
    if "sound" in recipe:
        source = folder / "sounds"
        experiment = experiment.override({"source": str(source if source.exists() else write_sounds(source))})
        return experiment, experiment.load_data()
    if experiment.data.source:
        return experiment, experiment.load_data()
    samples = digits() if experiment.data.labels else digits().unlabelled()
    if recipe == "translate":
        samples = dataclasses.replace(samples, other=samples)
    return experiment, samples


def trained(recipe: str, folder: Path, device: str, **settings: str) -> tuple[Trainer, Batches]:
    """A trainer with fresh networks, and its batches."""
    experiment, samples = prepared(recipe, folder, device, **settings)
    trainer = Trainer(experiment.build(samples.spec), experiment.training)
    return trainer, Batches(samples, experiment.training.batch, experiment.training.seed, trainer.device)


def first_losses(trainer: Trainer, batches: Batches, steps: int = STEPS) -> list[dict[str, float]]:
    """What the first steps log."""
    rows = []
    for _ in range(steps):
        trainer.step(batches.at(trainer.images))
        rows.append(trainer.means())
    return rows


def apart(some: list[dict[str, float]], other: list[dict[str, float]]) -> float:
    """The largest relative difference of losses (of numbers below 1: absolute)."""
    return max(
        abs(a[key] - b[key]) / max(1.0, abs(a[key]))
        for a, b in zip(some, other, strict=True)
        for key in a
        if "loss" in key or key in ("nll", "r1", "r2")
    )


def waits(trainer: Trainer, batches: Batches) -> int:
    """How often one step waits for the GPU."""
    if trainer.device.type != "cuda":
        return 0
    trainer.step(batches.at(trainer.images))
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            trainer.step(batches.at(trainer.images))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in said)


def correctness(device: str, folder: Path, names: list[str]) -> Iterator[tuple[str, bool]]:
    """Each recipe's first steps on both, in fp32."""
    yield "| recipe | largest difference to the CPU | a step waits |\n| --- | ---: | ---: |", True
    for name in names:
        settings = {"precision": "fp32", "batch": "16"}
        there, batches = trained(name, folder, device, **settings)
        found = apart(first_losses(*trained(name, folder, "cpu", **settings)), first_losses(there, batches))
        times = waits(there, batches)
        right = found <= NEAR and (times == 0 or name in ("denoise", "derain"))
        yield f"| {name} | {found:.1e}{'' if found <= NEAR else ' **wrong**'} | {times} |", right


def resume(device: str, folder: Path) -> Iterator[tuple[str, bool]]:
    """A training that was left in the middle, and one that was not."""
    settings = {"device": device, "images": 640, "batch": 32, "sample_every": 0, "tick_every": 320, "select": 0}
    for _ in ganvas.train("mnist", run=folder / "whole", detect=0, **settings):
        pass
    for event in ganvas.train("mnist", run=folder / "broken", detect=0, **settings):
        if event.images >= 320:
            break
    for _ in ganvas.train("mnist", run=folder / "broken", detect=0, **settings):
        pass
    whole, broken = (ganvas.load(folder / name, device="cpu").generator.state_dict() for name in ("whole", "broken"))
    far = max(float((whole[k].float() - broken[k].float()).abs().max()) for k in whole)
    yield f"A resumed training and an unbroken one differ by {far:.1e} at most in a weight.", far < 1e-2


def rank(device: str, out: str) -> None:
    """One of two processes on the same GPU."""
    init = torch.distributed.init_process_group
    torch.distributed.init_process_group = lambda **options: init(backend="gloo", **options)
    with distributed.joined(), tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, settings in (("classic-mlp", {}), ("images", {"penalty_share": "0.1"})):
            experiment, samples = prepared(name, Path(folder), device, precision="fp32", batch="32", **settings)
            trainer = Trainer(experiment.build(samples.spec), experiment.training)
            ranks = distributed.rank(), distributed.size()
            found[name] = first_losses(trainer, Batches(samples, 32, 0, trainer.device, *ranks))
            distributed.agree({"their digest": trainer.digest()}, f"weights of {name}")
        if distributed.is_first():
            Path(out).write_text(json.dumps(found))


def two_processes(device: str, folder: Path) -> Iterator[tuple[str, bool]]:
    """Two processes of one GPU, whose messages go through gloo, against one process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [sys.executable, __file__, "--device", device, "--as-rank", str(folder / "ranks.json")]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    both = [subprocess.Popen(words, env={**shared, "RANK": str(i)}) for i in range(2)]
    try:
        codes = [process.wait(timeout=600) for process in both]
    finally:
        for process in both:
            process.kill()
    if any(codes):
        yield f"Two processes on one GPU ended with the exit codes {codes}.", False
        return
    found = json.loads((folder / "ranks.json").read_text())
    one = first_losses(*trained("classic-mlp", folder, device, precision="fp32", batch="32"))
    far = apart(one, found["classic-mlp"])
    yield f"Two processes on one GPU and one process differ by {far:.1e} (`classic-mlp`); `images` ran.", far <= NEAR


def peak(device: torch.device) -> float:
    """TFLOP/s of the device's bf16 matrix product: the median of ten."""
    side = SIDES if device.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))

    def product() -> None:
        for _ in range(10):
            a @ b
        wait(device)

    product()
    return 2 * side**3 * 10 / statistics.median(speed.seconds(product) for _ in range(10)) / 1e12


def rate(trainer: Trainer, batches: Batches, seconds: float) -> float:
    """Images a second of about so many seconds."""

    def steps(count: int) -> float:
        began = time.perf_counter()
        speed.advance(trainer, batches, count)
        wait(trainer.device)
        return time.perf_counter() - began

    steps(3)
    count = max(3, round(seconds / (steps(3) / 3)))
    return count * trainer.config.batch / steps(count)


def throughput(
    device: str, folder: Path, names: list[str], seconds: float, size: int = 28, batches_of: tuple[int, ...] = BATCHES
) -> Iterator[tuple[str, bool]]:
    """Images a second, the share of the peak, and memory, for several batches."""
    where = torch.device(device)
    best = peak(where)
    yield f"bf16 matrix product: {best:,.1f} TFLOP/s.\n", True
    yield "| recipe | batch | images/s | TFLOP/s | share of the peak | GPU memory |", True
    yield "| --- | ---: | ---: | ---: | ---: | ---: |", True
    for name in names:
        for batch in batches_of:
            experiment, samples = prepared(name, folder, device, **({"batch": str(batch)} if batch else {}))
            if size != 28:
                samples = digits(size, 512)
            trainer = Trainer(experiment.build(samples.spec), experiment.training)
            batches = Batches(samples, experiment.training.batch, 0, trainer.device)
            if where.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            with speed.Counter() as counter:
                speed.advance(trainer, batches, 4)
            each = counter.flops / 4 / trainer.config.batch
            found = rate(trainer, batches, seconds)
            memory = torch.cuda.max_memory_allocated() / 1e9 if where.type == "cuda" else 0.0
            reached = each * found / 1e12
            row = name, f"{trainer.config.batch}", f"{found:,.0f}", f"{reached:.2f}", f"{reached / best:.1%}"
            yield f"| {' | '.join(row)} | {memory:.2f} GB |", True


def main() -> int:
    parser = argparse.ArgumentParser(description="What only a GPU can show.")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="two recipes and short times: only that it runs")
    parser.add_argument("--out", type=Path, help="a Markdown file that gets all lines as they come")
    parser.add_argument("--as-rank", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device, began, good = arguments.device, time.monotonic(), True
    if arguments.as_rank:
        rank(device, arguments.as_rank)
        return 0

    def say(text: str) -> None:
        print(text, flush=True)
        if arguments.out:
            with arguments.out.open("a") as file:
                file.write(text + "\n")

    names = ["mnist", "images"] if arguments.quick else list(RECIPES)
    fast = names if arguments.quick else ["mnist", "images", "classic-dcgan", "denoise", "translate", "sound", "table"]
    seconds, sizes = (0.5, (0,)) if arguments.quick else (8.0, BATCHES)
    what = torch.cuda.get_device_name() if device == "cuda" else f"the {device}, not a GPU"
    say(f"# {what}, torch {torch.__version__}, {os.cpu_count()} CPU cores\n")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parts: dict[str, Callable[[], Iterator[tuple[str, bool]]]] = {
            "Against the CPU": lambda: correctness(device, folder, names),
            "Resume": lambda: resume(device, folder),
            "Two processes": lambda: two_processes(device, folder),
            "Throughput": lambda: throughput(device, folder, fast, seconds, batches_of=sizes),
            "256 pixels": lambda: throughput(device, folder, ["images"], seconds, 256, sizes[:3]),
        }
        for title, part in parts.items():
            say(f"\n## {title}\n")
            try:
                for line, right in part():
                    say(line)
                    good = good and right
                    if time.monotonic() - began > LIMIT:
                        raise TimeoutError(f"{LIMIT} seconds are over")
            except Exception as error:  # the other parts are still to be run
                good = False
                say(f"\n**Failed**: {type(error).__name__}: {str(error)[:300]}")
                traceback.print_exc()
    say(f"\n{'All is right' if good else '**Something is wrong**'}; {time.monotonic() - began:,.0f} s.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
