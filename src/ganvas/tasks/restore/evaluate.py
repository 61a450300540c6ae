"""`ganvas evaluate` of a restorer: how close it comes to the clean pictures, compared with classical methods.

Held-out pictures, which are held out by file, are degraded as in the training, and restored in several ways: left as
they are, by classical filters, each with the best of its settings, and by the model.
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
from ganvas.tasks.restore.task import make_pairs
from ganvas.training.evaluate import Options, folder_for, keep

PIECE = 256  # pixels a side of the pieces that are measured, if the photographs are large enough
PIXELS = 4_000_000  # of all pieces together, about
PATCH = 64  # pixels a side of the patches whose Frechet distance is measured
TRIED = 2  # pieces on which a filter's settings are compared
LEAST = 200  # patches needed for a Frechet distance
TAKEN = ("data", "against", "extractor", "seed", "out")  # the options that are known here
READ = 50  # digits needed for the share that is read


@dataclass(frozen=True)
class Answer:
    """How well one restorer does, means over the pieces; NaN: not known.

    `psnr` in dB, of missing pixels alone where there is a mask, and its standard deviation `spread`; `ssim`: structural
    similarity; `frechet`: distance of patches; `read`: share of digits that the digit classifier reads correctly.
    `note`: sentences that say why one of these is not known.
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
    """Measure a restorer; yields progress, each answer, and a sheet.

    Args:
        source: a run's folder or a model file.
        against: other restorers of the same degradation, such as one without the discriminator.
        data: a data set's name or folder, whose held-out pictures are used; None: that which the model was trained on.
        extractor: see `extractors.load`.
        seed: of the degradation, and of the choice of pieces.
        out: folder for the sheet; None: `evaluation/` in a run's folder, else none is written.

    Raises:
        UserError: a model of another task, or data that does not exist.
    """
    message = reading(source, data)
    yield Doing(message or "reading", 0.0, stays=bool(message))
    model, others = _models(source, against)
    real = _real(model, source, data)
    test_set = _load_test_set(model, real, extractor, seed)
    yield Doing(f"looking at real pictures with {test_set.extractor.name}", 0.05)
    test_set.prepare()
    restorers = _restorers(model, others, [str(path) for path in (source, *against)])
    answers: list[Answer] = []
    shown: list[tuple[str, Tensor]] = []
    for i, (name, restore) in enumerate(restorers):
        yield Doing(name, 0.1 + 0.9 * i / len(restorers))
        title, restored = restore(test_set)
        shown.append((title, restored))
        answers.append(test_set.answer(title, restored))
        yield answers[-1]
    run = run_of(model.path)
    if run is not None:
        facts: dict[str, Any] = {
            "data": real.name,
            "n": len(test_set.clean),
            "size": test_set.clean.shape[2],
            "extractor": test_set.extractor.name,
            "seed": seed,
        }
        names = {str(path): Path(path).name for path in (source, *against)}  # no paths in a model's card
        rows = [{**row_of(a), "name": names.get(a.name, a.name)} for a in answers]
        keep(model, run, "restoration", {**facts, "answers": rows})
    folder = folder_for(out, run)
    if folder is not None:
        yield _sheet(folder, [*shown, ("the originals", test_set.clean)])


def _models(
    source: str | os.PathLike[str], against: Sequence[str | os.PathLike[str]]
) -> tuple[Restorer, list[Restorer]]:
    """The model that is measured, and those that it is compared with.

    Raises:
        UserError: one is not a restorer, or undoes another degradation.
    """
    model, others = restore_model.load(source), [restore_model.load(path) for path in against]
    for path, other in zip(against, others, strict=True):
        shapes = {(m.spec.channels, m.spec.scale, m.spec.masked) for m in (other, model)}
        if len(shapes) > 1:
            raise UserError(f"{path} restores another damage, or pictures of other channels, than {source}.")
    return model, others


def _real(model: Restorer, source: str | os.PathLike[str], data: str | os.PathLike[str] | None) -> ImageData:
    """The pictures to restore: in larger pieces than in the training, if they are large enough.

    Holes grow with the picture: for them the pieces are as large as in the training.

    Raises:
        UserError: they do not exist, or do not suit the model.
    """
    try:
        real = trained_on(model, source, data, size=0 if model.plan.masked else PIECE)
    except UserError:
        real = trained_on(model, source, data)
    if real.spec.channels != model.spec.channels or real.has_pairs != (not model.plan.groups):
        pairs = "" if model.plan.groups else " with their damaged twins (those of its training, where they still are)"
        raise UserError(f"{source} needs pictures of {model.spec.channels} channels{pairs}; {real.name} has none.")
    return real


def command(source: Path, options: Options) -> int:
    """`ganvas evaluate` of a restorer: measure and print; the exit code.

    Raises:
        UserError: as `evaluate`; or options of other tasks.
    """
    if options.to is not None:
        raise UserError("--to belongs to --data, and to a model that turns one kind of pictures into another.")
    options.only(TAKEN, f"{source} is given pictures, and all its figures are measured")
    events = evaluate(source, options.against, options.data, options.extractor, options.seed, options.out)
    show_rows(Console(quiet=not is_first()), events, table, Answer)
    return 0


COLUMNS = {"psnr": "PSNR", "ssim": "SSIM", "frechet": "Frechet distance", "read": "digits read"}


def table(answers: Sequence[Answer]) -> Table:
    """How well each restorer does."""
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


class _TestSet:
    """The held-out pieces, clean and degraded, and the extractor that all answers are measured with."""

    def __init__(
        self, clean: Tensor, degraded: Tensor, labels: Tensor | None, model: Restorer, extractor: extractors.Extractor
    ) -> None:
        self.clean, self.degraded, self.labels, self.extractor = clean, degraded, labels, extractor
        self.mask = degraded[:, -1:] if model.plan.masked else None
        self.features: Tensor | None = None
        self.no_psnr = self.no_frechet = self.no_read = ""  # why figures are not measured

    @property
    def levels(self) -> Tensor:
        """The degraded pictures, float [n, C, h, w] with levels 0..255."""
        return im.levels(self.degraded[:, : self.clean.shape[1]])

    def prepare(self) -> None:
        """Extract the features of the clean pieces, and find out what cannot be measured."""
        patches = _patches(self.clean)
        self.no_psnr = enough.nothing_to_see(self.clean, fidelity.LEAST, "pieces")
        self.no_read = "" if self.labels is None else enough.too_few(self.clean, READ, "digits")
        self.no_frechet = enough.too_few(patches, LEAST, "patches")
        if not self.no_frechet:
            self.features = self.extractor.extract(patches)[0]
            self.no_frechet = enough.lacking(patches, self.features, self.features, LEAST, "patches")

    def answer(self, name: str, restored: Tensor) -> Answer:
        """Measure pictures uint8 [n, C, H, W]."""
        psnr = fidelity.psnr(restored, self.clean, self.mask).clamp_max(fidelity.MOST)
        parts = zip(restored.split(8), self.clean.split(8), strict=True)
        ssim = torch.cat([fidelity.ssim(a, b) for a, b in parts])
        mean, spread, similarity = (
            math.nan if self.no_psnr else float(x) for x in (psnr.mean(), psnr.std(), ssim.mean())
        )
        distance, read, no_frechet = math.nan, math.nan, self.no_frechet
        if self.features is not None or self.labels is not None:
            patches = _patches(restored)
            features, logits = self.extractor.extract(patches)
            if not no_frechet and self.features is not None:
                no_frechet = enough.lacking(patches, features, self.features, LEAST, "patches")
                distance = math.nan if no_frechet else distances.frechet(features, self.features)
            if logits is not None and self.labels is not None and not self.no_read:
                read = float((logits.argmax(1) == self.labels).float().mean())
        reasons = {"PSNR and SSIM": self.no_psnr, "Frechet distance": no_frechet, "digits read": self.no_read}
        note = " ".join(f"Not measured: {what} ({why})." for what, why in reasons.items() if why)
        return Answer(name, mean, spread, similarity, distance, read, note)


def _load_test_set(model: Restorer, real: ImageData, extractor: str, seed: int) -> _TestSet:
    """Held-out pieces, degraded as in the training, and the extractor that their patches are compared with."""
    size = real.held_out.images.shape[2]
    clean, labels = some(real.held_out, max(1, PIXELS // size**2), seeds.generator(seed, "judged pieces"))
    whole = size // model.plan.scale * model.plan.scale  # what becomes smaller by a whole factor
    clean, degraded = _degrade(model.plan, clean[:, :, :whole, :whole], seed)
    network = extractors.load(extractor, ImageSpec(clean.shape[1], min(PATCH, clean.shape[2])))
    return _TestSet(clean, degraded, labels if network.classes == real.class_names else None, model, network)


Restore = Callable[[_TestSet], tuple[str, Tensor]]  # -> its name, and the restored pictures, uint8 [n, C, H, W]


def _restorers(model: Restorer, others: Sequence[Restorer], names: Sequence[str]) -> list[tuple[str, Restore]]:
    """What restores the pictures: the trivial and classical methods for this degradation, then the models."""
    plan = model.plan
    restorers: list[tuple[str, Restore]] = [("damaged", lambda p: ("as it was damaged", p.levels.byte()))]
    if plan.scale > 1:
        restorers = [("bicubic", lambda p: ("bicubic", classical.bicubic(p.levels, plan.scale).round().byte()))]
    if plan.masked:
        restorers.append(("diffusion", _fill_by_diffusion))
    restorers += [(name, _by_filter(name)) for name in plan.baselines]
    return restorers + [(name, _by_model(m, name)) for m, name in zip((model, *others), names, strict=True)]


def _fill_by_diffusion(p: _TestSet) -> tuple[str, Tensor]:
    assert p.mask is not None
    parts = zip(p.levels.split(16), p.mask.split(16), strict=True)
    return "diffusion fill", torch.cat([classical.diffusion_fill(x, m).round().clamp(0, 255).byte() for x, m in parts])


def _by_filter(kind: str) -> Restore:
    def restore(p: _TestSet) -> tuple[str, Tensor]:
        tried, clean = p.levels[:TRIED], p.clean[:TRIED]
        scores = [(float(fidelity.psnr(s.apply(tried), clean).mean()), s) for s in classical.FILTERS[kind]]
        best = max(scores, key=lambda pair: pair[0])[1]
        parts = [best.apply(x).round().clamp(0, 255).byte() for x in p.levels.split(8)]
        return best.name, torch.cat(parts)

    return restore


def _by_model(model: Restorer, name: str) -> Restore:
    def restore(p: _TestSet) -> tuple[str, Tensor]:
        parts, device = [], next(model.generator.parameters()).device
        for part in p.degraded.split(32):
            with torch.inference_mode():
                parts.append(im.to_uint8(model.network(part.to(device))))
        return name, torch.cat(parts)

    return restore


def _degrade(plan: degrade.Plan, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The pieces, clean, uint8, and degraded, float."""
    random, parts = seeds.generator(seed, "judged"), []
    for part in images.split(32):
        draw = functools.partial(_draw, count=len(part), random=random)
        parts.append(make_pairs(plan, im.to_float(part), draw))
    clean, degraded = (torch.cat(side) for side in zip(*parts, strict=True))
    return im.to_uint8(clean), degraded


def _draw(function: Callable[..., Tensor], *shape: int, count: int, random: torch.Generator) -> Tensor:
    return function(count, *shape, generator=random)


def _patches(images: Tensor) -> Tensor:
    """uint8 [n, C, H, W] -> their patches [m, C, PATCH, PATCH], or the pictures themselves if they are not larger."""
    size = images.shape[2]
    if size <= PATCH:
        return images
    parts = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # [n, C, rows, columns, PATCH, PATCH]
    return parts.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def _sheet(folder: Path, shown: Sequence[tuple[str, Tensor]]) -> Written:
    """A column for each piece (of photographs those with most contrast), a row for each restorer."""
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
