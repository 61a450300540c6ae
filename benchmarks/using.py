"""What using a trained model costs and brings: sampling, start-up, export, inversion.

python benchmarks/using.py runs/00000-mnist
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import speed
import torch

import ganvas
from ganvas.core import seeds
from ganvas.export import onnx as exporting
from ganvas.images import data
from ganvas.images import tensors as im
from ganvas.images.features import extractors
from ganvas.tasks.generate import save as saving
from ganvas.tasks.generate.model import BATCH

COUNT = 10_000


def forward_rate(model: ganvas.Model, seconds: float = 3.0) -> float:
    """Images a second of the generator alone, in the batches that sampling takes."""
    z = seeds.latents(range(BATCH), model.latent_dim)
    labels = torch.arange(BATCH) % max(1, len(model.class_names)) if model.class_names else None
    with torch.inference_mode():
        model.generator(z, labels)
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            model.generator(z, labels)
            done += BATCH
    return done / (time.perf_counter() - begun)


def sampling_rate(model: ganvas.Model, folder: Path) -> float:
    """Images a second into an .npz file, all included."""
    begun = time.perf_counter()
    portions = saving.portions(model, range(COUNT))
    for _ in saving.save(folder / "x.npz", portions, COUNT, model.spec, model.class_names, force=True):
        pass
    return COUNT / (time.perf_counter() - begun)


def command_seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def inversion(model: ganvas.Model, count: int) -> tuple[float, float, float]:
    """Share of held-out digits whose nearest picture is taken for their class, their distance, seconds an image."""
    digits = data.mnist()
    index = torch.randperm(len(digits.held_out.images), generator=seeds.generator(0, "benchmark inversion"))[:count]
    images, labels = digits.held_out.images[index], digits.held_out.labels
    assert labels is not None
    begun = time.perf_counter()
    found = ganvas.invert(model, im.to_float(images))
    took = (time.perf_counter() - begun) / count
    _, opinions = extractors.load("digits", model.spec).extract(im.to_uint8(found.pictures))
    assert opinions is not None
    right = float((opinions.argmax(1) == labels[index]).float().mean())
    return right, float(found.distance.mean()), took


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what using a model costs.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--invert", type=int, default=200, help="held-out digits to invert")
    a = parser.parse_args()
    model = ganvas.load(a.model)
    print(f"{speed.machine()}; fp32 matrix product {speed.matrix_rate(torch.float32):,.0f} GFLOP/s")
    with tempfile.TemporaryDirectory() as name:
        folder, shares = Path(name), []
        for _ in range(5):
            alone, sampled = forward_rate(model), sampling_rate(model, folder)
            shares.append(sampled / alone)
            print(f"generator alone {alone:,.0f} images/s, into .npz {sampled:,.0f}: {sampled / alone:.3f}")
        print(f"median share {statistics.median(shares):.3f} (n = 5)")
        out = str(folder / "digits.npz")
        whole = [
            command_seconds("-m", "ganvas", "sample", str(a.model), "--count", str(COUNT), "--out", out, "--force")
            for _ in range(3)
        ]
        print(f"ganvas sample --count {COUNT} --out digits.npz: {statistics.median(whole):.1f} s (n = 3)")
        one, torch_alone = [], []
        for _ in range(5):
            torch_alone.append(command_seconds("-c", "import torch"))
            one.append(
                command_seconds(
                    "-m", "ganvas", "sample", str(a.model), "--seeds", "7", "--out", str(folder / "x.png"), "--force"
                )
            )
        past = [x - y for x, y in zip(one, torch_alone, strict=True)]
        print(
            f"one picture: {statistics.median(one):.2f} s, past importing torch {statistics.median(past):.2f} s (n = 5)"
        )
        for file in exporting.export(model, folder, force=True):
            print(f"{file.path.name}: largest difference from torch {file.difference:.1e}")
    right, distance, took = inversion(model, a.invert)
    told = f"{right:.1%} taken for their class, distance {distance:.4f}, {took:.2f} s each"
    print(f"inversion of {a.invert} held-out digits: {told}")


if __name__ == "__main__":
    main()
