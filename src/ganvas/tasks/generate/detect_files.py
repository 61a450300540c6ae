"""`ganvas detect`: the detector's verdicts on image files, and its report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.images import decode, sheets
from ganvas.images import files as image_files
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.detect import detector as detection
from ganvas.tasks.generate.detect.detector import Report
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.model import Model, Verdict, load

OWN = 2_000  # pictures of each generator in a report


@dataclass(frozen=True)
class Detected:
    """An image file, the detector's verdict, how the image was converted for it, and the converted image."""

    path: Path
    verdict: Verdict
    changes: str
    image: Tensor


def detect(
    model: Model, places: Sequence[str | os.PathLike[str]], alarm: float = 0.05
) -> tuple[list[Detected], list[str]]:
    """Run the detector on image files and folders of them.

    Returns:
        The verdict on each image, and a sentence for each file that is not an image.

    Raises:
        UserError: a missing file, an empty folder, no readable image, or a model without a detector.
    """
    fitted, broken = image_files.fit_all(places, model.spec, decode.depth_of(model.card.get("depth")))
    verdicts = model.detect(torch.stack([f.image for f in fitted]), alarm)
    return [Detected(f.path, v, f.changes, f.image) for f, v in zip(fitted, verdicts, strict=True)], broken


def save_sheet(path: Path, detected: list[Detected]) -> None:
    """Write all images on one sheet, from the least probable to the most."""
    order = sorted(detected, key=lambda d: d.verdict.probability)
    make_folder(path.parent)
    columns = max(1, min(32, round(len(order) ** 0.5)))
    sheets.save_grid(path, torch.stack([d.image for d in order]), columns, scale=max(1, 56 // order[0].image.shape[-1]))


def report(
    source: str | os.PathLike[str],
    model: Model,
    alarm: float = 0.05,
    against: Sequence[str | os.PathLike[str]] = (),
    data: str | os.PathLike[str] | None = None,
) -> Report:
    """Measure how good the model's detector is.

    Args:
        source: the model's name as the user gave it.
        against: other models, folders of pictures and .npz files to test it on.
        data: the training data's name or folder, if it is not where the run says.

    Raises:
        UserError: a model without a detector, or data that the model was not trained on.
    """
    detector = model.detector_for(alarm)
    seed, most = (_integer(model, section, key) for section, key in (("training", "seed"), ("task", "detect")))
    real = sources.trained_on(model, source, data)
    if real.fingerprint != model.card["fingerprint"]:
        raise UserError(
            f"{model.path} was trained on other images than {real.name} holds now: the report needs those that were "
            "held out from it. Name them with --data."
        )
    more = {str(place): _load_other(place, model.spec) for place in against}
    fresh = model.pictures(range(OWN))
    return detection.report(model.discriminator, detector, real.held_out.images, fresh, seed, most, alarm, more)


def _integer(model: Model, section: str, key: str) -> int:
    """A whole number from the model's card."""
    entries = model.card.get(section)
    value = entries.get(key) if isinstance(entries, dict) else None
    if type(value) is not int or not 0 <= value < 2**63:
        raise UserError(f"The card of {model.path} is damaged: its {section} has an invalid '{key}'.")
    return value


def _load_other(place: str | os.PathLike[str], spec: ImageSpec) -> Tensor:
    """Up to OWN pictures of another model or from files, converted to the detector's size and channels, uint8."""
    if not image_files.is_pictures(place):
        pictures = load(place).pictures(range(OWN))
    elif Path(place).is_dir():
        paths = image_files.gather([place])[:OWN]
        depth, _ = image_files.depth_of(paths)
        return torch.stack([image_files.fit(path, spec, depth)[0] for path in paths])
    else:
        pictures = image_files.load(place).images[:OWN]
    if pictures.shape[1] != spec.channels:
        grey = pictures[:, :3].float().mean(1, keepdim=True)
        pictures = grey.expand(-1, spec.channels, -1, -1).round().to(torch.uint8)
    if pictures.shape[-1] != spec.size:
        scaled = F.interpolate(pictures.float(), (spec.size, spec.size), mode="bicubic", antialias=True)
        pictures = scaled.round().clamp(0, 255).to(torch.uint8)
    return pictures
