"""`ganvas export`: the networks for other programs (ONNX), and a static page that draws in the visitor's browser.

Every file is compared with torch before it is kept. A selector is no part of an export: the pictures are those of the
generator alone.
"""

from __future__ import annotations

import copy
import gzip
import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, make_folder, write_whole
from ganvas.core.model import TrainedModel
from ganvas.images import tensors as im
from ganvas.tasks.generate.detect.detector import Detector, summary
from ganvas.tasks.generate.model import Model
from ganvas.tasks.translate.model import OneWay, Translator
from ganvas.tasks.translate.task import KINDS

if TYPE_CHECKING:
    import onnx

CLOSE = 1e-4  # largest difference from torch that is allowed
SEEDS = 1_000  # whose latent vectors a page knows
WEB = Path(__file__).parent / "web"
OTHER = "Choose another folder, or --force to overwrite it"
RUNTIME = "ort-wasm-simd-threaded.wasm"


@dataclass(frozen=True)
class Exported:
    """A file that was written, and its largest difference from torch (0: nothing was compared)."""

    path: Path
    difference: float = 0.0


class _Detector(nn.Module):
    """images [B, C, H, W] in [-1, 1] -> the probability [B] that each is of the kind that was trained on."""

    def __init__(self, discriminator: nn.Module, detector: Detector) -> None:
        super().__init__()
        self.discriminator, self.detector = discriminator, detector

    def forward(self, images: Tensor) -> Tensor:
        pixels = im.levels(images) / 127.5 - 1
        return torch.sigmoid(self.detector(summary(self.discriminator.features(pixels))))  # pyright: ignore[reportCallIssue]


def export(model: TrainedModel, folder: Path, force: bool = False) -> list[Exported]:
    """Write `generator.onnx`, and `detector.onnx` where the model has a detector.

    The generator's inputs: z float [B, latent_dim] and, for a model with classes, labels int64 [B]; its output: images
    float [B, C, H, W] in [-1, 1]. The detector's: images as these; probability float [B]. The card of the model is in
    the metadata, under `ganvas`.

    Of a model that mends pictures there is `generator.onnx` alone, of one that translates there are `to_a.onnx` and
    `to_b.onnx`: images float [B, C (+ 1: mask), H, W] of any size
    whose sides are multiples of `stride`, which the card tells -> images [B, C, scale * H, scale * W].

    Args:
        force: overwrite such files.

    Raises:
        UserError: there are such files in the folder, the extra `export` is missing, a file differs from torch by more
            than 1e-4, or cannot be written.
    """
    check(model, folder, None, force)
    make_folder(folder)
    if isinstance(model, Translator):
        return [_mender(model.one_way(kind), folder / f"to_{kind}.onnx") for kind in KINDS]
    if not isinstance(model, Model):
        return [_mender(model, folder / "generator.onnx")]
    written = [_generator(model, folder)]
    if model.detector is not None:
        written.append(_detector(model, folder))
    return written


def _names(model: TrainedModel) -> list[str]:
    """The files that `export` writes."""
    if isinstance(model, Translator):
        return [f"to_{kind}.onnx" for kind in KINDS]
    return ["generator.onnx"] + ["detector.onnx"] * (isinstance(model, Model) and model.detector is not None)


def check(model: TrainedModel, folder: Path | None, page: Path | None, force: bool = False) -> None:
    """Can the model be exported there? To be asked before the work; see `export` and `web`.

    Raises:
        UserError: there are files already.
    """
    if folder is not None:
        check_free(*(folder / name for name in _names(model)), force=force, way=OTHER)
    if page is None or not os.path.lexists(page):
        return
    if not page.is_dir():
        raise UserError(f"{page} is there already and is no folder. Choose another name.")
    if any(page.iterdir()) and not (force and (page / "model.json").exists()):
        more = ", or --force to overwrite the page" if (page / "model.json").exists() else ""
        raise UserError(f"{page} is there already and holds files. Choose a new folder{more}.")


def web(model: Model, folder: Path, force: bool = False) -> list[Exported]:
    """Write a static page that draws with this generator in the visitor's browser; any static host will do.

    Args:
        force: overwrite such a page that is there.

    Raises:
        UserError: as `export`; or there are files in the folder.
    """
    check(model, None, folder, force)
    make_folder(folder)
    written = [_generator(model, folder)]
    count, spec = model.card["images"], model.spec
    about = (
        f"{spec.size}x{spec.size} pictures by a network that saw {count:,} images of {model.card['data_name']} "
        f"(licence: {model.card['licence']}). It runs on your own machine; nothing is sent anywhere."
    )
    card = {
        "title": f"{model.card['recipe']}: a generator in your browser",
        "about": about,
        "classes": list(model.class_names),
        "latent_dim": model.latent_dim,
        "size": spec.size,
        "channels": spec.channels,
        "seeds": SEEDS,
    }
    table = seeds.latents(range(SEEDS), model.latent_dim).numpy().astype("<f4").tobytes()
    files = {"model.json": json.dumps(card, indent=1).encode(), "latents.bin": table}
    files[RUNTIME] = gzip.decompress((WEB / f"{RUNTIME}.gz").read_bytes())
    for name in ("index.html", "page.js", "ort.wasm.bundle.min.mjs", "NOTICE"):
        files[name] = (WEB / name).read_bytes()
    for name, content in files.items():
        write_whole(folder / name, content)
    return [*written, *(Exported(folder / name) for name in files)]


def _generator(model: Model, folder: Path) -> Exported:
    count = len(model.class_names)

    def inputs(n: int) -> tuple[Tensor, ...]:
        z = seeds.latents(range(n), model.latent_dim)
        return (z, torch.arange(n) % count) if count else (z,)

    names = ["z", "labels"] if count else ["z"]
    return _write(model.generator, inputs, names, "images", folder / "generator.onnx", about(model))


def _mender(model: TrainedModel | OneWay, path: Path) -> Exported:
    spec, stride = model.spec, int(model.generator.stride)  # pyright: ignore[reportArgumentType]

    def inputs(n: int) -> tuple[Tensor]:
        height, width = stride * (3 + n % 4), stride * (2 + n % 5)
        x = torch.rand(min(n, 3), spec.channels + spec.masked, height, width, generator=seeds.generator(n, "export"))
        if spec.masked:
            x[:, -1] = (x[:, -1] > 0.5).float() * 0.5 + 0.5
        return (x * 2 - 1,)

    known = ("recipe", "images", "data_name", "other_name", "fingerprint", "licence", "network", "task", "spec")
    card = {**{name: model.card[name] for name in known if name in model.card}, "stride": stride, "range": [-1, 1]}
    height, width = (stride * torch.export.Dim(name, min=2, max=4096) for name in ("rows", "columns"))
    shape = {0: torch.export.Dim("batch", min=1), 2: height, 3: width}
    return _write(model.generator, inputs, ["images"], "restored", path, card, shape)


def _detector(model: Model, folder: Path) -> Exported:
    assert model.detector is not None
    shape = (model.spec.channels, model.spec.size, model.spec.size)

    def inputs(n: int) -> tuple[Tensor]:
        drawn = model.sample(n).clone()
        drawn[n // 2 :] = torch.rand(n - n // 2, *shape, generator=seeds.generator(n, "export")) * 2 - 1
        return (drawn,)

    alarms = [alarm for alarm in (0.01, 0.05, 0.1) if alarm >= model.smallest_alarm]
    thresholds = {f"{alarm:g}": model.detector.thresholds(alarm) for alarm in alarms}
    card = {**about(model), "thresholds": thresholds}
    return _write(
        _Detector(model.discriminator, model.detector),
        inputs,
        ["images"],
        "probability",
        folder / "detector.onnx",
        card,
    )


def about(model: Model) -> dict[str, Any]:
    """What a foreign program must know of a model."""
    spec = model.spec
    known = ("recipe", "images", "data_name", "fingerprint", "licence", "network", "detector")
    return {
        **{name: model.card[name] for name in known if name in model.card},
        "classes": list(model.class_names),
        "latent_dim": model.latent_dim,
        "channels": spec.channels,
        "size": spec.size,
        "range": [-1, 1],
        "selector": "not part of this file" if model.selector is not None else "none",
    }


def _write(
    network: nn.Module,
    inputs: Callable[[int], tuple[Tensor, ...]],
    names: list[str],
    output: str,
    path: Path,
    card: dict[str, Any],
    shape: dict[int, Any] | None = None,
) -> Exported:
    """Export a network of any batch size (or of what `shape` leaves open), compare it with torch, and write it."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  # torch needs it
    except ImportError as error:
        raise UserError(f"Exporting needs {error.name}: pip install 'ganvas[export]'.") from error
    network = copy.deepcopy(network).cpu().eval()  # the model itself stays on its device
    proto = _trace(network, inputs(3), names, output, shape or {0: torch.export.Dim("batch", min=1)})
    onnx.helper.set_model_props(proto, {"ganvas": json.dumps(card)})
    content = proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    difference = 0.0
    for n in (1, 2, 37):
        values = inputs(n)
        feeds = {name: value.numpy() for name, value in zip(names, values, strict=True)}
        feeds = {name: feeds[name] for name in {i.name for i in session.get_inputs()}}
        with torch.inference_mode():
            wanted = network(*values).numpy()
        found = session.run(None, feeds)[0]
        difference = max(difference, float(np.abs(found - wanted).max()))
    if not difference <= CLOSE:
        raise UserError(f"{path.name} differs from torch by {difference:.2g} ({CLOSE:g} is allowed); not written.")
    write_whole(path, content)
    return Exported(path, difference)


def _trace(
    network: nn.Module, example: tuple[Tensor, ...], names: list[str], output: str, shape: dict[int, Any]
) -> onnx.ModelProto:
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch says of its own exporter is of no use here
            program = torch.onnx.export(
                network,
                example,
                input_names=names,
                output_names=[output],
                dynamic_shapes=tuple(shape for _ in example),
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert program is not None
    return program.model_proto
