"""What the worker does for the studio: use a model, look at data, try a training. Results are plain values and PNGs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganvas import api
from ganvas.core import registry, seeds
from ganvas.core.errors import UserError
from ganvas.core.model import task_name
from ganvas.core.progress import last
from ganvas.studio import places
from ganvas.studio.index import part_of
from ganvas.studio.models_cache import load
from ganvas.training.forecast import Trial


def describe(path: str) -> dict[str, Any]:
    """What a model can do."""
    model = load(path)
    spec, task = model.spec, task_name(model.card)
    part = part_of(task)
    return {
        "task": task,
        "abilities": list(model.abilities),
        "size": getattr(spec, "size", None),
        "channels": getattr(spec, "channels", None),
        "classes": list(model.card["classes"]),
        "images": model.card["images"],
        "mark": str(Path(path).stat().st_mtime_ns),
        "finished": bool(model.card.get("finished")),
        **(part.facts(model) if part.facts is not None else {}),
    }


def use(path: str, ability: str, data: str | None = None, **arguments: Any) -> Any:
    """Have a model do what its task's part of the studio offers by the name of this ability.

    Args:
        data: for what reads pictures of the training, the folder whose pictures may be read.

    Raises:
        UserError: the model cannot do that, or as that function.
    """
    model = load(path)
    task = task_name(model.card)
    function = part_of(task).functions.get(ability)
    if function is None or ability not in model.abilities:
        raise UserError(f"This model {registry.find(task).usage.split(':')[0]}.")
    return function(model, **arguments, **({} if data is None else {"allowed": _allowed(data)}))


@functools.lru_cache(maxsize=8)  # the same function for the same folder: what rests on it is kept
def _allowed(data: str) -> Callable[[object], None]:
    return functools.partial(places.check_card, Path(data))


def latents(dim: int, count: int) -> bytes:
    """The latent vectors of the first seeds, little-endian float32 [count, dim]."""
    return seeds.latents(range(count), dim).numpy().astype("<f4").tobytes()


def check_data(place: str, out: str) -> dict[str, Any]:
    """What a check of a folder found, and a sheet of pictures as they would be cut."""
    checked = last(api.check_data(place, Path(out)))
    found = checked.to_dict()
    sheet = checked.preview.read_bytes() if checked.preview is not None else None
    names = ("total", "looked", "classes", "findings", "forecast", "mirror")
    return {**{name: found[name] for name in names if name in found}, "sheet": sheet}


def forecast(recipe: str, data: str | None, settings: dict[str, str], to: str | None) -> dict[str, Any]:
    """How long a training would take, by a few true steps."""
    experiment = api.experiment(recipe, data, settings, to)
    images = experiment.load_data()
    rate = Trial(experiment, images).speed(2.0)
    size = getattr(images.spec, "size", None)
    return {
        "images": experiment.training.images,
        "images_per_second": rate,
        "seconds": experiment.training.images / rate,
        "data": f"{len(images.train.samples):,} of {images.name}" + (f", {size}x{size}" if size else ""),
    }


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (describe, use, latents, check_data, forecast)
}
"""What the server may ask for, by name."""
