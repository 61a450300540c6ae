"""`ganvas evaluate` of a translator: how like the wanted kind its pictures are, and what of the input they keep.

Each direction stands beside what costs nothing, the pictures as they are, and beside other true pictures of the wanted
kind. Only pictures that were held out are translated and compared with.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.core import checkpoint, seeds
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.core.progress import Doing, Written
from ganvas.core.run import Run
from ganvas.images import fidelity, sheets
from ganvas.images import tensors as im
from ganvas.images.data import ImageData
from ganvas.images.features import extractors
from ganvas.metrics import METRICS, distances, enough
from ganvas.report import page
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.translate import colours
from ganvas.tasks.translate import model as translate_model
from ganvas.tasks.translate.model import Translator
from ganvas.tasks.translate.task import KINDS

MOST = 2_000  # pictures of each kind
COLUMNS = 20  # pictures a row of the sheet


@dataclass(frozen=True)
class Way:
    """What one set of pictures is worth as pictures of the wanted kind; NaN: not known.

    `frechet`: distance to the held-out pictures of that kind; `middle`, `border`: rank correlation of mean colours with
    those of the inputs; `cycle`: PSNR in dB of the way there and back. `note`: why one of these is not known, in
    sentences.
    """

    to: str
    name: str
    frechet: float
    middle: float = math.nan
    border: float = math.nan
    cycle: float = math.nan
    note: str = ""


def weigh(
    source: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    to: str | os.PathLike[str] | None = None,
    extractor: str = "auto",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Way | Written]:
    """Judge a translator; yields what is done, the rows of both directions, and a sheet.

    Args:
        source: a run's folder or a model file.
        data, to: pictures of both kinds, where they are not those of the training.
        extractor: see `extractors.load`.
        seed: of the choice of pictures.
        out: folder for the sheet; None: `evaluation/` in a run's folder, else none is written.

    Raises:
        UserError: a model of another task, data that is not there, or only one of both kinds.
    """
    told = sources.reading(source, data)
    yield Doing(told or "reading", 0.0, stays=bool(told))
    model = translate_model.load(source)
    real = sources.trained_on(model, source, data, to=to)
    if real.other is None or real.spec.channels != model.spec.channels:
        raise UserError(
            f"{source} needs pictures of two kinds, of {model.spec.channels} channels: name --data and --to."
        )
    looks = extractors.load(extractor, model.spec)
    held_out = [_some(kind, seed, held_out=True) for kind in (real, real.other)]
    features = []
    for i, pictures in enumerate(held_out):
        yield Doing(f"looking at {model.kinds[i]} with {looks.name}", 0.05 + 0.1 * i)
        features.append(looks.look(pictures)[0])
    rows: list[Way] = []
    shown: list[tuple[str, Tensor]] = []
    for i, wanted in ((0, 1), (1, 0)):
        name, start = model.kinds[wanted], held_out[i]
        yield Doing(f"to {name}", 0.25 + 0.35 * i)
        there = im.to_uint8(model.translate(im.to_float(start), KINDS[wanted]))
        back = im.to_uint8(model.translate(im.to_float(there), KINDS[i]))
        true = _some((real, real.other)[wanted], seed, held_out=False)[: len(start)]
        made, others = (looks.look(x)[0] for x in (there, true))
        wanted_ones = held_out[wanted], features[wanted]
        for row in (
            _way(name, f"{model.kinds[i]} as it is", (start, features[i]), wanted_ones),
            _way(name, "translated", (there, made), wanted_ones, (start, there, back)),
            _way(name, f"true {name}, trained on", (true, others), wanted_ones),
        ):
            rows.append(row)
            yield row
        shown += [(model.kinds[i], start), (f"as {name}", there), ("and back", back)]
    run = sources.run_of(model.path)
    if run is not None:
        about = {"n": [len(x) for x in held_out], "extractor": looks.name, "seed": seed, "kinds": list(model.kinds)}
        _keep(model, run, {**about, "ways": [_row(way) for way in rows]})
    folder = Path(out) if out is not None else run.folder / "evaluation" if run is not None else None
    if folder is not None:
        yield _sheet(folder, shown)


def _some(kind: ImageData, seed: int, held_out: bool) -> Tensor:
    split = kind.held_out if held_out else kind.train
    order = torch.randperm(len(split.images), generator=seeds.generator(seed, "weighed"))[:MOST]
    return split.images[order]


def _way(
    to: str,
    name: str,
    made: tuple[Tensor, Tensor],
    true: tuple[Tensor, Tensor],
    round_trip: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Way:
    """Figures of pictures and their features beside true ones; with the way there and back, how they follow."""
    least = METRICS["frechet"].least
    lack = enough.lacking(*true, true[1], least, f"pictures of {to}") or enough.lacking(*made, true[1], least)
    reasons, found = {"Frechet distance": lack}, {}
    if round_trip is not None:
        start, there, back = round_trip
        found = colours.followed(start, there)
        if lost := enough.nothing_to_see(start, fidelity.LEAST, "pictures"):
            reasons["there and back"] = lost
        else:
            found["cycle"] = float(fidelity.psnr(back, start).clamp_max(fidelity.MOST).mean())
        if all(found[key] != found[key] for key in ("middle", "border")):
            plain = "all pictures, or all that became of them, have the same colours"
            reasons["colours"] = enough.too_few(start, colours.LEAST, "pictures") or plain
    note = " ".join(f"Not measured: {what} ({why})." for what, why in reasons.items() if why)
    return Way(to, name, math.nan if lack else distances.frechet(made[1], true[1]), **found, note=note)


def _row(way: Way) -> dict[str, Any]:
    return {k: None if v != v else v for k, v in vars(way).items()}


def _keep(model: Translator, run: Run, found: dict[str, Any]) -> None:
    if checkpoint.head(model.path).get("images") == model.card["images"]:  # the training may have gone on
        checkpoint.annotate(model.path, translation=found)
    run.append({"images": model.card["images"], "metric": "translation", **found}, run.metrics)
    page.write(run)


def _sheet(folder: Path, shown: list[tuple[str, Tensor]]) -> Written:
    """Both directions; two rows of inputs each, what became of them, and the way back."""
    make_folder(folder)
    path, rows = folder / "translated.png", []
    for first in range(0, len(shown), 3):
        three = [pictures for _, pictures in shown[first : first + 3]]
        for block in range(2):
            places = (block * COLUMNS + torch.arange(COLUMNS)) % len(three[0])
            rows += [pictures[places] for pictures in three]
    sheets.save_grid(path, torch.cat(rows), COLUMNS)
    return Written(path, f"rows of three from above: {', '.join(name for name, _ in shown)}")
