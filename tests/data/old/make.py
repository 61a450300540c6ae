"""How the runs in runs.tar.xz were made: by the version before the folders by floor (commit ab3b65a), on a CPU.

    PYTHONPATH=OLD/src OMP_NUM_THREADS=1 python tests/data/old/make.py FOLDER

The data are made anew by `data`; `outputs` says what a version makes of the models. Only names that both versions have
are used here. Of each run there are its settings, its logs, its model and one snapshot from before its end ("selected",
whose model is large: no snapshot; "translate", whose snapshot is large: the model of the same moment).
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

import ganvas

BATCH = 16
COMMON = {"batch": BATCH, "device": "cpu", "precision": "fp32", "save_seconds": 1e9, "tick_every": 64}
SMALL = {"latent_dim": 4, "g_quarter": 8, "g_half": 4, "g_full": 2, "d_half": 4, "d_quarter": 8, "d_features": 8}
SMALL_UNET = {"width": 4, "depth": 0, "d_width": 4, "lively": 0.1, "ema": 200}
SMALL_TRANSLATOR = {"width": 8, "depth": 1, "blocks": 1, "d_width": 16, "features": 1, "colours": 0}
RUNS: dict[str, dict[str, Any]] = {  # name: recipe, data, kept snapshot's step, settings
    "generate": {"recipe": "mnist", "data": "twelve", "stop": 30, "images": 1600, "select": 0, "detect": 400, **SMALL},
    "selected": {"recipe": "mnist", "data": "four", "stop": 10, "images": 320, "select": 320, "detect": 0, **SMALL},
    "restore": {"recipe": "denoise", "data": "photos", "stop": 10, "images": 320, "size": 16, **SMALL_UNET},
    "translate": {"recipe": "translate", "data": "left", "to": "right", "stop": 0, "images": 240, **SMALL_TRANSLATOR},
}


def data(place: Path) -> Path:
    """The data sets of all runs, below `place`."""
    random = np.random.default_rng(0)
    for name, size, train, held_out in (("twelve", 12, 400, 300), ("four", 4, 200, 60)):
        (place / name).mkdir(parents=True)
        for part, count in (("train", train), ("t10k", held_out)):
            labels = random.integers(0, 2, count).astype(np.uint8)
            images = random.integers(0, 40, (count, size, size)).astype(np.uint8)
            images[labels == 0, :, : size // 2] += 200
            images[labels == 1, :, size // 2 :] += 200
            _idx(place / name / f"{part}-images-idx3-ubyte", images)
            _idx(place / name / f"{part}-labels-idx1-ubyte", labels)
    for name, size, count in (("photos", 40, 12), ("left", 12, 60), ("right", 12, 60)):
        (place / name).mkdir(parents=True)
        for i in range(count):
            rows, columns = np.mgrid[:size, :size] / size
            waves = 120 + 60 * np.sin(7 * rows * (i % 5 + 1)) + 50 * np.cos(9 * columns + i)
            picture = waves + random.integers(0, 10, (size, size))
            half = slice(0, size // 2) if name == "left" else slice(size // 2, size)
            if name != "photos":
                picture[:, half] = 20
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(place / name / f"{i:03d}.png")
    return place


def _idx(path: Path, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.tobytes())


def outputs(runs: Path, names: tuple[str, ...] = tuple(RUNS)) -> dict[str, Tensor]:
    """What this version makes of the models below `runs`."""
    torch.set_num_threads(1)
    found: dict[str, Tensor] = {}
    photo = torch.linspace(-1, 1, 2 * 20 * 24).sin().reshape(2, 1, 20, 24)
    for name in names:
        if name == "restore":
            with torch.inference_mode():  # earlier versions restored a picture once, not its mirrored versions too
                found["restore.restored"] = ganvas.restorer(runs / name, device="cpu").generator(photo)
        elif name == "translate":
            translator = ganvas.translator(runs / name, device="cpu")
            for to in "ab":
                found[f"translate.{to}"] = translator.translate(photo[:, :, :12, :12].contiguous(), to)
        else:
            model = ganvas.load(runs / name, device="cpu")
            found[f"{name}.drawn"] = model.sample(6, seed=3)
            found[f"{name}.class"] = model.sample(2, classes=1, seed=8, truncation=1.5)
        if name == "generate":
            seen = (found["generate.drawn"] * 127.5 + 127.5).round().to(torch.uint8)
            verdicts = ganvas.load(runs / name, device="cpu").detect(seen)
            found["generate.verdicts"] = torch.tensor([v.probability for v in verdicts], dtype=torch.float64)
    return found


def digest(model: Path) -> str:
    """SHA-256 of the weights in a model file, in the order of their names."""
    weights = load_file(model)
    return hashlib.sha256(b"".join(weights[name].numpy().tobytes() for name in sorted(weights))).hexdigest()


def arithmetic() -> str:
    """A digest of what this processor and this PyTorch make of such networks' arithmetic: others round otherwise."""
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    x = torch.randn(16, 8, 12, 12, generator=random).to(memory_format=torch.channels_last).requires_grad_()
    weights = torch.randn(16, 8, 3, 3, generator=random).requires_grad_()
    flat = torch.nn.functional.batch_norm(torch.conv2d(x, weights, padding=1), None, None, training=True)
    loss = torch.nn.functional.softplus(flat.tanh().flatten(1) @ torch.randn(2304, 64, generator=random)).mean()
    results = [*torch.autograd.grad(loss, [x, weights]), loss]
    return hashlib.sha256(b"".join(r.detach().contiguous().numpy().tobytes() for r in results)).hexdigest()


def named(name: str, runs: Path, sets: Path) -> tuple[str, dict[str, Any]]:
    """The recipe of a run, and what else `ganvas.train` is told."""
    settings = {**COMMON, **RUNS[name]}
    recipe, source, to = settings.pop("recipe"), sets / settings.pop("data"), settings.pop("to", None)
    settings.pop("stop")
    return recipe, {"data": source, "run": runs / name, "to": None if to is None else sets / to, **settings}


def measuring(run: Path, sets: Path) -> list[str]:
    """The words of the command that measures a model."""
    words = ["evaluate", str(run), "--data", str(sets / RUNS[run.name]["data"]), "--extractor", "pixels"]
    if "to" in RUNS[run.name]:
        words += ["--to", str(sets / RUNS[run.name]["to"])]
    if "latent_dim" in RUNS[run.name]:
        words += ["--count", "200", "--repeats", "1"]
    return words


def evaluate(run: Path, sets: Path) -> None:
    """Measure a model as `ganvas evaluate` does; the figures go into metrics.jsonl."""
    subprocess.run([sys.executable, "-m", "ganvas", *measuring(run, sets)], check=True, timeout=900)


def train(folder: Path) -> None:
    """Train each of the runs to its end, and keep a snapshot of one moment, the weights' digests and the outputs."""
    torch.set_num_threads(1)
    runs, stopped = folder / "runs", folder / "stopped"
    digests: dict[str, str] = {}
    found: dict[str, Tensor] = {}
    for name in RUNS:
        recipe, rest = named(name, runs, folder / "data")
        for event in ganvas.train(recipe, **rest):
            wanted = ganvas.Saved if RUNS[name]["stop"] == 0 else ganvas.Stepped
            if isinstance(event, wanted) and event.images >= RUNS[name]["stop"] * BATCH:
                break
        shutil.copytree(runs / name, stopped / name)
        for _ in ganvas.train(recipe, **rest):
            pass
        digests[name], found = digest(runs / name / "model.safetensors"), {**found, **outputs(runs, (name,))}
        if name == "translate":
            shutil.copy(stopped / name / "model.safetensors", runs / name)
        shutil.rmtree(runs / name / "checkpoints")
        if name != "generate":  # whose detector learns from the previews as well
            shutil.rmtree(runs / name / "samples")
        for part in ("report.html", ".lock"):
            (runs / name / part).unlink()
        if name == "translate":
            start = outputs(runs, (name,))
            found |= {f"start.{key}": value for key, value in start.items()}
        evaluate(runs / name, folder / "data")
        for part in ("evaluation", "report.html", ".lock"):
            place = runs / name / part
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        if name != "selected":
            kept = max((stopped / name / "checkpoints").iterdir())
            (runs / name / "checkpoints").mkdir()
            shutil.copy(kept, runs / name / "checkpoints")
    (runs / "digests.json").write_text(json.dumps({"arithmetic": arithmetic(), **digests}, indent=1) + "\n")
    save_file(found, runs / "outputs.safetensors")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    data(place / "data")
    train(place)
    floats = {"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 2, "lp": 2, "pb": 2}
    with (
        lzma.open(place / "runs.tar.xz", "w", filters=[floats]) as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        archive.add(place / "runs", "runs")
    print(f"{(place / 'runs.tar.xz').stat().st_size:,} bytes")
