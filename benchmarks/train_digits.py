"""Train the digit classifier that the metrics use, and write its weights where the package looks for them.

Trained on MNIST's 60,000 training images, turned, scaled and shifted a little; the 10,000 test images are looked at
once, at the end. About ten minutes on one core.

    python benchmarks/train_digits.py src/ganvas/metrics/digits.safetensors
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.images import data
from ganvas.images import tensors as im
from ganvas.images.features.digits import DigitClassifier

BATCH, EPOCHS, RATE, AVERAGE = 100, 7, 3e-3, 0.998


def distorted(images: Tensor) -> Tensor:
    """Each image turned by up to 12 degrees, sheared, scaled by up to 12% and shifted by up to 2 pixels."""
    n = len(images)
    turn, shear = (torch.rand(2, n) * 2 - 1) * torch.tensor([[0.21], [0.15]])
    scale = 1 + 0.12 * (torch.rand(2, n) * 2 - 1)
    shift = (torch.rand(n, 2, 1) * 2 - 1) * 2 / 14
    rows = [torch.stack([turn.cos() * scale[0], -turn.sin() + shear], 1)]
    rows.append(torch.stack([turn.sin(), turn.cos() * scale[1]], 1))
    grid = F.affine_grid(torch.cat([torch.stack(rows, 1), shift], 2), list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1  # beyond the border is background, -1


def accuracy(model: DigitClassifier, split: data.Split) -> float:
    model.eval()
    assert split.labels is not None
    with torch.inference_mode():
        found = torch.cat([model(im.to_float(x))[1].argmax(1) for x in split.images.split(500)])
    return float((found == split.labels).float().mean())


def train(seed: int, epochs: int) -> DigitClassifier:
    torch.manual_seed(seed)
    split = data.load("mnist").train
    assert split.labels is not None
    model = DigitClassifier().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = copy.deepcopy(model).requires_grad_(False)
    total = epochs * (len(split.images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total, pct_start=0.2)
    started = time.monotonic()
    for epoch in range(epochs):
        order = torch.randperm(len(split.images))
        losses = []
        for index in order.split(BATCH):
            batch = distorted(im.to_float(split.images[index])).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(model(batch)[1], split.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            for slow, fast in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                slow.copy_(torch.lerp(fast, slow, AVERAGE) if slow.is_floating_point() else fast)
            losses.append(loss.detach())
        print(f"epoch {epoch + 1}: loss {float(torch.stack(losses).mean()):.4f}, {time.monotonic() - started:.0f} s")
    return average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    model = train(arguments.seed, arguments.epochs)
    tensors = {name: t.contiguous() for name, t in model.state_dict().items() if t.is_floating_point()}
    save_file(tensors, arguments.out)
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f"test accuracy {accuracy(model, data.load('mnist').held_out):.4f}")
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
