"""An experiment: everything that defines a run, as one frozen object with a JSON form."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganvas.core import config as cf
from ganvas.core import distributed, meta, own, registry, seeds
from ganvas.core.errors import UserError, unknown
from ganvas.core.old_names import warn
from ganvas.core.progress import Counted, last
from ganvas.core.run import Run
from ganvas.core.samples import Dataset, Spec
from ganvas.core.text import one_line
from ganvas.training import finetune, memory, several, start, trainer
from ganvas.training.batches import Batches
from ganvas.training.events import Event
from ganvas.training.task import Task, build, is_own, network_config, network_of, task_of

SECTIONS = ("data", "network", "task", "training")  # of an experiment: each a frozen dataclass of settings


@dataclass(frozen=True)
class Experiment:
    """Data, network, task and training of a run.

    `recipe` is only the name of the recipe that it came from. `network` and `task` are the `Config` of an architecture
    and of a task; without a task it generates from noise; without data it has the task's default.
    """

    recipe: str
    network: Any
    data: Any = None
    task: Any = None
    training: trainer.Config = trainer.Config()

    def __post_init__(self) -> None:
        """Fill in the defaults of task and data, and check all settings.

        Raises:
            UserError: a value is of the wrong type or out of range, or settings do not go together.
        """
        if self.task is None:
            object.__setattr__(self, "task", registry.first().Config())
        if self.data is None:
            object.__setattr__(self, "data", self.kind.Data())
        for name in SECTIONS:
            cf.check(getattr(self, name))
        if network_of(self.kind, self.network) is None:
            raise UserError(
                f"The network {self._network_name()} does not suit the task {self.kind.name}: choose one of "
                f"{', '.join(self.kind.networks)}."
            )
        self.kind.verify(self)
        if self.training.freeze and not self.training.from_:
            raise UserError(
                f"freeze={self.training.freeze} keeps weights of the model that a training starts from: name one with "
                "from=, or leave freeze out."
            )
        if self.training.evaluate_every and not self.kind.measures_beside:
            raise UserError("evaluate_every is for models that draw from noise; others are checked at each picture.")

    @property
    def kind(self) -> type[Task]:
        """The task's class."""
        return task_of(self.task)

    def _network_name(self) -> str:
        """The network's name in its task's table (any task's), or the name of its class."""
        tasks = itertools.chain([self.kind], registry.importable())  # the others are imported only if need be
        entries = (network_of(task, self.network) for task in tasks)
        return next((entry[0] for entry in entries if entry is not None), type(self.network).__name__)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        sections: dict[str, Any] = {name: dataclasses.asdict(getattr(self, name)) for name in SECTIONS}
        sections["data"] |= getattr(self.data, "kept", dict)()
        sections["network"] = {"name": self._network_name(), **sections["network"]}
        sections["task"] = {"name": self.kind.name, **sections["task"]}
        return json.loads(json.dumps({"recipe": self.recipe, **sections}))

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "these settings") -> Experiment:
        """The experiment that a JSON form describes; errors name `where` it is from.

        Raises:
            UserError: an unknown architecture or setting, or a value of the wrong type or out of range.
        """
        try:
            return cls._from_dict(values)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error

    @classmethod
    def _from_dict(cls, values: dict[str, Any]) -> Experiment:
        parts: dict[str, dict[str, Any]] = {}
        for name in SECTIONS:
            section = values.get(name, {})
            if not isinstance(section, dict):
                raise UserError(f"'{name}' is {cf.shown(section)}, not a group of settings.")
            parts[name] = dict(section)
        task = registry.find(str(parts["task"].pop("name", registry.first().name))[:60])  # old files name no task
        name = str(parts["network"].pop("name", ""))
        make = task.own_network if own.is_reference(name) else None
        if make is not None:
            config = make(name, parts["network"]).Config
        elif (name := one_line(name)[:60]) in task.networks:
            config = task.networks[name].Config
        elif not any(name in other.networks for other in registry.importable()):
            raise unknown("network", name, task.networks)
        else:
            raise UserError(
                f"The network {name} does not suit the task {task.name}: choose one of {', '.join(task.networks)}."
            )
        return cls(
            recipe=str(values.get("recipe", ""))[:200],
            network=cf.from_dict(config, parts["network"], "network"),
            data=cf.from_dict(task.Data, parts["data"], "data"),
            task=cf.from_dict(task.Config, parts["task"], "task"),
            training=cf.from_dict(trainer.Config, parts["training"], "training"),
        )

    @classmethod
    def load(cls, folder: Path) -> Experiment:
        """The experiment of the run in a folder.

        Raises:
            UserError: the folder holds no run, or its settings cannot be read.
        """
        path = folder / "experiment.json"
        return cls.from_dict(Run(folder).settings(), str(path))

    def override(self, settings: dict[str, str]) -> Experiment:
        """The same experiment with some settings changed, `{'images': '2M', 'lr_g': '5e-4'}`.

        Raises:
            UserError: an unknown setting, or a value of the wrong type or out of range.
        """
        settings = {**self.kind.defaults(self, settings), **settings}
        changed = {name: getattr(self, name) for name in SECTIONS}
        if (name := settings.pop("network", self._network_name())) != self._network_name():
            changed["network"] = network_config(self.kind, name)
        section_of: dict[str, str] = {}
        for name in SECTIONS:
            fields = cf.types_of(changed[name])
            if is_own(changed["network"]) and (twice := section_of.keys() & fields.keys()):
                raise UserError(
                    f"The network has a setting {min(twice)}, as the training has: give this parameter another name."
                )
            section_of |= dict.fromkeys(fields, name)
        for key, text in settings.items():
            key = f"{key}_" if f"{key}_" in section_of else key  # `from` is a keyword in Python
            if key not in section_of:
                key, text = self._of_family(key, text, changed)
            if key not in section_of:
                raise cf.unknown_setting(key, section_of)
            section = changed[section_of[key]]
            limits = next(field.metadata for field in dataclasses.fields(section) if field.name == key)
            if limits.get("code") and own.is_spoken(text):
                text = own.given(text)
            section = dataclasses.replace(section, **{key: cf.parse(text, cf.types_of(section)[key], cf.plain(key))})
            changed[section_of[key]] = section
        return dataclasses.replace(self, **changed)

    def _of_family(self, key: str, text: str, sections: dict[str, Any]) -> tuple[str, str]:
        """For a setting of a family, such as `column.NAME`, the one that holds them all, and its new value.

        A section names its families: `families = {"column": "kinds"}`. The holder is a JSON object with values by name.
        """
        family, _, name = key.partition(".")
        for section in sections.values():
            if name and family in getattr(section, "families", {}):
                holder = section.families[family]
                return holder, json.dumps({**json.loads(getattr(section, holder) or "{}"), name: text})
        return key, text

    def own_code(self) -> list[str]:
        """The references to code of the user's own among the settings; see `core.own`."""
        found = [self._network_name(), *(getattr(self.task, field.name) for field in dataclasses.fields(self.task))]
        return [*filter(own.is_reference, found)]

    def load_data(self) -> Any:
        """The data of this experiment, a `core.samples.Dataset`.

        Raises:
            UserError: the data is not named yet, or cannot be found or read.
        """
        return last(self.loading())

    def ready(self) -> None:
        """Raise a UserError if the data is not named yet."""
        if not self.data.source:
            raise UserError(f"The recipe {self.recipe} is for your own {self.kind.Spec.noun}: name them with --data.")
        self.kind.ready(self)

    def source(self) -> str:
        """`data.source`, the way scripts for versions before 0.2 get it.

        Raises:
            UserError: it is still to be named.
        """
        warn("Experiment.source()", "Experiment.data.source")
        self.ready()
        return self.data.source

    def loading(self) -> Generator[Counted, None, Any]:
        """As `load_data`; yields progress."""
        self.ready()
        return self.data.loading()

    def build(self, spec: Any) -> Task:
        """The task with newly initialised networks, the same for the same seed.

        Args:
            spec: the shape of the data's samples, a `core.samples.Spec`.

        Raises:
            UserError: the network cannot generate samples of this shape, has fewer layers than `freeze`, or does
                not fit into the machine's memory.
        """
        kind = self.kind
        spec = kind.network_spec(spec, self.task)
        with self.enough_memory(spec):
            if not is_own(self.network):  # code of the user's own need not work without numbers
                with meta.sizes_only():
                    memory.check_memory(build(kind, self.network, spec))
            torch.manual_seed(seeds.key(self.training.seed, "init"))
            generator, discriminator = build(kind, self.network, spec)
            if self.training.freeze:
                finetune.freeze(discriminator, self.training.freeze, spec)
        return kind.of(generator, discriminator, spec, self.task, self.network)

    def enough_memory(self, spec: Spec) -> contextlib.AbstractContextManager[None]:
        """A context in which running out of memory becomes a UserError that says which settings to lower."""
        return memory.enough_memory(self.training.batch, spec, self.network)

    def batches(self, images: Dataset) -> Batches:
        """The batches of the training, in their order.

        Raises:
            UserError: there are fewer samples than a batch, or the batch cannot be divided among the processes.
        """
        config, (rank, ranks) = self.training, (distributed.rank(), distributed.size())
        distributed.share(config.batch)
        return Batches(images, config.batch, config.seed, trainer.choose_device(config), rank, ranks)

    def smoke(self) -> Experiment:
        """The same experiment cut down to twenty steps, with previews and log lines in between."""
        batch = self.training.batch
        training = dataclasses.replace(
            self.training, images=20 * batch, tick_every=5 * batch, sample_every=10 * batch, sample_at=()
        )
        return dataclasses.replace(self, training=training, task=self.kind.smoke(self.task, 20 * batch))

    def new_folder(self, root: Path = Path("runs")) -> Path:
        """Make the next numbered folder in `root`, named after data and recipe.

        Raises:
            UserError: it cannot be made.
        """
        name = self.data.bare_name()
        label = name if name == self.recipe else f"{name}-{self.recipe.removeprefix(name + '-')}"
        return Run.create(root, re.sub(r"[^\w.-]+", "-", label)[:80]).folder

    def run(self, folder: str | Path | None = None) -> Iterator[Event]:
        """Train in a folder; see `training.loop.fit` for the events.

        The first events name the folder. A run of the same settings in that folder is resumed; more `images` extend it.

        Args:
            folder: of the run; None makes the next numbered one in `runs/`.

        Raises:
            UserError: the folder holds a run of other settings or data, another training is using it, or it cannot be
                written; or what `fit` raises.
        """
        in_parts = self.kind.in_parts(self)
        yield from several.train(self, folder) if in_parts else start.train(self, folder)

    def card(self, images: Dataset) -> dict[str, Any]:
        """The card of the run's model files: settings, shape of the samples, classes, data."""
        return {
            **self.to_dict(),
            "spec": self.kind.network_spec(images.spec, self.task).to_dict(),
            "classes": list(images.class_names),
            "data_name": images.name,
            **({"other_name": images.other.name} if images.other is not None else {}),
            "fingerprint": images.fingerprint,
            "licence": images.licence,
            **images.facts(),
        }
