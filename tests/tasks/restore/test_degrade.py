"""Damages that a restoring network learns to undo."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from ganvas.core.errors import UserError
from ganvas.tasks.restore import degradations, degrade

SAME_SIZE = [name for name in degrade.DEGRADATIONS if name not in ("down", "holes")]


def photos(count: int = 4, channels: int = 3, height: int = 48, width: int = 64) -> Tensor:
    """Like photographs: slow changes of light, edges, some texture; rather dark than light."""
    random = torch.Generator().manual_seed(0)
    rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    a, b, c = torch.rand(3, count, channels, 1, 1, generator=random)
    light = 0.6 * a * rows + 0.5 * b * columns + 0.3 * ((columns - c) * 2 + rows > 1)
    return (light + 0.03 * torch.randn(count, channels, height, width, generator=random)).clamp(0, 1) * 1.8 - 1


def table(rows: list[int], seed: int = 1) -> degrade.Draw:
    """Random numbers of these rows of a batch of eight, anew at each call."""
    random = torch.Generator().manual_seed(seed)
    return lambda function, *shape: function(8, *shape, generator=random)[rows]


def damaged(text: str, images: Tensor, seed: int = 1) -> Tensor:
    return degrade.apply(degrade.parse(text), images, table(list(range(len(images))), seed))


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * math.log10(float(((one - other) / 2).square().mean()))


def test_a_plan_is_read() -> None:
    plan = degrade.parse("blur:0-2+down:2 + jpeg:60.5-95, noise:.5,poisson")
    assert [[step.name for step in group] for group in plan.groups] == [
        ["blur", "down", "jpeg"],
        ["noise"],
        ["poisson"],
    ]
    assert plan.groups[0][2] == degrade.Step("jpeg", 60.5, 95)
    assert plan.groups[1][0] == degrade.Step("noise", 0.5, 0.5)
    assert plan.groups[2][0] == degrade.Step("poisson", *degrade.DEGRADATIONS["poisson"][:2])
    assert (plan.scale, plan.masked) == (2, False)
    assert degrade.parse("down,down:2").scale == 4
    assert degrade.parse("noise:10,holes:25").masked


@pytest.mark.parametrize(
    ("text", "offending"),
    [
        ("", "''"),
        ("nose:25", "'nose'. Did you mean 'noise'?"),
        ("noise:25,,jpeg:50", "noise:25,,jpeg:50"),
        ("noise:25,jpeg:9o", "jpeg:9o"),
        ("noise:", "noise:"),
        ("noise:-5", "noise:-5"),
        ("noise:nan", "noise:nan"),
        ("noise:50-5", "noise:50-5"),
        ("noise:50-5", "write noise:5-50"),
        ("noise:0-300", "noise:0-300"),
        ("noise:0-300", "255"),
        ("poisson:5", "poisson:5"),
        ("jpeg:0", "jpeg:0"),
        ("down:3", "down:3"),
        ("down:2-4", "down:2-4"),
        ("down:2,down:4", "down:2,down:4"),
        ("holes:25,noise:5", "holes:25,noise:5"),
        ("noise:5+holes:25", "noise:5+holes:25"),
        ("holes:25,holes:25", "holes:25,holes:25"),
        ("down:2,holes:25", "down:2,holes:25"),
        ("?", "empty part"),
        ("noise:5,down:2?", "'down:2?' cannot be done to some pictures only"),
        ("holes:25?", "remove the question mark"),
    ],
)
def test_a_wrong_plan_is_refused(text: str, offending: str) -> None:
    with pytest.raises(UserError) as error:
        degrade.parse(text)
    assert offending in str(error.value)


@pytest.mark.parametrize("name", degrade.DEGRADATIONS)
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 16, 17), (3, 48, 64), (4, 33, 20)])
def test_every_damage_takes_every_picture(name: str, channels: int, height: int, width: int) -> None:
    x = photos(3, channels, height, width)
    plan = degrade.parse(name)
    y = degrade.apply(plan, x, table([0, 1, 2]))
    assert y.shape == (3, channels + plan.masked, height // plan.scale, width // plan.scale)
    assert float(y.abs().max()) <= 1
    if name in SAME_SIZE and channels == 4:
        assert torch.equal(y[:, 3], x[:, 3])
    limits = degrade.DEGRADATIONS[name].limits
    assert bool(damaged(f"{name}:{limits[0]}", x).isfinite().all())
    assert bool(damaged(f"{name}:{limits[1]}", x).isfinite().all())


@pytest.mark.parametrize("name", SAME_SIZE)
def test_every_damage_does_damage(name: str) -> None:
    x = photos()
    lost = [psnr(y, z) for y, z in zip(damaged(name, x), x, strict=True)]
    assert min(lost) > 10
    assert max(lost) < 60


@pytest.mark.parametrize(
    "text", [*degrade.DEGRADATIONS, "blur+down:2+noise+jpeg", "rain:9+scratches:50+spots:200,noise:9,holes:30"]
)
def test_a_picture_is_damaged_alike_in_any_company(text: str) -> None:
    x, plan = photos(8), degrade.parse(text)
    whole = degrade.apply(plan, x, table(list(range(8))))
    assert torch.equal(whole, degrade.apply(plan, x, table(list(range(8)))))
    assert not torch.allclose(whole, degrade.apply(plan, x, table(list(range(8)), seed=2))) or text == "down"
    for rows in ([3], [6, 2]):
        part = degrade.apply(plan, x[rows], table(rows))
        assert torch.allclose(part, whole[rows], atol=1.1 * 2 / 255 if "jpeg" in text else 1e-5)  # a level may tip


def test_each_damage_has_a_function() -> None:
    assert degradations.FUNCTIONS.keys() == degrade.DEGRADATIONS.keys()


def test_the_same_numbers_are_drawn_whatever_the_pictures_and_the_chances() -> None:
    calls: list[list[tuple[Callable[..., Tensor], tuple[int, ...]]]] = []
    for seed in range(4):
        draw, made = table([0, 1], seed), []

        def noted(function: Callable[..., Tensor], *shape: int, draw: degrade.Draw = draw, made: list = made) -> Tensor:
            made.append((function, shape))
            return draw(function, *shape)

        degrade.apply(degrade.parse("noise+blur+down,rain,scratches,spots"), photos(2) * seed / 3, noted)
        for name, kind in degrade.DEGRADATIONS.items():
            amount = torch.full((2,), 2.0 if name == "down" else kind.limits[seed % 2])
            degradations.FUNCTIONS[name](photos(2), amount, noted)
        calls.append(made)
    assert calls[0] == calls[1] == calls[2] == calls[3]


def test_noise_has_the_wanted_strength() -> None:
    x = torch.zeros(4, 3, 64, 64)
    assert float(damaged("noise:25", x).std()) * 127.5 == pytest.approx(25, rel=0.02)
    spread = (damaged("noise:5-50", x).flatten(1).std(1) * 127.5).tolist()
    assert all(4.5 < s < 52 for s in spread)
    assert max(spread) - min(spread) > 5


def test_a_question_mark_does_it_to_every_other_picture() -> None:
    x = torch.zeros(8, 1, 8, 8)
    spread = torch.cat([damaged("noise:25?", x, seed).flatten(1).std(1) * 127.5 for seed in range(25)])
    assert 70 < int((spread > 0).sum()) < 130
    assert float(spread[spread > 0].min()) > 15


def test_photon_noise_is_stronger_in_the_light() -> None:
    for level in (0.2, 0.6):
        share = damaged("poisson:400", torch.full((4, 1, 64, 64), level * 2 - 1)).add(1).div(2)
        assert float(share.mean()) == pytest.approx(level, rel=0.02)
        assert float(share.var()) == pytest.approx(level / 400, rel=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_lower_quality_is_further_from_the_picture(channels: int) -> None:
    x = photos(channels=channels)
    lost = [psnr(damaged(f"jpeg:{quality}", x), x) for quality in (5, 30, 90)]
    assert lost[0] + 2 < lost[1] < lost[2] - 2


def test_blur_keeps_the_light_and_spreads_a_point_as_far_as_it_says() -> None:
    x = photos()
    y = damaged("blur:2", x)
    assert torch.allclose(y.mean((2, 3)), x.mean((2, 3)), atol=0.02)
    assert float(y.diff(dim=3).abs().mean()) < 0.5 * float(x.diff(dim=3).abs().mean())
    assert torch.allclose(damaged("blur:0", x), x, atol=1e-6)
    assert torch.allclose(damaged("blur:20", torch.full((1, 1, 5, 1), 0.5)), torch.tensor(0.5))
    point = torch.full((1, 1, 31, 31), -1.0)
    point[0, 0, 15, 15] = 1
    spread = (damaged("blur:2", point)[0, 0] + 1) / 2
    assert float(spread.sum()) == pytest.approx(1, abs=1e-4)
    assert float((spread.sum(1) * (torch.arange(31) - 15).square()).sum()) == pytest.approx(4, rel=0.05)


def test_down_makes_pictures_smaller_without_aliasing() -> None:
    assert torch.allclose(damaged("down:2", torch.full((1, 3, 9, 12), 0.3)), torch.full((1, 3, 4, 6), 0.3), atol=1e-5)
    fine = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0)) - 0.5
    assert float(damaged("down:4", fine).std()) < 0.35 * float(fine.std())


def test_rain_lightens_and_is_seen() -> None:
    x = photos(8, height=96, width=96)
    y = damaged("rain", x)
    assert bool((y >= x - 1e-6).all())
    assert 16 < psnr(y, x) < 26
    assert torch.equal(damaged("rain", torch.ones(2, 3, 32, 32)), torch.ones(2, 3, 32, 32))
    cover = (damaged("rain:10", torch.full((8, 1, 96, 96), -1.0)) + 1) / (1 + degradations.LIGHT)
    assert float(cover.mean()) == pytest.approx(0.1, rel=0.25)
    down, right = cover.diff(dim=2).abs().mean(), cover.diff(dim=3).abs().mean()
    assert down < 0.8 * right  # streaks are rather upright


def test_scratches_and_spots_cover_a_like_share_of_any_size() -> None:
    for text in ("scratches:80", "spots:400"):
        changed = [
            float((damaged(text, torch.zeros(8, 1, side, side), seed) != 0).float().mean())
            for side in (64, 192)
            for seed in (1, 2)
        ]
        small, large = sum(changed[:2]) / 2, sum(changed[2:]) / 2
        assert 0.01 < small < 0.5
        assert 0.5 < small / large < 1.5  # a line is as wide on any of them
    light = damaged("scratches:40,spots:200", torch.zeros(8, 1, 64, 64))
    assert (float(light.min()) < -0.3, float(light.max()) > 0.3) == (True, True)


@pytest.mark.parametrize("percent", [1, 10, 25, 40, 90])
def test_holes_cover_what_they_say(percent: int) -> None:
    x = photos(8, height=64, width=48)
    y = damaged(f"holes:{percent}", x)
    mask = y[:, 3:]
    assert set(mask.unique().tolist()) == {0, 1}
    assert torch.equal(y[:, :3], x * (1 - mask))
    assert all(abs(float(share) * 100 - percent) < 2 for share in mask.mean((1, 2, 3)))


def test_holes_are_shapes_and_not_sprinkled() -> None:
    mask = damaged("holes", photos(8, 1, 64, 64))[:, 1:]
    alone = mask * (avg_pool2d(mask, 3, 1, 1) * 9 < 2.5)  # with one neighbour at most
    assert float(alone.sum()) < 0.01 * float(mask.sum())
    assert mask.flatten(1).unique(dim=0).shape[0] == 8


def test_holes_are_blocks_and_strokes() -> None:
    mask = damaged("holes:30", photos(8, 1, 64, 64))[:, 1:]
    straight, bent = torch.zeros(2, 8)
    for sides in (mask.diff(dim=3).abs(), mask.mT.diff(dim=3).abs()):  # upright and level ones
        runs = -max_pool2d(-sides, (7, 1), 1)  # a side that goes straight on for 7 pixels
        straight += runs.sum((1, 2, 3))
        bent += sides.sum((1, 2, 3)) - max_pool2d(runs, (7, 1), 1, (3, 0)).sum((1, 2, 3))
    assert float(straight.min()) > 25  # without blocks: 0 to 18
    assert float(bent.min()) > 60  # without strokes: 0 to 35


def test_an_order_is_drawn_for_each_picture() -> None:
    x = photos(8, 1)
    either = damaged("blur:3+noise:40", x)
    rough = either.diff(dim=3).abs().mean((1, 2, 3))
    last = rough > 0.15  # noise that came after the blur
    assert 0 < int(last.sum()) < 8
    assert float(rough[~last].max()) < 0.1
