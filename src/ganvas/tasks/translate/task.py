"""Translate: turn pictures of one kind into another, and back, from two sets of pictures without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core.config import knob
from ganvas.core.devices import upload
from ganvas.core.errors import UserError
from ganvas.core.later import Later
from ganvas.core.samples import CHECK
from ganvas.images import augment, fidelity
from ganvas.images import tensors as im
from ganvas.images.data.config import DataConfig
from ganvas.images.sheets import Sheet
from ganvas.images.spec import ImageSpec
from ganvas.tasks.translate import colours, network
from ganvas.training import losses
from ganvas.training.batches import Batch, Batches
from ganvas.training.losses import LOSSES, objective
from ganvas.training.task import SHOWN, Task

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

BLOCKS, COLUMNS = 2, 10  # of a preview: a block has rows of pictures, of translated ones, and of those translated back
KINDS = ("a", "b")
Sides = tuple[Tensor, Tensor]  # pictures of kind A, and of kind B


@dataclass(frozen=True)
class Config:
    """Weights of the losses besides the adversarial one, and what stabilises the training."""

    cycle: float = knob(
        5.0, "weight of the way there and back, which should give the original again", low=0, high=10**6
    )
    identity: float = knob(
        2.5, "weight of leaving pictures unchanged that are already of the wanted kind", low=0, high=10**6
    )
    hide: float = knob(
        0.05, "noise on the way back, in a range of 2: nothing can be hidden in the picture", low=0, high=100
    )
    loss: str = knob(
        "relativistic", "adversarial loss, or one of your own: my.py:loss", choices=tuple(LOSSES), code=True
    )
    r1: float = knob(1.0, "weight (gamma) of the squared gradient of D on real images", low=0, high=10**9)
    r2: float = knob(1.0, "weight (gamma) of the squared gradient of D on translated images", low=0, high=10**9)
    penalty_every: int = knob(
        4, "steps from one R1/R2 penalty to the next (its weight is multiplied by that)", low=1, high=10**6
    )
    pool: int = knob(50, "translated pictures of earlier steps, of which D is shown some (0: none)", low=0, high=10_000)
    mirror: bool = knob(False, "show every second picture as in a mirror (only where left and right are alike)")


class TranslateTask(Task):
    """Two generators, A to B and B to A, and a discriminator for each kind; there and back must be the identity.

    Source: Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent adversarial networks".
    """

    name = "translate"
    Config, Data, Spec = Config, DataConfig, ImageSpec
    networks = {"translator": network}  # noqa: RUF012
    recipes = Later("ganvas.tasks.translate.recipes")
    data_use = Later("ganvas.tasks.translate.data_use:USE")
    Model = Later("ganvas.tasks.translate.model:Translator")
    report = Later("ganvas.tasks.translate.report:PART")
    quantities = Later("ganvas.tasks.translate.report:QUANTITIES")
    studio = Later("ganvas.tasks.translate.studio:PART")
    shown = {**SHOWN, "loss_cycle": ("Cycle", ".3f"), "loss_identity": ("Identity", ".3f")}  # noqa: RUF012
    evaluate = Later("ganvas.tasks.translate.evaluate:command")
    not_compared = "translates pictures. Measure each with: ganvas evaluate RUN"
    checks = "round-trip"
    usage = "turns pictures into another kind: use `ganvas translate MODEL FILES... --to B --out DIR`"
    next_steps = (
        (
            "Turn your own pictures into the other kind (--to A: the other way):",
            ("translate", "{place}", "my-pictures/", "--to", "B", "--out", "translated/"),
        ),
    )

    def __init__(self, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Config) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.spec, self.config = spec, config
        self.objective = objective(config.loss)
        self.learned: dict[str, nn.Module] = {}
        self.findings: dict[str, Any] = {}
        empty = torch.empty(0, spec.channels, spec.size, spec.size)
        self.state = {f"pool_{kind}": empty for kind in KINDS} if config.pool else {}
        self._step: tuple[Sides, Sides] | None = None  # real and translated pictures of D's step, reused in G's

    @classmethod
    def of(
        cls, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Any, network: Any
    ) -> TranslateTask:
        return cls(generator, discriminator, spec, config)

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        experiment.data.no_pairs()

    @classmethod
    def ready(cls, experiment: Experiment) -> None:
        if not experiment.data.to:
            raise UserError(
                f"{experiment.recipe} turns one kind of pictures into another: name the other with --to FOLDER."
            )

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        c, g, real = self.config, self.generator, self._real(batch)
        made = g(real[1], "a"), g(real[0], "b")
        self._step = real, made
        real = [x.detach() for x in real]
        shown = [self._pooled(kind, x.detach(), batch) for kind, x in zip(KINDS, made, strict=True)]
        penalised = batch.step % c.penalty_every == 0
        for images in (*(real if c.r1 else ()), *(shown if c.r2 else ())):
            images.requires_grad_(penalised)
        right, wrong = self._logits(real), self._logits(shown)
        total = loss = self.objective.d_loss(torch.cat(right), torch.cat(wrong))
        logged: dict[str, Tensor] = {}
        for name, weight, logits, pictures in (("r1", c.r1, right, real), ("r2", c.r2, wrong, shown)):
            if penalised and weight:
                logged[name] = torch.stack([*map(losses.squared_gradient, logits, pictures)]).mean()
                total = total + 0.5 * c.penalty_every * weight * logged[name]
        return {
            "total": total,
            "loss_d": loss,
            **losses.verdicts(self.objective, torch.cat(right), torch.cat(wrong)),
            **logged,
        }

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        assert self._step is not None, "the discriminator's step comes first"
        c, g, (real, made), self._step = self.config, self.generator, self._step, None
        fake = torch.cat(self._logits(made))
        with torch.no_grad():  # only pairwise losses look at the real pictures here
            right = torch.cat(self._logits(real)) if self.objective.threshold is None else fake
        loss = self.objective.g_loss(right, fake)
        noisy = (
            [x + c.hide * upload(batch.draw(torch.randn, *x.shape[1:]), x.device) for x in made]
            if c.hide
            else list(made)
        )
        cycles, same = [], []
        for kind, other, start in zip(KINDS, reversed(noisy), real, strict=True):
            returned, kept = g(torch.cat([other, start]), kind).chunk(2) if c.identity else (g(other, kind), start)
            cycles.append((returned - start).abs().mean())
            same.append((kept - start).abs().mean())
        cycle, identity = (torch.stack(terms).mean() for terms in (cycles, same))
        return {
            "total": loss + c.cycle * cycle + c.identity * identity,
            "loss_g": loss,
            "loss_cycle": cycle,
            **({"loss_identity": identity} if c.identity else {}),
            "d_fake_after": losses.score(self.objective, fake),
        }

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        assert batch.other is not None
        count = min(len(batch.real), len(batch.other))
        a, b = batch.real[:count], batch.other[:count]
        g = generator or self.generator
        real, fake = torch.cat(self._logits((a, b))), torch.cat(self._logits((g(b, "a"), g(a, "b"))))
        right_real, right_fake = losses.accuracy(self.objective, real, fake)
        return {"real": right_real, "fake": right_fake}

    @torch.no_grad()
    def check(self, generator: nn.Module, batches: Batches, preview: Sheet) -> dict[str, float]:
        held_out = batches.held_out(CHECK)
        assert held_out.other is not None
        figures: dict[str, float] = {}
        for kind, (start, there, back) in zip(KINDS, both_ways(generator, held_out), strict=True):
            figures[f"cycle_{kind}"] = float(
                fidelity.psnr(im.levels(back), im.levels(start)).clamp_max(fidelity.MOST).mean()
            )
            for place, value in colours.followed(im.levels(start), im.levels(there)).items():
                figures[f"{place}_{kind}"] = value
        return {name: round(value, 4) for name, value in figures.items() if value == value}

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        f = figures
        seen = {name: format(f[name], ".2f") if name in f else "-" for name in ("middle_b", "border_b")}
        return (
            f"There and back: {f['cycle_a']:.1f} dB, {f['cycle_b']:.1f} dB the other way; colours follow the input by "
            f"{seen['middle_b']} in the middle, {seen['border_b']} at the border (1: in the same order)"
        )

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Sheet:
        held_out = batches.held_out(BLOCKS * COLUMNS)
        assert held_out.other is not None
        rows: list[Tensor] = []
        for shown in both_ways(generator, held_out):
            full = torch.arange(BLOCKS * COLUMNS) % len(shown[0])  # rows are always full
            rows += [im.to_uint8(x[row]) for row in full.split(COLUMNS) for x in shown]
        return Sheet(torch.cat(rows))

    def _real(self, batch: Batch) -> Sides:
        """The batch's pictures of both kinds."""
        assert batch.other is not None, "this task needs pictures of two kinds"
        if not self.config.mirror:
            return batch.real, batch.other
        chance = batch.draw(torch.rand, 2)
        return augment.mirrored(batch.real, chance[:, 0]), augment.mirrored(batch.other, chance[:, 1])

    def _logits(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        """Logits of pictures of kind A, and of kind B."""
        return [self.discriminator(x, kind).float() for kind, x in zip(KINDS, pictures, strict=True)]

    def _pooled(self, kind: str, made: Tensor, batch: Batch) -> Tensor:
        """What D is shown: about half of the pictures are exchanged for earlier ones. Source: Shrivastava et al. 2017.

        With several processes each has its own pool; after a resume all continue with that of the first.
        """
        if not self.config.pool:
            return made
        name, chance = f"pool_{kind}", batch.draw(torch.rand, 2)
        pool = self.state[name].to(made)
        if len(pool) < self.config.pool:
            self.state[name] = torch.cat([pool, made])[: self.config.pool]
            return made
        swapped, place = chance[:, 0] < 0.5, (chance[:, 1] * len(pool)).long()
        # on the CPU, as the GPU would have to be waited for; of two that change places with one, the last stays
        last = {int(place[i]): i for i in swapped.nonzero().flatten().tolist()}
        kept, which = (upload(torch.tensor([*side], dtype=torch.int64), made.device) for side in (last, last.values()))
        swapped, place = upload(swapped, made.device), upload(place, made.device)
        shown = torch.where(swapped[:, None, None, None], pool[place], made)
        pool = pool.clone()
        pool[kept] = made[which]
        self.state[name] = pool
        return shown


def both_ways(generator: nn.Module, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
    """For both kinds, A and B: the pictures, the translated ones, and those translated back."""
    assert batch.other is not None
    results = []
    for start, kind, other in zip((batch.real, batch.other), KINDS, reversed(KINDS), strict=True):
        there = generator(start, other)
        results.append((start, there, generator(there, kind)))
    return results
