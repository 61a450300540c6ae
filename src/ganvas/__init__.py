"""Ganvas trains generative adversarial networks on your images and lets you use both networks afterwards.

>>> import ganvas
>>> run = ganvas.fit("mnist", run="runs/first")   # doctest: +SKIP
>>> sevens = run.model.sample(16, classes=7)   # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ganvas.core import old_names
from ganvas.core.registry import TASKS

if TYPE_CHECKING:
    from ganvas.api import expand, load, train
    from ganvas.core.applied import Applied, Failed
    from ganvas.core.errors import UserError
    from ganvas.export.hub import push
    from ganvas.export.onnx import export
    from ganvas.images.shown import Pictures
    from ganvas.metrics.figures import Figure, compare
    from ganvas.tasks.generate.evaluate.evaluate import evaluate
    from ganvas.tasks.generate.latent.invert import Inverted, invert
    from ganvas.tasks.generate.latent.walk import walk
    from ganvas.tasks.generate.latent.write import write
    from ganvas.tasks.generate.model import Model, Verdict
    from ganvas.tasks.restore.files import restore
    from ganvas.tasks.restore.model import Restorer
    from ganvas.tasks.restore.model import load as restorer
    from ganvas.tasks.translate.files import translate
    from ganvas.tasks.translate.model import Translator
    from ganvas.tasks.translate.model import load as translator
    from ganvas.trained_run import TrainedRun, fit
    from ganvas.training.events import (
        Evaluated,
        Event,
        Logged,
        Measured,
        Noted,
        Sampled,
        Saved,
        Started,
        Stepped,
        Warned,
    )
    from ganvas.training.experiment import Experiment

__version__ = "0.1.0"
__all__ = [
    "TASKS",
    "Applied",
    "Evaluated",
    "Event",
    "Experiment",
    "Failed",
    "Figure",
    "Inverted",
    "Logged",
    "Measured",
    "Model",
    "Noted",
    "Pictures",
    "Restorer",
    "Sampled",
    "Saved",
    "Started",
    "Stepped",
    "TrainedRun",
    "Translator",
    "UserError",
    "Verdict",
    "Warned",
    "compare",
    "evaluate",
    "expand",
    "export",
    "fit",
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
TASKS |= {
    "generate": "ganvas.tasks.generate.task:GenerateTask",
    "restore": "ganvas.tasks.restore.task:RestoreTask",
    "translate": "ganvas.tasks.translate.task:TranslateTask",
    "table": "ganvas.tasks.table.task:TableTask",
    "sound": "ganvas.tasks.sound.task:SoundTask",
    "restore-sound": "ganvas.tasks.restore_sound.task:RestoreSoundTask",
}
HOMES = {
    "UserError": "core.errors",
    "Experiment": "training.experiment",
    "train": "api",
    "fit": "trained_run",
    "TrainedRun": "trained_run",
    "Pictures": "images.shown",
    "Model": "tasks.generate.model",
    "Verdict": "tasks.generate.model",
    "load": "api",
    "write": "tasks.generate.latent.write",
    "walk": "tasks.generate.latent.walk",
    "Inverted": "tasks.generate.latent.invert",
    "invert": "tasks.generate.latent.invert",
    "expand": "api",
    "export": "export.onnx",
    "push": "export.hub",
    "restore": "tasks.restore.files",
    "Applied": "core.applied",
    "Failed": "core.applied",
    "translate": "tasks.translate.files",
    "Restorer": "tasks.restore.model",
    "Translator": "tasks.translate.model",
    "evaluate": "tasks.generate.evaluate.evaluate",
    "Figure": "metrics.figures",
    "compare": "metrics.figures",
    "restorer": "tasks.restore.model:load",
    "translator": "tasks.translate.model:load",
}

old_names.install()


def __getattr__(name: str) -> Any:
    """Import torch only when something that needs it is used, so that `ganvas --help` answers at once."""
    if name not in __all__:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
    home, _, inner = HOMES.get(name, "training.events").partition(":")
    return getattr(importlib.import_module(f"ganvas.{home}"), inner or name)
