"""Black and white shapes become pictures as MNIST's digits did."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas import api
from ganvas.core.errors import UserError
from ganvas.images.spec import ImageSpec
from ganvas.networks import NETWORKS
from ganvas.networks.scanned import BOX, LEAST, SIDE, SIZE, SPREAD, scanned


def field(*shapes: np.ndarray, side: int = 84) -> Tensor:
    """A field that is positive in these shapes, centred."""
    fields = torch.full((len(shapes), 1, side, side), -1.0)
    for one, shape in zip(fields, shapes, strict=True):
        top, left = (side - shape.shape[0]) // 2, (side - shape.shape[1]) // 2
        one[0, top : top + shape.shape[0], left : left + shape.shape[1]][torch.from_numpy(shape)] = 1.0
    return fields


def size_of(side: float) -> Tensor:
    """The number for which a scan has this many pixels."""
    return torch.tensor([(side - SIDE) / SPREAD])


def by_hand(scan: np.ndarray) -> np.ndarray:
    """A square scan as a picture of BOX pixels, pixel after pixel, as MNIST's authors did it."""
    scale, box = BOX / len(scan), np.zeros((BOX, BOX), np.float32)
    pieces = []
    for pixel in range(len(scan)):
        start, end = pixel * scale, (pixel + 0.99) * scale
        first, last = math.floor(start + 1e-11), math.ceil(end - 1e-11) - 1
        pieces.append([(first, scale)] if first == last else [(first, first + 1 - start), (last, end - last)])
    for row, column in np.argwhere(scan):
        for y, down in pieces[row]:
            for x, right in pieces[column]:
                box[y, x] = np.float32(float(box[y, x]) + down * right)
    return np.floor(box / min(box.max(), np.float32(1)) * np.float32(255)).astype(np.uint8)


def shown(pictures: Tensor) -> np.ndarray:
    return ((pictures[:, 0] + 1) * 127.5).round().to(torch.uint8).numpy()


def contents(picture: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero(picture.any(axis)) for axis in (1, 0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize("side", [24, 30, 36, 41, 50, 60])
def test_a_shape_becomes_what_the_authors_steps_make_of_it(side: int) -> None:
    random = np.random.default_rng(side)
    scan = random.random((side, side)) < 0.8
    scan[0], scan[:, 0], scan[-1], scan[:, -1] = True, True, True, True  # the shape has all of the box
    picture = contents(shown(scanned(field(scan, side=side + 4), size_of(side)))[0])
    wanted = contents(by_hand(scan))
    assert picture.shape == wanted.shape == (BOX, BOX)
    apart = np.abs(picture.astype(int) - wanted)
    assert apart.max() <= 1  # sums in another order
    assert (apart > 0).mean() < 0.02


def test_the_longer_side_is_the_box_and_the_centre_of_mass_the_middle() -> None:
    heavy = np.zeros((60, 30), bool)
    heavy[:, :4], heavy[40:] = True, True
    wide = np.zeros((20, 56), bool)
    wide[5:12], wide[:, 50:] = True, True
    for picture in shown(scanned(field(heavy, wide), torch.zeros(2))):
        assert max(contents(picture).shape) == BOX
        ink = picture / picture.sum()
        for axis in (0, 1):
            centre = (ink.sum(1 - axis) * (np.arange(SIZE) + 0.5)).sum()
            assert SIZE / 2 - 1e-6 <= centre <= SIZE / 2 + 1 + 1e-6


def test_where_the_shape_is_and_how_large_does_not_matter() -> None:
    shape = np.ones((40, 20), bool)
    moved = field(shape).roll((7, -5), (2, 3))
    larger = field(shape.repeat(2, 0).repeat(2, 1))
    pictures = shown(scanned(torch.cat([field(shape), moved, larger]), torch.zeros(3)))
    assert (pictures == pictures[0]).all()


def test_other_scans_have_other_greys() -> None:
    random = np.random.default_rng(0)
    shape = random.random((14, 10)).repeat(5, 0).repeat(5, 1) < 0.6
    pictures = shown(scanned(torch.cat([field(shape)] * 3), torch.tensor([-1.0, 0.0, 1.2])))
    greys = [len(np.unique(picture)) for picture in pictures]
    assert len({picture.tobytes() for picture in pictures}) == 3
    assert min(greys) > 4


@pytest.mark.parametrize("value", [-1.0, 1.0, 0.0])
def test_no_ink_and_nothing_but_ink_are_pictures_too(value: float) -> None:
    picture = scanned(torch.full((2, 1, 56, 56), value), torch.tensor([-9.0, 9.0]))
    assert picture.shape == (2, 1, SIZE, SIZE)
    assert torch.isfinite(picture).all()
    assert picture.amin() == -1
    assert (picture.amax() == 1) == (value > 0)


def test_a_gradient_reaches_the_whole_shape_and_its_surroundings() -> None:
    reached = []
    for wide in (False, True):
        fields = (3 * field(np.ones((40, 40), bool))).requires_grad_()
        scanned(fields, torch.zeros(1), wide).sum().backward()
        assert fields.grad is not None
        shape = fields.grad[0, 0, 22:62, 22:62]
        assert (shape > 0).float().mean() > 0.9
        assert (fields.grad > 0).sum() > 40 * 40
        reached.append(float(shape[15:25, 15:25].mean()))  # 3 from the edge: 1 - tanh(6)^2 and 1 / 16
    assert reached[1] / reached[0] == pytest.approx((1 / 16) / (1 - math.tanh(6) ** 2), rel=0.01)


def test_the_network_draws_values_of_a_file_and_only_grey_digits() -> None:
    spec = ImageSpec(size=SIZE, channels=1, classes=10)
    config = NETWORKS["shuffle"].Config(head="scanned", subpixels=4)
    generator = NETWORKS["shuffle"].Generator(spec, config)
    pictures = generator(torch.randn(6, config.latent_dim), torch.arange(6))
    values = (pictures + 1) * 127.5
    assert pictures.shape == (6, 1, SIZE, SIZE)
    assert torch.allclose(values, values.round(), atol=1e-3)
    for wrong, text in (
        ((ImageSpec(size=32, channels=1), config), "head=scanned draws grey digits of 28 pixels like MNIST's; the im"),
        ((ImageSpec(size=28, channels=3), config), "28 pixels and 3 channels. Give head=clamp."),
        ((spec, NETWORKS["shuffle"].Config(head="scanned", subpixels=3)), "subpixels=3: head=scanned needs a square"),
    ):
        with pytest.raises(UserError, match=text):
            NETWORKS["shuffle"].Generator(*wrong)


def test_the_data_decides_and_a_setting_overrides_it() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, SIZE, SIZE), np.uint8)
    digits = np.zeros((60, SIZE, SIZE), np.uint8)
    digits[:, 4 : 4 + BOX, 10:15] = 200

    def head(data: np.ndarray | None, **given: str) -> str:
        return api.experiment("mnist", data, given).network.head

    assert (head(None), head(digits), head(noise)) == ("scanned", "scanned", "clamp")
    assert (head(None, size="32"), head(None, channels="3")) == ("clamp", "clamp")
    assert (head(None, size="0"), head(None, size="28", channels="0")) == ("scanned", "scanned")
    assert (head(noise, head="scanned"), head(digits, head="tanh")) == ("scanned", "tanh")
    for given, text in (({}, "so it was chosen."), ({"head": "scanned"}, "so give head=clamp.")):
        experiment = api.experiment("mnist", noise, given)
        (remark,) = experiment.kind.remarks(experiment)
        assert remark.startswith("0% of these pictures are grey, 28 pixels a side")
        assert remark.endswith(text)
    experiment = api.experiment("mnist", digits, {})
    assert experiment.kind.remarks(experiment) == []


def test_most_sizes_are_those_of_the_scans() -> None:
    assert SIDE - 2 * SPREAD >= LEAST
