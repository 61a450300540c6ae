"""The names that things had before version 0.2, for scripts that still use them: they work, with a warning.

`import ganvas.losses` gives a module that looks its names up in the new places. Packages whose name was a module's
(`ganvas.images`) serve its names by a `__getattr__`. All this will be removed in the version after 0.2.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import sys
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

# old module: the new ones, in the order in which a name is looked up in them
MODULES = {
    "augment": "images.augment",
    "background": "training.background",
    "cache": "core.cache",
    "cards": "export.model_card",
    "charts": "report.charts",
    "checking": "tasks.generate.data_check images.data.findings",
    "checkpoint": "core.checkpoint",
    "classical": "tasks.restore.classical images.windows",
    "config": "core.config",
    "damages": "tasks.restore.degradations tasks.restore.damages",
    "data": "images.data images.data.readers images.data.dataset images.decode training.batches",
    "data.archives": "sources.archives",
    "data.arrays": "images.data.arrays",
    "data.batches": "training.batches",
    "data.checks": "sources.checks",
    "data.depth": "images.data.depth",
    "data.idx": "images.data.idx",
    "data.label_arrays": "images.data.label_arrays",
    "data.labelling": "sources.labels sources.label_tables",
    "data.layout": "sources.layout",
    "data.listing": "sources.listing",
    "data.matching": "sources.matching",
    "data.npz": "images.data.npz",
    "data.pack": "images.data.pack images.data.pack_format",
    "data.photos": "images.data.photos",
    "data.sets": "images.data.dataset",
    "data.stored": "core.memmap",
    "data.survey": "images.data.survey",
    "degrade": "tasks.restore.degrade tasks.restore.damages",
    "detection": "tasks.generate.detect.detector",
    "distributed": "core.distributed",
    "doctor": "report.diagnosis report.quantities",
    "ema": "training.ema",
    "errors": "core.errors",
    "evaluation": "tasks.generate.evaluate.evaluate core.progress",
    "events": "training.events",
    "expanding": "tasks.generate.expand metrics.lessons metrics.candidates",
    "experiment": "training.experiment images.data.config",
    "exporting": "export.onnx tasks.generate.export",
    "figures": "metrics.figures",
    "files": "core.files",
    "finetuning": "training.finetune",
    "fitting": "images.decode",
    "holes": "tasks.restore.holes",
    "hub": "export.hub",
    "inspection": "tasks.generate.detect_files",
    "inversion": "tasks.generate.latent.invert",
    "judging": "tasks.restore.evaluate",
    "lettering": "tasks.generate.latent.write",
    "loading": "core.model",
    "locate": "core.locate",
    "losses": "training.losses",
    "mending": "tasks.restore.files tasks.translate.files images.apply",
    "metrics.colours": "tasks.translate.colours",
    "metrics.damage": "tasks.restore.signs",
    "metrics.digits": "images.features.digits",
    "metrics.efficientnet": "images.features.efficientnet",
    "metrics.expert": "metrics.two_sample",
    "metrics.extractors": "images.features.extractors",
    "metrics.fidelity": "images.fidelity",
    "modes": "tasks.generate.evaluate.modes tasks.generate.evaluate.toys",
    "naming": "core.naming",
    "networks.dropout": "networks.layers",
    "networks.translator": "tasks.translate.network",
    "networks.unet": "tasks.restore.unet",
    "originals": "images.originals",
    "outputs": "tasks.generate.save",
    "pictures": "images.files",
    "processes": "core.processes",
    "recipes": "api tasks.generate.recipes tasks.restore.recipes",
    "reference": "tasks.generate.evaluate.reference",
    "restored": "tasks.restore.report",
    "restoring": "tasks.restore.model images.tiling core.progress",
    "rows": "core.rows",
    "run": "core.run",
    "sample": "tasks.generate.model core.model",
    "seeds": "core.seeds",
    "selection": "tasks.generate.rejection",
    "spec": "images.spec",
    "strangers": "tasks.generate.detect.outliers",
    "tasks.base": "training.task core.samples",
    "terminal": "core.terminal",
    "text": "core.text",
    "trainer": "training.trainer",
    "translated": "tasks.translate.report",
    "translating": "tasks.translate.model",
    "walks": "tasks.generate.latent.walk",
    "weighing": "tasks.translate.evaluate",
}
# names of modules that are packages now, and names that have changed: 'module:name', 'module:function()'
NAMES = {
    "images.to_float": "images.tensors:to_float",
    "images.levels": "images.tensors:levels",
    "images.to_uint8": "images.tensors:to_uint8",
    "images.join": "images.tensors:join",
    "images.grid": "images.sheets:grid",
    "images.to_pil": "images.sheets:to_pil",
    "images.read": "images.sheets:read",
    "images.png": "images.sheets:png",
    "images.save_grid": "images.sheets:save_grid",
    "networks.ALL": "core.old_names:all_networks()",
    "networks.BY_TASK": "core.old_names:networks_by_task()",
    "networks.FROM_IMAGES": "tasks.restore.task:RestoreTask.networks",
    "networks.BETWEEN": "tasks.translate.task:TranslateTask.networks",
    "recipes.classic_mlp_recipe": "tasks.generate.recipes:classic_mlp",
    "recipes.classic_dcgan_recipe": "tasks.generate.recipes:classic_dcgan",
    "recipes.classic_dcgan_64_recipe": "tasks.generate.recipes:classic_dcgan_64",
    "recipes.translate_recipe": "tasks.translate.recipes:translate",
    "data.from_idx": "images.data.idx:data_set",
    "data.from_numpy": "images.data.arrays:data_set",
    "modes.toys": "tasks.generate.evaluate.toys:train_all",
    "loading.task": "core.model:task_of",
    "judging.judge": "tasks.restore.evaluate:evaluate",
    "weighing.weigh": "tasks.translate.evaluate:evaluate",
    "seeds.plant": "core.seeds:seed_all",
    "report.CSS": "report.page:CSS",
    "report.SCRIPT": "report.page:SCRIPT",
    "report.write": "report.page:write",
    "sources.Sampler": "tasks.generate.evaluate.source:Sampler",
    "sources.sample": "tasks.generate.evaluate.source:sample",
    "sources.find": "tasks.generate.evaluate.source:find",
    "sources.trained_on": "images.data.trained_on:trained_on",
    "sources.reading": "images.data.trained_on:reading",
    "sources.in_shape": "images.data.trained_on:in_shape",
    "sources.some": "images.data.trained_on:some",
    "tasks.Task": "training.task:Task",
    "tasks.TASKS": "core.old_names:all_tasks()",
    "tasks.generate.Config": "tasks.generate.task:Config",
    "tasks.generate.GenerateTask": "tasks.generate.task:GenerateTask",
    "tasks.restore.Config": "tasks.restore.task:Config",
    "tasks.restore.RestoreTask": "tasks.restore.task:RestoreTask",
    "tasks.translate.Config": "tasks.translate.task:Config",
    "tasks.translate.TranslateTask": "tasks.translate.task:TranslateTask",
    "training.fit": "training.loop:fit",
    "training.crossed": "training.loop:crossed",
    "training.pictured": "training.loop:pictured",
}


def warn(old: str, new: str, level: int = 3) -> None:
    """Say that `old` is called `new` now, at the line of the user's script (`level` calls up)."""
    text = f"{old} is now {new}; the old name works in this version and will be removed in the next one."
    warnings.warn(text, FutureWarning, stacklevel=level)


def _look_up(old: str, name: str) -> tuple[str, Any]:
    """The new place of `name` of the old module `old`, and what it is. Raises an AttributeError where it has none."""
    if name.startswith("__"):
        raise AttributeError(f"module 'ganvas.{old}' has no attribute {name!r}")
    if target := NAMES.get(f"{old}.{name}"):
        with contextlib.suppress(AttributeError, ModuleNotFoundError):
            return _named(target)
    for module in MODULES.get(old, "").split():
        try:
            value = getattr(importlib.import_module(f"ganvas.{module}"), name)
        except (ModuleNotFoundError, AttributeError):
            continue
        top = sys.modules["ganvas"]
        if name in top.__all__ and getattr(top, name) is value:
            return f"ganvas.{name}", value
        home = str(getattr(value, "__module__", ""))  # it may only be imported there
        return f"{home if home.startswith('ganvas.') else f'ganvas.{module}'}.{name}", value
    raise AttributeError(f"module 'ganvas.{old}' has no attribute {name!r}")


def _named(target: str) -> tuple[str, Any]:
    """The place of a target in NAMES for people, and what it is."""
    module, _, path = target.partition(":")
    value: Any = importlib.import_module(f"ganvas.{module}")
    for part in path.removesuffix("()").split("."):
        value = getattr(value, part)
    if path.endswith("()"):
        return "ganvas.TASKS and each task's `networks`", value()
    return f"ganvas.{module}.{path}", value


def getattr_of(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose name was an old module's, 'ganvas.images'."""
    old = package.removeprefix("ganvas.")

    def get(name: str) -> Any:
        if f"{old}.{name}" not in NAMES:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place, value = _look_up(old, name)
        warn(f"{package}.{name}", place)
        return value

    return get


class OldModule(ModuleType):
    """A module of the old layout: it defines no names itself."""

    def __getattr__(self, name: str) -> Any:
        place, value = _look_up(self.__name__.removeprefix("ganvas."), name)
        warn(f"{self.__name__}.{name}", place)
        return value


class Finder:
    """Finds the old modules, for the import system."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        old = fullname.removeprefix("ganvas.")
        if old == fullname or old not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=old == "data")  # pyright: ignore[reportArgumentType]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return OldModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return


def install() -> None:
    """Let the import system find the old modules, before all others: an empty folder of the old layout may remain."""
    if not any(type(finder).__name__ == Finder.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())  # pyright: ignore[reportArgumentType]


def all_tasks() -> dict[str, Any]:
    """The class of each task, by name."""
    from ganvas.core import registry

    return {task.name: task for task in registry.importable()}


def networks_by_task() -> dict[str, dict[str, Any]]:
    """The networks of each task, by name."""
    return {name: task.networks for name, task in all_tasks().items()}


def all_networks() -> dict[str, Any]:
    """The networks of all tasks, by name."""
    return {name: network for networks in networks_by_task().values() for name, network in networks.items()}
