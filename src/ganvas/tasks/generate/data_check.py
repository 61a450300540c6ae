"""`ganvas data check`: findings about the user's pictures, and a forecast of a training that fits them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganvas.core.errors import UserError, unknown
from ganvas.images.data import ImageData, Packing, Split
from ganvas.images.data import findings as fd
from ganvas.images.data.survey import Mirror, Survey
from ganvas.images.data.uses import Amount, Use
from ganvas.images.spec import ImageSpec
from ganvas.sources.findings import Finding
from ganvas.tasks.generate import data_use
from ganvas.training.experiment import Experiment
from ganvas.training.forecast import Trial, peak_memory

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
class Purpose:
    """One of the uses of the pictures: whether there are enough pictures for it, what was found, and its recipes."""

    words: str
    enough: bool
    findings: list[Finding]
    recipe: str
    others: tuple[str, ...]
    more: tuple[str, ...]  # what `ganvas train RECIPE --data FOLDER` needs besides


@dataclass(frozen=True)
class Checked:
    """The results of a check; `preview` is the sheet that was written, `purpose` the one of `purposes` in front."""

    survey: Survey
    mirror: Mirror
    purpose: str
    purposes: dict[str, Purpose]
    forecast: Forecast
    preview: Path | None

    @property
    def findings(self) -> list[Finding]:
        return self.purposes[self.purpose].findings

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **self.survey.to_dict(),
            "mirror": {**self.mirror._asdict(), "verdict": self.mirror.verdict},
            "purpose": self.purpose,
            "purposes": {name: dataclasses.asdict(one) for name, one in self.purposes.items()},
            "findings": [dataclasses.asdict(f) for f in self.findings],
            "forecast": dataclasses.asdict(self.forecast),
            "preview": None if self.preview is None else str(self.preview),
        }


def check(
    source: str, out: Path | None, recipes: Recipes, uses: Mapping[str, Use] | None = None, purpose: str | None = None
) -> Generator[Packing, None, Checked]:
    """Check pictures without changing them: findings, whether they may be mirrored, a forecast, a preview.

    Args:
        source: see `ganvas.images.data.load`.
        out: where to write the preview; None: to data-check.png, but only if pictures are not square.
        recipes: the recipes that can be recommended, by name.
        uses: what they may be wanted for, by name; None: for drawing new ones.
        purpose: one of these names; None: the first for which there are enough pictures, or else the first of all.

    Raises:
        UserError: there are no pictures, there is no such purpose, or the preview cannot be written there.
    """
    uses = {"generate": data_use.USE} if uses is None else uses
    if purpose is not None and purpose not in uses:
        raise unknown("purpose", purpose, uses)
    pictures = yield from fd.look(source, uses, out)
    chosen = purpose or next((name for name in uses if pictures.enough[name]), next(iter(uses)))
    found = {
        name: Purpose(
            use.words, pictures.enough[name], pictures.findings[name], use.recipe(pictures.amount), use.others, use.more
        )
        for name, use in uses.items()
    }
    expected = forecast(source, pictures.survey, pictures.amount, uses[chosen], recipes)
    return Checked(pictures.survey, pictures.mirror, chosen, found, expected, pictures.preview)


def forecast(source: str, survey: Survey, amount: Amount, use: Use, recipes: Recipes) -> Forecast:
    """Run the recipe that fits these pictures for a few seconds, on random pixels of the same shape."""
    recipe, size = use.recipe(amount), min(use.piece or amount.size, amount.size)
    channels, pixels = amount.channels, sum(w * h for w, h in amount.sizes) if use.piece else amount.count * size**2
    untimed = Forecast(recipe, size, channels, len(survey.classes) if use.classes else 0, pixels * channels)
    if recipe not in recipes:
        return dataclasses.replace(
            untimed, note=f"This version of Ganvas has no recipe '{recipe}': no time was measured."
        )
    experiment = recipes[recipe]().override({"source": source})  # its networks may depend on the pictures
    classes = untimed.classes if experiment.data.labels else 0
    images = _random_pixels(max(amount.count, 2 * experiment.training.batch), ImageSpec(channels, size, classes))
    if use.more:
        images = dataclasses.replace(images, other=images)
    try:
        rate = Trial(experiment, images).speed()
    except UserError as error:
        return dataclasses.replace(untimed, note=f"No time was measured: {error}")
    return dataclasses.replace(
        untimed, memory_bytes=peak_memory(), images=experiment.training.images, images_per_second=rate, classes=classes
    )


def _random_pixels(count: int, spec: ImageSpec) -> ImageData:
    """A data set of the same random pixels again and again, which take the memory of one picture."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (1, spec.channels, spec.size, spec.size), dtype=torch.uint8, generator=random)
    pixels = pixels.expand(count, -1, -1, -1)
    split = Split(pixels, torch.arange(count) % spec.classes if spec.classes else None)
    return ImageData("random pixels", split, split, tuple(map(str, range(spec.classes))), "")
