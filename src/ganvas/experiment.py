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

from ganvas import config as cf
from ganvas import data, distributed, finetuning, networks, report, seeds, tasks, trainer, training
from ganvas.config import knob
from ganvas.data import Batches, ImageData
from ganvas.errors import UserError, unknown
from ganvas.events import Event, Noted, Saved, Warned
from ganvas.files import make_folder, write_whole
from ganvas.files import place as file_place
from ganvas.fitting import Shape
from ganvas.run import Run
from ganvas.spec import ImageSpec
from ganvas.tasks import TASKS, Task, generate, translate
from ganvas.text import command

SECTIONS = ("data", "network", "task", "training")
PLACES = ("data.source", "data.twins", "data.to")
EXTENDS = {"training.images"}  # the settings that a resume may change (to more)
TELL = 10.0  # seconds from one word about the conversion of pictures to the next


@dataclass(frozen=True)
class DataConfig:
    """Which images."""

    source: str = knob("mnist", "a data set's name, or a folder, archive or .npz file of pictures")
    labels: bool = knob(True, "use the labels where the data has them")
    size: int = knob(
        0,
        "pixels a side (0: as the pictures are where all are square, of one size and at most 256; else 64, or smaller "
        "where most are smaller)",
        low=0,
        high=1024,
    )
    channels: int = knob(
        0,
        "1 grey, 3 colour, 4 colour with transparency (0: grey where all are stored as grey, else colour)",
        low=0,
        high=4,
    )
    fit: str = knob(
        "crop",
        "of pictures that are not square: cut out the middle, or pad them with their border's colour; pieces: leave "
        "them as they are, and learn from pieces of `size` pixels",
        choices=("crop", "pad", "pieces"),
    )
    twins: str = knob("", "a folder of the damaged twins of the pictures, of the same names, for degrade=pairs")
    to: str = knob("", "the pictures of the other kind, for translate: as source")
    linear: bool = knob(False, "scale in linear light: slower, and fine bright details stay bright")

    def shape(self) -> Shape:
        """The shape that pictures get.

        Raises:
            UserError: there are no pictures of two channels, or of fewer than four pixels.
        """
        if self.channels == 2:
            raise UserError(
                "channels=2: choose 1 (grey), 3 (colour), 4 (with transparency) or 0 (as the pictures are)."
            )
        if 0 < self.size < 4:
            raise UserError(f"size={self.size}: pictures of 4 pixels a side are the smallest; 0 means as they are.")
        return Shape(self.size, self.channels, self.fit, self.linear)


@dataclass(frozen=True)
class Experiment:
    """Data, network, task and training of a run; `recipe` is only the name that it came from."""

    recipe: str
    network: Any
    data: DataConfig = DataConfig()
    task: Any = generate.Config()
    training: trainer.Config = trainer.Config()

    def __post_init__(self) -> None:
        """Raises a UserError where a value is of the wrong type or out of range."""
        for name in SECTIONS:
            cf.check(getattr(self, name))
        task, network = tasks.name_of(self.task), networks.name_of(self.network)
        fitting = networks.BY_TASK[task]
        if network not in fitting:
            raise UserError(f"The network {network} is none for the task {task}: choose among {', '.join(fitting)}.")
        TASKS[task].takes(self.task)  # what its words mean is found out before anything is read
        if task != "generate" and self.training.evaluate_every:
            raise UserError(
                "evaluate_every is for models that draw from noise; others are checked beside each picture."
            )
        if task != "translate" and self.data.to:
            raise UserError(f"--to {self.data.to} is for translate alone: {task} learns from one kind of pictures.")
        if bool(self.data.twins) != (getattr(self.task, "degrade", "") == tasks.PAIRS):
            raise UserError(
                "twins=FOLDER and degrade=pairs belong together: damage that you have, beside damage that is made."
            )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        sections: dict[str, Any] = {name: dataclasses.asdict(getattr(self, name)) for name in SECTIONS}
        sections["network"] = {"name": networks.name_of(self.network), **sections["network"]}
        sections["task"] = {"name": tasks.name_of(self.task), **sections["task"]}
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
        name = str(parts["network"].pop("name", ""))[:60]
        if name not in networks.ALL:
            raise unknown("network", name, networks.ALL)
        task = str(parts["task"].pop("name", "generate"))[:60]  # once there was no other
        if task not in TASKS:
            raise unknown("task", task, TASKS)
        return cls(
            recipe=str(values.get("recipe", ""))[:200],
            network=cf.from_dict(networks.ALL[name].Config, parts["network"], "network"),
            data=cf.from_dict(DataConfig, parts["data"], "data"),
            task=cf.from_dict(TASKS[task].Config, parts["task"], "task"),
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

    def load_data(self) -> ImageData:
        """The images of this experiment.

        Raises:
            UserError: they cannot be found or read.
        """
        return data.load(self.source(), self.data.shape(), self.data.labels, self.data.twins, self.data.to)

    def source(self) -> str:
        """The name or path of the images.

        Raises:
            UserError: they are still to be named.
        """
        if not self.data.source:
            raise UserError(f"The recipe {self.recipe} is for images of your own: name them with --data FOLDER.")
        if isinstance(self.task, translate.Config) and not self.data.to:
            raise UserError(f"{self.recipe} turns one kind of pictures into another: name the other with --to FOLDER.")
        return self.data.source

    def build(self, spec: ImageSpec) -> Task:
        """The task with fresh networks; equal for equal seeds.

        Raises:
            UserError: the network cannot draw images of this kind, or has fewer layers than shall be frozen.
        """
        kind = TASKS[tasks.name_of(self.task)]
        spec = dataclasses.replace(spec, **kind.takes(self.task))
        if spec.size % spec.scale:
            raise UserError(f"size={spec.size} is no multiple of {spec.scale}, the factor of enlargement: choose one.")
        with self.enough_memory(spec):
            with torch.device("meta"):  # nothing is computed: only to see how large they are
                trainer.check_memory(networks.build(self.network, spec))
            torch.manual_seed(seeds.key(self.training.seed, "init"))
            generator, discriminator = networks.build(self.network, spec)
            if self.training.freeze:
                finetuning.freeze(discriminator, self.training.freeze, spec)
        return kind.of(generator, discriminator, spec, self.task, self.network)

    def enough_memory(self, spec: ImageSpec) -> contextlib.AbstractContextManager[None]:
        """Within it a lack of memory becomes a UserError that says which settings to lower."""
        return trainer.enough_memory(self.training.batch, spec.size, self.network)

    def batches(self, images: ImageData) -> Batches:
        """The order in which the images are seen.

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
        most = {n: min(getattr(self.task, n), 20 * batch) for n in ("select", "detect") if hasattr(self.task, n)}
        task = dataclasses.replace(self.task, **most)
        return dataclasses.replace(self, training=training, task=task)

    def new_folder(self) -> Path:
        """Make the next numbered folder below `runs/`, named after data and recipe.

        Raises:
            UserError: it cannot be made.
        """
        name = data.listing.bare_name(Path(self.data.source))
        label = name if name == self.recipe else f"{name}-{self.recipe.removeprefix(name + '-')}"
        return Run.create(Path("runs"), re.sub(r"[^\w.-]+", "-", label)).folder

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
                        told = finetuning.take(parts, self.training.from_)
            place = distributed.broadcast(place)
            bare = {"source": images.name, "twins": Path(self.data.twins).name}  # a model tells no paths
            bare["to"] = images.other.name if images.other is not None else ""
            run = Run(place, {**card, "data": {**card["data"], **bare}}, first)
            if first:
                yield from (Warned(0, note) for note in images.notes)
                yield from (Noted(0, text) for text in [told] if text)
            with self.enough_memory(images.spec):
                yield from self._events(training.fit(task, batches, self.training, run), run)

    def _place(self, folder: str | Path | None) -> Path:
        return file_place(folder) if folder is not None else self.new_folder()

    def _agree(self, card: dict[str, Any]) -> None:
        """Raise a UserError where the processes have unlike settings or see unlike data."""
        distributed.agree({"the fingerprint": card["fingerprint"], "kind": card["spec"]}, "data")
        settings = {f"{name}.{key}": value for name in SECTIONS for key, value in card[name].items()}
        for name in PLACES:  # known by its fingerprint, wherever it lies
            settings.pop(name)
        distributed.agree(settings, "settings")

    def _loading(self) -> Generator[Event, None, ImageData]:
        """As `load_data`; tells now and then how far the pictures are converted."""
        steps = data.loading(self.source(), self.data.shape(), self.data.labels, self.data.twins, self.data.to)
        told = -TELL
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            if time.monotonic() - told >= TELL and distributed.is_first():
                told = time.monotonic()
                yield Noted(0, f"{step.text}: {step.done:,} of {step.total:,} done.")

    def _events(self, events: Iterator[Event], run: Run) -> Iterator[Event]:
        try:
            for event in events:
                if isinstance(event, Saved):
                    report.write(run)
                yield event
            if run.writes:  # what came after the last snapshot is told too
                report.write(run)
        except GeneratorExit:
            events.close()  # pyright: ignore[reportAttributeAccessIssue]  # fit is a generator: it saves as it closes
            if run.writes:
                report.write(run)
            raise

    def _claim(self, run: Run, images: ImageData, card: dict[str, Any]) -> None:
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
        for name in ("recipe", *PLACES):  # the data is known by its fingerprint, wherever it lies now
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

    def card(self, images: ImageData) -> dict[str, Any]:
        """What a model file says of itself: settings, kind of image, classes, data."""
        return {
            **self.to_dict(),
            "spec": dataclasses.asdict(images.spec) | TASKS[tasks.name_of(self.task)].takes(self.task),
            "classes": list(images.class_names),
            "data_name": images.name,
            **({"other_name": images.other.name} if images.other is not None else {}),
            "fingerprint": images.fingerprint,
            "licence": images.licence,
            **({"depth": list(images.depth)} if any(images.depth) else {}),  # how greys of more than 8 bits became 8
        }
