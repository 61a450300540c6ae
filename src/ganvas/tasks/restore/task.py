"""Restore pictures: training degrades clean pictures by noise, rain, loss of detail or holes, and learns to undo it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.core.later import Later
from ganvas.core.memmap import Stored
from ganvas.core.model import Incomplete
from ganvas.core.run import Run
from ganvas.core.samples import CHECK
from ganvas.images import augment, fidelity
from ganvas.images import tensors as im
from ganvas.images.data.config import DataConfig
from ganvas.images.data.photos import Photos
from ganvas.images.sheets import Sheet
from ganvas.images.spec import ImageSpec
from ganvas.tasks.restore import degrade, signs, unet
from ganvas.tasks.restore.damages import PAIRS, plan_of
from ganvas.tasks.restore.degradations import Draw
from ganvas.training import losses
from ganvas.training.batches import Batch, Batches
from ganvas.training.losses import LOSSES, objective
from ganvas.training.remarks import without_discriminator
from ganvas.training.task import SHOWN, Task

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

SMALLEST = 7  # pixels a side of pieces that the discriminator can judge
ROWS, COLUMNS = 2, 10  # of patches in a preview, each shown degraded, restored and clean
PICTURES, PATCHES = 200, 16  # pictures measured for `signs` when the training ends, at most; patches of each


@dataclass(frozen=True)
class Config:
    """The degradation, and the weight of the discriminator."""

    degrade: str = knob(
        "noise:25",
        "the damage: name:amount or name:from-to, a list of them in order with ',' (or '+': in any order); "
        f"{', '.join(degrade.DEGRADATIONS)}; or pairs: that of twins=FOLDER",
        check="ganvas.tasks.restore.damages:check",
    )
    lively: float = knob(
        0.0,
        "from faithful (0: no discriminator) to lively (0.1, say): weight of the adversarial loss next to the pixels'",
        low=0,
        high=10,
    )
    loss: str = knob(
        "nonsaturating", "adversarial loss, or one of your own: my.py:loss", choices=tuple(LOSSES), code=True
    )
    even: float = knob(
        0.0,
        "let plain pieces count like busy ones: each counts by its error over that error + this one, in a range of 2 "
        "(0: by its error)",
        low=0,
        high=100,
    )
    smooth: float = knob(
        1e-3,
        "differences of pixels below this, in a range of 2, count by their squares (toward the mean of what is "
        "possible, which PSNR rewards), larger ones as they are (toward the median)",
        low=1e-6,
        high=100,
    )
    turn: bool = knob(True, "show the pieces turned and mirrored as well (not where up and down matter)")


class RestoreTask(Task):
    """G restores degraded pictures, as close to the clean ones as it can; D rates patches of its output."""

    name = "restore"
    Config, Data, Spec = Config, DataConfig, ImageSpec
    networks = {"unet": unet}  # noqa: RUF012
    recipes = Later("ganvas.tasks.restore.recipes")
    data_use = Later("ganvas.tasks.restore.data_use:USE")
    Model = Later("ganvas.tasks.restore.model:Restorer")
    report = Later("ganvas.tasks.restore.report:PART")
    quantities = Later("ganvas.tasks.restore.report:QUANTITIES")
    studio = Later("ganvas.tasks.restore.studio:PART")
    shown = {**SHOWN, "psnr": ("PSNR", ".2f")}  # noqa: RUF012
    evaluate = Later("ganvas.tasks.restore.evaluate:command")
    not_compared = "restores pictures. Compare it with others by: ganvas evaluate RUN --against RUN"
    checks = "fidelity"
    usage = "restores pictures and draws none from noise: use `ganvas restore MODEL FILES... --out DIR`"
    next_steps = (
        (
            "Restore pictures of any size:",
            ("restore", "{place}", "my-pictures/", "--out", "restored/"),
        ),
    )

    def __init__(self, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Config) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.spec, self.config = spec, config
        self.plan = plan_of(config.degrade)
        self.objective = objective(config.loss)
        self.learned: dict[str, nn.Module] = {}
        self.findings: dict[str, Any] = {}
        self.state: dict[str, Tensor] = {}
        self._made: tuple[Tensor, Tensor] | None = None  # clean and restored pictures of D's step, reused in G's

    @classmethod
    def of(
        cls, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Any, network: Any
    ) -> RestoreTask:
        return cls(generator, discriminator, spec, config)

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        plan = plan_of(experiment.task.degrade)  # raises on a wrong `degrade` before any data is read
        if plan.masked and plan.steps[1:]:
            raise UserError(
                f"degrade={experiment.task.degrade}: a model that fills holes leaves all other pixels as they "
                "are. Train it with holes alone, and another model for the rest."
            )
        if bool(experiment.data.twins) != (experiment.task.degrade == PAIRS):
            raise UserError(
                "twins=FOLDER and degrade=pairs belong together: use both (damaged pictures that you have), or neither."
            )
        experiment.data.one_kind(cls.name)

    @classmethod
    def network_spec(cls, spec: ImageSpec, config: Config) -> ImageSpec:
        plan = plan_of(config.degrade)
        if config.lively and spec.size < SMALLEST:
            raise UserError(f"size={spec.size}: with lively= pieces have {SMALLEST} pixels a side at least.")
        if spec.size % plan.scale:
            raise UserError(
                f"size={spec.size} is not a multiple of {plan.scale}, the factor of enlargement: choose one."
            )
        return replace(spec, scale=plan.scale, masked=plan.masked, turned=config.turn)

    @classmethod
    def remarks(cls, experiment: Experiment) -> list[str]:
        return without_discriminator(experiment)

    @classmethod
    def check_card(cls, card: dict[str, Any]) -> None:
        plan_of(card["task"]["degrade"])
        ranges = (card.get("signs") or {}).values()
        if not all(isinstance(r, list) and len(r) == 2 and all(isinstance(v, int | float) for v in r) for r in ranges):
            raise Incomplete("the signs of damage in its card are not ranges.")

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        clean, degraded = self._pairs(batch)
        restored = self.generator(degraded)
        self._made = clean, restored
        if not self.config.lively:
            return None
        real, fake = self.discriminator(clean).float(), self.discriminator(restored.detach()).float()
        loss = self.objective.d_loss(real, fake)
        return {"total": loss, "loss_d": loss, **losses.verdicts(self.objective, real, fake)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        assert self._made is not None, "the discriminator's step comes first"
        (clean, restored), self._made = self._made, None
        pixel = losses.charbonnier(restored, clean, self.config.smooth, self.config.even)
        logged = {
            "loss_pixel": pixel,
            "psnr": fidelity.psnr(im.levels(restored.detach()), im.levels(clean)).clamp_max(fidelity.MOST).mean(),
        }
        if not self.config.lively:
            return {"total": pixel, "loss_g": pixel, **logged}
        fake = self.discriminator(restored).float()
        with torch.no_grad():  # only pairwise losses look at the real pictures here
            real = self.discriminator(clean).float() if self.objective.threshold is None else fake
        loss = self.objective.g_loss(real, fake)
        total = pixel + self.config.lively * loss
        return {"total": total, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake), **logged}

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        if not self.config.lively:
            return {}
        clean, degraded = self._pairs(batch)
        real = self.discriminator(clean).float()
        fake = self.discriminator((generator or self.generator)(degraded)).float()
        right_real, right_fake = losses.accuracy(self.objective, real, fake)
        return {"real": right_real, "fake": right_fake}

    @torch.no_grad()
    def check(self, generator: nn.Module, batches: Batches, preview: Sheet) -> dict[str, float]:
        clean, degraded = self._check_pairs(batches, CHECK)
        values = {}
        for name, made in (("psnr", generator(degraded)), ("psnr_damaged", self.trivial(degraded))):
            mask = degraded[:, -1:] if self.plan.masked else None
            values[name] = fidelity.psnr(im.levels(made), im.levels(clean), mask).clamp_max(fidelity.MOST).mean()
            values[name.replace("psnr", "ssim")] = fidelity.ssim(im.levels(made), im.levels(clean)).mean()
        return {name: round(float(value), 4) for name, value in values.items()}

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        """Measure the signs of the degradation, so that pictures with another degradation can be recognised."""
        pictures_of_rows = [picture_of_rows(split.samples) for split in (batches.data.train, batches.data.held_out)]
        self.findings["signs_from"] = sum(len(picture.unique()) for picture in pictures_of_rows)
        if self.findings["signs_from"] < signs.ENOUGH:
            yield f"No warning will be given of other damage: {signs.describe(self.findings)}."
            return
        if self.spec.size // self.spec.scale < signs.LEAST:
            return
        random = seeds.generator(batches.seed, "signs")
        measured, medians = [], []
        for split, picture in zip((batches.data.train, batches.data.held_out), pictures_of_rows, strict=True):
            for rows in _sampled_rows(picture, random):  # those of one picture
                images = im.to_float(split.samples[rows])
                clean, degraded = make_pairs(self.plan, images, functools.partial(_draw, len(images), random))
                seen = clean if self.plan.masked else degraded  # the mask marks holes
                measured.append(signs.signs(im.levels(seen[:, : min(3, self.spec.channels)])))
                medians.append(measured[-1].median(0).values)
        # the ranges hold most patches and every picture's median: no training picture is an outlier
        patches, pictures = torch.cat(measured), torch.stack(medians)
        low = torch.minimum(patches.quantile(0.02, 0), pictures.amin(0)).tolist()
        high = torch.maximum(patches.quantile(0.98, 0), pictures.amax(0)).tolist()
        self.findings["signs"] = {name: pair for name, *pair in zip(signs.SIGNS, low, high, strict=True)}
        yield from ()

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        f = figures
        before = f"{f['psnr_damaged']:.2f} dB, SSIM {f['ssim_damaged']:.3f}"
        return f"Held-out pieces: {f['psnr']:.2f} dB, SSIM {f['ssim']:.3f} (damaged {before})"

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Sheet:
        clean, degraded = self._check_pairs(batches, CHECK)
        most = clean.std((1, 2, 3)).argsort(descending=True, stable=True)[: ROWS * COLUMNS]  # those with most contrast
        most = most[torch.arange(ROWS * COLUMNS) % len(most)]  # rows are always full
        clean, degraded = clean[most], degraded[most]
        shown = [self.trivial(degraded), generator(degraded), clean]
        rows = zip(*(im.to_uint8(x).split(COLUMNS) for x in shown), strict=True)
        return Sheet(torch.cat([part for row in rows for part in row]))

    def trivial(self, degraded: Tensor) -> Tensor:
        """The trivial restoration, float [B, C, H, W]: the degraded picture itself, or its bicubic enlargement."""
        seen = degraded[:, : self.spec.channels]
        if self.plan.scale == 1:
            return seen
        return F.interpolate(seen, scale_factor=float(self.plan.scale), mode="bicubic").clamp(-1, 1)

    def _check_pairs(self, batches: Batches, count: int) -> tuple[Tensor, Tensor]:
        """Held-out patches, clean and degraded, the same ones at each call."""
        held_out = batches.held_out(count).real
        random = seeds.generator(batches.seed, "damage")
        return make_pairs(self.plan, held_out, lambda f, *shape: f(len(held_out), *shape, generator=random))

    def _pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's pictures, randomly turned, and the same degraded; in full precision, as at inference."""
        with torch.autocast(batch.real.device.type, enabled=False):
            clean = augment.turned(batch.real, batch.draw(torch.rand, 3)) if self.config.turn else batch.real
            return make_pairs(self.plan, clean, batch.draw)


def picture_of_rows(images: Tensor) -> Tensor:
    """The number of the picture that each row of a split is a patch of, int64 [N]."""
    source = images.source if isinstance(images, Stored) else None
    if isinstance(source, Photos):
        return torch.from_numpy(np.searchsorted(source.ends, images.rows.numpy(), "right"))  # pyright: ignore[reportAttributeAccessIssue]
    return torch.arange(len(images))


def _sampled_rows(pictures: Tensor, random: torch.Generator) -> list[Tensor]:
    """The rows of up to PICTURES pictures, up to PATCHES of each, chosen at random."""
    order = torch.randperm(len(pictures), generator=random)
    order = order[pictures[order].argsort(stable=True)]
    groups = order.split(pictures.unique(return_counts=True)[1].tolist())
    chosen = torch.randperm(len(groups), generator=random)[:PICTURES].tolist()
    return [groups[i][:PATCHES] for i in chosen]


def _draw(count: int, random: torch.Generator, function: Callable[..., Tensor], *shape: int) -> Tensor:
    return function(count, *shape, generator=random)


def make_pairs(plan: degrade.Plan, images: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Pictures of a data set -> clean ones, float [B, C, H, W], and degraded ones: by the plan, or from the pairs."""
    if not plan.groups:
        clean, degraded = images.chunk(2, 1)
        return clean, degraded
    return images, degrade.apply(plan, images, draw)
