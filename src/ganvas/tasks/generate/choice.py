"""Which networks `images` and `few` train, and what else a named network calls for.

The data decides, unless `network` or a setting of one of the networks is given. Networks for photographs and for
drawings come with the rates, penalties and lesson that they need, however they were chosen; networks that do not use
labels come without labels. Drawings of plain areas are drawn so. The head that draws digits as MNIST's were made is
only for such digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganvas.core import config as cf
from ganvas.images.data.glance import BOXED, DRAWN, PLAIN, boxed, equal_neighbours, plain
from ganvas.networks import NETWORKS
from ganvas.networks.scanned import BOX, SIZE
from ganvas.training.task import network_of

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

RECIPES = ("images", "few")
DIGITS = "mnist", "mnist-best"  # their head draws as MNIST's digits were made
HEADS = {
    "scanned": "draws only such pictures, so give head=clamp.",
    "clamp": "draws others, too, so it was chosen.",
}
DRAWINGS, PHOTOGRAPHS = "pyramid", "projected"  # the networks for each
LEARNING = {
    "task": ("loss", "r1", "r2", "penalty_every", "gradient_penalty", "penalty_share", "joint", "d_steps", "teach"),
    "training": ("batch", "lr_g", "lr_d", "beta1", "beta2", "beta2_from", "burn_in", "decay_from", "clip_g"),
}
"""The settings that go with a network: how it learns, not for how long."""


def settings(recipes: Any, experiment: Experiment, given: dict[str, str]) -> dict[str, str]:
    """The settings that newly given data or another network call for.

    A setting that only one of the networks has chooses that one.

    Args:
        recipes: the module of the task's recipes.
        experiment: the one that is changed.
        given: settings as texts, with the data as 'source'.
    """
    now, wanted = _name(experiment), given.get("network", "")
    chooses = experiment.recipe in RECIPES and "source" in given and not experiment.data.source
    if chooses and not wanted:
        wanted = _fitting(recipes, given)
    flat = _flat(given["source"]) if chooses and (wanted or now) == DRAWINGS and "flat" not in given else {}
    if wanted in ("", now):
        return _head(experiment, given) | flat
    called_for = {} if getattr(NETWORKS.get(wanted), "LABELLED", True) else {"labels": "false"}
    if wanted == PHOTOGRAPHS:
        called_for |= _learning(experiment, recipes.photos())
    elif (now, wanted) == (PHOTOGRAPHS, DRAWINGS):
        called_for |= _learning(experiment, recipes.images())
    return {"network": wanted, **called_for, **flat}


def _fitting(recipes: Any, given: dict[str, str]) -> str:
    """The networks that newly given data calls for, '' if it does not say."""
    drawings, photographs = ({*cf.types_of(getattr(recipes, name)().network)} for name in ("images", "photos"))
    if given.keys() & (drawings - photographs):
        return ""
    if given.keys() & (photographs - drawings) or given.get("teach", "").strip("0."):
        return PHOTOGRAPHS
    share = equal_neighbours(given["source"])
    return PHOTOGRAPHS if share is not None and share < DRAWN else ""


def _flat(source: str) -> dict[str, str]:
    """Plain areas where the pictures have them."""
    share = plain(source)
    return {"flat": "true"} if share is not None and share >= PLAIN else {}


def _head(experiment: Experiment, given: dict[str, str]) -> dict[str, str]:
    """A head for any pictures where newly given ones are not scanned as MNIST's digits were."""
    if getattr(experiment.network, "head", "") != "scanned" or "head" in given:
        return {}
    fits = given.get("size", "0") in ("0", str(SIZE)) and given.get("channels", "0") in ("0", "1")  # 0: as they are
    share = boxed(given["source"], SIZE, BOX) if "source" in given else None
    return {} if fits and (share is None or share >= BOXED) else {"head": "clamp"}


def _learning(old: Experiment, new: Experiment) -> dict[str, str]:
    """How `new` learns, as far as `old` does otherwise, as texts."""
    pairs = [(getattr(old, part), getattr(new, part), name) for part, names in LEARNING.items() for name in names]
    return {name: str(getattr(b, name)) for a, b, name in pairs if getattr(a, name) != getattr(b, name)}


def _name(experiment: Experiment) -> str:
    """The name of the network."""
    entry = network_of(experiment.kind, experiment.network)
    return entry[0] if entry else ""


def remarks(experiment: Experiment) -> list[str]:
    """What was chosen, why, and how to choose otherwise; and settings that change nothing with this network."""
    found, name, task = [], _name(experiment), experiment.task
    others = name in NETWORKS and name != PHOTOGRAPHS
    if task.teach and others:
        found.append(
            f"teach={task.teach:g} changes nothing: only the discriminator of network={PHOTOGRAPHS} is taught first."
        )
    if name == PHOTOGRAPHS and not task.teach and not experiment.training.from_:
        found.append("teach=0: a part of the discriminator keeps random features. Give it a lesson with teach=0.3.")
    if task.joint and name == PHOTOGRAPHS:
        found.append(
            f"joint=true changes nothing with network={PHOTOGRAPHS}: it judges real and generated images apart."
        )
    if task.penalty_share and not (task.r1 or task.r2):
        found.append(f"penalty_share={task.penalty_share:g} changes nothing without r1 or r2.")
    if experiment.data.labels and not getattr(NETWORKS.get(name), "LABELLED", True):
        found.append(f"network={name} does not use labels: what it draws does not depend on the class asked for.")
    head = getattr(experiment.network, "head", "")
    if head == "scanned" or (head in HEADS and experiment.recipe in DIGITS):
        share = boxed(experiment.data.source, SIZE, BOX)
        if share is not None and share < BOXED:
            digits = f"{share:.0%} of these pictures are grey, {SIZE} pixels a side and filled to exactly {BOX} pixels"
            found.append(f"{digits}, as MNIST's digits are: head={head} {HEADS[head]}")
    share = equal_neighbours(experiment.data.source) if experiment.recipe in RECIPES else None
    if share is None:
        return found
    photographs = share < DRAWN
    kind, chosen, other = ("photographs", PHOTOGRAPHS, DRAWINGS) if photographs else ("drawings", DRAWINGS, PHOTOGRAPHS)
    if name != chosen:
        return found
    areas = "They have plain areas: what is drawn gets such areas, too. flat=false leaves it as in training."
    return [
        *found,
        f"These look like {kind} ({share:.0%} of neighbouring pixels are equal; drawings have {DRAWN:.0%} or more), so "
        f"the networks are those for {kind}, network={chosen}. For the others give network={other}.",
        *([areas] if getattr(experiment.network, "flat", False) else []),
    ]
