"""Generate: draw new images from noise, of a chosen class where the data has classes."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core import own, seeds
from ganvas.core.config import knob
from ganvas.core.devices import upload
from ganvas.core.errors import UserError
from ganvas.core.later import Later, later_method
from ganvas.core.samples import CHECK
from ganvas.images import augment
from ganvas.images import tensors as im
from ganvas.images.data.config import DataConfig
from ganvas.images.sheets import COLUMNS, Sheet
from ganvas.images.spec import ImageSpec
from ganvas.networks import NETWORKS
from ganvas.networks.pyramid import as_in_training
from ganvas.report import diagnosis
from ganvas.tasks.generate import choice, copies, rejection
from ganvas.tasks.generate.detect import detector as detection
from ganvas.training import losses
from ganvas.training.adaptive import Augment, Gamma
from ganvas.training.batches import Batch, Batches
from ganvas.training.losses import LOSSES, objective
from ganvas.training.task import Task

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

MAX_ROWS = 32  # of a preview, one row per class


@dataclass(frozen=True)
class Config:
    """Loss, penalties and schedule of the training, and what is learned when it ends."""

    loss: str = knob(
        "nonsaturating", "adversarial loss, or one of your own: my.py:loss", choices=tuple(LOSSES), code=True
    )
    r1: float = knob(0.0, "weight (gamma) of the squared gradient of D on real images", low=0, high=10**9)
    r2: float = knob(0.0, "weight (gamma) of the squared gradient of D on generated images", low=0, high=10**9)
    penalty_every: int = knob(
        1, "steps from one R1/R2 penalty to the next (its weight is multiplied by this)", low=1, high=10**6
    )
    gradient_penalty: float = knob(0.0, "weight of WGAN-GP's penalty (10 is usual with wasserstein)", low=0, high=10**9)
    penalty_share: float = knob(
        0.0,
        "target share of the penalties in the loss of a guessing D; their weights adapt (0: fixed)",
        low=0,
        high=0.9,
    )
    mirror: bool = knob(False, "mirror every second real image (only if left and right look alike)")
    augment: float = knob(
        0.0,
        "highest probability of each augmentation of what D sees; adapts to D's overfitting (0: none)",
        low=0,
        high=0.9,
    )
    joint: bool = knob(False, "judge real and generated images as one batch: faster, unless D compares whole batches")
    d_steps: int = knob(1, "discriminator steps per generator step", low=1, high=1000)
    select: int = knob(
        0,
        "images from which a selector learns, at the end, which drawings to keep (0: no selector)",
        low=0,
        high=10**12,
    )
    teach: float = knob(
        0.0,
        "network=projected: images, half of them mirrored, from which the discriminator's features are learned first, "
        "as a share of `images`",
        low=0,
        high=100,
    )
    detect: int = knob(
        20_000,
        "training images from which a detector learns, at the end, to recognise such images (0: no detector)",
        low=0,
        high=10**12,
    )


class GenerateTask(Task):
    """The classic GAN: G maps z (and a label) to an image, D tells generated images from real ones."""

    name = "generate"
    Config, Data, Spec = Config, DataConfig, ImageSpec
    networks = NETWORKS
    own_network = Later("ganvas.tasks.generate.own_network:OwnNetwork")
    recipes = Later("ganvas.tasks.generate.recipes")
    data_use = Later("ganvas.tasks.generate.data_use:USE")
    for_own = "images"
    Model = Later("ganvas.tasks.generate.model:Model")
    report = Later("ganvas.tasks.generate.report:PART")
    quantities = Later("ganvas.tasks.generate.report:QUANTITIES")
    studio = Later("ganvas.tasks.generate.studio:PART")
    evaluate = Later("ganvas.tasks.generate.evaluate.command:evaluate")
    expand = Later("ganvas.tasks.generate.expand:expand")
    finish = later_method("ganvas.tasks.generate.finish:finish")
    projected = Later("ganvas.tasks.generate.projected:ProjectedTask")  # for a discriminator of several parts
    measures_beside = "ganvas.tasks.generate.evaluate.evaluate"
    usage = "draws pictures from noise: use `ganvas sample`, and `ganvas train denoise` for a model that restores"
    next_steps = (
        ("Draw new images; the same seed gives the same image again:", ("sample", "{place}", "--seeds", "0-63")),
    )

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Config, latent_dim: int
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.spec, self.config, self.latent_dim = spec, config, latent_dim
        self.objective = objective(config.loss)
        self.guessing = float(self.objective.d_loss(torch.zeros(1), torch.zeros(1))) or 1.0  # loss of a guessing D
        self.learned: dict[str, nn.Module] = {}
        self.findings: dict[str, Any] = {}
        self.state: dict[str, Tensor] = {}
        self.gamma = Gamma(self.state, config.penalty_share)
        self.augment = Augment(self.state, config.augment, augment.disturb, augment.CHANCES)
        can_group = "groups" in inspect.signature(discriminator.forward).parameters
        self.groups = {"groups": 2} if can_group and not config.joint else {}  # for real and generated images
        self._watch: copies.Watch | None = None
        self._fakes: Tensor | None = None  # generated in the discriminator's step, reused in the generator's

    @classmethod
    def of(
        cls, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Any, network: Any
    ) -> GenerateTask:
        kind = cls.projected if hasattr(discriminator, "views") else cls
        return kind(generator, discriminator, spec, config, network.latent_dim)

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        experiment.data.one_kind(cls.name)
        experiment.data.no_pairs()
        if experiment.training.evaluate_every and (here := [*filter(own.is_only_here, experiment.own_code())]):
            raise UserError(
                f"evaluate_every measures in a process of its own, which does not have {own.bare(here[0])}: leave it "
                "out, or give the code as a file, network='my.py:Net'."
            )
        if experiment.training.evaluate_every and experiment.data.in_memory:
            raise UserError(
                "evaluate_every measures in a process of its own, which does not have data in memory: leave it out, or "
                "save the pictures as files."
            )

    @classmethod
    def defaults(cls, experiment: Experiment, given: dict[str, str]) -> dict[str, str]:
        return choice.settings(cls.recipes, experiment, given)

    @classmethod
    def remarks(cls, experiment: Experiment) -> list[str]:
        return choice.remarks(experiment)

    @classmethod
    def smoke(cls, config: Config, images: int) -> Config:
        return dataclasses.replace(config, select=min(config.select, images), detect=min(config.detect, images))

    @classmethod
    def extras(cls, spec: ImageSpec, tensors: dict[str, Tensor]) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {}
        if any(name.startswith("selector.") for name in tensors):
            modules["selector"] = rejection.Selector(spec.channels, spec.size)
        if any(name.startswith("detector.") for name in tensors):
            modules["detector"] = detection.Detector(len(tensors["detector.mean"]))
        return modules

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        if batch.step == 0:
            self.gamma.start(self.spec.size**2, len(batch.real) * batch.ranks)
        fakes = self._generate_fakes(batch)
        fakes, real_images = self.augment(fakes, batch), self.augment(self._mirrored(batch), batch)
        weights = self._penalty_weights(batch.step)
        real, fake, steepness = self._judged(real_images, fakes, batch.labels, [*weights])
        loss = self.objective.d_loss(real, fake)
        penalty, logged = self._penalties(weights, loss, steepness, batch.step)
        total = loss + self.config.penalty_every * penalty
        if self.config.gradient_penalty:
            mix = batch.draw(torch.rand, 1, 1, 1).to(fakes.device)
            logged["gradient_penalty"] = losses.gradient_penalty(
                lambda x: self.discriminator(x, batch.labels), real_images, fakes, mix
            )
            total = total + self.config.gradient_penalty * logged["gradient_penalty"]
        return {"total": total, "loss_d": loss, **losses.verdicts(self.objective, real, fake), **logged}

    def _generate_fakes(self, batch: Batch) -> Tensor:
        """Generated images for D, without gradients; stored for G's step, unless G pauses in this one."""
        pauses = (batch.step + 1) % self.config.d_steps != 0
        with torch.set_grad_enabled(not pauses):
            fakes = self._generate(self.generator, batch)
        self._fakes = None if pauses else fakes
        return fakes.detach()

    def _penalty_weights(self, step: int) -> dict[str, float]:
        """The weights of the gradient penalties R1 and R2 in this step."""
        if step % self.config.penalty_every:
            return {}
        return {name: weight for name, weight in (("r1", self.config.r1), ("r2", self.config.r2)) if weight}

    def _penalties(
        self, weights: dict[str, float], loss: Tensor, logged: dict[str, Tensor], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of this step's R1 and R2 penalties, and what is logged about them.

        Args:
            logged: the mean squared gradients by the penalty's name.
        """
        penalty = loss.new_zeros(())
        for name, weight in weights.items():
            penalty = penalty + 0.5 * weight * self.gamma.weight * logged[name]
        if self.config.penalty_share and step % self.config.penalty_every == 0:
            weight = loss.new_zeros(()) + self.gamma.weight  # on the device of the loss
            logged |= {"gamma": weight, "penalty_share": penalty / (penalty + self.guessing)}
        return penalty, logged

    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        fakes, self._fakes = self._fakes, None
        if fakes is None:
            return None
        fake = self.discriminator(self.augment(fakes, batch), batch.labels).float()
        real = fake
        if self.objective.threshold is None:  # only pairwise losses need the real images here
            with torch.no_grad():
                real = self.discriminator(self.augment(self._mirrored(batch), batch), batch.labels).float()
        loss = self.objective.g_loss(real, fake)
        return {"total": loss, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake)}

    def update(self, logged: dict[str, Tensor]) -> None:
        self.gamma.update(logged)

    @torch.no_grad()
    def adapt(self, generator: nn.Module, train: Batch, held_out: Batch, images: int) -> dict[str, Tensor]:
        self.gamma.adapt()
        if not self.config.augment:
            return {}
        fakes = self._generate(generator, train)

        def mean_logit(images: Tensor, batch: Batch) -> Tensor:
            return self.discriminator(self.augment(images, batch), batch.labels).float().mean()

        logits = mean_logit(train.real, train), mean_logit(held_out.real, held_out), mean_logit(fakes, train)
        return self.augment.adapt(*logits, images)

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        fakes = self._generate(generator or self.generator, batch)
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

    @classmethod
    def log_line(cls, row: dict[str, Any]) -> str:
        """A line in the form that is usual in GAN tutorials."""
        both = f"Loss_D {row.get('loss_d', 0):.4f}  Loss_G {row.get('loss_g', 0):.4f}"
        before, after = f"{row.get('d_fake', 0):.4f}", f"{row.get('d_fake_after', 0):.4f}"
        scores = f"D(x) {row.get('d_real', 0):.4f}  D(G(z)) {before} / {after}"
        right = f"real {row.get('accuracy_real', 0):.0%} fake {row.get('accuracy_fake', 0):.0%}"
        return f"{both}  {scores}  accuracy {right} held-out {row.get('accuracy_held_out', 0):.0%}"

    @classmethod
    def headline(cls, rows: list[dict[str, Any]], checks: list[dict[str, Any]]) -> str:
        return diagnosis.headline(rows, checks)

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Sheet:
        rows = min(self.spec.classes, MAX_ROWS) or COLUMNS
        device = next(generator.parameters()).device
        numbers = (seeds.key(batches.seed, "preview", i) for i in range(rows * COLUMNS))
        z = seeds.latents(numbers, self.latent_dim).to(device)
        labels = torch.arange(rows, device=device).repeat_interleave(COLUMNS) if self.spec.classes else None
        return Sheet(im.to_uint8(generator(z, labels)))

    def _mirrored(self, batch: Batch) -> Tensor:
        """The real images, every second one mirrored if the config asks for it."""
        return augment.mirrored(batch.real, batch.draw(torch.rand)) if self.config.mirror else batch.real

    def _judged(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, penalties: Sequence[str]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Logits of real and generated images, each [B], and the mean squared gradients that the penalties are of.

        Where D can judge groups of a batch apart, both are one batch, which is faster; a penalty of only one of the two
        would cost more that way.
        """
        sides = {"r1": real, "r2": fake}
        if self.config.joint or (self.groups and len(penalties) != 1):
            images = torch.cat([real, fake]).requires_grad_(bool(penalties))
            twice = None if labels is None else torch.cat([labels, labels])
            logits = self.discriminator(images, twice, **self.groups).float()
            squares = losses.squared_gradients(logits, images).chunk(2) if penalties else ()
            steepness = {name: part.mean() for name, part in zip(sides, squares, strict=False) if name in penalties}
            return *logits.chunk(2), steepness
        for name in penalties:
            sides[name].requires_grad_(True)
        logits = {name: self.discriminator(images, labels).float() for name, images in sides.items()}
        return *logits.values(), {name: losses.squared_gradient(logits[name], sides[name]) for name in penalties}

    def _generate(self, generator: nn.Module, batch: Batch) -> Tensor:
        z = upload(batch.draw(torch.randn, self.latent_dim), batch.real.device)  # from the CPU: the same z everywhere
        with as_in_training(generator):
            return generator(z, batch.labels)
