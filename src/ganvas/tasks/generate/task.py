"""Generate: draw new images from noise, of a class that is asked for where the data has classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core import distributed, seeds
from ganvas.core.config import knob
from ganvas.core.later import Later
from ganvas.core.run import Run
from ganvas.core.samples import CHECK
from ganvas.images import augment
from ganvas.images import tensors as im
from ganvas.images.data.config import DataConfig
from ganvas.images.sheets import COLUMNS, Sheet, cut
from ganvas.images.spec import ImageSpec
from ganvas.metrics import copies
from ganvas.networks import NETWORKS
from ganvas.tasks.generate import rejection
from ganvas.tasks.generate.detect import detector as detection
from ganvas.training import losses
from ganvas.training.batches import Batch, Batches
from ganvas.training.losses import LOSSES
from ganvas.training.task import Task

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

MAX_ROWS = 32
FAKES = 7_500  # pictures of the finished generator that the detector learns from, or is asked about
PORTION = 250
GAMMA = 1e-3  # first weight of the penalties, times pixels and by images a step (the rule of Karras et al. 2020)
BAND, NUDGE = 1.5, 1.05  # how far the penalties' share may be off, as a factor; by how much their weight then moves
OVERFIT = 0.4  # training images as far above held-out ones as this share of their way to fakes: D knows them by heart
PACE = 30_000  # images in which the probability of a disturbance would go from 0 to 1


@dataclass(frozen=True)
class Config:
    """Loss, penalties and rhythm of the contest."""

    loss: str = knob("nonsaturating", "adversarial loss", choices=tuple(LOSSES))
    r1: float = knob(0.0, "weight (gamma) of the squared gradient of D on real images", low=0, high=10**9)
    r2: float = knob(0.0, "weight (gamma) of the squared gradient of D on generated images", low=0, high=10**9)
    penalty_every: int = knob(
        1, "steps from one R1/R2 penalty to the next (its weight is multiplied by that)", low=1, high=10**6
    )
    gradient_penalty: float = knob(0.0, "weight of WGAN-GP's penalty (10 is usual with wasserstein)", low=0, high=10**9)
    penalty_share: float = knob(
        0.0, "wanted share of penalties beside a guessing D's loss; their weights follow (0: stay)", low=0, high=0.9
    )
    mirror: bool = knob(False, "show every second real image as in a mirror (only where left and right are alike)")
    augment: float = knob(
        0.0,
        "highest probability of each disturbance of what D sees; it follows D's overfitting (0: none)",
        low=0,
        high=0.9,
    )
    joint: bool = knob(False, "judge real and generated images as one batch: quicker, unless D looks at whole batches")
    d_steps: int = knob(1, "discriminator steps a generator step", low=1, high=1000)
    select: int = knob(
        0,
        "images from which a selector learns, at the end, which drawings to keep (0: no selector)",
        low=0,
        high=10**12,
    )
    detect: int = knob(
        20_000,
        "training images from which a detector learns, at the end, to know such images (0: no detector)",
        low=0,
        high=10**12,
    )


class GenerateTask(Task):
    """The classic contest: G draws from z (and a label), D judges."""

    name = "generate"
    Config, Data, Spec = Config, DataConfig, ImageSpec
    networks = NETWORKS
    recipes = Later("ganvas.tasks.generate.recipes")
    Model = Later("ganvas.tasks.generate.model:Model")
    report = Later("ganvas.tasks.generate.report")
    studio = Later("ganvas.tasks.generate.studio:PART")
    measures_beside = "ganvas.tasks.generate.evaluate.evaluate"
    usage = "draws pictures from noise: use `ganvas sample`, and `ganvas train denoise` for a model that mends"
    next_steps = (
        ("Draw new images; the same seed gives the same image again:", ("sample", "{place}", "--seeds", "0-63")),
    )

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Config, latent_dim: int
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.spec, self.config, self.latent_dim = spec, config, latent_dim
        self.objective = LOSSES[config.loss]
        self.guessing = float(self.objective.d_loss(torch.zeros(1), torch.zeros(1))) or 1.0  # loss of a D that guesses
        self.learned: dict[str, nn.Module] = {}
        self.findings: dict[str, Any] = {}
        self.dials = {
            "gamma": torch.tensor(1.0),
            "share": torch.tensor(config.penalty_share),
            "augment": torch.tensor(0.0),
        }
        self._watch: copies.Watch | None = None
        self._fakes: Tensor | None = None  # drawn in the discriminator's step, used again in the generator's

    @classmethod
    def of(
        cls, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Any, network: Any
    ) -> GenerateTask:
        return cls(generator, discriminator, spec, config, network.latent_dim)

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        experiment.data.one_kind(cls.name)
        experiment.data.no_pairs()

    @classmethod
    def smoke(cls, config: Config, images: int) -> Config:
        return dataclasses.replace(config, select=min(config.select, images), detect=min(config.detect, images))

    @classmethod
    def extras(cls, spec: ImageSpec, tensors: dict[str, Tensor]) -> dict[str, nn.Module]:
        found: dict[str, nn.Module] = {}
        if any(name.startswith("selector.") for name in tensors):
            found["selector"] = rejection.Selector(spec.channels, spec.size)
        if any(name.startswith("detector.") for name in tensors):
            found["detector"] = detection.Detector(len(tensors["detector.mean"]))
        return found

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        c, gamma = self.config, self.dials["gamma"]
        if c.penalty_share and batch.step == 0:
            gamma.fill_(GAMMA * self.spec.size**2 / (len(batch.real) * batch.ranks))
        pauses = (batch.step + 1) % c.d_steps != 0
        with torch.set_grad_enabled(not pauses):
            fakes = self._draw(self.generator, batch)
        self._fakes = None if pauses else fakes
        fakes, real_images = self._disturbed(fakes.detach(), batch), self._disturbed(self._turned(batch), batch)
        penalised = batch.step % c.penalty_every == 0
        if penalised and c.r1:
            real_images.requires_grad_(True)
        if penalised and c.r2:
            fakes.requires_grad_(True)
        real, fake = self._judge(real_images, fakes, batch.labels)
        total = loss = self.objective.d_loss(real, fake)
        logged: dict[str, Tensor] = {}
        penalty = loss.new_zeros(())
        for name, weight, logits, images in (("r1", c.r1, real, real_images), ("r2", c.r2, fake, fakes)):
            if penalised and weight:
                logged[name] = losses.squared_gradient(logits, images)
                penalty = penalty + 0.5 * weight * gamma * logged[name]
        if penalised and c.penalty_share:
            logged |= {"gamma": gamma.clone(), "penalty_share": penalty / (penalty + self.guessing)}
        total = total + c.penalty_every * penalty
        if c.gradient_penalty:
            mix = batch.draw(torch.rand, 1, 1, 1).to(fakes.device)
            logged["gradient_penalty"] = losses.gradient_penalty(
                lambda x: self.discriminator(x, batch.labels), real_images, fakes, mix
            )
            total = total + c.gradient_penalty * logged["gradient_penalty"]
        return {"total": total, "loss_d": loss, **losses.verdicts(self.objective, real, fake), **logged}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        fakes, self._fakes = self._fakes, None
        if fakes is None:
            return None
        fake = self.discriminator(self._disturbed(fakes, batch), batch.labels).float()
        real = fake
        if self.objective.threshold is None:  # only pairwise losses look at the real images here
            with torch.no_grad():
                real = self.discriminator(self._disturbed(self._turned(batch), batch), batch.labels).float()
        loss = self.objective.g_loss(real, fake)
        return {"total": loss, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake)}

    def heed(self, logged: dict[str, Tensor]) -> None:
        if "penalty_share" in logged:
            share = logged["penalty_share"]
            self.dials["share"] = torch.lerp(self.dials["share"].to(share.device), share, 0.1)

    @torch.no_grad()
    def adapt(self, generator: nn.Module, train: Batch, held_out: Batch, images: int) -> dict[str, Tensor]:
        c, dials = self.config, self.dials
        told: dict[str, Tensor] = {}
        if c.penalty_share:
            share = float(dials["share"])
            dials["gamma"] *= (
                NUDGE if share < c.penalty_share / BAND else 1 / NUDGE if share > c.penalty_share * BAND else 1
            )
        if c.augment:
            fakes = self._draw(generator, train)
            logits = [
                self.discriminator(self._disturbed(images, batch), batch.labels).float().mean()
                for images, batch in ((train.real, train), (held_out.real, held_out), (fakes, train))
            ]
            distributed.average(logits)
            seen, new, fake = logits
            told["overfit"] = (seen - new) / (seen - fake).abs().clamp_min(1e-3)
            move = images / PACE if told["overfit"] > OVERFIT else -images / PACE
            dials["augment"].add_(move).clamp_(0, c.augment)
            told["augment"] = dials["augment"].clone()
        return told

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        generator.eval()
        self.discriminator.eval()
        if self.config.select:
            yield "The contest is over. Now a selector learns which drawings to keep (minutes)."
            torch.manual_seed(seeds.key(batches.seed, "selector"))
            selector = rejection.Selector(self.spec.channels, self.spec.size).to(batches.device)
            selector.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            for _ in rejection.learn(selector, generator, batches, self.latent_dim, self.config.select):
                yield ""
            self.learned["selector"] = selector
            yield "The selector has learned."
        held_out = batches.data.held_out.samples
        if none := detection.why_none(len(held_out), self.config.detect):
            self.findings["no_detector"] = none
            if self.config.detect:
                yield f"No detector: {none}."
        else:
            yield "Now a detector learns to know such images from others (seconds)."
            train, seed = batches.data.train.samples, batches.seed
            fresh = [self._kept(generator, batches, i, train) for i in range(0, min(FAKES, len(train)), PORTION)]
            fakes = torch.cat(fresh)
            yield ""
            drawn = cut((path for _, path in run.previews()), self.spec)
            learn, left = fakes[: -len(fakes) // 3], fakes[-len(fakes) // 3 :]
            detector = detection.learn(self.discriminator, train, held_out, learn, drawn, seed, self.config.detect)
            found = detection.report(self.discriminator, detector, held_out, left, seed, self.config.detect)
            self.learned["detector"], self.findings["detector"] = detector, dataclasses.asdict(found)
            yield (
                f"The detector lets {1 - found.false_alarm:.1%} of {found.real:,} new real images pass, and "
                f"{found.rows[0].passed:.1%} of this generator's pictures (ganvas detect)."
            )

    def _kept(self, generator: nn.Module, batches: Batches, start: int, train: Tensor) -> Tensor:
        """Some of the pictures that people will see, of classes as they come in the data, uint8."""
        count = min(PORTION, FAKES - start, len(train) - start)
        numbers = [seeds.key(batches.seed, "detector", start + i) for i in range(count)]
        labels = batches.data.train.labels
        kinds = None if labels is None else labels[start : start + count].to(batches.device)
        drawn = rejection.kept(generator, self.learned.get("selector"), numbers, self.latent_dim, kinds)
        return im.to_uint8(drawn)

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        fakes = self._draw(generator or self.generator, batch)
        real = self.discriminator(batch.real, batch.labels).float()
        fake = self.discriminator(fakes, batch.labels).float()
        right_real, right_fake = losses.accuracy(self.objective, real, fake)
        spread = [x.float().std(0, correction=min(1, len(x) - 1)).mean() for x in (fakes, batch.real)]  # of one: 0
        return {"real": right_real, "fake": right_fake, "diversity": spread[0] / spread[1].clamp_min(1e-6)}

    @torch.no_grad()
    def check(self, generator: nn.Module, batches: Batches, preview: Sheet) -> dict[str, float]:
        self._watch = self._watch or copies.Watch(batches.some(copies.WATCHED))
        seen = self.accuracy(batches.seen(CHECK), generator)
        held_out = self.accuracy(batches.held_out(CHECK), generator)
        return {
            "real": float(seen["real"]),
            "fake": float(seen["fake"]),
            "held_out": float(held_out["real"]),
            "diversity": round(float(seen["diversity"]), 4),
            "copied": self._watch.share(preview.pictures),
        }

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        return f"Accuracy on 100 real images: {figures['real']:.0%}, on 100 generated ones: {figures['fake']:.0%}"

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Sheet:
        rows = min(self.spec.classes, MAX_ROWS) or COLUMNS
        device = next(generator.parameters()).device
        z = seeds.latents((seeds.key(batches.seed, "preview", i) for i in range(rows * COLUMNS)), self.latent_dim).to(
            device
        )
        labels = torch.arange(rows, device=device).repeat_interleave(COLUMNS) if self.spec.classes else None
        return Sheet(im.to_uint8(generator(z, labels)))

    def _disturbed(self, images: Tensor, batch: Batch) -> Tensor:
        """What D sees of these images, as many as the batch has."""
        if not self.config.augment:
            return images
        chance = batch.draw(torch.rand, augment.CHANCES)
        return augment.disturb(images, self.dials["augment"].to(images.device), chance)

    def _turned(self, batch: Batch) -> Tensor:
        return augment.mirrored(batch.real, batch.draw(torch.rand)) if self.config.mirror else batch.real

    def _judge(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits of real and generated images, each [B]."""
        if not self.config.joint:
            return self.discriminator(real, labels).float(), self.discriminator(fake, labels).float()
        twice = None if labels is None else torch.cat([labels, labels])
        judged_real, judged_fake = self.discriminator(torch.cat([real, fake]), twice).float().chunk(2)
        return judged_real, judged_fake

    def _draw(self, generator: nn.Module, batch: Batch) -> Tensor:
        z = batch.draw(torch.randn, self.latent_dim).to(batch.real.device)  # on the CPU: one z on any device
        return generator(z, batch.labels)
