"""After a training from noise: a selector of drawings and a detector are learned, where they are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.run import Run
from ganvas.images import tensors as im
from ganvas.images.sheets import cut
from ganvas.tasks.generate import rejection
from ganvas.tasks.generate.detect import detector as detection
from ganvas.training.batches import Batches

if TYPE_CHECKING:
    from ganvas.tasks.generate.task import GenerateTask

FAKES = 7_500  # images of the finished generator that the detector learns from or is tested on
PORTION = 250  # images generated at a time


def finish(task: GenerateTask, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
    """`Task.finish` of the task that draws images: learn the selector, then the detector, as far as they are wanted."""
    generator.eval()
    task.discriminator.eval()
    if task.config.select:
        yield from _learn_selector(task, generator, batches)
    reason = detection.why_none(len(batches.data.held_out.samples), task.config.detect)
    if not reason:
        yield from _learn_detector(task, generator, batches, run)
        return
    task.findings["no_detector"] = reason
    if task.config.detect:
        yield f"No detector: {reason}."


def _learn_selector(task: GenerateTask, generator: nn.Module, batches: Batches) -> Iterator[str]:
    yield "Both networks are trained. Training a selector that keeps the best drawings (a few minutes) ..."
    torch.manual_seed(seeds.key(batches.seed, "selector"))
    selector = rejection.Selector(task.spec.channels, task.spec.size).to(batches.device)
    selector.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for _ in rejection.learn(selector, generator, batches, task.latent_dim, task.config.select):
        yield ""
    task.learned["selector"] = selector
    yield "The selector is trained."


def _learn_detector(task: GenerateTask, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
    yield "Training the detector ..."
    train, held_out, seed = batches.data.train.samples, batches.data.held_out.samples, batches.seed
    starts = range(0, min(FAKES, len(train)), PORTION)
    fakes = torch.cat([_final_pictures(task, generator, batches, start, train) for start in starts])
    yield ""
    earlier = cut((path for _, path in run.previews()), task.spec)
    learn, test = fakes[: -len(fakes) // 3], fakes[-len(fakes) // 3 :]
    detector = detection.learn(task.discriminator, train, held_out, learn, earlier, seed, task.config.detect)
    report = detection.report(task.discriminator, detector, held_out, test, seed, task.config.detect)
    task.learned["detector"], task.findings["detector"] = detector, dataclasses.asdict(report)
    yield (
        f"The detector accepts {1 - report.false_alarm:.1%} of {report.real:,} unseen real images and "
        f"{report.rows[0].passed:.1%} of this generator's pictures (ganvas detect)."
    )


def _final_pictures(task: GenerateTask, generator: nn.Module, batches: Batches, start: int, train: Tensor) -> Tensor:
    """Some pictures as users will get them, uint8 [n, C, H, W], with the classes of as many training images."""
    count = min(PORTION, FAKES - start, len(train) - start)
    numbers = [seeds.key(batches.seed, "detector", start + i) for i in range(count)]
    labels = batches.data.train.labels
    chosen = None if labels is None else labels[start : start + count].to(batches.device)
    pictures = rejection.generate(generator, task.learned.get("selector"), numbers, task.latent_dim, chosen)
    return im.to_uint8(pictures)
