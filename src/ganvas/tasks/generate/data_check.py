"""`ganvas data check`: findings about the user's pictures, and a forecast of a training that fits them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganvas.core.errors import UserError
from ganvas.images.data import ImageData, Packing, Split
from ganvas.images.data import findings as fd
from ganvas.images.data.survey import Mirror, Survey
from ganvas.images.decode import Shape
from ganvas.images.spec import ImageSpec
from ganvas.sources.findings import Finding
from ganvas.training.experiment import Experiment
from ganvas.training.forecast import Trial, peak_memory

FEW = 2_000  # pictures up to which the recipe `few` is recommended

Recipes = Mapping[str, Callable[[], Experiment]]


@dataclass(frozen=True)
class Forecast:
    """A training that fits these pictures; figures that could not be measured are 0."""

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
    """The results of a check; `preview` is the sheet that was written."""

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
    """Check pictures without changing them: findings, whether they may be mirrored, a forecast, a preview of the cut.

    Args:
        source: see `ganvas.images.data.load`.
        out: where to write the preview; None: to data-check.png, but only if pictures are not square.
        recipes: the recipes that can be recommended, by name.

    Raises:
        UserError: there are no pictures, or the preview cannot be written there.
    """
    pictures = yield from fd.look(source, out)
    expected = forecast(pictures.survey, pictures.shape, recipes)
    return Checked(pictures.survey, pictures.mirror, pictures.findings, expected, pictures.preview)


def recommended(survey: Survey, shape: Shape) -> str:
    """The name of the recipe that fits these pictures."""
    if (shape.size, shape.channels) == (28, 1) and survey.classes:
        return "mnist"
    return "few" if survey.total - len(survey.broken) <= FEW else "images"


def forecast(survey: Survey, shape: Shape, recipes: Recipes) -> Forecast:
    """Run the recipe that fits these pictures for a few seconds, on random pixels of the same shape."""
    total, recipe = survey.total - len(survey.broken), recommended(survey, shape)
    untimed = Forecast(recipe, shape.size, shape.channels, len(survey.classes), total * shape.channels * shape.size**2)
    if recipe not in recipes:
        return dataclasses.replace(untimed, note=f"This Ganvas has no recipe '{recipe}': no time was measured.")
    experiment = recipes[recipe]()
    classes = len(survey.classes) if experiment.data.labels else 0
    images = _random_pixels(2 * experiment.training.batch, ImageSpec(shape.channels, shape.size, classes))
    try:
        rate = Trial(experiment, images).speed()
    except UserError as error:
        return dataclasses.replace(untimed, note=f"No time was measured: {error}")
    return dataclasses.replace(
        untimed, memory_bytes=peak_memory(), images=experiment.training.images, images_per_second=rate, classes=classes
    )


def _random_pixels(count: int, spec: ImageSpec) -> ImageData:
    """A data set of random pixels in this shape."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, spec.channels, spec.size, spec.size), dtype=torch.uint8, generator=random)
    split = Split(pixels, torch.arange(count) % spec.classes if spec.classes else None)
    return ImageData("random pixels", split, split, tuple(map(str, range(spec.classes))), "")
