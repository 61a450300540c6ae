"""An independent judge of generated digits: a small classifier of MNIST, used only for this repository's own claims.

It shares nothing with the networks of Ganvas. Its first run trains it (2 to 4 minutes on two cores) and keeps its
weights in the user's cache folder; figures of two judges (other weights, see the fingerprint) are not to be compared.

    python benchmarks/judge.py runs/00000-mnist --count 10000

The Frechet distance (FD) is that of Heusel et al. 2017, equation 6, on the judge's 128 features instead of Inception's.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

import ganvas
from ganvas.images import data
from ganvas.images import tensors as im
from ganvas.images.data import ImageData

FEATURES = 128
BATCH = 125
EPOCHS = 8
ENOUGH = 0.994  # test accuracy below which a judge is not used
BLOCK = 10_000  # images of a block of training images, for the floor


class Classifier(nn.Module):
    """Three convolutions (28 -> 14 -> 7 pixels) and two linear layers; the last but one gives the features."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 24, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, padding=1, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(48, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 49, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """float [B, 1, 28, 28] in [-1, 1] -> features [B, 128] and logits [B, 10]."""
        features = self.body(images)
        return features, self.head(features)


@dataclass(frozen=True)
class Judge:
    """A trained classifier and the first letters of its weights' SHA-256."""

    network: Classifier
    fingerprint: str

    @torch.inference_mode()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 1, 28, 28] -> features float [N, 128] and the classes that it sees, int64 [N]."""
        features, seen = [], []
        for portion in images.split(500):
            found, logits = self.network(im.to_float(portion))
            features.append(found)
            seen.append(logits.argmax(1))
        return torch.cat(features), torch.cat(seen)


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two Gaussians that have the means and covariances of two sets of features.

    |mean difference|^2 + trace(A + B - 2 (A^1/2 B A^1/2)^1/2), in float64. Source: Dowson and Landau 1982, equation 4.

    Args:
        a, b: [N, D] and [M, D], at least two rows each.
    """
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T).reshape(a.shape[1], -1), torch.cov(b.T).reshape(b.shape[1], -1)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    mixed = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    return float(shift + cov_a.trace() + cov_b.trace() - 2 * mixed)


def distort(images: Tensor) -> Tensor:
    """Each image turned by up to 10 degrees, scaled by up to 10 % and shifted by up to 2 pixels, at random."""
    n, size = len(images), images.shape[-1]
    angle, scale = (torch.rand(n) * 2 - 1) * math.radians(10), 1 + (torch.rand(n) * 2 - 1) * 0.1
    shift = (torch.rand(n, 2) * 2 - 1) * 2 * (2 / size)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    grid = affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)


def train(digits: ImageData, epochs: int = EPOCHS, seed: int = 0) -> Classifier:
    """A classifier of the training images: AdamW, one cycle of the learning rate, smoothed labels."""
    assert digits.train.labels is not None
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Classifier().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        count = len(digits.train.images)
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * (count // BATCH))
        for epoch in range(epochs):
            began = time.monotonic()
            for index in torch.randperm(count).split(BATCH)[: count // BATCH]:
                _, logits = network(distort(im.to_float(digits.train.images[index])))
                loss = cross_entropy(logits, digits.train.labels[index], label_smoothing=0.05)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            print(f"judge: epoch {epoch + 1} of {epochs}, {time.monotonic() - began:.0f} s", flush=True)
    return network.eval()


def cache() -> Path:
    """Where the judge's weights are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "ganvas-bench" / "judge-1.safetensors"


def get(digits: ImageData) -> Judge:
    """The judge from the cache, or a newly trained one where there is none.

    Raises:
        SystemExit: the new one is not good enough to judge.
    """
    path = cache()
    network = Classifier().eval()
    if path.is_file():
        network.load_state_dict(safetensors.torch.load_file(path))
    else:
        network = train(digits)
        right = accuracy(Judge(network, ""), digits)
        if right < ENOUGH:
            raise SystemExit(f"The new judge's test accuracy is {right:.2%}, less than {ENOUGH:.1%}: it is not kept.")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        safetensors.torch.save_file({k: v.contiguous() for k, v in network.state_dict().items()}, part)
        part.replace(path)
    state = sorted(network.state_dict().items())
    digest = hashlib.sha256(b"".join(v.contiguous().numpy().tobytes() for _, v in state))
    return Judge(network.to(memory_format=torch.channels_last), digest.hexdigest()[:8])  # pyright: ignore[reportCallIssue]


def accuracy(judge: Judge, digits: ImageData) -> float:
    """Share of the test images whose class it names."""
    return float((judge.look(digits.held_out.images)[1] == digits.held_out.labels).float().mean())


def drawn(path: str, count: int, seed: int) -> tuple[ganvas.Model, Tensor]:
    """A model and `count` of its pictures, uint8: classes in turn, the seeds `seed`, `seed` + 1, ...

    Raises:
        SystemExit: the model does not draw the digits of MNIST.
    """
    model = ganvas.load(path)
    if model.card.get("data_name") != "mnist" or (model.spec.channels, model.spec.size) != (1, 28):
        raise SystemExit(f"This model was trained on {model.card.get('data_name')}; the judge knows only MNIST.")
    return model, torch.cat([im.to_uint8(portion) for portion in model.draw(range(seed, seed + count))])


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge the digits that a model draws.")
    parser.add_argument("model", nargs="?", help="a run's folder or a model file (none: only the judge and the floor)")
    parser.add_argument("--count", type=int, default=BLOCK, help="pictures to draw")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first picture")
    arguments = parser.parse_args()
    if arguments.count < 2:
        parser.error("--count must be at least 2")
    digits = data.mnist()
    model, pictures = drawn(arguments.model, arguments.count, arguments.seed) if arguments.model else (None, None)
    judge = get(digits)
    test, _ = judge.look(digits.held_out.images)
    blocks = [frechet(judge.look(block)[0], test) for block in digits.train.images[: 3 * BLOCK].split(BLOCK)]
    print(f"judge {judge.fingerprint}: test accuracy {accuracy(judge, digits):.2%}")
    print(
        f"floor (FD of {BLOCK:,} training images against the {len(test):,} test images): {blocks[0]:.3f}; "
        f"of the next two {BLOCK:,}: {blocks[1]:.3f}, {blocks[2]:.3f}"
    )
    if model is None or pictures is None:
        return
    features, seen = judge.look(pictures)
    distance = frechet(features, test)
    print(
        f"FD of {arguments.count:,} pictures (seeds {arguments.seed}..{arguments.seed + arguments.count - 1}) ", end=""
    )
    print(f"against the {len(test):,} test images: {distance:.3f}, {distance / blocks[0]:.1f} times the floor")
    wanted = model.labels(None, arguments.count)
    if wanted is not None:
        print(f"class accuracy (drawn as asked for): {float((seen == wanted).float().mean()):.2%}")
    shares = torch.bincount(seen, minlength=10) / len(seen)
    print("classes seen: " + ", ".join(f"{c}: {share:.1%}" for c, share in enumerate(shares.tolist())))


if __name__ == "__main__":
    main()
