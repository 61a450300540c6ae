"""Training against a discriminator of several parts, most of which see features of a network that is taught first."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import distributed, seeds
from ganvas.core.run import Run
from ganvas.networks.projected import Discriminator
from ganvas.tasks.generate.task import GenerateTask
from ganvas.tasks.generate.teach import BATCH, teach
from ganvas.training import losses
from ganvas.training.batches import MOST_TIMES, Batch, Batches

SAID_EVERY = 20.0  # seconds between two sentences on the teaching
MOST_EPOCHS = 200  # of the teaching; 20 are too few for 500 photographs (docs/log.md, 2026-11-30)
MEASURED = 500  # images from which the scales of the maps are taken
DRAWN = 2_048  # drawings from which the statistics of the averaged generator's norms are taken
FEATURES = 300.0  # weight of the penalties on features, which have many more numbers than pixels, where it is 1


class ProjectedTask(GenerateTask):
    """The same game; the losses are means over the logits of all parts, and a penalty is of what a part sees.

    The features of a generated image are computed once: the discriminator's step learns from them, and the generator's
    step goes back through them, because the network that makes them does not change.
    """

    discriminator: Discriminator

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._seen: tuple[list[Tensor], Tensor] | None = None  # by the discriminator's step, for the generator's

    def begin(
        self, config: Any, batches: Batches, precision: AbstractContextManager[Any]
    ) -> Iterator[tuple[float, str]]:
        count = min(round(self.config.teach * config.images), MOST_EPOCHS * batches.count)
        size = min(BATCH, MOST_TIMES * batches.count)
        steps = math.ceil(count / size)
        classes = self.spec.classes if self.spec.classes > 1 else 0  # one class tells nothing
        taught = self.discriminator.backbone.is_taught()  # with `from`, by the training before
        if not (steps or taught) or (taught and bool((self.discriminator.scales == 1).all())):
            self._measure(batches, precision)
        if not steps:
            return
        if taught:
            yield 1.0, "What a part of the discriminator has learned comes from the model: it is not taught anew."
            return
        what = "name the classes" if classes else "tell how far images are turned"
        yield (
            0.0,
            f"First a part of the discriminator learns to {what}, from {count:,} images (some more than once) ...",
        )
        torch.manual_seed(seeds.key(batches.seed, "teach"))
        lessons = batches.whole()  # in larger batches and another order
        lessons.batch, lessons.seed = size, seeds.key(batches.seed, "teach")

        def pairs() -> Iterator[tuple[Tensor, Tensor | None]]:
            for step in range(steps):
                seeds.seed_all(seeds.key(batches.seed, "teach", step), batches.device)
                batch = lessons.at(step * size)
                yield batch.real, batch.labels if classes else None

        said, share = time.monotonic(), torch.zeros(())
        for step, share in teach(self.discriminator.backbone, pairs(), classes, steps, precision):
            late = time.monotonic() - said >= SAID_EVERY
            said = time.monotonic() if late else said
            text = f"{step * size:,} of {count:,}: right about {float(share):.0%} of them so far." if late else ""
            yield step / steps, text
        self._measure(batches, precision)
        yield 1.0, f"It is right about {float(share):.0%} of them. Now the generator and the discriminator train."

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        yield from self._renew_norms(generator, batches)
        yield from super().finish(generator, batches, run)

    @torch.no_grad()
    def _renew_norms(self, generator: nn.Module, batches: Batches) -> Iterator[str]:
        """Take the statistics of the batch norms from the generator's own drawings, in batches as in the training.

        The averaged generator has averages of the trained generator's, whose maps vary more than its own, so that its
        drawings would vary too little. Source: Izmailov et al. 2018, "Averaging weights leads to wider optima".
        """
        norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
        if not norms:
            return
        size, source = max(2, batches.batch // distributed.size()), torch.Generator().manual_seed(batches.seed)
        known, momenta = batches.data.train.labels, [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        yield "Measuring the batch norms of the finished generator ..."
        generator.train()
        for _ in range(math.ceil(DRAWN / size)):
            z = torch.randn(size, self.latent_dim, generator=source).to(batches.device)
            labels = None if known is None else known[torch.randint(len(known), (size,), generator=source)]
            generator(z, None if labels is None else labels.to(batches.device))
            yield ""
        generator.eval()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def _measure(self, batches: Batches, precision: AbstractContextManager[Any]) -> None:
        """Set the scales of the maps."""
        with precision:
            self.discriminator.measure(batches.seen(MEASURED).real)

    def _judged(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, penalties: Sequence[str]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Logits of real and generated images, each [B x n], and the mean squared gradients in what the parts see."""
        d = self.discriminator
        with torch.no_grad():
            real_views = d.views(real)
        kept = None if self.config.augment else self._fakes
        with torch.set_grad_enabled(kept is not None):  # the generator's step goes back through them
            fake_views = d.views(fake if kept is None else kept)
        pairs = zip(real_views, fake_views, strict=True)
        views = [torch.cat([a, b.detach()]).requires_grad_(bool(penalties)) for a, b in pairs]
        logits = d.judge(views, None if labels is None else torch.cat([labels, labels]), 2).float()
        real_logits, fake_logits = (side.flatten() for side in logits.chunk(2))
        self._seen = (fake_views, real_logits.detach()) if kept is not None else None
        return real_logits, fake_logits, self._steepness(logits, views, penalties)

    def _steepness(self, logits: Tensor, views: list[Tensor], penalties: Sequence[str]) -> dict[str, Tensor]:
        """The mean squared gradients of real ('r1') and of generated images ('r2'), as far as asked for."""
        if not penalties:
            return {}
        places = logits.shape[1] // len(views)
        gradients = torch.autograd.grad(logits.sum() / places, views, create_graph=True)
        weights = [FEATURES] * (len(views) - 1) + [1.0]
        squares = [w * g.float().square().flatten(1).sum(1) for w, g in zip(weights, gradients, strict=True)]
        both = torch.stack(squares).mean(0).chunk(2)
        return {name: part.mean() for name, part in zip(("r1", "r2"), both, strict=True) if name in penalties}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        fakes, self._fakes = self._fakes, None
        if fakes is None:
            return None
        d = self.discriminator
        if self._seen is not None:
            views, real = self._seen
        else:
            views = d.views(self.augment(fakes, batch))
            with torch.no_grad():
                real = d.judge(d.views(self.augment(self._mirrored(batch), batch)), batch.labels).float().flatten()
        self._seen = None
        fake = d.judge(views, batch.labels).float().flatten()
        loss = self.objective.g_loss(real, fake)
        return {"total": loss, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake)}
