"""Pictures unlike those that a model was trained on: degraded real images, and computer-drawn shapes.

A detector learns from some of these families and is tested on the others. Each function takes real images, uint8
[n, C, H, W], and a random number generator, and returns as many outliers of the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

LETTERS = "ACEHKMPRUXadfhkrwx&?", "FJLNTVWYcejmnptuv@#%"  # to learn from, and to be tested on; none looks like a digit


def _to_uint8(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255).to(torch.uint8)


def _uniform(random: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=random)


def blurred(real: Tensor, random: torch.Generator) -> Tensor:
    x = real.float()
    for _ in range(3):
        x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return _to_uint8(x)


def grainy(real: Tensor, random: torch.Generator) -> Tensor:
    """Gaussian noise of 15 to 60 levels."""
    spread = _uniform(random, 15, 60, len(real), 1, 1, 1)
    return _to_uint8(real + spread * torch.randn(real.shape, generator=random))


def specks(real: Tensor, random: torch.Generator) -> Tensor:
    """3 to 20% of the pixels black or white."""
    share = _uniform(random, 0.03, 0.2, len(real), 1, 1, 1)
    hit = torch.rand(len(real), 1, *real.shape[2:], generator=random)
    x = torch.where(hit < share / 2, 0, real)
    return torch.where(hit > 1 - share / 2, 255, x).to(torch.uint8)


def inverted(real: Tensor, random: torch.Generator) -> Tensor:
    return 255 - real


def shifted(real: Tensor, random: torch.Generator) -> Tensor:
    """Moved by a seventh to a third of the side; what leaves on one side comes back on the other."""
    side = real.shape[-1]
    low, high = math.ceil(side / 7), max(math.ceil(side / 7) + 1, side // 3)
    moves = torch.randint(low, high + 1, (len(real), 2), generator=random)
    signs = torch.randint(0, 2, moves.shape, generator=random) * 2 - 1
    axes = torch.randint(0, 3, (len(real),), generator=random)  # one axis, the other, or both
    moves = moves * signs * torch.stack([axes != 0, axes != 1], 1)
    return torch.stack([x.roll(m.tolist(), (1, 2)) for x, m in zip(real, moves, strict=True)])


def turned(real: Tensor, random: torch.Generator) -> Tensor:
    """Turned by a quarter; every second one to the other side, and mirrored."""
    return torch.cat([real[0::2].rot90(1, (2, 3)), real[1::2].rot90(-1, (2, 3)).flip(3)])


def shuffled(real: Tensor, random: torch.Generator) -> Tensor:
    """Cut into 4 x 4 patches (of the largest square that allows it), which are shuffled."""
    side = real.shape[-1] // 4
    x = real.clone()
    patches = real[..., : 4 * side, : 4 * side].unfold(2, side, side).unfold(3, side, side).flatten(2, 3)
    order = torch.stack([torch.randperm(16, generator=random) for _ in real])[:, None, :, None, None]
    moved = patches.gather(2, order.expand_as(patches)).unflatten(2, (4, 4))
    x[..., : 4 * side, : 4 * side] = moved.permute(0, 1, 2, 4, 3, 5).reshape(*x.shape[:2], 4 * side, 4 * side)
    return x


def covered(real: Tensor, random: torch.Generator) -> Tensor:
    """A square of a third of the side filled with one value."""
    side = real.shape[-1]
    part = max(1, side // 3)
    x = real.clone()
    places = torch.randint(side // 6, side - part - side // 8, (len(x), 2), generator=random).tolist()
    values = torch.randint(0, 256, (len(x),), generator=random).tolist()
    for picture, (top, left), value in zip(x, places, values, strict=True):
        picture[:, top : top + part, left : left + part] = value
    return x


def doubled(real: Tensor, random: torch.Generator) -> Tensor:
    """Two real images on top of each other."""
    return torch.maximum(real, real[torch.randperm(len(real), generator=random)])


def faded(real: Tensor, random: torch.Generator) -> Tensor:
    """A third of the contrast or less, at any brightness."""
    gain = _uniform(random, 0.1, 0.35, len(real), 1, 1, 1)
    x = real * gain
    return _to_uint8(x + _uniform(random, 0, 1, len(real), 1, 1, 1) * (255 - 255 * gain))


def coarse(real: Tensor, random: torch.Generator) -> Tensor:
    """At a quarter of the resolution."""
    small = F.adaptive_avg_pool2d(real.float(), max(2, real.shape[-1] // 4))
    return _to_uint8(F.interpolate(small, real.shape[-1], mode="nearest"))


def noise(real: Tensor, random: torch.Generator) -> Tensor:
    """Random pixels; in half of the pictures black or white, in some of low contrast."""
    x = torch.rand(real.shape, generator=random)
    x[1::2] = (x[1::2] < _uniform(random, 0.05, 0.95, len(x[1::2]), 1, 1, 1)).float()
    gain = _uniform(random, 0.2, 1, len(x), 1, 1, 1)
    return _to_uint8(255 * (x * gain + (1 - gain) * _uniform(random, 0, 1, len(x), 1, 1, 1)))


def clouds(real: Tensor, random: torch.Generator) -> Tensor:
    """Smooth random spots."""
    parts = []
    for part, cells in zip(torch.arange(len(real)).tensor_split(3), (3, 5, 9), strict=True):
        small = torch.rand(len(part), real.shape[1], cells, cells, generator=random)
        parts.append(F.interpolate(small, real.shape[-1], mode="bicubic", align_corners=True))
    return _to_uint8(255 * (1.4 * torch.cat(parts) - 0.2))


def stripes(real: Tensor, random: torch.Generator) -> Tensor:
    """Waves and bars of any direction and width."""
    n, side = len(real), real.shape[-1]
    angle, length = _uniform(random, 0, math.pi, n, 1, 1, 1), _uniform(random, 3, side, n, 1, 1, 1)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    wave = torch.sin((rows * angle.sin() + columns * angle.cos()) * 2 * math.pi / length)
    wave[1::2] = wave[1::2].sign()
    colour = _uniform(random, -1, 1, n, real.shape[1], 1, 1)
    return _to_uint8(127.5 + 127.5 * wave * colour.sign() * colour.abs().sqrt())


def _painted(
    real: Tensor, random: torch.Generator, draw: Callable[[ImageDraw.ImageDraw, int, np.random.Generator], None]
):
    """Shapes in one colour on another, drawn four times larger and scaled down; the colours are from real images."""
    n, channels, side = len(real), real.shape[1], real.shape[-1]
    numbers = np.random.default_rng(int(torch.randint(2**62, (1,), generator=random)))
    share = torch.empty(n, 1, side, side)
    for i in range(n):
        canvas = Image.new("L", (4 * side, 4 * side))
        draw(ImageDraw.Draw(canvas), 4 * side, numbers)
        share[i, 0] = torch.from_numpy(np.array(canvas.resize((side, side), Image.Resampling.BOX))) / 255
    flat = real.flatten(2).float()
    dark, light = flat.quantile(0.02, 2), flat.quantile(0.98, 2)
    usual = ((flat.median(2).values - dark) <= (light - flat.median(2).values))[..., None, None]
    paper = torch.where(usual, dark[..., None, None], light[..., None, None]).view(n, channels, 1, 1)
    ink = torch.where(usual, light[..., None, None], dark[..., None, None]).view(n, channels, 1, 1)
    return _to_uint8(paper + (ink - paper) * share)


def shapes(real: Tensor, random: torch.Generator) -> Tensor:
    """Filled and outlined ellipses, boxes and polygons."""

    def draw(pen: ImageDraw.ImageDraw, side: int, numbers: np.random.Generator) -> None:
        for _ in range(numbers.integers(1, 4)):
            (x0, x1), (y0, y1) = (sorted(numbers.uniform(0.05, 0.95, 2) * side) for _ in range(2))
            filled, wide = numbers.random() < 0.5, int(numbers.uniform(0.03, 0.12) * side)
            box = [x0, y0, max(x1, x0 + side / 8), max(y1, y0 + side / 8)]
            kind = numbers.integers(3)
            if kind == 2:
                corners = [tuple(p) for p in numbers.uniform(0.1, 0.9, (numbers.integers(3, 7), 2)) * side]
                pen.polygon(corners, fill=255 if filled else None, outline=255, width=wide)
            else:
                (pen.ellipse, pen.rectangle)[kind](box, fill=255 if filled else None, outline=255, width=wide)

    return _painted(real, random, draw)


def scribbles(real: Tensor, random: torch.Generator) -> Tensor:
    """Pen strokes through random points: like handwriting, but no characters."""

    def draw(pen: ImageDraw.ImageDraw, side: int, numbers: np.random.Generator) -> None:
        wide = numbers.uniform(0.05, 0.13) * side
        for _ in range(numbers.integers(1, 4)):
            p = numbers.uniform(0.15, 0.85, (numbers.integers(3, 6), 2)) * side
            at = np.linspace(0, len(p) - 1, 12 * len(p))
            way = np.stack([np.convolve(np.interp(at, range(len(p)), c), np.ones(9) / 9, "valid") for c in p.T], 1)
            pen.line([tuple(q) for q in way], 255, round(wide), "curve")

    return _painted(real, random, draw)


def letters(real: Tensor, random: torch.Generator, signs: str = LETTERS[0]) -> Tensor:
    """Printed letters and signs."""

    def draw(pen: ImageDraw.ImageDraw, side: int, numbers: np.random.Generator) -> None:
        font = ImageFont.load_default(round(side * numbers.uniform(0.55, 0.85)))
        text, bold = signs[numbers.integers(len(signs))], int(numbers.integers(0, max(1, side // 30)))
        pen.text((side / 2, side / 2), text, 255, font, anchor="mm", stroke_width=bold)

    return _painted(real, random, draw)


def other_letters(real: Tensor, random: torch.Generator) -> Tensor:
    """Letters and signs that no detector has learned from."""
    return letters(real, random, LETTERS[1])


def clothes(real: Tensor, random: torch.Generator) -> Tensor:
    """Silhouettes like those of Fashion-MNIST: shirt, trousers, dress, shoe, bag."""
    outlines = [
        [(0.3, 0.1), (0.7, 0.1), (0.95, 0.35), (0.82, 0.48), (0.72, 0.38), (0.72, 0.92), (0.28, 0.92), (0.05, 0.35)],
        [(0.3, 0.05), (0.7, 0.05), (0.74, 0.95), (0.55, 0.95), (0.5, 0.35), (0.45, 0.95), (0.26, 0.95)],
        [(0.38, 0.05), (0.62, 0.05), (0.6, 0.4), (0.78, 0.95), (0.22, 0.95), (0.4, 0.4)],
        [(0.05, 0.45), (0.3, 0.4), (0.6, 0.55), (0.92, 0.62), (0.95, 0.75), (0.05, 0.75)],
        [(0.1, 0.4), (0.3, 0.4), (0.35, 0.2), (0.65, 0.2), (0.7, 0.4), (0.9, 0.4), (0.9, 0.9), (0.1, 0.9)],
    ]

    def draw(pen: ImageDraw.ImageDraw, side: int, numbers: np.random.Generator) -> None:
        points = np.array(outlines[numbers.integers(len(outlines))]) + numbers.normal(0, 0.02, (1, 2))
        points = (points - 0.5) * numbers.uniform(0.8, 1.1, 2) + 0.5
        pen.polygon([tuple(p * side) for p in points], fill=int(numbers.integers(110, 256)))
        for y in numbers.uniform(0.2, 0.8, numbers.integers(0, 3)):
            pen.line([(0.35 * side, y * side), (0.65 * side, y * side)], int(numbers.integers(0, 256)), side // 20)

    return _painted(real, random, draw)


Family = Callable[[Tensor, torch.Generator], Tensor]
LEARNED: dict[str, Family] = {  # what a detector learns to reject
    "blurred": blurred,
    "grainy": grainy,
    "inverted": inverted,
    "shifted": shifted,
    "turned": turned,
    "covered": covered,
    "doubled": doubled,
    "faded": faded,
    "coarse": coarse,
    "clouds": clouds,
    "stripes": stripes,
    "shapes": shapes,
    "scribbles": scribbles,
    "letters": letters,
}
UNSEEN: dict[str, Family] = {  # what it never learns from, and is tested on in its report
    "noise": noise,
    "specks": specks,
    "shuffled patches": shuffled,
    "other letters": other_letters,
    "clothes": clothes,
}
