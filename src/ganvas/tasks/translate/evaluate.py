"""`ganvas evaluate` of a translator: how close its pictures are to the other kind, and what they keep of the input.

Each direction is compared with the unchanged pictures and with other real pictures of the wanted kind. Only held-out
pictures are translated and used as the reference.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.console import is_first
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.core.progress import Doing, Written
from ganvas.core.run import run_of
from ganvas.core.terminal import Console
from ganvas.images import fidelity, sheets
from ganvas.images import tensors as im
from ganvas.images.data import Split
from ganvas.images.data.trained_on import reading, some, trained_on
from ganvas.images.features import extractors
from ganvas.metrics import METRICS, distances, enough
from ganvas.metrics.figures import row_of
from ganvas.metrics.show import known_columns, rows_table, show_rows
from ganvas.tasks.translate import colours
from ganvas.tasks.translate import model as translate_model
from ganvas.tasks.translate.report import cell
from ganvas.tasks.translate.task import KINDS
from ganvas.training.evaluate import Options, folder_for, keep

MOST = 2_000  # pictures of each kind
TAKEN = ("data", "to", "extractor", "seed", "out")  # the options that are known here
COLUMNS = 20  # pictures a row of the sheet


@dataclass(frozen=True)
class Way:
    """How good a set of pictures is as pictures of the wanted kind; NaN: not known.

    `frechet`: distance to the held-out pictures of that kind; `middle`, `border`: rank correlation of mean colours with
    those of the inputs; `cycle`: PSNR in dB of the way there and back. `note`: sentences that
    say why one of these is not known.
    """

    to: str
    name: str
    frechet: float
    middle: float = math.nan
    border: float = math.nan
    cycle: float = math.nan
    note: str = ""


@dataclass(frozen=True)
class _Side:
    """Held-out pictures of one kind, uint8 [n, C, H, W], their features, and pictures that were trained on."""

    name: str
    images: Tensor
    features: Tensor
    trained_on: Tensor


def evaluate(
    source: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    to: str | os.PathLike[str] | None = None,
    extractor: str = "auto",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Way | Written]:
    """Measure a translator; yields progress, the rows of both directions, and a sheet.

    Args:
        source: a run's folder or a model file.
        data, to: pictures of both kinds; None: those of the training.
        extractor: see `extractors.load`.
        seed: of the choice of pictures.
        out: folder for the sheet; None: `evaluation/` in a run's folder, else none is written.

    Raises:
        UserError: a model of another task, data that does not exist, or only one of both kinds.
    """
    message = reading(source, data)
    yield Doing(message or "reading", 0.0, stays=bool(message))
    model = translate_model.load(source)
    real = trained_on(model, source, data, to=to)
    if real.other is None or real.spec.channels != model.spec.channels:
        raise UserError(
            f"{source} needs pictures of two kinds, of {model.spec.channels} channels: name --data and --to."
        )
    network = extractors.load(extractor, model.spec)
    sides: list[_Side] = []
    for i, kind in enumerate((real, real.other)):
        yield Doing(f"looking at {model.kinds[i]} with {network.name}", 0.05 + 0.1 * i)
        images = _some(kind.held_out, seed)
        sides.append(_Side(model.kinds[i], images, network.extract(images)[0], _some(kind.train, seed)))
    rows: list[Way] = []
    shown: list[tuple[str, Tensor]] = []
    for i, (start, wanted) in enumerate((sides, sides[::-1])):
        yield Doing(f"to {wanted.name}", 0.25 + 0.35 * i)
        there = im.to_uint8(model.translate(im.to_float(start.images), KINDS[1 - i]))
        back = im.to_uint8(model.translate(im.to_float(there), KINDS[i]))
        ways = _ways(start, wanted, there, back, network)
        rows += ways
        yield from ways
        shown += [(start.name, start.images), (f"as {wanted.name}", there), ("and back", back)]
    run = run_of(model.path)
    if run is not None:
        facts = {"n": [len(side.images) for side in sides], "extractor": network.name, "seed": seed}
        kept = {"kinds": list(model.kinds), "ways": [row_of(way) for way in rows]}
        keep(model, run, "translation", {**facts, **kept})
    folder = folder_for(out, run)
    if folder is not None:
        yield _sheet(folder, shown)


def _some(split: Split, seed: int) -> Tensor:
    return some(split, MOST, seeds.generator(seed, "weighed"))[0]


def _ways(start: _Side, wanted: _Side, there: Tensor, back: Tensor, network: extractors.Extractor) -> list[Way]:
    """The rows of one direction: the unchanged inputs, the translated ones, and other real pictures."""
    name, real = wanted.name, wanted.trained_on[: len(start.images)]
    features = [network.extract(x)[0] for x in (there, real)]
    target = wanted.images, wanted.features
    return [
        _way(name, f"{start.name} unchanged", (start.images, start.features), target),
        _way(name, "translated", (there, features[0]), target, (start.images, there, back)),
        _way(name, f"real {name}, trained on", (real, features[1]), target),
    ]


def _way(
    to: str,
    name: str,
    made: tuple[Tensor, Tensor],
    real: tuple[Tensor, Tensor],
    round_trip: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Way:
    """Metrics of pictures and their features against real ones; with `round_trip` also how they follow the input."""
    least = METRICS["frechet"].least
    lack = enough.lacking(*real, real[1], least, f"pictures of {to}") or enough.lacking(*made, real[1], least)
    reasons, values = {"Frechet distance": lack}, {}
    if round_trip is not None:
        start, there, back = round_trip
        values = colours.followed(start, there)
        if reason := enough.nothing_to_see(start, fidelity.LEAST, "pictures"):
            reasons["there and back"] = reason
        else:
            values["cycle"] = float(fidelity.psnr(back, start).clamp_max(fidelity.MOST).mean())
        if all(math.isnan(values[key]) for key in ("middle", "border")):
            plain = "all inputs, or all outputs, have the same colours"
            reasons["colours"] = enough.too_few(start, colours.LEAST, "pictures") or plain
    note = " ".join(f"Not measured: {what} ({why})." for what, why in reasons.items() if why)
    return Way(to, name, math.nan if lack else distances.frechet(made[1], real[1]), **values, note=note)


def command(source: Path, options: Options) -> int:
    """`ganvas evaluate` of a translator: measure and print; the exit code.

    Raises:
        UserError: as `evaluate`; or options of other tasks.
    """
    if options.against:
        raise UserError("--against is for models that restore pictures; for others use: ganvas compare RUN RUN.")
    if options.to is not None and options.data is None:
        raise UserError("--to belongs to --data, and to a model that turns one kind of pictures into another.")
    options.only(TAKEN, f"{source} is given pictures, and all its metrics are measured")
    events = evaluate(source, options.data, options.to, options.extractor, options.seed, options.out)
    show_rows(Console(quiet=not is_first()), events, table, Way)
    return 0


TITLES = {
    "frechet": "Frechet distance",
    "middle": "colours: middle",
    "border": "border",
    "cycle": "there and back",
}


def table(ways: Sequence[Way]) -> Table:
    """How good each set of pictures is as pictures of the wanted kind."""
    known = known_columns(TITLES, ways)
    rows = rows_table(TITLES, known)
    for way in ways:
        rows.add_row(f"to {way.to}: {way.name}", *(cell(key, getattr(way, key)) for key in known))
    return rows


def _sheet(folder: Path, shown: list[tuple[str, Tensor]]) -> Written:
    """Both directions, with two rows of inputs each, the translated pictures, and those translated back."""
    make_folder(folder)
    path, rows = folder / "translated.png", []
    for first in range(0, len(shown), 3):
        three = [pictures for _, pictures in shown[first : first + 3]]
        for block in range(2):
            places = (block * COLUMNS + torch.arange(COLUMNS)) % len(three[0])
            rows += [pictures[places] for pictures in three]
    sheets.save_grid(path, torch.cat(rows), COLUMNS)
    return Written(path, f"rows of three from the top: {', '.join(name for name, _ in shown)}")
