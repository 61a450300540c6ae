"""Measure restorers on whole photographs, such as Kodak24, and BM3D, filters, bicubic enlargement and fills with them.

    python benchmarks/restoring.py kodak24.zip --train photographs.zip --runs runs   # train those of TRAININGS, measure
    python benchmarks/restoring.py kodak24.zip --run noise=runs/noise                # a training that is there
    python benchmarks/restoring.py kodak24.zip --quick                               # pieces of two pictures, a minute

Each picture is damaged once, by its name and the damage alone, and kept in 8 bits as a file is; every method gets
the same file. BM3D (Dabov et al. 2007; PyPI's bm3d, colours by its `bm3d_rgb`) is told the noise; a filter has several
settings, of which the best by the originals counts. What is measured is kept in a file (--kept) and not computed again
for the same damaged picture. Training and measuring use one thread. Holes are drawn anew in every square of 64 pixels
and measured at the missing pixels.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import process
import torch
from PIL import Image
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.run import Run
from ganvas.core.shipped import shipped
from ganvas.images import fidelity
from ganvas.images import tensors as im
from ganvas.images.decode import SUFFIXES
from ganvas.tasks.restore import classical, degrade
from ganvas.tasks.restore import model as restore_model

SQUARE = 64  # pixels a side of the squares with holes of their own
QUICK, MIDDLE = 2, 128  # pictures, and pixels a side of their middle, with --quick
NOISES = ("noise:15", "noise:25", "noise:50")
MIXED = ("noise:15,jpeg:60", "noise:25,jpeg:50")
JPEGS = ("jpeg:10", "jpeg:20", "jpeg:30", "jpeg:40")
DAMAGES = (*NOISES, *MIXED, *JPEGS, "down:2", "down:4", "holes:25")
FEW = ("noise:25", "jpeg:20", "down:2", "holes:25")  # with --quick


class Training(NamedTuple):
    """A restorer that is trained: recipe, settings, what damages it is for, and the training it starts from."""

    recipe: str
    settings: tuple[str, ...]
    damages: tuple[str, ...]
    first: str = ""


TRAININGS = {
    "noise": Training("denoise", (), ("noise:25",)),
    "blind": Training(
        "denoise", ("degrade=noise:0-55?,jpeg:10-95?", "images=20k"), (*NOISES, *MIXED, *JPEGS), first="noise"
    ),
    "twice": Training("superres", ("images=12k",), ("down:2",)),
    "four": Training("superres", ("degrade=down:4", "images=12k"), ("down:4",)),
    "holes": Training("inpaint", ("images=25k",), ("holes:25",)),
}


class Damaged(NamedTuple):
    """A damaged picture: float [1, C, h, w] with whole levels 0..255, what is missing: bool [1, 1, h, w] or None."""

    seen: Tensor
    mask: Tensor | None

    @property
    def digest(self) -> str:
        """Of its pixels and holes."""
        parts = [self.seen.byte().numpy().tobytes(), b"" if self.mask is None else self.mask.numpy().tobytes()]
        return hashlib.sha256(b"/".join(parts)).hexdigest()[:16]


Restore = Callable[[Damaged], Tensor]  # -> levels, float [1, C, H, W], rounded when they are measured


class Method(NamedTuple):
    """A way to restore pictures: `settings` by name, of which the best counts."""

    name: str
    settings: dict[str, Restore]


def pictures(place: Path) -> Iterator[tuple[str, Tensor]]:
    """Names and pictures, uint8 [1, 3, H, W], of a folder or a zip file."""
    if place.is_dir():
        found = [(p.name, p.read_bytes()) for p in sorted(place.rglob("*")) if p.suffix.lower() in SUFFIXES]
    else:
        with zipfile.ZipFile(place) as archive:
            names = sorted(name for name in archive.namelist() if Path(name).suffix.lower() in SUFFIXES)
            found = [(Path(name).name, archive.read(name)) for name in names]
    for name, content in found:
        with Image.open(io.BytesIO(content)) as opened:
            pixels = np.array(opened.convert("RGB"))
        yield name, torch.from_numpy(pixels).permute(2, 0, 1)[None]


def damaged(clean: Tensor, damage: str, name: str) -> Damaged:
    """A picture uint8 [1, C, H, W] with a damage that follows from both names, in 8 bits."""
    plan, random = degrade.parse(damage), seeds.generator(0, damage, name)

    def draw(function: Any, *shape: int) -> Tensor:
        return function(len(parts), *shape, generator=random)

    parts = im.to_float(clean)
    if not plan.masked:
        return Damaged(im.levels(degrade.apply(plan, parts, draw)), None)
    across = parts.shape[3] // SQUARE  # parts at the edge that fill no square stay whole
    squares = parts.unfold(2, SQUARE, SQUARE).unfold(3, SQUARE, SQUARE).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    parts = squares
    holes = degrade.apply(plan, squares, draw)[:, -1] > 0.5
    mask = torch.zeros(1, 1, *clean.shape[2:], dtype=torch.bool)
    for i, hole in enumerate(holes):
        top, left = i // across * SQUARE, i % across * SQUARE
        mask[0, 0, top : top + SQUARE, left : left + SQUARE] = hole
    return Damaged(clean.float().masked_fill(mask, 0), mask)


def middle(picture: Tensor) -> Tensor:
    """The middle of a picture [1, C, H, W], MIDDLE pixels a side."""
    top, left = ((side - MIDDLE) // 2 for side in picture.shape[2:])
    return picture[:, :, top : top + MIDDLE, left : left + MIDDLE]


def others(damage: str, without: Sequence[str]) -> list[Method]:
    """What the restorers are compared with, for one damage."""
    plan = degrade.parse(damage)
    methods = [Method("as it is", {"": lambda d: d.seen})]
    if plan.scale > 1:
        methods = [Method("bicubic", {"": lambda d: classical.bicubic(d.seen, plan.scale)})]
    elif plan.masked:
        methods = [
            Method("diffusion fill", {"": lambda d: classical.diffusion_fill(d.seen, d.mask)}),
            Method("OpenCV, Telea", {"": _telea}),
        ]
    else:
        told = next((step.low for step in plan.steps if step.name == "noise"), 0.0)
        guesses = (told,) if told else (3.0, 6.0, 10.0)
        methods += [
            Method("total variation", {f"{w}": functools.partial(_variation, weight=w) for w in (0.02, 0.05, 0.1)}),
            Method("non-local means", {f"{s:g}": functools.partial(_non_local, sigma=s) for s in guesses}),
        ]
        if told:
            methods.append(Method("BM3D, told the noise", {"": functools.partial(_bm3d, sigma=told)}))
    return [method for method in methods if method.name.split(",")[0] not in without]


def _variation(d: Damaged, weight: float) -> Tensor:
    from skimage.restoration import denoise_tv_chambolle

    return _back(denoise_tv_chambolle(_array(d), weight=weight, channel_axis=2))


def _non_local(d: Damaged, sigma: float) -> Tensor:
    from skimage.restoration import denoise_nl_means

    size = {"patch_size": 5, "patch_distance": 7, "fast_mode": True, "channel_axis": 2}
    return _back(denoise_nl_means(_array(d), h=0.6 * sigma / 255, sigma=sigma / 255, **size))


def _bm3d(d: Damaged, sigma: float) -> Tensor:
    try:
        import bm3d  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SystemExit(f"BM3D is missing ({error}): pip install bm3d, or leave it out: --without BM3D") from error
    return _back(bm3d.bm3d_rgb(_array(d), sigma / 255))


def _telea(d: Damaged) -> Tensor:
    try:
        import cv2  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        say = "pip install opencv-python-headless, or leave it out: --without OpenCV"
        raise SystemExit(f"OpenCV is missing ({error}): {say}") from error
    assert d.mask is not None
    seen = (_array(d) * 255).round().astype(np.uint8)
    return _back(cv2.inpaint(seen, d.mask[0, 0].numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA) / 255)


def _array(d: Damaged) -> np.ndarray:
    return d.seen[0].permute(1, 2, 0).double().numpy() / 255


def _back(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels * 255.0).permute(2, 0, 1)[None].float()


def restorer(name: str, place: Path) -> tuple[str, Method]:
    """A trained restorer and a mark of its weights."""
    model = restore_model.load(place)

    def restore(d: Damaged) -> Tensor:
        return im.levels(model.restore(d.seen / 127.5 - 1, d.mask))

    return hashlib.sha256(model.path.read_bytes()).hexdigest()[:16], Method(name, {"": restore})


class Kept:
    """What was measured, a line of JSON each in a file."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, {}
        for line in path.read_text().splitlines() if path.exists() else ():
            row = json.loads(line)
            self.rows[row["key"]] = row

    def get(self, key: str, compute: Callable[[], dict[str, float]]) -> dict[str, Any]:
        """The row of this key; it is computed if it is not there."""
        if key not in self.rows:
            self.rows[key] = {"key": key, **compute()}
            with open(self.path, "a") as file:
                file.write(json.dumps(self.rows[key]) + "\n")
        return self.rows[key]


def measure(restore: Restore, d: Damaged, clean: Tensor) -> dict[str, float]:
    """PSNR (of missing pixels where there are some), SSIM and processor seconds of one restored picture."""
    began = time.process_time()
    made = restore(d).clamp(0, 255).round()
    seconds = time.process_time() - began
    psnr = fidelity.psnr(made, clean, d.mask).clamp_max(fidelity.MOST)
    return {
        "psnr": float(psnr),
        "ssim": float(fidelity.ssim(made, clean)),
        "seconds": round(seconds, 3),
    }


def best(method: Method, mark: str, damage: str, clean: dict[str, Tensor], kept: Kept) -> dict[str, float]:
    """Means over the pictures, with the setting of the method that has the highest mean PSNR."""
    found = []
    for setting, restore in method.settings.items():
        rows = []
        for name, picture in clean.items():
            d = damaged(picture, damage, name)
            key = f"{damage} {method.name} {setting} {mark} {name} {d.digest}"
            rows.append(kept.get(key, functools.partial(measure, restore, d, picture)))
        found.append({figure: sum(row[figure] for row in rows) / len(rows) for figure in ("psnr", "ssim", "seconds")})
    return max(found, key=lambda row: row["psnr"])


def table(rows: Iterable[tuple[str, str, dict[str, float]]], count: int) -> str:
    """The figures as markdown; the best PSNR for each damage is bold."""
    rows = list(rows)
    top = {damage: max(row["psnr"] for other, _, row in rows if other == damage) for damage, _, _ in rows}
    lines = [f"| damage ({count} pictures) | restored by | PSNR, dB | SSIM | seconds a picture |", "|" + " --- |" * 5]
    before = ""
    for damage, name, row in rows:
        psnr = f"{row['psnr']:.2f}"
        psnr = f"**{psnr}**" if row["psnr"] == top[damage] else psnr
        shown = "" if damage == before else f"`{damage}`"
        lines.append(f"| {shown} | {name} | {psnr} | {row['ssim']:.3f} | {row['seconds']:.2g} |")
        before = damage
    return "\n".join(lines)


def train(name: str, photographs: Path, runs: Path) -> Path:
    """The run of a training; it is trained if it is not there, and what it took is printed."""
    training, folder = TRAININGS[name], runs / name
    if not (folder / "model.safetensors").exists() or not Run(folder).is_finished():
        words = ["train", training.recipe, "--data", str(photographs), "--run", str(folder), *training.settings]
        if training.first:
            words.append(f"from={train(training.first, photographs, runs)}")
        cost = process.run([sys.executable, "-m", "ganvas", *words])
        print(f"{name}: `ganvas {' '.join(words)}`: {cost.cpu / 60:.1f} CPU minutes", file=sys.stderr, flush=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="a folder or a zip file")
    parser.add_argument("--train", type=Path, metavar="PHOTOGRAPHS", help="train the restorers on these")
    parser.add_argument("--only", nargs="+", default=list(TRAININGS), choices=list(TRAININGS), help="of the trainings")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--run", nargs="+", default=[], metavar="NAME=PLACE", help="restorers that are trained already")
    parser.add_argument("--damages", nargs="+", default=[], metavar="DAMAGE")
    parser.add_argument("--without", nargs="+", default=[], metavar="METHOD", help="BM3D, OpenCV ...: leave them out")
    parser.add_argument("--kept", type=Path, default=Path("restoring.jsonl"), help="file of what was measured")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    os.environ.update(dict.fromkeys(process.THREADS, "1"))
    torch.set_num_threads(1)
    places = dict(text.split("=", 1) for text in given.run)
    if unknown := places.keys() - TRAININGS.keys():
        parser.error(f"--run {min(unknown)}=...: name one of {', '.join(TRAININGS)}")
    if given.train:
        places |= {name: train(name, given.train, given.runs) for name in given.only}
    models = {name: restorer(f"Ganvas, {name}", Path(place)) for name, place in places.items()}
    ours = shipped("restore")
    assert ours is not None
    mark, own = restorer("Ganvas, the restorer that comes with it", ours)
    clean = dict(pictures(given.pictures))
    if given.quick:
        clean = {name: middle(picture) for name, picture in list(clean.items())[:QUICK]}
    kept, rows = Kept(given.kept), []
    for damage in given.damages or (FEW if given.quick else DAMAGES):
        compared = [("", method) for method in others(damage, given.without)]
        if damage in TRAININGS["blind"].damages:
            compared.append((mark, own))
        compared += [model for name, model in models.items() if damage in TRAININGS[name].damages]
        for mark_of, method in compared:
            rows.append((damage, method.name, best(method, mark_of, damage, clean, kept)))
            print(*rows[-1], file=sys.stderr, flush=True)
    print(table(rows, len(clean)))


if __name__ == "__main__":
    main()
