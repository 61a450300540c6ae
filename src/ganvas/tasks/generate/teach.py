"""Teaching a backbone what the pictures of a data set show, within minutes, before the adversarial training.

It learns to name their classes or, where there are none, to tell by how many quarters a picture has been turned
(Gidaris et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers
from ganvas.networks.backbone import SLOPE, Backbone

BATCH, SMOOTHING = 128, 0.1
RATE, MOMENTUM, DECAY = 0.15, 0.9, 5e-4  # of classes, by SGD
RATE_OF_TURNS, BETAS = 6e-3, (0.9, 0.99)  # by Muon
RISE = 0.2  # share of the steps in which the learning rate rises; then it falls
SHIFT = 2  # pixels by which a picture is moved at random
TURNS = 4


class Teacher(nn.Module):
    """A backbone with batch norms, one more stage and a linear layer: what `teach` trains."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone, width = backbone, backbone.widths[-1]
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(conv.out_channels) for conv in stage.children())  # pyright: ignore[reportArgumentType]
            for stage in backbone.stages
        )
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """images [B, C, H, W] in [-1, 1] -> logits [B, classes]."""
        x = self.backbone(images, norms=self.norms)[-1]
        x = F.leaky_relu(self.norm(self.last(F.max_pool2d(x, 2))), SLOPE, inplace=True)
        return self.head(x.float().amax((2, 3)))

    @torch.no_grad()
    def fold_norms(self) -> None:
        """Give the backbone's convolutions the batch norms' scales and shifts."""
        for stage, norms in zip(self.backbone.stages, self.norms, strict=True):
            for conv, norm in zip(stage, norms, strict=True):  # pyright: ignore[reportArgumentType]
                scale = norm.weight / (norm.running_var + norm.eps).sqrt()
                conv.weight.mul_(scale[:, None, None, None])
                conv.bias.copy_(norm.bias - norm.running_mean * scale)


def teach(
    backbone: Backbone,
    draw: Iterator[tuple[Tensor, Tensor | None]],
    classes: int,
    steps: int,
    precision: AbstractContextManager[Any],
) -> Iterator[tuple[int, Tensor]]:
    """Train a backbone to name classes, or quarters of a turn where there are none; it is frozen at the end.

    Args:
        backbone: with fresh weights, on the device of the images.
        draw: yields images [B, C, H, W] in [-1, 1] and their labels int64 [B] or None.
        classes: 0: there are none.
        steps: of the optimizer.
        precision: the context for the forward passes.

    Yields:
        After each step its number, and the share of pictures of the last steps that were named rightly (a scalar).
    """
    weight = next(backbone.requires_grad_(True).parameters())
    teacher = Teacher(backbone, classes or TURNS).to(weight.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = _sgd(teacher) if classes else _muon(teacher, precision)
    rate = optimizer.param_groups[0]["lr"]
    right = torch.zeros((), device=weight.device)
    for step in range(steps):
        done = (step + 0.5) / steps
        for group in optimizer.param_groups:
            group["lr"] = rate * min(done / RISE, (1 - done) / (1 - RISE))
        images, labels = _varied(*next(draw))
        with precision:
            logits = teacher(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right = torch.lerp(right, (logits.argmax(1) == labels).float().mean(), max(1 / (step + 1), 0.02))
        yield step + 1, right
    teacher.fold_norms()
    optimizer.zero_grad()  # a gradient that stays would be taken for one of the training
    backbone.requires_grad_(False)


def _sgd(teacher: Teacher) -> torch.optim.Optimizer:
    """For classes. Muon names more of them rightly, but with its features the drawings vary less (docs/log.md)."""
    weights = [*teacher.parameters()]
    matrices, others = ([p for p in weights if (p.dim() > 1) == large] for large in (True, False))
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return optimizers.SGD(groups, RATE, MOMENTUM, nesterov=True)


def _muon(teacher: Teacher, precision: AbstractContextManager[Any]) -> torch.optim.Optimizer:
    """For turns, of which SGD learns little in the same time."""
    weight = teacher.head.weight
    with precision:
        dtype = (weight.new_zeros(1, 1) @ weight.new_zeros(1, 1)).dtype  # of products
    return optimizers.Muon(teacher.parameters(), RATE_OF_TURNS, BETAS, dtype, fused=True)


def _varied(images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """The images moved by a few pixels and half of them mirrored; without labels, turned by the quarters returned."""
    size = images.shape[2]
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    x = F.pad(images, [SHIFT] * 4, mode="reflect")[:, :, down : down + size, right : right + size]
    mirrored = (torch.rand(len(x)) < 0.5).to(x.device)
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    if labels is None:
        labels = torch.randint(0, TURNS, (len(x),)).to(x.device)
        x = torch.stack([x.rot90(quarter, (2, 3)) for quarter in range(TURNS)])[
            labels, torch.arange(len(x), device=x.device)
        ]
    return x.contiguous(memory_format=torch.channels_last), labels
