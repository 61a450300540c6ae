"""An experiment: everything that defines a run, as one frozen object with a JSON form."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganvas.core import config as cf
from ganvas.core import distributed, registry, seeds
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import make_folder, write_whole
from ganvas.core.files import place as file_place
from ganvas.core.old_names import warn
from ganvas.core.progress import Counted, last
from ganvas.core.run import Run
from ganvas.core.samples import Dataset, Spec
from ganvas.core.text import command
from ganvas.report import page
from ganvas.training import finetune, loop, trainer
from ganvas.training.batches import Batches
from ganvas.training.events import Event, Noted, Saved, Warned
from ganvas.training.task import Task, build, network_of, task_of

SECTIONS = ("data", "network", "task", "training")
EXTENDS = {"training.images"}  # the settings that a resume may change (to more)
SAY_EVERY = 10.0  # seconds from one word about the reading of the data to the next


@dataclass(frozen=True)
class Experiment:
    """Data, network, task and training of a run; `recipe` is only the name that it came from."""

    recipe: str
    network: Any
    data: Any = None
    task: Any = None
    training: trainer.Config = trainer.Config()

    def __post_init__(self) -> None:
        """Fill in what was left out: drawing from noise, and that task's data.

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
                f"The network {self._network_name()} is none for the task {self.kind.name}: choose among "
                f"{', '.join(self.kind.networks)}."
            )
        self.kind.verify(self)
        if self.training.evaluate_every and not self.kind.measures_beside:
            raise UserError(
                "evaluate_every is for models that draw from noise; others are checked beside each picture."
            )

    @property
    def kind(self) -> type[Task]:
        """The task's class."""
        return task_of(self.task)

    def _network_name(self) -> str:
        """The network's name, of whatever task; else that of its class."""
        kinds = [self.kind, *registry.importable()]
        found = (network_of(kind, self.network) for kind in kinds)
        return next((pair[0] for pair in found if pair is not None), type(self.network).__name__)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        sections: dict[str, Any] = {name: dataclasses.asdict(getattr(self, name)) for name in SECTIONS}
        sections["network"] = {"name": self._network_name(), **sections["network"]}
        sections["task"] = {"name": self.kind.name, **sections["task"]}
        return json.loads(json.dumps({"recipe": self.recipe, **sections}))

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "these settings") -> Experiment:
        """The experiment of a JSON form; `where` names its place in errors.

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
        task = registry.find(str(parts["task"].pop("name", registry.first().name))[:60])  # once there was no other
        name = str(parts["network"].pop("name", ""))[:60]
        if name not in task.networks:
            others = {n for other in registry.importable() for n in other.networks}
            if name not in others:
                raise unknown("network", name, task.networks)
            raise UserError(
                f"The network {name} is none for the task {task.name}: choose among {', '.join(task.networks)}."
            )
        return cls(
            recipe=str(values.get("recipe", ""))[:200],
            network=cf.from_dict(task.networks[name].Config, parts["network"], "network"),
            data=cf.from_dict(task.Data, parts["data"], "data"),
            task=cf.from_dict(task.Config, parts["task"], "task"),
            training=cf.from_dict(trainer.Config, parts["training"], "training"),
        )

    @classmethod
    def load(cls, folder: Path) -> Experiment:
        """The experiment of a run's folder.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = folder / "experiment.json"
        return cls.from_dict(Run(folder).settings(), str(path))

    def override(self, settings: dict[str, str]) -> Experiment:
        """The same experiment with some settings changed, `{'images': '2M', 'lr_g': '5e-4'}`.

        Raises:
            UserError: an unknown setting, or a value of the wrong type or out of range.
        """
        homes = {field: name for name in SECTIONS for field in cf.types_of(getattr(self, name))}
        changed = {name: getattr(self, name) for name in SECTIONS}
        for key, text in settings.items():
            key = f"{key}_" if f"{key}_" in homes else key  # `from` is a word of Python's own
            if key not in homes:
                raise unknown("setting", key, homes)
            section = changed[homes[key]]
            section = dataclasses.replace(section, **{key: cf.parse(text, cf.types_of(section)[key], key)})
            changed[homes[key]] = section
        return dataclasses.replace(self, **changed)

    def load_data(self) -> Any:
        """The data of this experiment, a `core.samples.Dataset`.

        Raises:
            UserError: it is still to be named, or cannot be found or read.
        """
        return last(self._steps())

    def ready(self) -> None:
        """Raise a UserError where the data is still to be named."""
        if not self.data.source:
            raise UserError(f"The recipe {self.recipe} is for images of your own: name them with --data FOLDER.")
        self.kind.ready(self)

    def source(self) -> str:
        """`data.source`, as scripts of before version 0.2 ask for it.

        Raises:
            UserError: it is still to be named.
        """
        warn("Experiment.source()", "Experiment.data.source")
        self.ready()
        return self.data.source

    def _steps(self) -> Generator[Counted, None, Any]:
        self.ready()
        return self.data.loading()

    def build(self, spec: Any) -> Task:
        """The task with fresh networks; equal for equal seeds.

        Raises:
            UserError: the network cannot draw images of this kind, or has fewer layers than shall be frozen.
        """
        kind = self.kind
        spec = kind.network_spec(spec, self.task)
        with self.enough_memory(spec):
            with torch.device("meta"):  # nothing is computed: only to see how large they are
                trainer.check_memory(build(kind, self.network, spec))
            torch.manual_seed(seeds.key(self.training.seed, "init"))
            generator, discriminator = build(kind, self.network, spec)
            if self.training.freeze:
                finetune.freeze(discriminator, self.training.freeze, spec)
        return kind.of(generator, discriminator, spec, self.task, self.network)

    def enough_memory(self, spec: Spec) -> contextlib.AbstractContextManager[None]:
        """Within it a lack of memory becomes a UserError that says which settings to lower."""
        return trainer.enough_memory(self.training.batch, spec, self.network)

    def batches(self, images: Dataset) -> Batches:
        """The order in which the samples are seen.

        Raises:
            UserError: there are fewer images than a batch, or it cannot be divided among the processes.
        """
        config, (rank, ranks) = self.training, (distributed.rank(), distributed.size())
        distributed.share(config.batch)
        return Batches(images, config.batch, config.seed, trainer.choose_device(config), rank, ranks)

    def smoke(self) -> Experiment:
        """The same experiment for twenty steps, with pictures and log lines in between."""
        batch = self.training.batch
        training = dataclasses.replace(
            self.training, images=20 * batch, tick_every=5 * batch, sample_every=10 * batch, sample_at=()
        )
        return dataclasses.replace(self, training=training, task=self.kind.smoke(self.task, 20 * batch))

    def new_folder(self, root: Path = Path("runs")) -> Path:
        """Make the next numbered folder below `root`, named after data and recipe.

        Raises:
            UserError: it cannot be made.
        """
        name = self.data.bare_name()
        label = name if name == self.recipe else f"{name}-{self.recipe.removeprefix(name + '-')}"
        return Run.create(root, re.sub(r"[^\w.-]+", "-", label)[:80]).folder

    def run(self, folder: str | Path | None = None) -> Iterator[Event]:
        """Train in a folder (None: the next numbered one below `runs/`); see `training.fit` for the events.

        The first events name the folder. A folder that holds a run of the same settings is resumed; more `images`
        extend it.

        Raises:
            UserError: the folder belongs to a run of other settings or of other data, another training is at work in
                it, it cannot be written, or what `fit` raises.
        """
        with distributed.joined(), contextlib.ExitStack() as held:
            with distributed.together():
                with distributed.in_turn():
                    images = yield from self._loading()
                task = self.build(images.spec)
                batches = self.batches(images)
            card, first = self.card(images), distributed.is_first()
            self._agree(card)
            place, told = Path(), ""
            with distributed.together():
                if first:
                    place = Path(distributed.once("folder", lambda: str(self._place(folder))))
                    make_folder(place)
                    held.enter_context(Run(place).locked())
                    self._claim(Run(place), images, card)
                    if self.training.from_ and not Run(place).snapshots():
                        parts = {"generator": task.generator, "discriminator": task.discriminator}
                        told = finetune.take(parts, self.training.from_)
            place = distributed.broadcast(place)
            run = Run(place, {**card, "data": {**card["data"], **self.data.bare(images)}}, first)
            if first:
                yield from (Warned(0, note) for note in images.notes)
                yield from (Noted(0, text) for text in [told] if text)
            with self.enough_memory(images.spec):
                yield from self._events(loop.fit(task, batches, self.training, run), run)

    def _place(self, folder: str | Path | None) -> Path:
        return file_place(folder) if folder is not None else self.new_folder()

    def _agree(self, card: dict[str, Any]) -> None:
        """Raise a UserError where the processes have unlike settings or see unlike data."""
        distributed.agree({"the fingerprint": card["fingerprint"], "kind": card["spec"]}, "data")
        settings = {f"{name}.{key}": value for name in SECTIONS for key, value in card[name].items()}
        for name in self._places():  # known by its fingerprint, wherever it lies
            settings.pop(name)
        distributed.agree(settings, "settings")

    def _places(self) -> list[str]:
        return [f"data.{name}" for name in self.data.places]

    def _loading(self) -> Generator[Event, None, Any]:
        """As `load_data`; says now and then how far the data is read."""
        steps = self._steps()
        last_words = -SAY_EVERY
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            if time.monotonic() - last_words >= SAY_EVERY and distributed.is_first():
                last_words = time.monotonic()
                yield Noted(0, f"{step.text}: {step.done:,} of {step.total:,} done.")

    def _events(self, events: Iterator[Event], run: Run) -> Iterator[Event]:
        try:
            for event in events:
                if isinstance(event, Saved):
                    page.write(run)
                yield event
            if run.writes:  # what came after the last snapshot is told too
                page.write(run)
        except GeneratorExit:
            events.close()  # pyright: ignore[reportAttributeAccessIssue]  # fit is a generator: it saves as it closes
            if run.writes:
                page.write(run)
            raise

    def _claim(self, run: Run, images: Dataset, card: dict[str, Any]) -> None:
        """Write the experiment into a new folder, or check that an old one is the same run."""
        if not run.experiment.is_file():
            others = [p for p in run.folder.iterdir() if not p.name.startswith(".")]  # the lock, an unfinished file
            if others:
                raise UserError(
                    f"{run.folder} holds other files ({others[0].name}) and no run. Choose an empty or new folder."
                )
            write_whole(run.experiment, json.dumps(card, indent=1) + "\n")
            return
        old = run.settings()
        changes = cf.differences(self.from_dict(old, str(run.experiment)).to_dict(), self.to_dict())
        for name in ("recipe", *self._places()):  # the data is known by its fingerprint, wherever it lies now
            changes.pop(name, None)
        grows = {k for k, (a, b) in changes.items() if k in EXTENDS and b > a}
        refused = {k: v for k, v in changes.items() if k not in grows}
        if refused:
            rows = "".join(f"\n  {key}: {a} in the folder, {b} now" for key, (a, b) in refused.items())
            raise UserError(
                f"{run.folder} holds a run of other settings:{rows}\n"
                f"Resume it as it was ({command('ganvas', 'resume', run.folder)}), or choose another --run folder."
            )
        if old.get("fingerprint") != images.fingerprint:
            raise UserError(
                f"{run.folder} was trained on other images than {self.data.source} holds now (fingerprints "
                f"{str(old.get('fingerprint'))[:12]} and {images.fingerprint[:12]}). Name the right ones with "
                "--data, or choose another --run folder."
            )
        write_whole(run.experiment, json.dumps(card, indent=1) + "\n")

    def card(self, images: Dataset) -> dict[str, Any]:
        """What a model file says of itself: settings, shape of the samples, classes, data."""
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
