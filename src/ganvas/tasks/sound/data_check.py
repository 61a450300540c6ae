"""`ganvas data check` of sounds: the findings, and a forecast of a training that fits them."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch

from ganvas.core.console import command
from ganvas.core.errors import UserError
from ganvas.core.progress import Counted
from ganvas.sounds import check as checks
from ganvas.sounds.check import Checked
from ganvas.sounds.data import DataConfig, SoundData, Split
from ganvas.sounds.fit import FULL
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import recipes
from ganvas.training import forecast as forecasts
from ganvas.training.forecast import Trial


@dataclasses.dataclass(frozen=True)
class Forecast:
    """How long the recipe takes that fits these sounds; figures that could not be measured are 0."""

    recipe: str
    images: int = 0
    images_per_second: float = 0.0
    memory_bytes: int = 0
    note: str = ""

    @property
    def words(self) -> str:
        if self.note:
            return self.note
        return forecasts.words(self.images, self.images_per_second, SoundSpec.noun, self.memory_bytes)


def check(
    source: str, settings: dict[str, str], file: Path | None = None
) -> Generator[Counted, None, tuple[list[str], dict[str, Any]]]:
    """Look at sounds and change nothing, and run the recipe that fits them for a few seconds.

    Args:
        source: a folder or an archive.
        settings: of `DataConfig`, as texts.
        file: where a sheet of spectrograms is to be written, a PNG; None: nowhere.

    Returns:
        Lines for people, and the JSON form.

    Raises:
        UserError: there are no sounds, a setting is invalid, or the sheet cannot be written there.
    """
    checked = yield from checks.look(source, settings, file)
    expected = forecast(checked, checks.configured(source, settings))
    words = [f"{key}={value}" for key, value in settings.items()]
    train = command("train", checked.recipe, "--data", source, *words)
    lines = [*checks.lines(checked, source), expected.words, "", "Nothing is changed by this check."]
    if checked.survey.entries:
        lines[-1:] = ["Nothing is changed by this check. Next:", f"  {train}"]
    return lines, {"source": source, **checked.to_dict(), "forecast": dataclasses.asdict(expected)}


def forecast(checked: Checked, config: DataConfig) -> Forecast:
    """Run the recipe that fits these sounds for some steps, on noise of the same shape."""
    untimed = Forecast(checked.recipe)
    if not checked.survey.entries:
        return dataclasses.replace(untimed, note="No time was measured: there are no sounds.")
    make = {"sound": recipes.sound, "sound-few": recipes.sound_few}[checked.recipe]
    experiment = dataclasses.replace(make(), data=config)
    classes = len(checked.survey.classes) if config.labels else 0
    spec = SoundSpec.of(checked.rate, checked.samples, classes, config.window, config.bands)
    try:
        rate = Trial(experiment, _noise(2 * experiment.training.batch, spec)).speed()
    except UserError as error:
        return dataclasses.replace(untimed, note=f"No time was measured: {error}")
    images = experiment.training.images
    return dataclasses.replace(untimed, images=images, images_per_second=rate, memory_bytes=forecasts.peak_memory())


def _noise(count: int, spec: SoundSpec) -> SoundData:
    """A data set of noise in this shape."""
    random = torch.Generator().manual_seed(0)
    waves = torch.randint(-FULL, FULL + 1, (count, spec.samples), dtype=torch.int16, generator=random)
    split = Split(waves, torch.arange(count) % spec.classes if spec.classes else None)
    return SoundData("noise", spec, split, split, tuple(map(str, range(spec.classes))), "")
