"""`ganvas data check`: what was found in the user's pictures, and a forecast of the training that fits them."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganvas.core.errors import UserError
from ganvas.images.data import ImageData, Packing, Split
from ganvas.images.data import findings as fd
from ganvas.images.data.findings import Finding
from ganvas.images.data.survey import Mirror, Survey
from ganvas.images.decode import Shape
from ganvas.images.spec import ImageSpec
from ganvas.training.experiment import Experiment
from ganvas.training.forecast import Trial

FEW = 2_000  # pictures up to which the recipe `few` is the right one
FIRST_LOOK = 10  # a tenth of the training shows what it will come to

Recipes = Mapping[str, Callable[[], Experiment]]


@dataclass(frozen=True)
class Forecast:
    """What a training of these pictures would be; the figures are 0 where they could not be measured."""

    recipe: str
    size: int
    channels: int
    classes: int
    pack_bytes: int
    memory_bytes: int = 0
    images: int = 0
    images_per_second: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Checked:
    """All that a check found; `preview` is the sheet that was written."""

    survey: Survey
    mirror: Mirror
    findings: list[Finding]
    forecast: Forecast
    preview: Path | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **self.survey.to_dict(),
            "mirror": {**self.mirror._asdict(), "verdict": self.mirror.verdict},
            "findings": [dataclasses.asdict(f) for f in self.findings],
            "forecast": dataclasses.asdict(self.forecast),
            "preview": None if self.preview is None else str(self.preview),
        }


def check(source: str, out: Path | None, recipes: Recipes) -> Generator[Packing, None, Checked]:
    """Look at pictures and change nothing: findings, whether they may be mirrored, a forecast, a preview of the cut.

    Args:
        source: what `ganvas.images.data.load` takes.
        out: where the preview is written; without it data-check.png, and only where pictures are not square.
        recipes: those that may be recommended, by name.

    Raises:
        UserError: there are no pictures, or the preview cannot be written there.
    """
    found = yield from fd.look(source, out)
    return Checked(
        found.survey, found.mirror, found.findings, forecast(found.survey, found.shape, recipes), found.preview
    )


def recommended(found: Survey, shape: Shape) -> str:
    """The name of the recipe that fits these pictures."""
    if (shape.size, shape.channels) == (28, 1) and found.classes:
        return "mnist"
    return "few" if found.total - len(found.broken) <= FEW else "images"


def forecast(found: Survey, shape: Shape, recipes: Recipes) -> Forecast:
    """Try the recipe that fits these pictures for some seconds, with random ones of their shape."""
    total, recipe = found.total - len(found.broken), recommended(found, shape)
    known = Forecast(recipe, shape.size, shape.channels, len(found.classes), total * shape.channels * shape.size**2)
    if recipe not in recipes:
        return dataclasses.replace(known, note=f"This Ganvas has no recipe '{recipe}': no time was measured.")
    experiment = recipes[recipe]()
    classes = len(found.classes) if experiment.data.labels else 0
    images = _random_pixels(2 * experiment.training.batch, ImageSpec(shape.channels, shape.size, classes))
    try:
        rate = Trial(experiment, images).speed()
    except UserError as error:
        return dataclasses.replace(known, note=f"No time was measured: {error}")
    return dataclasses.replace(
        known, memory_bytes=_peak(), images=experiment.training.images, images_per_second=rate, classes=classes
    )


def _random_pixels(count: int, spec: ImageSpec) -> ImageData:
    """Data of this shape in which nothing is to be seen."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, spec.channels, spec.size, spec.size), dtype=torch.uint8, generator=random)
    split = Split(pixels, torch.arange(count) % spec.classes if spec.classes else None)
    return ImageData("random pixels", split, split, tuple(map(str, range(spec.classes))), "")


def _peak() -> int:
    """The most bytes of memory that this process has had; 0 where the system does not tell."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
