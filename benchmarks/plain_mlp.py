"""The fully connected GAN of MNIST as the tutorials write it, in plain PyTorch: what `classic-mlp` is measured against.

Nothing here is slowed down on purpose, and nothing is tuned: a Dataset of Pillow images with transforms, a DataLoader
as it comes, Adam as it comes (on CPUs PyTorch then steps parameter by parameter), BCELoss on sigmoids, a backward for
the real images and one for the forged ones, new noise for the generator's step.

    python benchmarks/plain_mlp.py --images 20000
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ganvas.images import data

LATENT = 100
BATCH = 100
WARM_UP = 10  # batches before the clock starts


class Digits(Dataset[tuple[Tensor, int]]):
    """MNIST as torchvision hands it out: item by item a Pillow image, then ToTensor and Normalize([0.5], [0.5])."""

    def __init__(self) -> None:
        train = data.mnist().train
        assert train.labels is not None
        self.images, self.labels = train.images[:, 0], train.labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        return normalize(to_tensor(image)), int(self.labels[index])


def to_tensor(image: Image.Image) -> Tensor:
    """A grey Pillow image -> float [1, H, W] in [0, 1]."""
    return torch.from_numpy(np.array(image)).unsqueeze(0).float().div(255)


def normalize(image: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1]."""
    return (image - 0.5) / 0.5


class Generator(nn.Module):
    """100 -> 256 -> 512 -> 1024 -> 784."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(LATENT, 256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, 512),
            nn.LeakyReLU(0.2),
            nn.Linear(512, 1024),
            nn.LeakyReLU(0.2),
            nn.Linear(1024, 784),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.model(z).view(z.size(0), 1, 28, 28)


class Discriminator(nn.Module):
    """784 -> 1024 -> 512 -> 256 -> 1, with a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(784, 1024),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Linear(1024, 512),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Linear(256, 1),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images.view(images.size(0), 784))


class Tutorial:
    """The two networks, their optimisers, the loader and the loop."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.generator, self.discriminator = Generator(), Discriminator()
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=2e-4)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4)
        self.criterion = nn.BCELoss()
        self.loader = DataLoader(Digits(), batch_size=BATCH, shuffle=True, num_workers=0)

    def step(self, real_images: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the discriminator and one of the generator; returns both losses."""
        ones, zeros = torch.ones(len(real_images), 1), torch.zeros(len(real_images), 1)

        self.optimizer_d.zero_grad()
        loss_real = self.criterion(self.discriminator(real_images), ones)
        loss_real.backward()
        fake_images = self.generator(torch.randn(len(real_images), LATENT)).detach()
        loss_fake = self.criterion(self.discriminator(fake_images), zeros)
        loss_fake.backward()
        self.optimizer_d.step()

        self.optimizer_g.zero_grad()
        fake_images = self.generator(torch.randn(len(real_images), LATENT))
        loss_g = self.criterion(self.discriminator(fake_images), ones)
        loss_g.backward()
        self.optimizer_g.step()
        return (loss_real + loss_fake).detach(), loss_g.detach()

    def train(self, images: int, report_every: int = 0) -> float:
        """Train on so many images after a warm-up.

        Args:
            images: at least a batch.
            report_every: batches from one printed line to the next, as tutorials print them (0: none).

        Returns:
            Images a second.
        """
        began, seen = time.perf_counter(), -WARM_UP * BATCH
        while True:
            for batch, _ in self.loader:
                if seen == 0:
                    began = time.perf_counter()
                loss_d, loss_g = self.step(batch)
                seen += len(batch)
                if report_every and seen > 0 and seen % (report_every * BATCH) == 0:
                    print(f"{seen:7d} images, d_loss {loss_d.item():.4f}, g_loss {loss_g.item():.4f}")
                if seen >= images:
                    return seen / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description="The tutorials' training loop; prints images a second.")
    parser.add_argument("--images", type=int, default=20_000, help="how many to train on")
    parser.add_argument("--report-every", type=int, default=100, help="batches from one line to the next (0: none)")
    arguments = parser.parse_args()
    rate = Tutorial().train(arguments.images, arguments.report_every)
    print(f"{rate:,.0f} images a second ({torch.get_num_threads()} threads, torch {torch.__version__}, fp32)")


if __name__ == "__main__":
    main()
