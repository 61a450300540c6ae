"""The worker's functions: use a model, check data, try a training. Results are plain values and PNGs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganvas import api
from ganvas.core import registry, seeds
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.core.model import task_name
from ganvas.core.progress import last
from ganvas.export import one_file
from ganvas.images.data import glance as pictures
from ganvas.images.data.uses import Use
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
    """Call the function for this ability that the model's task provides for the studio.

    Args:
        ability: of `TrainedModel.abilities`; a part of one is named after a dot, such as play.deal.
        data: the folders whose content may be read (see `places.joined`), for functions that read the training's data.

    Raises:
        UserError: the model cannot do that, or the function raises it.
    """
    model = load(path)
    task = task_name(model.card)
    function = part_of(task).functions.get(ability)
    if function is None or ability.partition(".")[0] not in model.abilities:
        raise UserError(f"This model {registry.find(task).usage.split(':')[0]}.")
    return function(model, **arguments, **({} if data is None else {"allowed": _allowed(data)}))


@functools.lru_cache(maxsize=8)  # the same object for the same folder, so that caches keyed by it work
def _allowed(data: str) -> Callable[[object], None]:
    return functools.partial(places.check_card, data)


def page(path: str, file: str) -> None:
    """Write the page of a model that draws as one HTML file, unless it is there.

    Raises:
        UserError: there is none for such models, or a network cannot be exported.
    """
    if not Path(file).is_file():
        make_folder(Path(file).parent)
        one_file.write(load(path), Path(file))


def latents(dim: int, count: int) -> bytes:
    """The latent vectors of the first seeds, little-endian float32 [count, dim]."""
    return seeds.latents(range(count), dim).numpy().astype("<f4").tobytes()


def check_data(place: str, out: str, settings: dict[str, str], purpose: str | None = None) -> dict[str, Any]:
    """The result of a check of a folder, and a sheet of pictures as they would be cut; or of what another task takes.

    The latter has `script`, which shows it, and `recipe`, which trains on it.

    Args:
        purpose: what pictures are wanted for; None: the first for which there are enough.

    Raises:
        UserError: it cannot be read, or there is no such setting.
    """
    task = next((t for t in registry.importable() if t.check_data is not None and t.Data.takes(place)), None)
    if task is not None:
        if paths := [key for key in settings if key in getattr(task.Data, "places", ())]:
            raise UserError(f"{paths[0]} cannot be set here.")
        file = Path(out) if task.check_writes == "--out" else None  # a picture; others write settings
        _, found = last(task.check_data(place, settings, file))
        part, recipe = part_of(task.name), next(name for name, make in api.RECIPES.items() if make().kind is task)
        found = {"recipe": recipe, **found, "script": part.address(part.check), "samples": part.samples}
        found["sheet"] = file.read_bytes() if file is not None and file.is_file() else None
        return {key: value for key, value in found.items() if key not in ("source", "place")}  # which are whole paths
    checked = last(api.check_data(place, Path(out), purpose))
    report = checked.to_dict()
    sheet = checked.preview.read_bytes() if checked.preview is not None else None
    for name, one in report["purposes"].items():
        goal = next((goal for goal in part_of(name).goals if not goal.ready), None)
        one |= {"goal": goal.name, "title": goal.title} if goal is not None else {}
    names = ("total", "looked", "classes", "findings", "forecast", "mirror", "purpose", "purposes")
    return {**{name: report[name] for name in names if name in report}, "sheet": sheet}


def glance(place: str, task: str) -> dict[str, Any]:
    """How many samples of a task's kind a place has, the recipe that fits (None: any), what is to be said about them.

    Raises:
        UserError: there are none, or it cannot be read.
    """
    kind = registry.find(task)
    if isinstance(kind.data_use, Use):
        amount, notes = pictures.glance(place)
        _, findings = kind.data_use.judge(amount)
        notes += [f"{finding.text} {finding.todo}".strip() for finding in findings if finding.level < 2]
        return {"count": amount.count, "recipe": kind.data_use.recipe(amount), "notes": notes, "samples": "pictures"}
    if not kind.Data.takes(place):
        raise UserError(f"{Path(place).name} has nothing that this can learn from. Choose other data.")
    found = kind.glance(place) if kind.glance is not None else {"count": None, "recipe": None, "notes": []}
    return {**found, "samples": part_of(task).samples}


def forecast(recipe: str, data: str | None, settings: dict[str, str], to: str | None) -> dict[str, Any]:
    """How long a training would take, measured with a few real steps."""
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
    function.__name__: function for function in (describe, use, page, latents, check_data, glance, forecast)
}
"""The functions that the server may call, by name."""
