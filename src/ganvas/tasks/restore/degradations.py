"""The degradations: noise, blur, rain, scratches, holes ..., each one function; `damages` has their ranges and limits.

Each takes float images [B, C, H, W] in [-1, 1], where C is 1 or 3 unless it says otherwise, an amount [B], and a `draw`
that returns random numbers [B, *shape]; how many are drawn depends on C, H and W alone. The
result may be slightly outside of [-1, 1].

Amounts and random numbers are on the CPU, wherever the images are: what decides how much is to be done is read there,
because reading it from a GPU would wait for all of the GPU's work. (`jpeg` has to wait: it compresses on the CPU.)
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from ganvas.core.devices import upload
from ganvas.tasks.restore.damages import DEGRADATIONS

Draw = Callable[..., Tensor]  # draw(torch.rand or torch.randn, *shape) -> [B, *shape]

SIDE = 256  # pixels a side of the picture for which numbers of scratches and spots are given
LEAN, LIGHT = math.radians(35), 0.8  # rain: largest angle from the vertical, and its tone in [-1, 1]
STREAKS = (  # layers of rain, far to near: length and width in pixels, opacity, share of the amount
    ((6, 14), (0.5, 0.9), (0.25, 0.5), 0.4),
    ((12, 28), (0.7, 1.3), (0.4, 0.7), 0.35),
    ((20, 44), (0.9, 1.9), (0.4, 0.8), 0.25),
)
REACH = 11  # pixels from a spot's middle to the edge of what it can cover
BLOCKS, STROKES, BENDS = 5, 3, 6  # holes: most blocks and strokes in a picture, and segments of a stroke


def noise(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """White Gaussian noise, independent in each channel; amount: its standard deviation in levels of 255."""
    return images + upload(draw(torch.randn, *images.shape[1:]) * (_over(amount) / 127.5), images.device)


def grain(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """The same, equal in all channels, as in a grey photograph; amount: its standard deviation in levels of 255."""
    return images + upload(draw(torch.randn, 1, *images.shape[2:]) * (_over(amount) / 127.5), images.device)


def poisson(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Photon noise; amount: photons that a white pixel receives.

    The normal approximation of the Poisson distribution, variance = mean, which is good from some 20 photons on.
    """
    share, device = (images + 1) / 2, images.device
    normal, amount = upload(draw(torch.randn, *images.shape[1:]), device), upload(amount, device)
    return images + 2 * normal * (share.clamp(min=0) / _over(amount)).sqrt()


def jpeg(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """JPEG compression; amount: quality, 1 to 100, rounded. Colours at half resolution, as is usual."""
    levels = images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu()
    for pixels, quality in zip(levels.numpy(), amount.round().int().tolist(), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as picture:
            pixels[:] = np.asarray(picture).reshape(pixels.shape)
    return levels.to(images.device).permute(0, 3, 1, 2).float() / 127.5 - 1


def blur(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Gaussian blur, mirrored at the borders; amount: standard deviation in pixels."""
    count, channels, height, width = images.shape
    reach = math.ceil(3 * float(amount.max()))
    offsets = torch.arange(-reach, reach + 1, device=images.device)
    sigma = upload(amount, images.device).clamp(min=1e-3)[:, None]
    kernel = (-0.5 * (offsets / sigma).square()).exp() * (offsets.abs() <= (3 * sigma).ceil())
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # [B * C, taps]
    x = images.reshape(1, count * channels, height, width)
    for dim, weight in ((2, kernel[:, None, :, None]), (3, kernel[:, None, None])):
        last = x.shape[dim] - 1
        index = torch.arange(-reach, last + reach + 1, device=x.device) % max(2 * last, 1)
        x = x.index_select(
            dim, torch.minimum(index, 2 * last - index)
        )  # mirrored, even if the picture is smaller than the kernel
        x = conv2d(x, weight, groups=count * channels)
    return x.view(images.shape)


def down(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Smaller by an integer factor, the amount, the same for all; bicubic with antialiasing; any number of channels.

    Rows at the bottom and columns at the right that do not fill a whole pixel are cropped.
    """
    factor = int(amount[0])
    size = [side // factor for side in images.shape[2:]]
    cropped = images[:, :, : size[0] * factor, : size[1] * factor]
    return interpolate(cropped, size=size, mode="bicubic", antialias=True)


def rain(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Streaks of light grey in three layers, far to near, that only lighten; amount: percent of the light covered.

    A layer is sparse noise convolved with one streak (as in Garg and Nayar 2006, "Photorealistic rendering of rain
    streaks", where motion smears a drop); it wraps around at the borders, where that is not visible.
    """
    height, width = images.shape[2:]
    chance, amount = (upload(x, images.device) for x in (draw(torch.rand, 1 + 4 * len(STREAKS)), amount))
    lean, middle = _between(chance[:, 0], -LEAN, LEAN), chance.new_tensor([height // 2, width // 2])
    cover = images.new_zeros(len(images), height, width)
    for (lengths, widths, strengths, part), uniform in zip(STREAKS, chance[:, 1:].split(4, 1), strict=True):
        length, wide, strength = (_between(uniform[:, i], *r) for i, r in enumerate((lengths, widths, strengths)))
        angle = lean + (uniform[:, 3] - 0.5) * 0.12
        half = (length.clamp(max=min(height, width) - 2) / 2)[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
        away = _squared_distance(middle - half, middle + half, images.shape[2:]).sqrt()
        streak = _over(strength, 3) * (_over(wide, 3) / 2 + 0.5 - away).clamp(0, 1)
        density = _over((amount / 100 * part / (0.7 * streak.sum((1, 2)))).clamp(min=1e-9), 3)
        place = upload(draw(torch.rand, height, width), images.device) / density
        drops = torch.where(place < 1, 0.4 + 0.6 * place, 0)  # 0.7 on average
        cover = cover + torch.fft.irfft2(torch.fft.rfft2(drops) * torch.fft.rfft2(streak), s=(height, width))
    return images + cover.clamp(0, 1)[:, None] * (LIGHT - images).clamp(min=0)


def scratches(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Thin, long, slightly bent, worn lines; amount: how many on 256x256; more and longer ones on a larger picture."""
    size, side = images.shape[2:], math.sqrt(images[0, 0].numel())
    number, chance = _number("scratches", amount, side / SIDE, 10, draw)
    (rows, columns), (cover, paint) = _pixels(size, images.device), images.new_zeros(2, len(images), *size)
    boxes = []  # only these around the lines are computed: faster for large pictures
    for down, right, _, length in (chance[:, k, :4].T for k in range(int(number.max()))):
        reach = 1.2 * (_between(length, 0.08, 0.5) * side) + 2
        places = down * size[0], right * size[1]
        boxes.append([slice(max(0, int((at - reach).min())), int((at + reach).max())) for at in places])
    number, chance = upload(number, images.device), upload(chance, images.device)
    for k, box in enumerate(boxes):
        y, x, turn, length, bend, thick, tone, strength, wave, phase = _over(chance[:, k].T, 3)
        y, x, half, angle = y * size[0], x * size[1], _between(length, 0.08, 0.5) * side, turn * math.pi
        down, right = rows[box[0]] - y, columns[:, box[1]] - x
        along = (down * angle.cos() + right * angle.sin()) / half  # -1 to 1 from end to end
        across = right * angle.cos() - down * angle.sin() - (bend - 0.5) * 0.3 * half * along.square()
        worn = 0.5 * (9 * phase + _between(wave, 1, 5) * along).sin() + 0.5 * (9 * wave + 11 * along).sin()
        line = (_between(thick, 0.2, 1.4) * (1 + 0.4 * worn) / 2 + 0.5 - across.abs()).clamp(0, 1)
        line = line * ((1 - along.abs()) * 4).clamp(0, 1) * (1 + worn).clamp(0, 1)  # thin and faint in places
        line = line * _between(strength, 0.4, 1) * _over(k < number, 3)
        for layer, end in ((cover, 1), (paint, _tone(tone))):
            part = layer[:, box[0], box[1]]
            part += (end - part) * line
    return images * (1 - cover[:, None]) + paint[:, None]


def spots(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Dust and stains, uneven discs of 1 to 12 pixels; amount: how many on 256x256, as dense on other sizes."""
    count, channels, height, width = images.shape
    number, chance = _number("spots", amount, height * width / SIDE**2, 8, draw)
    wide, places = width + 2 * REACH, torch.arange(-REACH, REACH + 1, device=images.device)
    flat, window = pad(images, (REACH,) * 4).flatten(2), (places[:, None] * wide + places).flatten()
    most, number, chance = int(number.max()), upload(number, images.device), upload(chance, images.device)
    for k in range(most):
        y, x, size, soft, tone, strength, turn, twist = _over(chance[:, k].T, 3)
        y, x, radius = y * (height - 1), x * (width - 1), 0.7 * 8 ** size.square()  # most are small
        down, right = places[:, None] - y.frac(), places - x.frac()
        angle = torch.atan2(down, right)
        edge = radius * (1 + 0.18 * (2 * angle + 7 * turn).sin() + 0.07 * (3 * angle + 7 * twist).sin())
        disc = ((edge - torch.hypot(down, right)) / (1 + soft * radius) + 0.5).clamp(0, 1)
        disc = disc * _between(strength, 0.4, 1) / (1 + 0.1 * radius) * _over(k < number, 3)
        middle = (y.long() + REACH) * wide + x.long() + REACH
        index = (middle.flatten(1) + window)[:, None].expand(-1, channels, -1)
        under = flat.gather(2, index)
        flat.scatter_(2, index, under + (_tone(tone).flatten(1)[:, None] - under) * disc.flatten(1)[:, None])
    return flat.view(count, channels, height + 2 * REACH, wide)[:, :, REACH:-REACH, REACH:-REACH]


def holes(images: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Missing blocks and brush strokes, about half each; amount: percent of the picture; any number of channels.

    The shapes grow until together they cover the amount. The kinds of holes are those of Yu et al. 2019,
    "Free-form image inpainting with gated convolution".

    Returns:
        [B, C + 1, H, W]: the last channel is 1 where a pixel is missing, and the others are 0 there.
    """
    chance, share = draw(torch.rand, 3 + BLOCKS * 4 + STROKES * (4 + BENDS * 2)), amount / 100
    half = share * _between(chance[:, 0], 0.3, 0.7)
    chance, rest = upload(chance, images.device), upload(share - half, images.device)
    blocks, strokes = chance[:, 3:].split([BLOCKS * 4, STROKES * (4 + BENDS * 2)], 1)
    mask = _smallest(_block_field(blocks.unflatten(1, (BLOCKS, -1)), chance[:, 1], images.shape[2:]), half)
    field = _stroke_field(strokes.unflatten(1, (STROKES, -1)), chance[:, 2], rest, images.shape[2:])
    mask = _smallest(field.masked_fill(mask, -1), share)[:, None]
    return torch.cat([images.masked_fill(mask, 0), mask.to(images.dtype)], 1)


def _block_field(chance: Tensor, some: Tensor, size: torch.Size) -> Tensor:
    """How far rectangles must grow to reach each pixel, [B, H, W]; `some` [B] in [0, 1) determines their number."""
    rows, columns = _pixels(size, chance.device)
    field = chance.new_full((len(chance), *size), math.inf)
    for k in range(BLOCKS):
        y, x, tall, broad = _over(chance[:, k].T, 3)
        reach = torch.maximum((rows - y * size[0]).abs() / 3**tall, (columns - x * size[1]).abs() / 3**broad)
        field = torch.minimum(field, reach.masked_fill(_over(some * BLOCKS < k, 3), math.inf))
    return field


def _stroke_field(chance: Tensor, some: Tensor, share: Tensor, size: torch.Size) -> Tensor:
    """The same for strokes with bends, squared; they are longer where they must cover a larger share [B]."""
    sizes, number = chance.new_tensor(size), (some * STROKES).floor() + 1
    field = chance.new_full((len(chance), *size), math.inf)
    usual = (
        share * math.sqrt(math.prod(size)) / (0.1 * BENDS * number)
    )  # pixels between bends; strokes are a tenth as wide
    for k in range(STROKES):
        y, x, turn, thick = chance[:, k, :4].T
        bends, lengths = chance[:, k, 4:].split(BENDS, 1)
        angle = 2 * math.pi * turn[:, None] + _between(bends, -1.2, 1.2).cumsum(1)
        moves = (usual[:, None] * _between(lengths, 0.5, 1.5))[:, :, None] * torch.stack([angle.sin(), angle.cos()], 2)
        points = _between(torch.stack([y, x], 1), 0.1, 0.9)[:, None] * sizes + torch.cat(
            [moves[:, :1] * 0, moves.cumsum(1)], 1
        )
        points = sizes - (points % (2 * sizes) - sizes).abs()  # reflected at the borders
        for i in range(BENDS):
            reach = _squared_distance(points[:, i], points[:, i + 1], size) / _over(_between(thick, 0.5, 1.7), 3)
            field = torch.minimum(field, reach.masked_fill(_over(number <= k, 3), math.inf))
    return field


def _smallest(field: Tensor, share: Tensor) -> Tensor:
    """Mask [B, H, W] of the smallest values of each field, a share [B] of it, at least one pixel; ties are included."""
    count = (share * field[0].numel()).round().int().tolist()
    edges = [row.kthvalue(max(k, 1)).values for row, k in zip(field.flatten(1), count, strict=True)]
    return field <= _over(torch.stack(edges), 3)


def _squared_distance(start: Tensor, end: Tensor, size: torch.Size) -> Tensor:
    """Squared distance [B, H, W] of each pixel to a segment whose ends are [B, 2], row and column."""
    (y, x), (tall, broad) = _over(start.T, 3), _over((end - start).T, 3)
    rows, columns = _pixels(size, start.device)
    down, right = rows - y, columns - x
    length = (tall.square() + broad.square()).clamp(min=1e-12)
    along = (down * (tall / length) + right * (broad / length)).clamp(0, 1)
    return (down - along * tall).square() + (right - along * broad).square()


def _pixels(size: torch.Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows [H, 1] and columns [1, W]."""
    return torch.arange(size[0], device=device)[:, None], torch.arange(size[1], device=device)[None]


def _number(name: str, amount: Tensor, scale: float, width: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """How many marks each picture gets [B], amount * scale on average, and random numbers [B, at most, width]."""
    most = math.ceil(DEGRADATIONS[name].limits[1] * scale)
    return (amount * scale + draw(torch.rand)).floor().clamp(max=most), draw(torch.rand, most, width)


def _over(values: Tensor, dimensions: int = 4) -> Tensor:
    """[..., B] -> [..., B, 1, 1, 1], or with fewer dimensions from B on."""
    return values[(..., *[None] * (dimensions - 1))]


def _between(uniform: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * uniform


def _tone(uniform: Tensor) -> Tensor:
    """The tone of dirt, in [-1, 1]: three in four are light, the others dark."""
    return torch.where(uniform < 0.75, 1 - 0.8 * uniform, 2 * uniform - 2.5)


FUNCTIONS = {
    "noise": noise,
    "grain": grain,
    "poisson": poisson,
    "jpeg": jpeg,
    "blur": blur,
    "down": down,
    "rain": rain,
    "scratches": scratches,
    "spots": spots,
    "holes": holes,
}
"""What applies each of `damages.DEGRADATIONS`."""
