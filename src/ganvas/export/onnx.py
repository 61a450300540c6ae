"""`ganvas export`: the networks for other programs (ONNX), and a static page that generates in the visitor's browser.

`core.exports` says what a model can export. Every network is compared with torch before its file is written. A selector
is not exported: the pictures are those of the generator alone.
"""

from __future__ import annotations

import copy
import gzip
import json
import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.core import own, seeds
from ganvas.core.errors import UserError
from ganvas.core.exports import OnnxNetwork
from ganvas.core.files import check_free, make_folder, write_whole
from ganvas.core.model import TrainedModel, task_name

if TYPE_CHECKING:
    import onnx

WEB = Path(__file__).parent / "web"
CLOSE = 1e-4  # largest difference from torch that is usually allowed
OTHER = "Choose another folder, or --force to overwrite it"
RUNTIME = "ort-wasm-simd-threaded.wasm"  # the runtime of a page's networks
LOADER = "ort.wasm.bundle.min.mjs"  # the script that starts it
SHARED = ("shared.js", "page.css", LOADER, "NOTICE")  # of all pages
SEEDS = 1_000  # seeds whose latent vectors come with a page


@dataclass(frozen=True)
class Exported:
    """A file that was written, and its largest difference from torch (0: nothing was compared)."""

    path: Path
    difference: float = 0.0


def export(model: TrainedModel, folder: Path, force: bool = False, only: str = "") -> list[Exported]:
    """Write a model's networks as ONNX files; the card of the model is in their metadata, under `ganvas`.

    A model that generates from noise gives `generator.onnx`, and `detector.onnx` if it has a detector. The generator's
    inputs: z float [B, latent_dim] and, for a model with classes, labels int64 [B]; its output: images float
    [B, C, H, W] in [-1, 1]. The detector's: such images -> probability float [B].

    A model of a table gives `generator.onnx` (noise, rows and given tokens -> tokens and places), `columns.json` with
    what the tokens mean, and a README with a program for them.

    A model that restores gives `generator.onnx`, one that translates `to_a.onnx` and `to_b.onnx`: images float
    [B, C (+ 1: mask), H, W] of any size whose sides are multiples of the card's `stride` -> images
    [B, C, scale * H, scale * W]. A restorer of sounds gives `generator.onnx` too: waves float [B, n] -> waves [B, n],
    n a multiple of the card's `hop`.

    Args:
        force: overwrite such files.
        only: the one file to write; "": all.

    Raises:
        UserError: there are such files in the folder, models of this task have no ONNX form, the extra `export` is
            missing, a file differs from torch by more than 1e-4, or cannot be written.
    """
    check(model, folder, None, force)
    make_folder(folder)
    exports = model.exports()
    written = [_written(model, network, folder) for network in exports.networks if only in ("", network.file)]
    for name, content in () if only else exports.files().items():
        write_whole(folder / name, content)
        written.append(Exported(folder / name))
    return written


def check(model: TrainedModel, folder: Path | None, page: Path | None, force: bool = False) -> None:
    """Raise a UserError if the model cannot be exported there, before any work; see `export` and `web`.

    Raises:
        UserError: there are files already, or there is nothing of that kind to export.
    """
    exports = model.exports()
    if folder is not None:
        if not exports.networks:
            raise UserError(f"{model.path}: models of the task {task_name(model.card)} cannot be exported to ONNX.")
        names = [*(network.file for network in exports.networks), *exports.files()]
        check_free(*(folder / name for name in names), force=force, way=OTHER)
    if page is None:
        return
    if exports.page is None:
        raise UserError(f"{model.path}: there is no web page yet for models of the task {task_name(model.card)}.")
    if not os.path.lexists(page):
        return
    if not page.is_dir():
        raise UserError(f"{page} exists already and is not a folder. Choose another name.")
    if any(page.iterdir()) and not (force and (page / "model.json").exists()):
        more = ", or --force to overwrite the page" if (page / "model.json").exists() else ""
        raise UserError(f"{page} exists already and holds files. Choose a new folder{more}.")


def web(model: TrainedModel, folder: Path, force: bool = False) -> list[Exported]:
    """Write a static page that runs this generator in the visitor's browser, for any static host.

    Args:
        force: overwrite such a page that is there.

    Raises:
        UserError: as `export`; or there are files in the folder, or models of this task have no page.
    """
    check(model, None, folder, force)
    page = model.exports().page
    assert page is not None  # ensured by `check`
    make_folder(folder)
    written = [_written(model, network, folder) for network in page.networks]
    files = page.files()
    for name, content in files.items():
        write_whole(folder / name, content)
    return [*written, *(Exported(folder / name) for name in files)]


def page_files(folder: Path, settings: dict[str, Any], latent_dim: int) -> dict[str, bytes]:
    """The files of a page that draws from noise, by name, except its networks.

    Args:
        folder: the one with the page's `index.html` and script.
        settings: what its script must know; among them title, about (a paragraph) and classes.
    """
    settings = {**settings, "latent_dim": latent_dim, "seeds": SEEDS}
    return {
        "model.json": json.dumps(settings, indent=1).encode(),
        "latents.bin": seeds.latents(range(SEEDS), latent_dim).numpy().astype("<f4").tobytes(),
        RUNTIME: gzip.decompress((WEB / f"{RUNTIME}.gz").read_bytes()),
        **{name: (folder / name).read_bytes() for name in ("index.html", "page.js")},
        **{name: (WEB / name).read_bytes() for name in SHARED},
    }


def _written(model: TrainedModel, network: OnnxNetwork, folder: Path) -> Exported:
    """As `_write`; what code of the user's own does there may have no ONNX form."""
    try:
        return _write(network, folder)
    except Exception as error:
        name = model.card["network"].get("name")
        if isinstance(error, UserError) or not own.is_reference(name):
            raise
        raise UserError(
            f"{network.file}: {own.bare(name)} cannot be exported as ONNX ({own.message(error)}; --debug shows where)."
        ) from error


def _write(spec: OnnxNetwork, folder: Path) -> Exported:
    """Export a network, compare it with torch, and write it."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  # torch needs it
    except ImportError as error:
        raise UserError(f"Exporting needs {error.name}: pip install 'ganvas[export]'.") from error
    network = copy.deepcopy(spec.network).cpu().eval()  # the model itself stays on its device
    proto = spec.graph() if spec.graph else _trace(network, spec)
    onnx.helper.set_model_props(proto, {"ganvas": json.dumps(spec.card)})
    content = proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    difference = 0.0
    for n in (1, 2, 37):
        values = spec.inputs(n)
        feeds = {name: value.numpy() for name, value in zip(spec.names, values, strict=True)}
        feeds = {name: feeds[name] for name in {i.name for i in session.get_inputs()}}
        with torch.inference_mode():
            expected = network(*values)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for one, other in zip(session.run(None, feeds), expected, strict=True):
            difference = max(difference, float(np.abs(np.asarray(one) - other.numpy()).max()))
    close = spec.close or CLOSE
    if not difference <= close:
        raise UserError(f"{spec.file} differs from torch by {difference:.2g} ({close:g} is allowed); not written.")
    write_whole(folder / spec.file, content)
    return Exported(folder / spec.file, difference)


def _trace(network: nn.Module, spec: OnnxNetwork) -> onnx.ModelProto:
    """The network as ONNX, with the batch size, or the axes in `open_axes`, left open."""
    example: tuple[Tensor, ...] = spec.inputs(3)
    axes: dict[int, Any] = spec.open_axes or {0: torch.export.Dim("batch", min=1)}
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about its own exporter
            program = torch.onnx.export(
                network,
                example,
                input_names=list(spec.names),
                output_names=[spec.output] if isinstance(spec.output, str) else [*spec.output],
                dynamic_shapes=tuple(axes for _ in example),
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert program is not None
    return program.model_proto
