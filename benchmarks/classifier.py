"""A referee of labelled pictures: a small residual network that names classes, to judge what a model draws of each.

It shares nothing with Ganvas's networks and learns from the training pictures alone, so it may judge any model. For
CIFAR-10 it is trained on 32 pixels:

    python benchmarks/classifier.py train cifar10-32.zip --to referee.pt
    python benchmarks/classifier.py judge runs/00000-images --referee referee.pt --data cifar10-32.zip
    python benchmarks/classifier.py judge drawings/ --referee referee.pt --data cifar10-32.zip

`judge` draws 1,000 pictures of each class, or takes those of a folder with a sub-folder for each class, and prints the
share of which the referee names the class asked for, and their power at the Nyquist frequencies, where a checkered
grain would show, divided by that of as many training pictures.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

import ganvas
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images import files as image_files
from ganvas.images.data import ImageData, Split

BATCH = 250
EPOCHS = 6
CROPPED = 2 / 3  # of the epochs look at crops of three quarters of the width, which takes half as long
PEAK = 0.3  # of the learning rate, per batch of 250
SHIFT = 2  # pixels
PORTION = 250  # pictures that are judged at a time
LIMIT = 1.5  # power at a Nyquist frequency, of that of real pictures, that a grid would exceed


def block(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(block(channels, channels), block(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Network(nn.Module):
    """64, 128 and 256 channels at the picture's size, half of it and a quarter; at an eighth a residual block.

    Source of the block: He et al. 2016.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(block(3, 64), block(64, 64), nn.MaxPool2d(2)),
            *(block(64, 128), block(128, 128), nn.MaxPool2d(2)),
            *(block(128, 256), block(256, 256), nn.MaxPool2d(2)),
            *(Residual(256), nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        )
        self.head = nn.Linear(256, classes)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] -> logits [B, classes]."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] -> float [B, 256]."""
        x = images.float().sub(122).div(64).contiguous(memory_format=torch.channels_last)
        return self.body(x).float()


def disturbed(images: Tensor, mirrored: Tensor, side: int) -> Tensor:
    """A square of `side` pixels of each picture, mirrored where told to; up to two of its rows reflect the picture.

    Args:
        images: uint8 [n, C, H, H].
        mirrored: bool [n].
    """
    n, _, height, width = images.shape
    wide = pad(images.float(), (SHIFT,) * 4, mode="reflect").to(torch.uint8)
    along = torch.arange(side).repeat(n, 1)
    x = torch.where(mirrored[:, None], side - 1 - along, along) + torch.randint(width + 2 * SHIFT - side + 1, (n, 1))
    y = along + torch.randint(height + 2 * SHIFT - side + 1, (n, 1))
    return wide[torch.arange(n)[:, None, None], :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def train(images: Tensor, labels: Tensor, epochs: int = EPOCHS, seed: int = 0) -> Network:
    """SGD with Nesterov's momentum, one cycle of its rate, smoothed labels; every other epoch mirrors a picture.

    Args:
        images, labels: uint8 [n, 3, H, H] and int64 [n].
    """
    torch.manual_seed(seed)
    mirrored = torch.rand(len(images)) < 0.5
    network = Network(int(labels.max()) + 1).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    bare = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": [p for p in network.parameters() if p.ndim > 1]}, {"params": bare, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, PEAK, 0.9, weight_decay=5e-4, nesterov=True, fused=True)
    steps = epochs * (len(images) // BATCH)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK, total_steps=steps, pct_start=0.2, anneal_strategy="linear", cycle_momentum=False
    )
    for epoch in range(epochs):
        began, losses = time.process_time(), []
        side = images.shape[-1] * 3 // 4 if epoch < CROPPED * epochs else images.shape[-1]
        for index in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            batch = disturbed(images[index], mirrored[index] ^ (epoch % 2 == 1), side)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(batch)
            loss = cross_entropy(logits.float(), labels[index], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            losses.append(loss.detach())
        seconds = time.process_time() - began
        print(f"epoch {epoch + 1} of {epochs}: loss {torch.stack(losses).mean():.3f}, {seconds:.0f} s", flush=True)
    return network.eval()


@dataclass(frozen=True)
class Referee:
    """A trained network, the classes that it names in its order, and the first letters of its weights' SHA-256."""

    network: Network
    classes: tuple[str, ...]
    fingerprint: str

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """uint8 [N, 3, H, W] -> float [N, 256], the mean over each picture and its mirror image."""
        both = [(self.network.features(x) + self.network.features(x.flip(-1))) / 2 for x in images.split(PORTION)]
        return torch.cat(both)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, 3, H, W] -> logits [N, classes]: those of the picture and of its mirror image, averaged."""
        return self.network.head(self.features(images))

    def named(self, images: Tensor, labels: Tensor) -> Tensor:
        """The share of each class's pictures of which it names the class, float [classes]; NaN where there is none."""
        right = (self(images).argmax(1) == labels).double()
        counts = torch.bincount(labels, minlength=len(self.classes))
        return torch.zeros(len(self.classes), dtype=torch.float64).index_add(0, labels, right) / counts


def save(path: Path, network: Network, classes: tuple[str, ...]) -> None:
    torch.save({"weights": network.state_dict(), "classes": list(classes)}, path)


def load(path: str | Path) -> Referee:
    """The referee of a file that `train` wrote."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network = Network(len(stored["classes"])).eval()
    network.load_state_dict(stored["weights"])
    digest = hashlib.sha256(b"".join(v.contiguous().numpy().tobytes() for _, v in sorted(network.state_dict().items())))
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Referee(network, tuple(stored["classes"]), digest.hexdigest()[:8])


def nyquist(images: Tensor) -> Tensor:
    """Mean power at the highest frequencies: vertical, horizontal and both; float64 [3].

    These are the means of a row, of a column (both without their common bin) and of that bin of the power spectrum,
    over all pictures and colours. Transposed convolutions and shuffled pixels leave their grids there.

    Args:
        images: uint8 [N, C, H, H], H even.
    """
    half = images.shape[-1] // 2
    power = torch.zeros(images.shape[-2:], dtype=torch.float64)
    for portion in images.split(PORTION):
        power += torch.fft.fft2(portion.float().div(255)).abs().square().sum((0, 1)).double()
    power /= images.shape[0] * images.shape[1]
    others = torch.arange(len(power)) != half
    return torch.stack([power[half, others].mean(), power[others, half].mean(), power[half, half]])


def real(split: Split, count: int, seed: int = 0) -> Tensor:
    """As many pictures of a split at random, uint8."""
    return split.images[torch.randperm(len(split.images), generator=torch.Generator().manual_seed(seed))[:count]]


def drawn(source: str, count: int, seed: int) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """`count` pictures of each class that a model draws, or those in files: uint8 [N, C, H, W], labels, class names.

    Raises:
        UserError: they have no classes.
    """
    if image_files.is_pictures(source):
        pictures = image_files.load(source)
        if pictures.labels is None:
            raise UserError(f"{source} needs a sub-folder for each class.")
        return pictures.images, pictures.labels, pictures.class_names
    model = ganvas.load(source)
    if not model.class_names:
        raise UserError(f"{source} was trained without labels: there is no class to name.")
    total = count * len(model.class_names)
    return model.pictures(range(seed, seed + total)), model.labels(None, total), model.class_names


def judge(referee: Referee, source: str, known: ImageData, count: int, seed: int) -> str:
    """The table of `judge`.

    Raises:
        UserError: the classes are others than the referee's.
    """
    images, labels, names = drawn(source, count, seed)
    if not set(names) <= set(referee.classes):
        raise UserError(f"The referee names {', '.join(referee.classes)}; {source} has {', '.join(names)}.")
    labels = torch.tensor([referee.classes.index(name) for name in names])[labels]
    shares = referee.named(images, labels)
    test = referee.named(known.held_out.images, _labels(known.held_out))
    power = nyquist(images) / nyquist(real(known.train, len(images)))
    lines = [f"referee {referee.fingerprint}, {len(images):,} pictures (test: {len(known.held_out.images):,})", ""]
    lines += ["| class asked for | named | test pictures |", "| --- | ---: | ---: |"]
    lines += [f"| {c} | {a:.1%} | {b:.1%} |" for c, a, b in zip(referee.classes, shares, test, strict=True)]
    lines += [f"| **all** | **{shares.nanmean():.1%}** | {test.nanmean():.1%} |", ""]
    good = "within" if bool(((power < LIMIT) & (power > 1 / LIMIT)).all()) else "NOT within"
    text = "{:.2f} vertical, {:.2f} horizontal, {:.2f} both".format(*power.tolist())
    return "\n".join([*lines, f"power at the Nyquist frequencies, of real: {text} ({good} {LIMIT} times)"])


def _labels(split: Split) -> Tensor:
    if split.labels is None:
        raise UserError("These pictures have no classes.")
    return split.labels


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classifier, or let it judge what a model draws.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    first = verbs.add_parser("train", help="train it on labelled pictures in colour")
    first.add_argument("data", help="an archive or a folder, a folder a class")
    first.add_argument("--to", type=Path, default=Path("referee.pt"))
    first.add_argument("--epochs", type=int, default=EPOCHS)
    second = verbs.add_parser("judge", help="judge a run, a model file, or pictures in folders")
    second.add_argument("source")
    second.add_argument("--referee", type=Path, default=Path("referee.pt"))
    second.add_argument("--data", required=True, help="the real pictures")
    second.add_argument("--count", type=int, default=1_000, help="pictures of each class")
    second.add_argument("--seed", type=int, default=0, help="of the first picture")
    a = parser.parse_args()
    known = data.load(a.data)
    if a.verb == "train":
        network = train(known.train.images[:], _labels(known.train), a.epochs)
        save(a.to, network, known.class_names)
        shares = load(a.to).named(known.held_out.images[:], _labels(known.held_out))
        print(f"{a.to}: {shares.mean():.2%} of the test pictures (mean of the classes)")
    else:
        print(judge(load(a.referee), a.source, known, a.count, a.seed))


if __name__ == "__main__":
    main()
