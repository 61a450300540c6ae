"""A referee of labelled pictures: a small residual network that names classes, to judge what a model draws of each.

It shares nothing with Ganvas's networks and learns from the training pictures alone, so it may judge any model. For
CIFAR-10 it is trained on 32 pixels:

    python benchmarks/classifier.py train cifar10-32.zip --to five.pt
    python benchmarks/classifier.py train cifar10-32.zip --start five.pt --epochs 4 --seed 1 --to referee.pt
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
from torch.nn.functional import cross_entropy, gelu, max_pool2d, pad, unfold

import ganvas
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images import files as image_files
from ganvas.images.data import ImageData, Split

BATCH = 500
EPOCHS = 5
PEAK = 0.73  # of the learning rate; with the next two as Jordan has them, for this batch and the mean of the loss
RISE = 0.23  # share of the training in which it rises
DECAY = 2e-6
EVERY = 10  # steps from one slow average to the next
SHIFT = 2  # pixels
PORTION = 250  # pictures that are judged at a time
LIMIT = 1.5  # power at a Nyquist frequency, of that of real pictures, that a grid would exceed


class Block(nn.Module):
    """Two 3x3 convolutions, the first one followed by a pooling to half the size."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(channels, outside, 3, padding=1, bias=False) for channels in (inside, outside)]
        norms = [nn.BatchNorm2d(outside, momentum=0.4) for _ in range(2)]
        for convolution, norm in zip(convolutions, norms, strict=True):
            nn.init.dirac_(convolution.weight[: convolution.in_channels])  # begin by passing on what comes in
            norm.weight.requires_grad_(False)
        self.convolutions, self.norms = nn.ModuleList(convolutions), nn.ModuleList(norms)

    def forward(self, x: Tensor) -> Tensor:
        x = gelu(self.norms[0](max_pool2d(self.convolutions[0](x), 2)))
        return gelu(self.norms[1](self.convolutions[1](x)))


class Network(nn.Module):
    """Whitened 2x2 patches, then 64 channels of 15 pixels, 192 of 7 and 256 of 3, and their maximum."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 2)
        self.patches.weight.requires_grad_(False)
        self.body = nn.Sequential(Block(24, 64), Block(64, 192), Block(192, 256), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.head = nn.Linear(256, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, 32, 32] -> logits [B, classes]."""
        return self.named(self.features(images))

    def named(self, features: Tensor) -> Tensor:
        """float [B, 256] -> logits [B, classes]."""
        return self.head(features) / 9

    def features(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, 32, 32] -> float [B, 256]."""
        with torch.autocast("cpu", enabled=False):  # fine differences of neighbours are lost in bf16
            x = gelu(self.patches(normal(images)))
        return self.body(x).float()

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Make the first convolution the principal components of 2x2 patches with variance 1, and their negatives."""
        patches = unfold(normal(images), 2).transpose(1, 2).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(patches.T.cov())
        weights = (vectors / (values + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
        self.patches.weight.copy_(torch.cat([weights, -weights]))


def normal(images: Tensor) -> Tensor:
    """uint8 -> float of about mean 0 and variance 1."""
    return images.float().sub(120).div(64).contiguous(memory_format=torch.channels_last)


def disturbed(images: Tensor, mirrored: Tensor) -> Tensor:
    """Each picture moved by up to two pixels, with its border reflected, and mirrored where told to.

    Args:
        images: uint8 [n, C, H, H].
        mirrored: bool [n].
    """
    n, _, side, _ = images.shape
    wide = pad(images.float(), (SHIFT,) * 4, mode="reflect").to(torch.uint8)
    along = torch.arange(side).repeat(n, 1)
    x = torch.where(mirrored[:, None], side - 1 - along, along) + torch.randint(2 * SHIFT + 1, (n, 1))
    y = along + torch.randint(2 * SHIFT + 1, (n, 1))
    return wide[torch.arange(n)[:, None, None], :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def train(images: Tensor, labels: Tensor, epochs: int, seed: int = 0, start: Network | None = None) -> Network:
    """A classifier by what Jordan 2024 found quick: white patches, identities at the start, biases with a large rate,
    slow weights, mirroring in turn.

    Args:
        images, labels: uint8 [n, 3, 32, 32] and int64 [n].
        start: a trained network, which learns more with half of the rate.
    """
    torch.manual_seed(seed)
    mirrored = torch.rand(len(images)) < 0.5
    network, peak = start or Network(int(labels.max()) + 1), PEAK / 2 if start else PEAK
    network.train().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if start is None:
        network.whiten(images[:5000])
    weights = [p for p in network.parameters() if p.requires_grad]
    biases = [m.bias for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    groups = [{"params": [p for p in weights if all(p is not b for b in biases)]}]
    groups += [{"params": biases, "lr": 64 * peak, "weight_decay": DECAY / 64}]
    optimizer = torch.optim.SGD(groups, peak, 0.85, weight_decay=DECAY, nesterov=True)
    batches = len(images) // BATCH
    slow, step, steps = {k: v.clone() for k, v in network.state_dict().items()}, 0, epochs * batches
    cycle = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: rate(i / steps))
    for epoch in range(epochs):
        began, losses = time.process_time(), []
        for index in torch.randperm(len(images)).split(BATCH)[:batches]:
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(disturbed(images[index], mirrored[index] ^ (epoch % 2 == 1)))
            loss = cross_entropy(logits.float(), labels[index], label_smoothing=0.2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            step += 1
            losses.append(loss.detach())
            if step % EVERY == 0 or step == steps:
                average(network, slow, 0.0 if step == steps else 0.95**5 * (step / steps) ** 3)
        seconds = time.process_time() - began
        print(f"epoch {epoch + 1} of {epochs}: loss {torch.stack(losses).mean():.3f}, {seconds:.0f} s", flush=True)
    return network.eval()


def rate(progress: float) -> float:
    """The learning rate at a moment of the training, of its peak: up from 0.2 and down to 0.07."""
    return 0.2 + 0.8 * progress / RISE if progress < RISE else 1 - 0.93 * (progress - RISE) / (1 - RISE)


@torch.no_grad()
def average(network: nn.Module, slow: dict[str, Tensor], keep: float) -> None:
    """Move slow weights towards the network's, keep a share of them, and continue from there (Zhang et al. 2019)."""
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(slow[name].lerp_(value, 1 - keep))


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
        return self.network.named(self.features(images))

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
    test = referee.named(known.held_out.images[:], _labels(known.held_out))
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
    first.add_argument("--start", type=Path, help="a referee that learns more")
    first.add_argument("--seed", type=int, default=0)
    second = verbs.add_parser("judge", help="judge a run, a model file, or pictures in folders")
    second.add_argument("source")
    second.add_argument("--referee", type=Path, default=Path("referee.pt"))
    second.add_argument("--data", required=True, help="the real pictures")
    second.add_argument("--count", type=int, default=1_000, help="pictures of each class")
    second.add_argument("--seed", type=int, default=0, help="of the first picture")
    a = parser.parse_args()
    known = data.load(a.data)
    if a.verb == "train":
        start = load(a.start).network if a.start else None
        network = train(known.train.images[:], _labels(known.train), a.epochs, a.seed, start)
        save(a.to, network, known.class_names)
        shares = load(a.to).named(known.held_out.images[:], _labels(known.held_out))
        print(f"{a.to}: {shares.mean():.2%} of the test pictures (mean of the classes)")
    else:
        print(judge(load(a.referee), a.source, known, a.count, a.seed))


if __name__ == "__main__":
    main()
