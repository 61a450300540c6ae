"""Restore: undo damage to pictures that is done to whole ones for the lesson: noise, rain, loss of detail, holes."""

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
from ganvas.tasks.restore.degradations import Draw
from ganvas.training import losses
from ganvas.training.batches import Batch, Batches
from ganvas.training.losses import LOSSES
from ganvas.training.task import SHOWN, Task

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

PAIRS = "pairs"  # the `degrade` of pictures whose damaged twins the user has
ROWS, COLUMNS = 2, 10  # of pieces in a preview, each shown damaged, restored and whole
PICTURES, PIECES = 200, 16  # whose damage is looked at when the training ends, at most, and pieces of each
SMOOTH = 1e-3  # of the Charbonnier loss, in a range of 2


@dataclass(frozen=True)
class Config:
    """The damage, and how much the discriminator has to say."""

    degrade: str = knob(
        "noise:25",
        "the damage: name:amount or name:from-to, a list of them in order with ',' (or '+': in any order); "
        f"{', '.join(degrade.DEGRADATIONS)}; or pairs: that of twins=FOLDER",
    )
    lively: float = knob(
        0.0,
        "from faithful (0: no discriminator) to lively (0.1, say): weight of the adversarial loss beside the pixels'",
        low=0,
        high=10,
    )
    loss: str = knob("nonsaturating", "adversarial loss", choices=tuple(LOSSES))
    even: float = knob(
        0.0,
        "let plain pieces count like busy ones: each counts by its error over that error + this one, in a range of 2 "
        "(0: by its error)",
        low=0,
        high=100,
    )
    turn: bool = knob(True, "show the pieces turned and mirrored as well (not where up and down matter)")


class RestoreTask(Task):
    """G mends damaged pictures, as near to the true ones as it can; D judges patches of what it made."""

    name = "restore"
    Config, Data, Spec = Config, DataConfig, ImageSpec
    networks = {"unet": unet}  # noqa: RUF012
    recipes = Later("ganvas.tasks.restore.recipes")
    Model = Later("ganvas.tasks.restore.model:Restorer")
    report = Later("ganvas.tasks.restore.report:PART")
    quantities = Later("ganvas.tasks.restore.report:QUANTITIES")
    studio = Later("ganvas.tasks.restore.studio:PART")
    shown = {**SHOWN, "psnr": ("PSNR", ".2f")}  # noqa: RUF012
    evaluate = Later("ganvas.tasks.restore.evaluate:command")
    not_compared = "mends pictures. Set others beside it with: ganvas evaluate RUN --against RUN"
    checks = "fidelity"
    usage = "mends pictures and draws none from noise: use `ganvas restore MODEL FILES... --out DIR`"
    next_steps = (
        (
            "Mend pictures of any size:",
            ("restore", "{place}", "my-pictures/", "--out", "mended/"),
        ),
    )

    def __init__(self, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Config) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.spec, self.config = spec, config
        self.plan = plan_of(config.degrade)
        self.objective = LOSSES[config.loss]
        self.learned: dict[str, nn.Module] = {}
        self.findings: dict[str, Any] = {}
        self.dials: dict[str, Tensor] = {}
        self._made: tuple[Tensor, Tensor] | None = None  # whole and restored, from D's step for G's

    @classmethod
    def of(
        cls, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Any, network: Any
    ) -> RestoreTask:
        return cls(generator, discriminator, spec, config)

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        plan_of(experiment.task.degrade)  # what its words mean is found out before anything is read
        if bool(experiment.data.twins) != (experiment.task.degrade == PAIRS):
            raise UserError(
                "twins=FOLDER and degrade=pairs belong together: damage that you have, beside damage that is made."
            )
        experiment.data.one_kind(cls.name)

    @classmethod
    def network_spec(cls, spec: ImageSpec, config: Config) -> ImageSpec:
        plan = plan_of(config.degrade)
        if spec.size % plan.scale:
            raise UserError(f"size={spec.size} is no multiple of {plan.scale}, the factor of enlargement: choose one.")
        return replace(spec, scale=plan.scale, masked=plan.masked, turned=config.turn)

    @classmethod
    def check_card(cls, card: dict[str, Any]) -> None:
        plan_of(card["task"]["degrade"])
        ranges = (card.get("signs") or {}).values()
        if not all(isinstance(r, list) and len(r) == 2 and all(isinstance(v, int | float) for v in r) for r in ranges):
            raise Incomplete("the signs of damage in its card are no ranges.")

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        whole, damaged = self._lesson(batch)
        restored = self.generator(damaged)
        self._made = whole, restored
        if not self.config.lively:
            return None
        real, fake = self.discriminator(whole).float(), self.discriminator(restored.detach()).float()
        loss = self.objective.d_loss(real, fake)
        return {"total": loss, "loss_d": loss, **losses.verdicts(self.objective, real, fake)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        assert self._made is not None, "the discriminator's step comes first"
        (whole, restored), self._made = self._made, None
        pixel = losses.charbonnier(restored, whole, SMOOTH, self.config.even)
        logged = {
            "loss_pixel": pixel,
            "psnr": fidelity.psnr(im.levels(restored.detach()), im.levels(whole)).clamp_max(fidelity.MOST).mean(),
        }
        if not self.config.lively:
            return {"total": pixel, "loss_g": pixel, **logged}
        fake = self.discriminator(restored).float()
        with torch.no_grad():  # only pairwise losses look at the real pictures here
            real = self.discriminator(whole).float() if self.objective.threshold is None else fake
        loss = self.objective.g_loss(real, fake)
        total = pixel + self.config.lively * loss
        return {"total": total, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake), **logged}

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        if not self.config.lively:
            return {}
        whole, damaged = self._lesson(batch)
        real = self.discriminator(whole).float()
        fake = self.discriminator((generator or self.generator)(damaged)).float()
        right_real, right_fake = losses.accuracy(self.objective, real, fake)
        return {"real": right_real, "fake": right_fake}

    @torch.no_grad()
    def check(self, generator: nn.Module, batches: Batches, preview: Sheet) -> dict[str, float]:
        whole, damaged = self._fixed(batches, CHECK)
        values = {}
        for name, made in (("psnr", generator(damaged)), ("psnr_damaged", self.trivial(damaged))):
            mask = damaged[:, -1:] if self.plan.masked else None
            values[name] = fidelity.psnr(im.levels(made), im.levels(whole), mask).clamp_max(fidelity.MOST).mean()
            values[name.replace("psnr", "ssim")] = fidelity.ssim(im.levels(made), im.levels(whole)).mean()
        return {name: round(float(value), 4) for name, value in values.items()}

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        """Note what the damage looks like: a picture with other signs will be a stranger to this model."""
        homes = [homes_of(split.samples) for split in (batches.data.train, batches.data.held_out)]
        self.findings["signs_from"] = sum(len(home.unique()) for home in homes)
        if self.findings["signs_from"] < signs.ENOUGH:
            yield f"No warning will be given of other damage: {signs.told(self.findings)}."
            return
        if self.spec.size // self.spec.scale < signs.LEAST:
            return
        random = seeds.generator(batches.seed, "signs")
        found, middles = [], []
        for split, home in zip((batches.data.train, batches.data.held_out), homes, strict=True):
            for rows in _of_each(home, random):  # those of one picture
                images = im.to_float(split.samples[rows])
                whole, spoilt = damaged(self.plan, images, functools.partial(_drawn, len(images), random))
                seen = whole if self.plan.masked else spoilt  # holes are marked: no sign
                found.append(signs.signs(im.levels(seen[:, : min(3, self.spec.channels)])))
                middles.append(found[-1].median(0).values)
        # most pieces, and every picture as a whole: none of those that were trained on is a stranger
        pieces, pictures = torch.cat(found), torch.stack(middles)
        low = torch.minimum(pieces.quantile(0.02, 0), pictures.amin(0)).tolist()
        high = torch.maximum(pieces.quantile(0.98, 0), pictures.amax(0)).tolist()
        self.findings["signs"] = {name: pair for name, *pair in zip(signs.SIGNS, low, high, strict=True)}
        yield from ()

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        f = figures
        before = f"{f['psnr_damaged']:.2f} dB, SSIM {f['ssim_damaged']:.3f}"
        return f"Held-out pieces: {f['psnr']:.2f} dB, SSIM {f['ssim']:.3f} (damaged {before})"

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Sheet:
        whole, damaged = self._fixed(batches, CHECK)
        most = whole.std((1, 2, 3)).argsort(descending=True, stable=True)[: ROWS * COLUMNS]  # those with most to see
        most = most[torch.arange(ROWS * COLUMNS) % len(most)]  # rows are always full
        whole, damaged = whole[most], damaged[most]
        shown = [self.trivial(damaged), generator(damaged), whole]
        rows = zip(*(im.to_uint8(x).split(COLUMNS) for x in shown), strict=True)
        return Sheet(torch.cat([part for row in rows for part in row]))

    def trivial(self, damaged: Tensor) -> Tensor:
        """What costs nothing, float [B, C, H, W]: the damaged picture itself, or its bicubic enlargement."""
        seen = damaged[:, : self.spec.channels]
        if self.plan.scale == 1:
            return seen
        return F.interpolate(seen, scale_factor=float(self.plan.scale), mode="bicubic").clamp(-1, 1)

    def _fixed(self, batches: Batches, count: int) -> tuple[Tensor, Tensor]:
        """Held-out pieces, whole and damaged, the same ones at each call."""
        held_out = batches.held_out(count).real
        random = seeds.generator(batches.seed, "damage")
        return damaged(self.plan, held_out, lambda f, *shape: f(len(held_out), *shape, generator=random))

    def _lesson(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's pictures, turned at random, and the same damaged, in full precision as when it is used."""
        with torch.autocast(batch.real.device.type, enabled=False):
            whole = augment.turned(batch.real, batch.draw(torch.rand, 3)) if self.config.turn else batch.real
            return damaged(self.plan, whole, batch.draw)


def homes_of(images: Tensor) -> Tensor:
    """Of which picture each row of a split is a piece, int64 [N]."""
    source = images.source if isinstance(images, Stored) else None
    if isinstance(source, Photos):
        return torch.from_numpy(np.searchsorted(source.ends, images.rows.numpy(), "right"))  # pyright: ignore[reportAttributeAccessIssue]
    return torch.arange(len(images))


def _of_each(homes: Tensor, random: torch.Generator) -> list[Tensor]:
    """The rows of up to PICTURES pictures, up to PIECES of each, chosen at random."""
    order = torch.randperm(len(homes), generator=random)
    order = order[homes[order].argsort(stable=True)]
    groups = order.split(homes.unique(return_counts=True)[1].tolist())
    chosen = torch.randperm(len(groups), generator=random)[:PICTURES].tolist()
    return [groups[i][:PIECES] for i in chosen]


def _drawn(count: int, random: torch.Generator, function: Callable[..., Tensor], *shape: int) -> Tensor:
    return function(count, *shape, generator=random)


def plan_of(text: str) -> degrade.Plan:
    """The plan that `degrade` means; one without a step where the user has the damaged pictures.

    Raises:
        UserError: as `degrade.parse`.
    """
    return degrade.Plan(()) if text == PAIRS else degrade.parse(text)


def damaged(plan: degrade.Plan, images: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Pictures as a data set has them -> whole, float [B, C, H, W], and damaged: by the plan, or their twins."""
    if not plan.groups:
        whole, twin = images.chunk(2, 1)
        return whole, twin
    return images, degrade.apply(plan, images, draw)
