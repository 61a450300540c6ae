"""How much evaluation during a training slows it: the flagship with and without `evaluate_every`, in turn.

    python benchmarks/beside.py --threads 1      # on two cores: one to spare for the evaluation
    python benchmarks/beside.py --threads 2      # none to spare

A ratio below 1 is a slow-down. The evaluation that the end of a training starts is waited for, but not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import speed
import torch

TRAIN = """
import sys, ganvas
from ganvas.background import LEFT
for _ in ganvas.train("mnist", run=sys.argv[1], images=int(sys.argv[2]), evaluate_every=int(sys.argv[3])):
    pass
for process in LEFT:
    process.wait()
"""


def train(images: int, every: int, threads: int) -> tuple[float, int]:
    """Images a second of a training, and how many evaluations were done before its end."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        subprocess.run([sys.executable, "-c", TRAIN, str(run), str(images), str(every)], env=environment, check=True)
        last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    done = {row["images"] for row in rows if row["metric"] == "frechet"} - {last["images"]}
    return last["images"] / last["seconds"], len(done)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what evaluation during a training costs it.")
    parser.add_argument("--threads", type=int, default=1, help="of the training")
    parser.add_argument("--images", type=int, default=100_000, help="length of a training")
    parser.add_argument("--every", type=int, default=25_000, help="images from one evaluation to the next")
    parser.add_argument("--pairs", type=int, default=5)
    a = parser.parse_args()
    train(a.images // 10, a.images // 20, a.threads)  # real images come into the cache
    ratios, asked = [], (a.images - 1) // a.every
    for _ in range(a.pairs):
        alone, _ = train(a.images, 0, a.threads)
        beside, done = train(a.images, a.every, a.threads)
        ratios.append(beside / alone)
        print(f"{alone:,.0f} images/s alone, {beside:,.0f} during {done} of {asked} evaluations: {ratios[-1]:.3f}")
    print(f"median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), n = {a.pairs}; ", end="")
    print(f"{a.threads} threads of {os.cpu_count()} cores; {speed.machine()}; fp32 matrix product ", end="")
    print(f"{speed.matrix_rate(torch.float32):,.0f} GFLOP/s")


if __name__ == "__main__":
    main()
