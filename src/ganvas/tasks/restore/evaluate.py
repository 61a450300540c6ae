"""`ganvas evaluate` of a restorer: how near it comes to the true pictures, beside what costs nothing.

Held-out pictures, which are held out by file, are damaged as in the training, the same for all who mend them: nothing
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
from ganvas.images.spec import ImageSpec
from ganvas.metrics import distances, enough
from ganvas.report import page
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.restore import classical, degrade
from ganvas.tasks.restore import model as restore_model
from ganvas.tasks.restore.model import Restorer
from ganvas.tasks.restore.task import damaged

PIECE = 256  # pixels a side of the pieces that are judged, where the photographs have them
PIXELS = 4_000_000  # of all pieces, about
PATCH = 64  # pixels a side of the patches whose Frechet distance is measured
TRIED = 2  # pieces on which a filter's best setting is found
LEAST = 200  # patches without which no Frechet distance is measured
READ = 50  # digits without which no share of them is


@dataclass(frozen=True)
class Answer:
    """What one who mends is worth, means over the pieces; NaN: not known.

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


def judge(
    source: str | os.PathLike[str],
    against: Sequence[str | os.PathLike[str]] = (),
    data: str | os.PathLike[str] | None = None,
    extractor: str = "auto",
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Answer | Written]:
    """Judge a restorer; yields what is done, each answer, and a sheet.

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
    told = sources.reading(source, data)
    yield Doing(told or "reading", 0.0, stays=bool(told))
    model, others = restore_model.load(source), [restore_model.load(path) for path in against]
    for path, other in zip(against, others, strict=True):
        theirs, ours = ((m.spec.channels, m.spec.scale, m.spec.masked) for m in (other, model))
        if theirs != ours:
            raise UserError(f"{path} mends another damage, or pictures of other channels, than {source}.")
    real = _pieces(model, source, data)
    if real.spec.channels != model.spec.channels or real.twins != (not model.plan.groups):
        needed = (
            " with their damaged twins (those of its training, where it still lies)" if not model.plan.groups else ""
        )
        raise UserError(f"{source} needs pictures of {model.spec.channels} channels{needed}; {real.name} has none.")
    whole, labels = _some(real, seed)
    whole, spoilt = _damaged(model.plan, whole, seed)
    looks = extractors.load(extractor, ImageSpec(whole.shape[1], min(PATCH, whole.shape[2])))
    if looks.classes != real.class_names:
        labels = None
    judged = _Judged(whole, spoilt, labels, model, looks)
    yield Doing(f"looking at real pictures with {looks.name}", 0.05)
    judged.look()
    makers = _makers(model, others, [str(path) for path in (source, *against)])
    answers: list[Answer] = []
    shown: list[tuple[str, Tensor]] = []
    for i, (name, make) in enumerate(makers):
        yield Doing(name, 0.1 + 0.9 * i / len(makers))
        title, made = make(judged)
        shown.append((title, made))
        answers.append(judged.answer(title, made))
        yield answers[-1]
    run = sources.run_of(model.path)
    if run is not None:
        about: dict[str, Any] = {
            "data": real.name,
            "n": len(whole),
            "size": whole.shape[2],
            "extractor": looks.name,
            "seed": seed,
        }
        own = {str(path): Path(path).name for path in (source, *against)}  # a model tells no paths
        _keep(model, run, {**about, "answers": [_row(a, own) for a in answers]})
    folder = Path(out) if out is not None else run.folder / "evaluation" if run is not None else None
    if folder is not None:
        yield _sheet(folder, [*shown, ("the true pictures", whole)])


def _row(answer: Answer, own: dict[str, str]) -> dict[str, Any]:
    """An answer for a file; `own`: what models are called there."""
    row = {k: None if v != v else v for k, v in vars(answer).items()}
    return {**row, "name": own.get(answer.name, answer.name)}


def _keep(model: Restorer, run: Run, found: dict[str, Any]) -> None:
    if checkpoint.head(model.path).get("images") == model.card["images"]:  # the training may have gone on
        checkpoint.annotate(model.path, restoration=found)
    run.append({"images": model.card["images"], "metric": "restoration", **found}, run.metrics)
    page.write(run)


class _Judged:
    """The pieces, whole and damaged, and what all answers are measured with."""

    def __init__(
        self, whole: Tensor, damaged: Tensor, labels: Tensor | None, model: Restorer, looks: extractors.Extractor
    ) -> None:
        self.whole, self.damaged, self.labels, self.looks = whole, damaged, labels, looks
        self.mask = damaged[:, -1:] if model.plan.masked else None
        self.features: Tensor | None = None
        self.unseen = self.unlike = self.unread = ""  # why figures are not measured

    @property
    def levels(self) -> Tensor:
        """The damaged pictures, float [n, C, h, w] with levels 0..255."""
        return im.levels(self.damaged[:, : self.whole.shape[1]])

    def look(self) -> None:
        patches = _patches(self.whole)
        self.unseen = enough.nothing_to_see(self.whole, fidelity.LEAST, "pieces")
        self.unread = "" if self.labels is None else enough.too_few(self.whole, READ, "digits")
        self.unlike = enough.too_few(patches, LEAST, "patches")
        if not self.unlike:
            self.features = self.looks.look(patches)[0]
            self.unlike = enough.lacking(patches, self.features, self.features, LEAST, "patches")

    def answer(self, name: str, made: Tensor) -> Answer:
        """Measure pictures uint8 [n, C, H, W]."""
        psnr = fidelity.psnr(made, self.whole, self.mask).clamp_max(fidelity.MOST)
        ssim = torch.cat([fidelity.ssim(a, b) for a, b in zip(made.split(8), self.whole.split(8), strict=True)])
        mean, spread, like = (math.nan if self.unseen else float(x) for x in (psnr.mean(), psnr.std(), ssim.mean()))
        distance, read, unlike = math.nan, math.nan, self.unlike
        if self.features is not None or self.labels is not None:
            patches = _patches(made)
            features, opinions = self.looks.look(patches)
            if not unlike and self.features is not None:
                unlike = enough.lacking(patches, features, self.features, LEAST, "patches")
                distance = math.nan if unlike else distances.frechet(features, self.features)
            if opinions is not None and self.labels is not None and not self.unread:
                read = float((opinions.argmax(1) == self.labels).float().mean())
        reasons = {"PSNR and SSIM": self.unseen, "Frechet distance": unlike, "digits read": self.unread}
        note = " ".join(f"Not measured: {what} ({why})." for what, why in reasons.items() if why)
        return Answer(name, mean, spread, like, distance, read, note)


Make = Callable[[_Judged], tuple[str, Tensor]]


def _makers(model: Restorer, others: Sequence[Restorer], names: Sequence[str]) -> list[tuple[str, Make]]:
    """Who mends the pictures: the trivial answers for this damage, then the models."""
    plan = model.plan
    makers: list[tuple[str, Make]] = [("damaged", lambda j: ("as it was damaged", j.levels.byte()))]
    if plan.scale > 1:
        makers = [("bicubic", lambda j: ("bicubic", classical.bicubic(j.levels, plan.scale).round().byte()))]
    if plan.masked:
        makers.append(("diffusion", _filled))
    makers += [(name, _filtered(name)) for name in plan.baselines]
    return makers + [(name, _mended(m, name)) for m, name in zip((model, *others), names, strict=True)]


def _filled(j: _Judged) -> tuple[str, Tensor]:
    assert j.mask is not None
    parts = zip(j.levels.split(16), j.mask.split(16), strict=True)
    return "diffusion fill", torch.cat([classical.diffusion_fill(x, m).round().clamp(0, 255).byte() for x, m in parts])


def _filtered(kind: str) -> Make:
    def make(j: _Judged) -> tuple[str, Tensor]:
        tried, true = j.levels[:TRIED], j.whole[:TRIED]
        found = [(float(fidelity.psnr(s.apply(tried), true).mean()), s) for s in classical.FILTERS[kind]]
        best = max(found, key=lambda pair: pair[0])[1]
        made = [best.apply(x).round().clamp(0, 255).byte() for x in j.levels.split(8)]
        return best.name, torch.cat(made)

    return make


def _mended(model: Restorer, name: str) -> Make:
    def make(j: _Judged) -> tuple[str, Tensor]:
        parts, device = [], next(model.generator.parameters()).device
        for part in j.damaged.split(32):
            with torch.inference_mode():
                parts.append(im.to_uint8(model.generator(part.to(device))))
        return name, torch.cat(parts)

    return make


def _pieces(model: Restorer, source: str | os.PathLike[str], data: str | os.PathLike[str] | None) -> ImageData:
    """Larger pieces than those of the training, where the pictures have them: more of each is seen at once.

    Holes grow with the picture: there the pieces are those of the training.
    """
    if model.plan.masked:
        return sources.trained_on(model, source, data)
    try:
        return sources.trained_on(model, source, data, size=PIECE)
    except UserError:
        return sources.trained_on(model, source, data)


def _damaged(plan: degrade.Plan, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The pieces whole, uint8, and damaged, float."""
    random, parts = seeds.generator(seed, "judged"), []
    for part in images.split(32):
        draw = functools.partial(_drawn, count=len(part), random=random)
        parts.append(damaged(plan, im.to_float(part), draw))
    whole, spoilt = (torch.cat(side) for side in zip(*parts, strict=True))
    return im.to_uint8(whole), spoilt


def _drawn(function: Callable[..., Tensor], *shape: int, count: int, random: torch.Generator) -> Tensor:
    return function(count, *shape, generator=random)


def _some(real: ImageData, seed: int) -> tuple[Tensor, Tensor | None]:
    """Held-out pieces, uint8 [n, C, H, W], and labels where there are some."""
    split = real.held_out
    total, size = len(split.images), split.images.shape[2]
    order = torch.randperm(total, generator=seeds.generator(seed, "judged pieces"))[: max(1, PIXELS // size**2)]
    return split.images[order], None if split.labels is None else split.labels[order]


def _patches(images: Tensor) -> Tensor:
    """uint8 [n, C, H, W] -> the patches that they are made of, [m, C, PATCH, PATCH], or they themselves."""
    size = images.shape[2]
    if size <= PATCH:
        return images
    parts = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # [n, C, rows, columns, PATCH, PATCH]
    return parts.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def _sheet(folder: Path, shown: Sequence[tuple[str, Tensor]]) -> Written:
    """Pieces (of photographs those with most to see), a column each; a row each who mended them."""
    whole = shown[-1][1]
    large = whole.shape[2] > PATCH
    columns = min(6 if large else 20, len(whole))
    by_contrast = whole.float().std((1, 2, 3)).argsort(descending=True, stable=True)
    most = by_contrast[:columns] if large else torch.arange(columns)
    make_folder(folder)
    path = folder / "restored.png"
    rows = [made[most] for _, made in shown]
    sheets.save_grid(path, torch.cat(rows), columns)
    return Written(path, f"from above: {', '.join(name for name, _ in shown)}")
