"""Which networks `images` and `few` train: the data decides, unless `network` or a setting of one of them is given.

Networks for photographs come with the rates, penalties and lesson that they need, however they were chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganvas.core import config as cf
from ganvas.images.data.glance import FLAT, equal_neighbours
from ganvas.networks import NETWORKS
from ganvas.training.task import network_of

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

RECIPES = ("images", "few")
DRAWINGS, PHOTOGRAPHS = "pyramid", "projected"  # the networks for each


def settings(recipes: Any, recipe: str, given: dict[str, str]) -> dict[str, str]:
    """The settings that newly given data call for: those for photographs, if it has photographs.

    A setting that only one of the networks has chooses that one.

    Args:
        recipes: the module of the task's recipes.
        recipe: the name of the one that is changed.
        given: settings as texts, with the data as 'source'.
    """
    if recipe not in RECIPES:
        return {}
    if "network" in given:
        return _photographs(recipes) if given["network"] == PHOTOGRAPHS else {}
    if "source" not in given:
        return {}
    drawings, photographs = ({*cf.types_of(getattr(recipes, name)().network)} for name in ("images", "photos"))
    if given.keys() & (drawings - photographs):
        return {}
    if given.keys() & (photographs - drawings | {"teach"}):
        return _photographs(recipes)
    share = equal_neighbours(given["source"])
    return _photographs(recipes) if share is not None and share < FLAT else {}


def _photographs(recipes: Any) -> dict[str, str]:
    """The settings in which `photos` differs from `images`, as texts."""
    old, new = recipes.images(), recipes.photos()
    changes = cf.differences(old.to_dict(), new.to_dict())
    parts = {key.partition(".")[::2]: str(now) for key, (_, now) in changes.items() if "." in key}
    changed = {name: now for (section, name), now in parts.items() if section in ("task", "training")}
    return {"network": new.to_dict()["network"]["name"], **changed}


def remarks(experiment: Experiment) -> list[str]:
    """What was chosen, why, and how to choose otherwise; and a lesson that these networks do not have."""
    entry, lesson = network_of(experiment.kind, experiment.network), experiment.task.teach
    if lesson and entry is not None and entry[0] in NETWORKS and entry[0] != PHOTOGRAPHS:
        return [f"teach={lesson:g} changes nothing: only the discriminator of network={PHOTOGRAPHS} is taught first."]
    share = equal_neighbours(experiment.data.source) if experiment.recipe in RECIPES else None
    if share is None:
        return []
    photographs = share < FLAT
    kind, chosen, other = ("photographs", PHOTOGRAPHS, DRAWINGS) if photographs else ("drawings", DRAWINGS, PHOTOGRAPHS)
    if entry is None or entry[0] != chosen:
        return []
    return [
        f"These look like {kind} ({share:.0%} of neighbouring pixels are equal; drawings have {FLAT:.0%} or more), so "
        f"the networks are those for {kind}, network={chosen}. For the others give network={other}."
    ]
