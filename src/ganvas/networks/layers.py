"""Layers and helpers that several networks share; no table of `NETWORKS` names them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.errors import UserError

SLOPE = 0.2  # of the leaky ReLUs
MOST_TERMS = 64  # with which `WideConv2d` is a product and a fold; with more that is slower
LEVELS = 2**16  # values of the random number that decides whether `Dropout` drops a unit


class ClassNorm(nn.Module):
    """Batch norm with a scale and a shift per class, followed by a leaky ReLU. Source: Dumoulin et al. 2017."""

    def __init__(self, channels: int, classes: int, slope: float = SLOPE) -> None:
        """
        Args:
            channels: of the input and the output.
            classes: 0 gives ordinary batch norm.
            slope: of the leaky ReLU; 0 makes it a ReLU.
        """
        super().__init__()
        self.slope = slope
        self.norm = nn.BatchNorm2d(channels)
        self.by_class = nn.Embedding(classes, 2 * channels) if classes else None
        if self.by_class is not None:
            nn.init.zeros_(self.by_class.weight)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """x [B, C, h, w], labels int64 [B] or class weights [B, classes] -> [B, C, h, w]."""
        x = self.norm(x)
        if self.by_class is not None and labels is not None:
            scale, shift = class_rows(self.by_class, labels)[:, :, None, None].chunk(2, 1)
            x = torch.addcmul(shift, x, 1 + scale)
        return F.leaky_relu(x, self.slope, inplace=True)


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with an even padding and a bias that is added to the result.

    On a CPU the gradient of the bias otherwise takes longer than all the rest in bf16 (docs/log.md, 2026-11-30).
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, C, h, w] -> [B, c, H, W]; `output_size` is not used."""
        x = F.conv_transpose2d(input, self.weight, None, self.stride, self.padding)  # pyright: ignore[reportArgumentType]
        return x if self.bias is None else x.add_(self.bias.to(x.dtype)[:, None, None])


class WideConv2d(nn.Conv2d):
    """`nn.Conv2d` of stride 1 with a large kernel and few outputs, which a CPU trains faster as a product and a fold.

    The product gives what each pixel adds to every pixel around it; the fold sums that up (docs/log.md, 2026-11-30).
    """

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, c, H, W]."""
        terms = self.weight[:, 0].numel()  # for each pixel
        if not self.training or input.device.type != "cpu" or terms > MOST_TERMS:
            return super().forward(input)
        weight = self.weight.flip(2, 3).permute(0, 2, 3, 1).reshape(terms, -1, 1, 1)
        shares = F.conv2d(input, weight).to(torch.float32, memory_format=torch.contiguous_format)
        x = F.fold(shares.flatten(2), input.shape[2:], self.kernel_size, padding=self.padding)  # pyright: ignore[reportArgumentType]
        return x if self.bias is None else x + self.bias[:, None, None]


class Dropout(nn.Module):
    """Zero a share of the units at random and scale up the others. Source: Srivastava et al. 2014.

    On a CPU each unit is decided by 16 random bits, which makes a step of `classic-mlp` a tenth faster (docs/log.md);
    `share` is therefore rounded to a multiple of 1/65536.
    """

    def __init__(self, share: float) -> None:
        """`share`: of the units to drop, 0 to below 1."""
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape; unchanged in evaluation mode."""
        if not self.training or not self.share:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        dropped = round(self.share * LEVELS)
        integers = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)  # four units each
        bits = integers.view(torch.int16)[: x.numel()].view(x.shape)
        keep = (bits >= dropped - LEVELS // 2).to(x.dtype)
        return x * keep.mul_(LEVELS / (LEVELS - dropped))


def shuffled(x: Tensor, factor: int) -> Tensor:
    """`F.pixel_shuffle`, [B, C f f, h, w] -> [B, C, h f, w f]; channels stay last in memory on a GPU, too."""
    if x.device.type == "cpu":  # torch keeps them last here
        return F.pixel_shuffle(x, factor)
    parts = x.permute(0, 2, 3, 1).unflatten(3, (-1, factor, factor))  # [B, h, w, C, f, f]
    return parts.permute(0, 1, 4, 2, 5, 3).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def unshuffled(x: Tensor, factor: int) -> Tensor:
    """`F.pixel_unshuffle`, [B, C, h f, w f] -> [B, C f f, h, w]; channels stay last in memory on a GPU, too."""
    if x.device.type == "cpu":
        return F.pixel_unshuffle(x, factor)
    parts = x.permute(0, 2, 3, 1).unflatten(2, (-1, factor)).unflatten(1, (-1, factor))  # [B, h, f, w, f, C]
    return parts.permute(0, 1, 3, 5, 2, 4).flatten(3).permute(0, 3, 1, 2)


def class_rows(table: nn.Embedding, labels: Tensor) -> Tensor:
    """The table's row for each label: int64 [B], or class weights [B, classes] for images between classes -> [B, c]."""
    return table(labels) if labels.dim() == 1 else labels @ table.weight


def with_labels(z: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """z [B, n] with one-hot labels (or class weights) appended, [B, n + classes]; unchanged without classes."""
    if not classes:
        return z
    if labels is None:
        raise UserError(f"This generator draws {classes} classes: generator(z, labels) with labels int64 [{len(z)}].")
    weights = F.one_hot(labels, classes) if labels.dim() == 1 else labels
    return torch.cat([z, weights.to(z.dtype)], 1)


def projection_logits(
    x: Tensor, head: nn.Linear, by_class: nn.Embedding | None, labels: Tensor | None, groups: int = 1
) -> Tensor:
    """The logit of each sample, with minibatch standard deviation and class projection.

    Source: Karras et al. 2018, section 3 (the spread of the batch as one more feature); Miyato and Koyama 2018 (the
    projection of the label).

    Args:
        x: features [B, c].
        head: linear layer from c + 1 features to the logit.
        by_class: a row of c + 1 weights for each class; None where there are no classes.
        labels: int64 [B]; needed where there is `by_class`.
        groups: equal parts of the batch, each with a spread of its own, as if it were judged alone.

    Returns:
        Logits [B].
    """
    parts = x.unflatten(0, (groups, -1))  # torch's own var is ten times slower than what follows
    spread = (parts - parts.mean(1, keepdim=True)).square().mean(1, keepdim=True).add(1e-4).sqrt().mean(2, keepdim=True)
    x = torch.cat([parts, spread.expand(-1, parts.shape[1], 1)], 2).flatten(0, 1)
    logits = head(x).squeeze(1)
    if by_class is not None:
        logits = logits + (by_class(needed(labels, by_class.num_embeddings, len(x))) * x).sum(1)
    return logits


def needed(labels: Tensor | None, classes: int, count: int) -> Tensor:
    """The labels of so many samples.

    Raises:
        UserError: there are none.
    """
    if labels is None:
        raise UserError(f"This discriminator knows {classes} classes: give it labels, int64 [{count}], too.")
    return labels


def activations(layers: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """The outputs of the leaky ReLUs in a chain of layers for the input `x`, in order; the last layer is skipped."""
    activations = []
    for layer in list(layers)[:-1]:
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            activations.append(x)
    return activations


def initialise(network: nn.Module) -> None:
    """Draw new weights for convolutions and linear layers that a leaky ReLU follows; biases become zero.

    Source: He et al. 2015, "Delving deep into rectifiers".
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
