"""Ganvas trains generative adversarial networks on your images and lets you use both networks afterwards.

>>> import ganvas
>>> for event in ganvas.train("mnist", run="runs/first"):   # doctest: +SKIP
...     print(event)
>>> digits = ganvas.load("runs/first").sample(n=16, classes=7, seed=0)   # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.api import train
    from ganvas.errors import UserError
    from ganvas.evaluation import evaluate
    from ganvas.events import Evaluated, Event, Logged, Measured, Noted, Sampled, Saved, Started, Stepped, Warned
    from ganvas.expanding import expand
    from ganvas.experiment import Experiment
    from ganvas.exporting import export
    from ganvas.figures import Figure, compare
    from ganvas.hub import push
    from ganvas.inversion import Inverted, invert
    from ganvas.lettering import write
    from ganvas.mending import restore, translate
    from ganvas.restoring import Restorer
    from ganvas.restoring import load as restorer
    from ganvas.sample import Model, Verdict, load
    from ganvas.translating import Translator
    from ganvas.translating import load as translator
    from ganvas.walks import walk

__version__ = "0.1.0"
__all__ = [
    "Evaluated",
    "Event",
    "Experiment",
    "Figure",
    "Inverted",
    "Logged",
    "Measured",
    "Model",
    "Noted",
    "Restorer",
    "Sampled",
    "Saved",
    "Started",
    "Stepped",
    "Translator",
    "UserError",
    "Verdict",
    "Warned",
    "compare",
    "evaluate",
    "expand",
    "export",
    "invert",
    "load",
    "push",
    "restore",
    "restorer",
    "train",
    "translate",
    "translator",
    "walk",
    "write",
]
HOMES = {"Experiment": "experiment", "Model": "sample", "load": "sample", "UserError": "errors", "train": "api"}
HOMES |= {"Verdict": "sample", "write": "lettering", "walk": "walks", "invert": "inversion", "Inverted": "inversion"}
HOMES |= {"expand": "expanding", "export": "exporting", "push": "hub"}
HOMES |= {"restore": "mending", "Restorer": "restoring", "restorer": "restoring"}
HOMES |= {"translate": "mending", "Translator": "translating", "translator": "translating"}
HOMES |= {"evaluate": "evaluation", "Figure": "figures", "compare": "figures"}


def __getattr__(name: str) -> Any:
    """Import torch only when something is used that needs it: `ganvas --help` answers at once."""
    if name not in __all__:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
    home = importlib.import_module(f"ganvas.{HOMES.get(name, 'events')}")
    return getattr(home, "load" if name in ("restorer", "translator") else name)
