"""The contract of every architecture in the table, with its own knobs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas import networks
from ganvas.core.errors import UserError
from ganvas.images import tensors as im
from ganvas.images.spec import ImageSpec
from ganvas.networks import NETWORKS, layers, pyramid, shuffle

BATCH = 4
SPECS = {"grey28": ImageSpec(1, 28, 10), "unlabelled28": ImageSpec(1, 28, 0), "colour32": ImageSpec(3, 32, 3)}
USES_LABELS = {"shuffle", "pyramid", "projected"}  # the architectures whose pictures and judgements depend on the class
ANY_SIZE = {"classic-mlp"}  # those that draw any size
WEIGHTS = {  # generator and discriminator with default knobs, for grey 28-pixel images in 10 classes
    "shuffle": (535_049, 235_500),
    "classic-mlp": (1_486_352, 1_460_225),
    "classic-dcgan": (1_164_289, 40_705),
    "pyramid": (548_128, 496_008),
    "projected": (603_601, 1_855_278),
    "dcgan": (759_680, 138_624),
}

QUICK: dict[str, dict[str, int]] = {
    "classic-dcgan": {"g_width": 32, "d_width": 16},
    "dcgan": {"width": 16},
    "projected": {"width": 16, "judges": 16, "pixels": 8, "backbone": 16},
}  # where defaults take long

everywhere = pytest.mark.parametrize(
    ("name", "spec"),
    [(n, s) for n in NETWORKS for s in SPECS.values()],
    ids=[f"{n}-{s}" for n in NETWORKS for s in SPECS],
)
labelled = pytest.mark.parametrize(
    ("name", "spec"), [(n, s) for n in sorted(USES_LABELS) for s in SPECS.values() if s.classes], ids=str
)


def build(name: str, spec: ImageSpec, seed: int = 0) -> tuple[nn.Module, nn.Module, Any]:
    """Generator, discriminator and knobs."""
    config = NETWORKS[name].Config(**QUICK.get(name, {}))
    torch.manual_seed(seed)
    return *networks.build(config, spec), config


def latents(config: Any, count: int = BATCH, seed: int = 1) -> Tensor:
    return torch.randn(count, config.latent_dim, generator=torch.Generator().manual_seed(seed))


def labels(spec: ImageSpec, count: int = BATCH) -> Tensor | None:
    return torch.arange(count) % spec.classes if spec.classes else None


def pictures(spec: ImageSpec, count: int = BATCH, seed: int = 2) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, spec.channels, spec.size, spec.size, generator=random) * 2 - 1


def shaken(module: nn.Module, size: float) -> nn.Module:
    """The network with every weight moved at random: what begins at zero on purpose does not stay there."""
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(size * torch.randn(weight.shape, generator=random))
    return module


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@everywhere
def test_generator_draws_images(name: str, spec: ImageSpec) -> None:
    generator, _, config = build(name, spec)
    for mode in (True, False):
        images = generator.train(mode)(latents(config), labels(spec))
        assert images.shape == (BATCH, spec.channels, spec.size, spec.size)
        assert images.dtype == torch.float32
        assert images.isfinite().all()
        assert images.abs().max() <= 1
        assert images.std() > 0


@everywhere
def test_generator_stays_in_range_whatever_its_weights(name: str, spec: ImageSpec) -> None:
    generator, _, config = build(name, spec)
    with torch.no_grad():
        images = shaken(generator, 1.0)(latents(config), labels(spec))
    assert images.abs().max() <= 1
    assert images.max() > 0.9
    assert images.min() < -0.9


@everywhere
def test_discriminator_gives_logits(name: str, spec: ImageSpec) -> None:
    _, discriminator, _ = build(name, spec)
    logits = discriminator(pictures(spec), labels(spec))
    assert logits.shape == (BATCH,)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert logits.unique().numel() == BATCH


@everywhere
def test_discriminator_has_no_sigmoid(name: str, spec: ImageSpec) -> None:
    _, discriminator, _ = build(name, spec)
    seen = []
    for sign in (1, -1):
        with torch.no_grad():
            last = [m for m in discriminator.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
            for weight in last.parameters():
                weight.mul_(1000 * sign)
            seen.append(discriminator.eval()(pictures(spec, 16), labels(spec, 16)))
    both = torch.cat(seen)
    assert both.max() > 1.5
    assert both.min() < -1.5


@everywhere
def test_gradients_reach_every_weight(name: str, spec: ImageSpec) -> None:
    generator, discriminator, config = build(name, spec)
    weights = [(k, p) for n in (generator, discriminator) for k, p in n.named_parameters() if p.requires_grad]
    y, reached = labels(spec, 16), set()
    for _ in range(2):  # a layer that begins at zero holds up the first step's gradient, not the second's
        logits = discriminator(generator(latents(config, 16), y), y) + discriminator(pictures(spec, 16), y)
        gradients = torch.autograd.grad(torch.nn.functional.softplus(logits).mean(), [p for _, p in weights])
        assert all(bool(g.isfinite().all()) for g in gradients)
        with torch.no_grad():
            for i, ((_, weight), gradient) in enumerate(zip(weights, gradients, strict=True)):
                reached |= {i} if gradient.any() else set()
                weight.sub_(0.1 * gradient)
    assert [k for i, (k, _) in enumerate(weights) if i not in reached] == []


@everywhere
def test_gradients_can_be_taken_twice(name: str, spec: ImageSpec) -> None:
    """R1 needs the gradient of a gradient."""
    _, discriminator, _ = build(name, spec)
    images = pictures(spec).requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(images, labels(spec)).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert any(bool((p.grad != 0).any()) for p in discriminator.parameters() if p.grad is not None)
    assert all(bool(p.grad.isfinite().all()) for p in discriminator.parameters() if p.grad is not None)


@everywhere
def test_same_seed_same_networks(name: str, spec: ImageSpec) -> None:
    def outputs(seed: int) -> tuple[Tensor, Tensor]:
        generator, discriminator, config = build(name, spec, seed)
        torch.manual_seed(5)  # dropout
        return generator(latents(config), labels(spec)), discriminator(pictures(spec), labels(spec))

    first, again, other = outputs(0), outputs(0), outputs(1)
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


@everywhere
def test_state_makes_an_equal_copy(name: str, spec: ImageSpec) -> None:
    generator, discriminator, config = build(name, spec)
    generator(latents(config), labels(spec))  # running means of a normalisation are part of the state
    copies = build(name, spec, seed=9)[:2]
    for network, copy in zip((generator, discriminator), copies, strict=True):
        copy.load_state_dict(network.state_dict())
        network.eval()
        copy.eval()
    assert torch.equal(generator(latents(config), labels(spec)), copies[0](latents(config), labels(spec)))
    assert torch.equal(discriminator(pictures(spec), labels(spec)), copies[1](pictures(spec), labels(spec)))


@everywhere
def test_a_batch_of_one(name: str, spec: ImageSpec) -> None:
    generator, discriminator, config = build(name, spec)
    image = generator.eval()(latents(config, 1), labels(spec, 1))
    assert image.shape == (1, spec.channels, spec.size, spec.size)
    logits = discriminator.eval()(image, labels(spec, 1))
    assert logits.shape == (1,)
    assert logits.isfinite().all()


@everywhere
def test_a_picture_does_not_depend_on_its_neighbours(name: str, spec: ImageSpec) -> None:
    generator, _, config = build(name, spec)
    for i in range(3):
        generator(latents(config, 8, seed=10 + i), labels(spec, 8))
    generator.eval()
    z, y = latents(config, 6), labels(spec, 6)
    with torch.no_grad():
        together = generator(z, y)
        alone = torch.cat([generator(z[i : i + 1], None if y is None else y[i : i + 1]) for i in range(6)])
    assert torch.allclose(together, alone, rtol=0, atol=1e-5)


@everywhere
def test_drawing_in_evaluation_mode_changes_nothing(name: str, spec: ImageSpec) -> None:
    generator, discriminator, config = build(name, spec)
    for network in (generator, discriminator):
        network.eval()
    before = {k: v.clone() for n in (generator, discriminator) for k, v in n.state_dict(prefix=str(id(n))).items()}
    discriminator(generator(latents(config), labels(spec)), labels(spec))
    after = {k: v for n in (generator, discriminator) for k, v in n.state_dict(prefix=str(id(n))).items()}
    assert all(torch.equal(before[k], after[k]) for k in before)


@everywhere
def test_memory_layout_does_not_matter(name: str, spec: ImageSpec) -> None:
    generator, discriminator, config = build(name, spec)
    generator.eval()
    discriminator.eval()
    images, y, z = pictures(spec), labels(spec), latents(config)
    expected = generator(z, y), discriminator(images, y)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    found = generator(z, y), discriminator(images.contiguous(memory_format=torch.channels_last), y)
    for a, b in zip(expected, found, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


# -------------------- labels


@labelled
def test_labels_matter_to_the_generator(name: str, spec: ImageSpec) -> None:
    generator, _, config = build(name, spec)
    z = latents(config, 1).expand(spec.classes, -1)
    images = shaken(generator, 0.05).eval()(z, torch.arange(spec.classes)).flatten(1)
    distances = torch.cdist(images, images) + torch.eye(spec.classes)
    assert distances.min() > 1e-3


@labelled
def test_shares_of_classes_stand_for_labels(name: str, spec: ImageSpec) -> None:
    generator, _, config = build(name, spec)
    generator = shaken(generator, 0.05).eval()
    z, labels = latents(config, 4), torch.arange(4) % spec.classes
    shares = torch.nn.functional.one_hot(labels, spec.classes).float()
    assert torch.allclose(generator(z, labels), generator(z, shares), atol=1e-5)
    between = generator(z, torch.full_like(shares, 1 / spec.classes))
    assert (between - generator(z, shares)).abs().flatten(1).amax(1).min() > 1e-3


@everywhere
def test_features_are_what_the_layers_see(name: str, spec: ImageSpec) -> None:
    _, discriminator, _ = build(name, spec)
    discriminator.eval()
    images = pictures(spec, 5)
    layers = discriminator.features(images)  # pyright: ignore[reportCallIssue]
    assert len(layers) >= 2
    assert all(len(layer) == 5 for layer in layers)
    alone = discriminator.features(images[2:3])  # pyright: ignore[reportCallIssue]
    for one, many in zip(alone, layers, strict=True):
        assert torch.allclose(one[0], many[2], rtol=1e-3, atol=1e-4)
    other = discriminator.features(pictures(spec, 6)[5:])  # pyright: ignore[reportCallIssue]
    assert not torch.allclose(other[-1][0], layers[-1][2], atol=1e-3)


@labelled
def test_labels_matter_to_the_discriminator(name: str, spec: ImageSpec) -> None:
    _, discriminator, _ = build(name, spec)
    images = pictures(spec, 1).expand(spec.classes, -1, -1, -1)
    logits = shaken(discriminator, 0.05).eval()(images, torch.arange(spec.classes))
    assert logits.unique().numel() == spec.classes


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - USES_LABELS))
def test_labels_do_not_matter_to_the_others(name: str) -> None:
    spec = SPECS["grey28"]
    generator, discriminator, config = build(name, spec)
    generator.eval()
    discriminator.eval()
    assert torch.equal(generator(latents(config), labels(spec)), generator(latents(config), None))
    assert torch.equal(discriminator(pictures(spec), labels(spec)), discriminator(pictures(spec), None))


# -------------------- sizes and numbers


@pytest.mark.parametrize("size", [26, 27, 30])
@pytest.mark.parametrize("name", sorted(set(NETWORKS) - ANY_SIZE))
def test_a_size_that_cannot_be_drawn(name: str, size: int) -> None:
    with pytest.raises(UserError, match=f"sizes .*{size} pixels"):
        build(name, ImageSpec(1, size, 10))


@pytest.mark.parametrize("name", sorted(ANY_SIZE))
def test_any_size(name: str) -> None:
    spec = ImageSpec(1, 27, 0)
    generator, discriminator, config = build(name, spec)
    assert discriminator(generator(latents(config))).shape == (BATCH,)


@pytest.mark.parametrize("size", [8, 12, 20])
@pytest.mark.parametrize("name", NETWORKS)
def test_small_sizes(name: str, size: int) -> None:
    spec = ImageSpec(1, size, 0)
    generator, discriminator, config = build(name, spec)
    images = generator(latents(config))
    assert images.shape == (BATCH, 1, size, size)
    assert discriminator(images).shape == (BATCH,)


@pytest.mark.parametrize("name", NETWORKS)
def test_number_of_weights(name: str) -> None:
    generator, discriminator = networks.build(NETWORKS[name].Config(), SPECS["grey28"])
    assert (count(generator), count(discriminator)) == WEIGHTS[name]


def test_dcgan_has_as_many_weights_as_the_well_known_example() -> None:
    generator, discriminator = networks.build(NETWORKS["dcgan"].Config(), ImageSpec(3, 64, 0))
    assert (count(generator), count(discriminator)) == (3_576_704, 2_765_568)


@pytest.mark.parametrize("size", [28, 48, 64, 96, 128, 256])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pyramid_draws_what_people_have(size: int, channels: int) -> None:
    spec = ImageSpec(channels, size, 2)
    config = pyramid.Config(width=16)
    generator, discriminator = networks.build(config, spec)
    images = generator(latents(config), labels(spec))
    assert images.shape == (BATCH, channels, size, size)
    assert discriminator(images, labels(spec)).shape == (BATCH,)


@pytest.mark.parametrize(
    ("size", "sides"), [(28, [7, 14]), (64, [8, 16, 32]), (96, [6, 12, 24, 48]), (256, [8, 16, 32, 64, 128])]
)
def test_pyramid_starts_at_8_pixels_at_most(size: int, sides: list[int]) -> None:
    assert pyramid.maps(ImageSpec(3, size)) == sides


def test_pyramid_with_more_blocks_still_learns() -> None:
    spec = ImageSpec(3, 32, 2)
    config = pyramid.Config(width=16, blocks=2)
    generator, discriminator = networks.build(config, spec)
    discriminator(generator(latents(config), labels(spec)), labels(spec)).sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
        assert any("blocks" in name for name, _ in network.named_parameters())


def test_flat_drawings_keep_their_colours_and_their_training() -> None:
    spec = ImageSpec(3, 32, 2)
    config = pyramid.Config(width=16)
    generator, other = (networks.build(dataclasses.replace(config, flat=flat), spec)[0] for flat in (True, False))
    other.load_state_dict(generator.state_dict())
    z = latents(config)
    assert torch.equal(generator(z, labels(spec)), other(z, labels(spec)))  # in training
    with torch.no_grad():
        nn.init.normal_(generator.head.weight, std=0.5)  # pyright: ignore
        other.load_state_dict(generator.state_dict())
        drawn, mixed = generator.eval()(z, labels(spec)), other.eval()(z, labels(spec))
    assert drawn.mean((2, 3)) == pytest.approx(mixed.mean((2, 3)).numpy(), abs=1e-4)  # an area has its mean
    equal = [(im.to_uint8(x)[..., 1:] == im.to_uint8(x)[..., :-1]).float().mean() for x in (drawn, mixed)]
    assert equal[0] > 3 * equal[1]
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramid, "AT_ONCE", 3 * 32**2)  # in pieces, the last one smaller
        assert torch.allclose(generator(z, labels(spec)), drawn, atol=1e-5)


def test_areas_are_decided_in_quarters_of_pixels() -> None:
    logits = torch.full((1, 2, 8, 8), -1.0)
    logits[:, 0, :, :3] = 1
    logits[:, 1, :, 3:] = 1
    logits[:, :, :, 3] = torch.tensor([0.4, -0.4])[None, :, None]  # a border inside of this column
    finer = F.interpolate(logits, scale_factor=2, mode="bilinear")
    areas = F.avg_pool2d(finer.softmax(1), 2)
    assert torch.allclose(pyramid._areas(logits), areas.permute(0, 2, 3, 1), atol=1e-6)


def test_an_area_of_the_palettes_own_colour_is_apart() -> None:
    logits = torch.zeros(1, 2, 16, 16)
    logits[:, 0] = 0.5  # a background of 62% white
    logits[:, 0, 4:8, 4:8] = 9  # eyes, white
    logits[:, 1, 12:] = 9  # the rest is black
    colours = torch.tensor([[[1.0, -1.0]]])
    images = pyramid._mixed(colours, logits.softmax(1))
    grain = 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    flat = pyramid._flattened(images + grain, logits, colours)[0, 0]
    for part, value in ((flat[:3], images[0, 0, 0, 0]), (flat[5:7, 5:7], 1), (flat[14:], -1)):
        assert part.std() < 1e-3
        assert part.mean() == pytest.approx(float(value), abs=0.05)


def test_every_network_is_pinned() -> None:
    assert set(WEIGHTS) == set(NETWORKS)
    assert set(NETWORKS) >= USES_LABELS | ANY_SIZE


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_known_by_its_knobs(name: str) -> None:
    assert networks.name_of(NETWORKS[name].Config()) == name


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_clamped_subpixels_reach_black_and_white(spec: ImageSpec) -> None:
    config = NETWORKS["shuffle"].Config(head="clamp", subpixels=9)
    generator, _ = networks.build(config, spec)
    assert isinstance(generator, shuffle.Generator)
    assert generator.head.bias is not None
    for level in (-3.0, 3.0):
        nn.init.constant_(generator.head.bias, level)
        images = generator(latents(config), labels(spec))
        assert images.shape == (BATCH, spec.channels, spec.size, spec.size)
        assert images.abs().max() == 1
        assert (images == level / 3).float().mean() > 0.5


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer, x = layers.Dropout(0.3), torch.ones(1000, 401, requires_grad=True)  # 401,000 is no multiple of four a row
    y = layer(x)
    assert float((y == 0).float().mean()) == pytest.approx(0.3, abs=0.003)
    assert float(y.detach().mean()) == pytest.approx(1, abs=0.005)
    assert not torch.equal(layer(x), y)
    torch.manual_seed(0)
    assert torch.equal(layer(x), y)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y)  # what was dropped gets no gradient
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (layers.ConvTranspose2d(6, 5, 4, stride=2, padding=1), nn.ConvTranspose2d(6, 5, 4, stride=2, padding=1)),
        (layers.WideConv2d(6, 1, 7, padding=3), nn.Conv2d(6, 1, 7, padding=3)),
        (layers.WideConv2d(6, 2, 5, padding=2), nn.Conv2d(6, 2, 5, padding=2)),
        (layers.WideConv2d(6, 3, 7, padding=3), nn.Conv2d(6, 3, 7, padding=3)),
    ],
)
def test_faster_convolutions_compute_what_torchs_do(ours: nn.Module, theirs: nn.Module) -> None:
    """Values and gradients; in bf16 within its rounding."""
    ours.load_state_dict(theirs.state_dict())
    for bf16 in (False, True):
        found = []
        for layer in (ours, theirs):
            x = torch.randn(3, 6, 8, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                y = layer(x).float()
            found.append([y.detach(), *torch.autograd.grad((y * y.detach().cos()).sum(), [x, *layer.parameters()])])
        for one, other in zip(*found, strict=True):
            assert float((one - other).norm() / other.norm()) < (0.02 if bf16 else 1e-5)


@pytest.mark.parametrize("name", sorted(USES_LABELS))
def test_groups_of_a_batch_are_judged_as_if_alone(name: str) -> None:
    spec = SPECS["colour32"]
    _, discriminator, _ = build(name, spec)
    images, kinds = pictures(spec), labels(spec)
    assert kinds is not None
    both = discriminator(torch.cat([images, -images]), torch.cat([kinds, kinds]), groups=2)
    alone = torch.cat([discriminator(images, kinds), discriminator(-images, kinds)])
    torch.testing.assert_close(both, alone)
    assert not torch.allclose(both, discriminator(torch.cat([images, -images]), torch.cat([kinds, kinds])))
