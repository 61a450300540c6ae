"""What packs cost and bring: the rate of packing compared with Pillow's, and batches from disk or from memory.

python benchmarks/packing.py pack FOLDER [--size 64]     # decoding and scaling, in turn with Pillow alone
python benchmarks/packing.py draw [--pictures 100000]    # resident memory and speed of batches
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from ganvas.images import decode
from ganvas.images.data import ImageData, Split, load, pack, pictures
from ganvas.images.decode import Shape
from ganvas.sources.listing import Listing
from ganvas.training.batches import Batches


def plainly(paths: Sequence[Path], size: int) -> None:
    """What Pillow needs: open, decode (a JPEG at a fraction), to RGB, cut and scale, to an array."""
    for path in paths:
        picture = Image.open(io.BytesIO(path.read_bytes()))
        picture.draft("RGB", (2 * size, 2 * size))
        if picture.mode == "RGBA" or "transparency" in picture.info:  # onto white
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert("RGB")
        if picture.size != (size, size):
            picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
        np.asarray(picture).transpose(2, 0, 1).copy()


def packing(folder: Path, size: int, rounds: int, threads: int) -> None:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in decode.SUFFIXES)
    chunks = [paths[i : i + 32] for i in range(0, len(paths), 32)]
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda chunk: plainly(chunk, size), chunks))
        alone = len(paths) / (time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as place:
            found = pictures.find(folder)
            start = time.perf_counter()
            for _ in pack.write(found, Shape(size, 3), Path(place) / "pack"):
                pass
            packed = len(paths) / (time.perf_counter() - start)
        ratios.append(packed / alone)
        print(f"Pillow alone {alone:,.0f} pictures/s, packed {packed:,.0f}: {ratios[-1]:.2f}")
    print(f"median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), n = {rounds}", end="; ")
    print(f"{len(paths):,} files, {threads} threads of {os.cpu_count()} cores")


def resident() -> float:
    """Bytes of memory that this process has now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def made_up(count: int) -> Listing:
    """So many colour pictures of 64 pixels: noise, which is quick to make."""

    def read(numbers: Sequence[int]) -> Iterator[np.ndarray]:
        for i in numbers:
            yield np.random.default_rng(i).integers(0, 256, (3, 64, 64), np.uint8)

    return Listing("made-up", "made-up", [str(i) for i in range(count)], [], read)


def timed(batches: Batches, steps: int) -> tuple[float, float]:
    """Batches a second, and the most memory seen on the way."""
    most, start = 0.0, time.perf_counter()
    for step in range(steps):
        batches.at(step * batches.batch)
        most = max(most, resident())
    return steps / (time.perf_counter() - start), most


def drawing(count: int, batch: int, steps: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pack"
        for _ in pack.write(made_up(count), Shape(64, 3), folder):
            pass
        data = load(str(folder))
        cpu = torch.device("cpu")
        print(f"{resident() / 1e9:.2f} GB before the first batch")
        stored = Batches(data, batch, 0, cpu)
        disk = [timed(stored, steps) for _ in range(rounds)]
        train = Split(data.train.images[:], None)
        memory = Batches(ImageData("made-up", train, data.held_out, (), ""), batch, 0, cpu)
        tensor = [timed(memory, steps) for _ in range(rounds)]
    quick, slow = statistics.median(rate for rate, _ in tensor), statistics.median(rate for rate, _ in disk)
    print(f"from the pack {slow:,.0f} batches/s, at most {max(m for _, m in disk) / 1e9:.2f} GB of memory")
    print(f"from a tensor {quick:,.0f} batches/s, {max(m for _, m in tensor) / 1e9:.2f} GB; ratio {slow / quick:.2f}")
    print(f"{count:,} pictures of 3x64x64, batches of {batch}, {rounds} x {steps} batches", end="; ")
    print(f"{torch.get_num_threads()} threads of {os.cpu_count()} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure packing, and batches from a pack.")
    parser.add_argument("what", choices=("pack", "draw"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1_500)
    a = parser.parse_args()
    if a.what == "draw":
        drawing(a.pictures, a.batch, a.steps, a.rounds)
    elif a.folder is None:
        parser.error("name a folder of pictures")
    else:
        packing(a.folder, a.size, a.rounds, a.threads)


if __name__ == "__main__":
    main()
