"""Sounds from noise: a generator that draws spectrograms, trained against a discriminator."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.config import knob
from ganvas.core.devices import upload
from ganvas.core.later import Later
from ganvas.core.run import Run
from ganvas.core.samples import CHECK
from ganvas.report import diagnosis
from ganvas.sounds import augment
from ganvas.sounds.data import DataConfig
from ganvas.sounds.sheets import Preview, heard, labels_of
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import detect, detect_report, faults, nearest, network
from ganvas.training import losses, trainer
from ganvas.training.adaptive import Augment
from ganvas.training.batches import Batch, Batches
from ganvas.training.best import best_weights, take_best
from ganvas.training.losses import LOSSES, objective
from ganvas.training.task import Task

PORTION = 64  # sounds whose spectrograms are made at a time
AVERAGED = 2_000  # training sounds whose mean spectrum the generator begins with


@dataclass(frozen=True)
class Config:
    """Loss, penalty and augmentation of the adversarial training."""

    loss: str = knob(
        "nonsaturating", "adversarial loss, or one of your own: my.py:loss", choices=tuple(LOSSES), code=True
    )
    r1: float = knob(0.1, "weight (gamma) of the squared gradient of D on real sounds", low=0, high=10**9)
    penalty_every: int = knob(
        8, "steps from one R1 penalty to the next (its weight is multiplied by that)", low=1, high=10**6
    )
    augment: float = knob(
        0.0, "highest probability of each augmentation of what D hears; adapts to D's overfitting", low=0, high=0.9
    )
    detect: int = knob(
        4_000,
        "training sounds for the detector that is trained at the end (0: no detector)",
        low=0,
        high=10**9,
    )


class SoundTask(Task):
    """The classic GAN on spectrograms: G maps z (and a label) to a spectrogram, D tells drawn ones from real ones."""

    name, Config, Data, Spec = "sound", Config, DataConfig, SoundSpec
    networks = {"spectra": network}  # noqa: RUF012
    recipes = Later("ganvas.tasks.sound.recipes")
    for_own = "sound"
    check_data = Later("ganvas.tasks.sound.data_check:check")
    glance = Later("ganvas.tasks.sound.glance:glance")
    check_writes = "--out"
    Model = Later("ganvas.tasks.sound.model:SoundModel")
    evaluate = Later("ganvas.tasks.sound.evaluate.command:evaluate")
    expand = Later("ganvas.tasks.sound.expand:expand")
    measures_files = True
    report = Later("ganvas.tasks.sound.report:PART")
    studio = Later("ganvas.tasks.sound.studio:PART")
    usage = "draws sounds: ganvas sample RUN"
    next_steps = (("Draw sounds; the same seed gives the same sound again:", ("sample", "{place}", "--seeds", "0-63")),)

    def __init__(self, generator: nn.Module, discriminator: nn.Module, spec: SoundSpec, config: Any, net: Any) -> None:
        super().__init__(generator, discriminator, spec, config, net)
        self.objective, self.latent_dim = objective(config.loss), net.latent_dim
        disturb = functools.partial(augment.disturb, bands=spec.bands)
        self.augment = Augment(self.state, config.augment, disturb, augment.CHANCES)
        self.state |= {"apart": torch.tensor(nearest.NONE), **best_weights(generator)}
        self._drawn: Tensor | None = None  # in the discriminator's step, reused in the generator's

    def prepare(self, config: trainer.Config, batches: Batches) -> None:
        """Give the generator the mean spectrum of training sounds, from which it departs."""
        assert isinstance(self.generator, network.Generator)
        if config.from_ and not bool((self.generator.mean == self.generator.mean[0]).all()):  # of the model before
            return
        count, total = min(AVERAGED, batches.count), torch.zeros_like(self.generator.mean[:, 0])
        for start in range(0, count, PORTION):  # of long sounds all at once would take gigabytes
            pictures = self._real(batches.seen(min(PORTION, count - start), start))
            total += pictures.float().mean((1, 3)).sum(0)
        self.generator.mean.copy_(total[:, None] / count)

    @classmethod
    def extras(cls, spec: SoundSpec, tensors: dict[str, Tensor]) -> dict[str, nn.Module]:
        known = any(name.startswith("detector.") for name in tensors)
        return {"detector": detect.Detector.for_tensors(tensors)} if known else {}

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        if self.state["apart"] != nearest.NONE:
            take_best(generator, self.state)
            yield nearest.sentence(run.rows(run.metrics))
        generator.eval()
        self.discriminator.eval()
        yield ""
        if reason := detect.why_none(len(batches.data.held_out.samples), self.config.detect):
            self.findings["no_detector"] = reason
            yield f"No detector: {reason}." if self.config.detect else ""
            return
        yield "Training the detector ..."
        for found in detect_report.learn(self.discriminator, generator, self.latent_dim, batches, self.config.detect):
            if found is None:
                yield ""
                continue
            self.learned["detector"], report = found
            self.findings["detector"] = dataclasses.asdict(report)
            yield f"The detector accepts {1 - report.false_alarm:.1%} of held-out sounds (ganvas detect)."

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        self._drawn = self._draw(self.generator, batch)
        drawn, real = self.augment(self._drawn.detach(), batch), self.augment(self._real(batch), batch)
        penalised = bool(self.config.r1) and batch.step % self.config.penalty_every == 0
        if penalised:
            real.requires_grad_(True)
        logits = self.discriminator(real, batch.labels).float(), self.discriminator(drawn, batch.labels).float()
        loss = self.objective.d_loss(*logits)
        logged = {"total": loss, "loss_d": loss, **losses.verdicts(self.objective, *logits)}
        if penalised:
            logged["r1"] = losses.squared_gradient(logits[0], real)
            logged["total"] = loss + 0.5 * self.config.r1 * self.config.penalty_every * logged["r1"]
        return logged

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        drawn, self._drawn = self._drawn, None
        assert drawn is not None
        fake = real = self.discriminator(self.augment(drawn, batch), batch.labels).float()
        if self.objective.pairs:
            with torch.no_grad():
                real = self.discriminator(self.augment(self._real(batch), batch), batch.labels).float()
        loss = self.objective.g_loss(real, fake)
        return {"total": loss, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake)}

    @torch.no_grad()
    def adapt(self, generator: nn.Module, train: Batch, held_out: Batch, images: int) -> dict[str, Tensor]:
        if not self.config.augment:
            return {}

        def mean_logit(sounds: Tensor, batch: Batch) -> Tensor:
            return self.discriminator(self.augment(sounds, batch), batch.labels).float().mean()

        seen, new = (mean_logit(self._real(batch), batch) for batch in (train, held_out))
        return self.augment.adapt(seen, new, mean_logit(self._draw(generator, train), train), images)

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        sides = self._real(batch), self._draw(generator or self.generator, batch)
        real, fake = (self.discriminator(x, batch.labels).float() for x in sides)
        right = losses.accuracy(self.objective, real, fake)
        spread = [x.float().std(0, correction=min(1, len(x) - 1)).mean() for x in sides]  # of one: 0
        return {"real": right[0], "fake": right[1], "diversity": spread[1] / spread[0].clamp_min(1e-6)}

    @torch.no_grad()
    def check(self, generator: nn.Module, batches: Batches, preview: Preview) -> dict[str, float]:
        seen = self.accuracy(batches.seen(CHECK), generator)
        held_out = self.accuracy(batches.held_out(CHECK), generator)
        apart = nearest.apart(generator, batches, self.spec, self.latent_dim)
        shortest = nearest.shorter(float(self.state["apart"]), apart)
        self.state["apart"] = torch.tensor(shortest)
        if apart <= nearest.limit(shortest):
            self.state |= best_weights(generator)
        return {
            "apart": round(apart, 4),
            "real": float(seen["real"]),
            "fake": float(seen["fake"]),
            "held_out": float(held_out["real"]),
            "diversity": round(float(seen["diversity"]), 4),
            **faults.shares(preview.pictures, batches.seen(CHECK).real.cpu()),
        }

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        known = faults.sentence(figures)
        right = f"Accuracy on 100 real sounds: {figures['real']:.0%}, on 100 drawn ones: {figures['fake']:.0%}"
        return f"{right}. {known}" if known else right

    @classmethod
    def headline(cls, rows: list[dict[str, Any]], checks: list[dict[str, Any]]) -> str:
        return (faults.sentence(checks[-1]) if checks else "") or diagnosis.headline(rows, checks, "sounds")

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Preview:
        device, numbers = next(generator.parameters()).device, labels_of(self.spec.classes)
        z = seeds.latents((seeds.key(batches.seed, "preview", i) for i in range(len(numbers))), self.latent_dim)
        labels = torch.tensor(numbers, device=device) if self.spec.classes else None
        pictures = generator(z.to(device), labels).float()
        waves = self.spec.codec.sounds(pictures[heard(self.spec.classes)])
        return Preview(pictures.cpu(), waves.cpu(), self.spec.rate)

    def _draw(self, generator: nn.Module, batch: Batch) -> Tensor:
        z = upload(batch.draw(torch.randn, self.latent_dim), batch.real.device)  # from the CPU: the same z everywhere
        return generator.rows(z, batch.labels)  # pyright: ignore[reportCallIssue]

    def _real(self, batch: Batch) -> Tensor:
        return self.discriminator.apart(batch.real)  # pyright: ignore[reportCallIssue]
