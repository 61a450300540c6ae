"""The whole idea of a GAN in one file, without Ganvas: a forger and an expert on points in the plane.

Real points come from eight Gaussians on a ring. The generator never sees them: it only learns from what the
discriminator says of its own points. Run it with: python examples/gaussians.py [steps] (20 s); it draws gaussians.png.
"""

import math
import sys

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn.functional import softplus

MODES, RADIUS, SPREAD = 8, 2.0, 0.1
LATENT, BATCH, RATE = 8, 256, 2e-3


def real_points(n: int) -> Tensor:
    """n points [n, 2], each near one of the eight centres."""
    angle = torch.randint(MODES, (n,)) * 2 * math.pi / MODES
    centres = RADIUS * torch.stack([angle.cos(), angle.sin()], 1)
    return centres + SPREAD * torch.randn(n, 2)


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, outputs)
    )


def found(points: Tensor) -> tuple[int, float]:
    """How many of the centres have points, and the share of the points within three standard deviations of one."""
    angle = torch.arange(MODES) * 2 * math.pi / MODES
    centres = RADIUS * torch.stack([angle.cos(), angle.sin()], 1)
    distance, nearest = torch.cdist(points, centres).min(1)
    good = distance < 3 * SPREAD
    return len(nearest[good].unique()), float(good.float().mean())


def drawing(points: Tensor, side: int = 240) -> Image.Image:
    """The points as dots on white; the centres as circles."""
    picture = Image.new("RGB", (side, side), "white")
    pen, scale = ImageDraw.Draw(picture), side / (3 * RADIUS)
    for i in range(MODES):
        x, y = (side / 2 + scale * RADIUS * f(i * 2 * math.pi / MODES) for f in (math.cos, math.sin))
        pen.ellipse([x - 12, y - 12, x + 12, y + 12], outline="orange", width=2)
    for x, y in (points * scale + side / 2).tolist():
        pen.ellipse([x - 1, y - 1, x + 1, y + 1], fill="navy")
    return picture


def main(steps: int) -> None:
    torch.manual_seed(0)
    generator, discriminator = network(LATENT, 2), network(2, 1)
    optimizer_g = torch.optim.Adam(generator.parameters(), RATE, (0.0, 0.99))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), RATE, (0.0, 0.99))
    pictures = []
    for step in range(1, steps + 1):
        for optimizer in (optimizer_d, optimizer_g):  # full speed at first, then slower, until both settle
            optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 * (1 - step / (steps + 1)))
        # The expert learns: high logits for real points, low ones for forged points (Goodfellow et al. 2014).
        real, fake = real_points(BATCH), generator(torch.randn(BATCH, LATENT)).detach()
        real.requires_grad_(True)
        on_real, on_fake = discriminator(real), discriminator(fake)
        loss_d = softplus(-on_real).mean() + softplus(on_fake).mean()
        # R1: no steep slopes where real points are (Mescheder et al. 2018); without it the two go round in circles.
        (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        optimizer_d.zero_grad()
        (loss_d + 0.02 * slope.square().sum(1).mean()).backward()
        optimizer_d.step()

        # The forger learns: its points should get high logits.
        loss_g = softplus(-discriminator(generator(torch.randn(BATCH, LATENT)))).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()

        if step == 1 or step % max(1, steps // 5) == 0:
            with torch.no_grad():
                points = generator(torch.randn(2_000, LATENT))
                right = [(on_real > 0).float().mean(), (on_fake < 0).float().mean()]
            modes, good = found(points)
            print(
                f"step {step:>6,}  Loss_D {loss_d:.3f}  Loss_G {loss_g:.3f}  expert right on real {right[0]:.0%}, "
                f"on forged {right[1]:.0%}  centres found {modes} of {MODES}  good points {good:.0%}"
            )
            pictures.append(drawing(points))

    sheet = Image.new("RGB", (pictures[0].width * len(pictures), pictures[0].height))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i * picture.width, 0))
    sheet.save("gaussians.png")
    print("from left to right, first to last: gaussians.png")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6_000)
