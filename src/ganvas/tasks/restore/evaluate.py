"""`ganvas evaluate` of a restorer: how near it comes to the true pictures, beside what costs nothing.

Held-out pictures, which are held out by file, are damaged as in the training, and restored in several ways: nothing
done at all, the filters that people used before networks, each at the best of its settings, and the model.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from ganvas.images.data import ImageData
from ganvas.images.data.trained_on import reading, some, trained_on
from ganvas.images.features import extractors
from ganvas.images.spec import ImageSpec
from ganvas.metrics import distances, enough
from ganvas.metrics.figures import number, row_of
from ganvas.metrics.show import known_columns, rows_table, show_rows
from ganvas.tasks.restore import classical, degrade
from ganvas.tasks.restore import model as restore_model
from ganvas.tasks.restore.model import Restorer
from ganvas.tasks.restore.task import damaged
from ganvas.training.evaluate import Options, folder_for, keep

PIECE = 256  # pixels a side of the pieces that are measured, where the photographs have them
PIXELS = 4_000_000  # of all pieces, about
PATCH = 64  # pixels a side of the patches whose Frechet distance is measured
TRIED = 2  # pieces on which a filter's best setting is found
LEAST = 200  # patches without which no Frechet distance is measured
READ = 50  # digits without which no share of them is


@dataclass(frozen=True)
class Answer:
    """What one restorer is worth, means over the pieces; NaN: not known.

    `psnr` in dB, of missing pixels alone where there is a mask, and its standard deviation `spread`; `ssim`: structural
    similarity; `frechet`: distance of patches; `read`: share of digits that the digit classifier reads rightly. `note`:
    why one of these is not known, in sentences.
    """

    name: str
    psnr: float
    spread: float
    ssim: float
    frechet: float
    read: float
    note: str = ""


def evaluate(
    source: str | os.PathLike[str],
    against: Sequence[str | os.PathLike[str]] = (),
    data: str | os.PathLike[str] | None = None,
    extractor: str = "auto",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Answer | Written]:
    """Measure a restorer; yields what is done, each answer, and a sheet.

    Args:
        source: a run's folder or a model file.
        against: other restorers of the same damage, such as one without the discriminator.
        data: a data set's name or folder, where it is not what the model was trained on: all that is held out of it.
        extractor: see `extractors.load`.
        seed: of the damage, and of the choice of pieces.
        out: folder for the sheet; None: `evaluation/` in a run's folder, else none is written.

    Raises:
        UserError: a model of another task, or data that is not there.
    """
    message = reading(source, data)
    yield Doing(message or "reading", 0.0, stays=bool(message))
    model, others = _models(source, against)
    real = _real(model, source, data)
    pieces = _pieces(model, real, extractor, seed)
    yield Doing(f"looking at real pictures with {pieces.extractor.name}", 0.05)
    pieces.prepare()
    restorers = _restorers(model, others, [str(path) for path in (source, *against)])
    answers: list[Answer] = []
    shown: list[tuple[str, Tensor]] = []
    for i, (name, restore) in enumerate(restorers):
        yield Doing(name, 0.1 + 0.9 * i / len(restorers))
        title, restored = restore(pieces)
        shown.append((title, restored))
        answers.append(pieces.answer(title, restored))
        yield answers[-1]
    run = run_of(model.path)
    if run is not None:
        facts: dict[str, Any] = {
            "data": real.name,
            "n": len(pieces.clean),
            "size": pieces.clean.shape[2],
            "extractor": pieces.extractor.name,
            "seed": seed,
        }
        own = {str(path): Path(path).name for path in (source, *against)}  # a model's card names no paths
        rows = [{**row_of(a), "name": own.get(a.name, a.name)} for a in answers]
        keep(model, run, "restoration", {**facts, "answers": rows})
    folder = folder_for(out, run)
    if folder is not None:
        yield _sheet(folder, [*shown, ("the true pictures", pieces.clean)])


def _models(
    source: str | os.PathLike[str], against: Sequence[str | os.PathLike[str]]
) -> tuple[Restorer, list[Restorer]]:
    """The model that is measured, and those beside it.

    Raises:
        UserError: one is no restorer, or of another damage.
    """
    model, others = restore_model.load(source), [restore_model.load(path) for path in against]
    for path, other in zip(against, others, strict=True):
        theirs, ours = ((m.spec.channels, m.spec.scale, m.spec.masked) for m in (other, model))
        if theirs != ours:
            raise UserError(f"{path} mends another damage, or pictures of other channels, than {source}.")
    return model, others


def _real(model: Restorer, source: str | os.PathLike[str], data: str | os.PathLike[str] | None) -> ImageData:
    """The pictures to restore: larger pieces than those of the training, where the pictures have them.

    So more of each is seen at once. Holes grow with the picture: there the pieces are those of the training.

    Raises:
        UserError: they are not there, or do not go with the model.
    """
    try:
        real = trained_on(model, source, data, size=0 if model.plan.masked else PIECE)
    except UserError:
        real = trained_on(model, source, data)
    if real.spec.channels != model.spec.channels or real.has_pairs != (not model.plan.groups):
        pairs = "" if model.plan.groups else " with their damaged twins (those of its training, where it still lies)"
        raise UserError(f"{source} needs pictures of {model.spec.channels} channels{pairs}; {real.name} has none.")
    return real


def command(source: Path, options: Options) -> int:
    """`ganvas evaluate` of a restorer: measure and print; the exit code.

    Raises:
        UserError: as `evaluate`; or options of other tasks.
    """
    if options.to is not None:
        raise UserError("--to belongs to --data, and to a model that turns one kind of pictures into another.")
    if options.metrics is not None or options.time_limit is not None:
        raise UserError(
            f"{source} is given pictures, and all its figures are measured: leave out --metrics, --time-limit."
        )
    events = evaluate(source, options.against, options.data, options.extractor, options.seed, options.out)
    show_rows(Console(quiet=not is_first()), events, table, Answer)
    return 0


COLUMNS = {"psnr": "PSNR", "ssim": "SSIM", "frechet": "Frechet distance", "read": "digits read"}


def table(answers: Sequence[Answer]) -> Table:
    """What each restorer is worth."""
    known = known_columns(COLUMNS, answers)
    rows = rows_table(COLUMNS, known)
    for a in answers:
        cells = {
            "psnr": f"{a.psnr:.2f} ± {a.spread:.2f} dB" if a.psnr < fidelity.MOST else "-",
            "ssim": "-" if math.isnan(a.ssim) else f"{a.ssim:.4f}",
            "frechet": number(a.frechet),
            "read": number(a.read, share=True),
        }
        rows.add_row(a.name, *(cells[key] for key in known))
    return rows


class _Pieces:
    """The pieces, clean and damaged, and what all answers are measured with."""

    def __init__(
        self, clean: Tensor, damaged: Tensor, labels: Tensor | None, model: Restorer, extractor: extractors.Extractor
    ) -> None:
        self.clean, self.damaged, self.labels, self.extractor = clean, damaged, labels, extractor
        self.mask = damaged[:, -1:] if model.plan.masked else None
        self.features: Tensor | None = None
        self.plain = self.unlike = self.unread = ""  # why figures are not measured

    @property
    def levels(self) -> Tensor:
        """The damaged pictures, float [n, C, h, w] with levels 0..255."""
        return im.levels(self.damaged[:, : self.clean.shape[1]])

    def prepare(self) -> None:
        """Take the features of the clean pieces, and find out what cannot be measured."""
        patches = _patches(self.clean)
        self.plain = enough.nothing_to_see(self.clean, fidelity.LEAST, "pieces")
        self.unread = "" if self.labels is None else enough.too_few(self.clean, READ, "digits")
        self.unlike = enough.too_few(patches, LEAST, "patches")
        if not self.unlike:
            self.features = self.extractor.extract(patches)[0]
            self.unlike = enough.lacking(patches, self.features, self.features, LEAST, "patches")

    def answer(self, name: str, restored: Tensor) -> Answer:
        """Measure pictures uint8 [n, C, H, W]."""
        psnr = fidelity.psnr(restored, self.clean, self.mask).clamp_max(fidelity.MOST)
        parts = zip(restored.split(8), self.clean.split(8), strict=True)
        ssim = torch.cat([fidelity.ssim(a, b) for a, b in parts])
        mean, spread, like = (math.nan if self.plain else float(x) for x in (psnr.mean(), psnr.std(), ssim.mean()))
        distance, read, unlike = math.nan, math.nan, self.unlike
        if self.features is not None or self.labels is not None:
            patches = _patches(restored)
            features, opinions = self.extractor.extract(patches)
            if not unlike and self.features is not None:
                unlike = enough.lacking(patches, features, self.features, LEAST, "patches")
                distance = math.nan if unlike else distances.frechet(features, self.features)
            if opinions is not None and self.labels is not None and not self.unread:
                read = float((opinions.argmax(1) == self.labels).float().mean())
        reasons = {"PSNR and SSIM": self.plain, "Frechet distance": unlike, "digits read": self.unread}
        note = " ".join(f"Not measured: {what} ({why})." for what, why in reasons.items() if why)
        return Answer(name, mean, spread, like, distance, read, note)


def _pieces(model: Restorer, real: ImageData, extractor: str, seed: int) -> _Pieces:
    """Held-out pieces, damaged as in the training, and the extractor that their patches are compared with."""
    size = real.held_out.images.shape[2]
    clean, labels = some(real.held_out, max(1, PIXELS // size**2), seeds.generator(seed, "judged pieces"))
    clean, spoilt = _damaged(model.plan, clean, seed)
    network = extractors.load(extractor, ImageSpec(clean.shape[1], min(PATCH, clean.shape[2])))
    return _Pieces(clean, spoilt, labels if network.classes == real.class_names else None, model, network)


Restore = Callable[[_Pieces], tuple[str, Tensor]]  # its name, and what it makes, uint8 [n, C, H, W]


def _restorers(model: Restorer, others: Sequence[Restorer], names: Sequence[str]) -> list[tuple[str, Restore]]:
    """What restores the pictures: the trivial answers for this damage, then the models."""
    plan = model.plan
    restorers: list[tuple[str, Restore]] = [("damaged", lambda p: ("as it was damaged", p.levels.byte()))]
    if plan.scale > 1:
        restorers = [("bicubic", lambda p: ("bicubic", classical.bicubic(p.levels, plan.scale).round().byte()))]
    if plan.masked:
        restorers.append(("diffusion", _filled))
    restorers += [(name, _filtered(name)) for name in plan.baselines]
    return restorers + [(name, _by_model(m, name)) for m, name in zip((model, *others), names, strict=True)]


def _filled(p: _Pieces) -> tuple[str, Tensor]:
    assert p.mask is not None
    parts = zip(p.levels.split(16), p.mask.split(16), strict=True)
    return "diffusion fill", torch.cat([classical.diffusion_fill(x, m).round().clamp(0, 255).byte() for x, m in parts])


def _filtered(kind: str) -> Restore:
    def restore(p: _Pieces) -> tuple[str, Tensor]:
        tried, clean = p.levels[:TRIED], p.clean[:TRIED]
        scores = [(float(fidelity.psnr(s.apply(tried), clean).mean()), s) for s in classical.FILTERS[kind]]
        best = max(scores, key=lambda pair: pair[0])[1]
        parts = [best.apply(x).round().clamp(0, 255).byte() for x in p.levels.split(8)]
        return best.name, torch.cat(parts)

    return restore


def _by_model(model: Restorer, name: str) -> Restore:
    def restore(p: _Pieces) -> tuple[str, Tensor]:
        parts, device = [], next(model.generator.parameters()).device
        for part in p.damaged.split(32):
            with torch.inference_mode():
                parts.append(im.to_uint8(model.generator(part.to(device))))
        return name, torch.cat(parts)

    return restore


def _damaged(plan: degrade.Plan, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The pieces clean, uint8, and damaged, float."""
    random, parts = seeds.generator(seed, "judged"), []
    for part in images.split(32):
        draw = functools.partial(_drawn, count=len(part), random=random)
        parts.append(damaged(plan, im.to_float(part), draw))
    clean, spoilt = (torch.cat(side) for side in zip(*parts, strict=True))
    return im.to_uint8(clean), spoilt


def _drawn(function: Callable[..., Tensor], *shape: int, count: int, random: torch.Generator) -> Tensor:
    return function(count, *shape, generator=random)


def _patches(images: Tensor) -> Tensor:
    """uint8 [n, C, H, W] -> the patches that they are made of, [m, C, PATCH, PATCH], or they themselves."""
    size = images.shape[2]
    if size <= PATCH:
        return images
    parts = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # [n, C, rows, columns, PATCH, PATCH]
    return parts.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def _sheet(folder: Path, shown: Sequence[tuple[str, Tensor]]) -> Written:
    """Pieces (of photographs those with most to see), a column each; a row for each that restored them."""
    clean = shown[-1][1]
    large = clean.shape[2] > PATCH
    columns = min(6 if large else 20, len(clean))
    by_contrast = clean.float().std((1, 2, 3)).argsort(descending=True, stable=True)
    most = by_contrast[:columns] if large else torch.arange(columns)
    make_folder(folder)
    path = folder / "restored.png"
    rows = [made[most] for _, made in shown]
    sheets.save_grid(path, torch.cat(rows), columns)
    return Written(path, f"from above: {', '.join(name for name, _ in shown)}")
