"""The interface of a task: what the loop, the report, the command line and the studio use."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from ganvas.core import own
from ganvas.core.errors import UserError, unknown
from ganvas.core.run import Run
from ganvas.core.samples import CHECK, Dataset, Preview
from ganvas.training.batches import Batch, Batches
from ganvas.training.studio import Part

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ganvas.metrics.figures import Figure
    from ganvas.training.experiment import Experiment
    from ganvas.training.several import Parts

BY_CONFIG: dict[type[Any], type[Task]] = {}
SHOWN = {
    "loss_d": ("Loss_D", ".3f"),
    "loss_g": ("Loss_G", ".3f"),
    "d_real": ("D(x)", ".3f"),
    "d_fake": ("D(G(z))", ".3f"),
    "accuracy_real": ("accuracy: real", ".0%"),
    "accuracy_fake": ("fake", ".0%"),
    "accuracy_held_out": ("held-out", ".0%"),
}
"""The values of a log row that are printed while a training runs, in this order: a short title and a format."""


class Task(ABC):
    """A generator, a discriminator, their losses, and everything else that is specific to one type of training.

    For each batch the loop calls `discriminator_loss` and then `generator_loss`. Both return a dictionary of scalars:
    'total', which is differentiated, and others, which are only logged.

    Larger parts are in other files of the task's folder; class attributes refer to them by `core.later.Later`.
    """

    name: ClassVar[str]  # as in `registry.TASKS`
    Config: ClassVar[type[Any]]  # its settings, a frozen dataclass with fields of `config.knob`
    Data: ClassVar[Any]  # the settings of the data: see `core.samples.DataConfig`
    Spec: ClassVar[Any]  # the shape of its samples: see `core.samples.Spec`
    networks: ClassVar[dict[str, Any]]
    """Architectures by name: modules with Config, Generator(spec, config) and Discriminator(spec, config)."""
    own_network: ClassVar[Any] = None
    """What makes an architecture of code of the user's own: (reference, settings or None) -> an object like these
    modules, with `pair` in place of Generator and Discriminator. None: the task has its own networks alone."""
    recipes: ClassVar[Any] = {}  # functions that return an Experiment, by name; or a module of them
    Model: ClassVar[Any]  # the class of trained models: see `core.model.TrainedModel`
    report: ClassVar[Any] = None  # its part of the report, a `report.page.Part`; None: the general one
    report_parts: ClassVar[Any] = None  # the same, of the report of a training in parts
    quantities: ClassVar[Any] = {}  # `report.quantities.Quantity` by name, of values that only this task logs or checks
    shown: ClassVar[dict[str, tuple[str, str]]] = SHOWN  # as SHOWN, with those of the task
    evaluate: ClassVar[Any] = None
    """What `ganvas evaluate` does with its models: a function (source: Path, options: Options) -> exit code, which
    prints its results (see `training.evaluate.Options`). None: the metrics of `measure` are printed."""
    measures_files: ClassVar[bool] = (
        False  # does `evaluate` accept a folder of such samples too, as the first task does?
    )
    expand: ClassVar[Any] = None
    """What `ganvas.expand` does with its models: a function with these arguments. None: it refuses them."""
    for_own: ClassVar[str] = ""  # the recipe for the user's own data; '': `Data` is another task's as well, or rare
    check_data: ClassVar[Any] = None
    """What `ganvas data check` does with sources that `Data.takes`: a generator (source, settings as texts, a file to
    write or None) that yields how far it is, and returns lines for people and the JSON form."""
    data_use: ClassVar[Any] = None
    """What `ganvas data check --for NAME` needs to know where several tasks learn from the same kind of samples; of a
    class that its check knows. None: the check does not ask for this task."""
    glance: ClassVar[Any] = None
    """A quick look for the studio: a function of a source that `Data.takes`, which returns `count`, `recipe` (the one
    that fits) and `notes`. None: the first recipe of the goal fits any."""
    check_writes: ClassVar[str] = "--columns"  # the option of `ganvas data check` that names this file
    not_compared: ClassVar[str] = ""  # why `ganvas compare` refuses its models; printed after the name of one
    measures_beside: ClassVar[str] = ""  # module that evaluates models in the background, if there is one
    studio: ClassVar[Any] = Part()  # what the web studio shows of it: see `training.studio.Part`
    checks: ClassVar[str] = "discriminator-accuracy"  # the name in metrics.jsonl of the values that `check` returns
    next_steps: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    """What can be done with a model: a title, and the arguments of `ganvas`; '{place}' stands for the run."""
    next_for_parts: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()  # as `next_steps`, of a training in parts
    load_parts: ClassVar[Any] = None  # a function (folder, device): what `ganvas.load` gives of a training in parts
    usage: ClassVar[str] = "is of another type"
    """What its models are for; the message of another task's command that is given one is '{file} {usage}.'"""

    generator: nn.Module
    discriminator: nn.Module
    learned: dict[str, nn.Module]  # networks trained by `finish`, by name; part of the finished model
    findings: dict[str, Any]  # results of `finish`: entries of the model's card
    state: dict[str, Tensor]  # quantities that the task adjusts during the training; saved in snapshots

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "Config" in vars(cls):
            BY_CONFIG[cls.Config] = cls

    # Before a training

    def __init__(self, generator: nn.Module, discriminator: nn.Module, spec: Any, config: Any, network: Any) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.spec, self.config, self.network = spec, config, network
        self.learned, self.findings, self.state = {}, {}, {}

    @classmethod
    def of(cls, generator: nn.Module, discriminator: nn.Module, spec: Any, config: Any, network: Any) -> Task:
        """Make the task.

        Args:
            spec: the shape of the samples that the networks were made for.
            config: the task's settings, of class `Config`.
            network: the settings of the networks.
        """
        return cls(generator, discriminator, spec, config, network)

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        """Raise a UserError if settings of different sections contradict each other."""
        return

    @classmethod
    def ready(cls, experiment: Experiment) -> None:
        """Raise a UserError if a setting is missing that is needed to read the data."""
        return

    @classmethod
    def defaults(cls, experiment: Experiment, given: dict[str, str]) -> dict[str, str]:
        """Settings that others call for that are newly `given`, as far as they are not given too."""
        return {}

    @classmethod
    def remarks(cls, experiment: Experiment) -> list[str]:
        """What is to be said when a new training begins, such as which setting was chosen by the data."""
        return []

    @classmethod
    def check_extended(cls, experiment: Experiment) -> None:
        """Raise a UserError if a run cannot be given more `images` than it began with."""
        return

    @classmethod
    def in_parts(cls, experiment: Experiment) -> bool:
        """Does the training consist of several?"""
        return False

    @classmethod
    def parts(cls, experiment: Experiment, folder: Path | None) -> Parts | None:
        """What the training consists of where `in_parts` says that it is several; None: it is one.

        Args:
            folder: where it is or will be; None: it is not known yet.

        Raises:
            UserError: they cannot be told.
        """
        return None

    @classmethod
    def network_spec(cls, spec: Any, config: Any) -> Any:
        """The shape that the networks are made for, given the shape of the data.

        Raises:
            UserError: the settings do not suit the data.
        """
        return spec

    @classmethod
    def smoke(cls, config: Any, images: int) -> Any:
        """The config for a smoke test: a training of so few images that it only shows that nothing fails."""
        return config

    @classmethod
    def extras(cls, spec: Any, tensors: dict[str, Tensor]) -> dict[str, nn.Module]:
        """New networks, by name, for those of `learned` whose weights are among a model file's tensors."""
        return {}

    @classmethod
    def check_card(cls, card: dict[str, Any]) -> None:
        """Raise a UserError if entries of a model's card that only this task writes are wrong."""
        return

    # The training

    def prepare(self, config: Any, batches: Batches) -> None:
        """Called once, before the last snapshot is restored.

        Args:
            config: of the training, a `trainer.Config`.
        """
        return

    def begin(
        self, config: Any, batches: Batches, precision: AbstractContextManager[Any]
    ) -> Iterator[tuple[float, str]]:
        """Work on the networks to be done before the first step of a new training; by default none.

        The results depend on the seed alone. If it is interrupted, it starts over.

        Args:
            config: of the training, a `trainer.Config`.
            precision: the context for forward passes.

        Yields:
            After each piece of work the share that is done, 0 to 1, and a sentence for the user ('': none).
        """
        yield from ()

    def shared(self, row: dict[str, Any]) -> dict[str, Any]:
        """What a model file may tell of the last log row."""
        return row

    @abstractmethod
    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The discriminator's losses on real and as many generated samples; None if it is not trained now."""

    @abstractmethod
    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The generator's losses; None if it is not trained in this step."""

    def is_over(self) -> str:
        """Why the training ends before its length, as a sentence; '': it continues. The same on every rank, and decided
        by `check` from what `state` keeps, so that a resumed training ends where the unbroken one does."""
        return ""

    @abstractmethod
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        """The discriminator's accuracy, 0 to 1, on real samples ('real') and as many generated ones ('fake').

        Empty if there is no discriminator. The networks stay in their mode (training or evaluation). The loop
        calls this and all methods that follow without gradients.

        Args:
            generator: the generator to use; None: the task's.
        """

    def update(self, logged: dict[str, Tensor]) -> None:
        """Update the `state` from the scalars that a step logged, averaged over all processes."""
        return

    def adapt(self, generator: nn.Module, train: Batch, held_out: Batch, images: int) -> dict[str, Tensor]:
        """Adjust the task's `state`.

        Args:
            generator: the averaged one, if there is averaging.
            train, held_out: some training and some held-out samples.
            images: images seen since the last call.

        Returns:
            Scalars to be logged, by name.
        """
        return {}

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        """Work to be done after the training, step by step; by default none.

        The results depend on the seed alone; they are stored in `learned` and `findings`.

        Args:
            generator: the averaged one, if there is averaging.
            run: holds the previews of the training.

        Yields:
            A sentence for the user after each step, '' for none.
        """
        yield from ()

    # What the user sees

    def check(self, generator: nn.Module, batches: Batches, preview: Any) -> dict[str, float]:
        """Metrics that are reported with each `preview`; both networks are in evaluation mode.

        By default the discriminator's accuracy on training samples, generated and held-out ones.
        """
        seen, held_out = (self.accuracy(batch(CHECK), generator) for batch in (batches.seen, batches.held_out))
        figures = {name: float(value) for name, value in seen.items()}
        return {**figures, "held_out": float(held_out["real"])} if held_out else figures

    @abstractmethod
    def preview(self, generator: nn.Module, batches: Batches) -> Preview:
        """Samples of `generator`, always from the same latents or inputs."""

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        """The metrics of `check` in a sentence."""
        return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())

    @classmethod
    def log_line(cls, row: dict[str, Any]) -> str:
        """The values of a log row for a printed line, after progress and speed."""
        shown = ((title, form, row[key]) for key, (title, form) in cls.shown.items() if key in row)
        return "  ".join(f"{title} {value:{form}}" for title, form, value in shown)

    @classmethod
    def headline(cls, rows: list[dict[str, Any]], checks: list[dict[str, Any]]) -> str:
        """The state of a training, in a sentence; empty where none is known.

        Args:
            rows: log rows so far, oldest first.
            checks: results of `check` so far, oldest first, each with 'images', the images seen.
        """
        figures = {name: value for name, value in checks[-1].items() if name != "images"} if checks else {}
        return cls.describe(figures) if figures else ""

    @classmethod
    def measure(cls, model: Any, data: Any, count: int, seed: int) -> Iterator[Figure]:
        """Metrics of a trained model, for `ganvas evaluate` of a task without `evaluate`.

        Each is printed in a table and appended to metrics.jsonl with its protocol; `metrics.figures.figure` makes one.

        Args:
            model: the task's `Model`, loaded from a file.
            data: the data set that it was trained on, or that the user names with --data.
            count: samples to generate, at most (--count).
            seed: of the first sample, and of all choices of real ones (--seed).

        Raises:
            UserError: the data does not suit the model, or there is too little of it.
        """
        raise UserError(f"These models cannot be measured: the task {cls.name} has no metrics.")


def task_of(config: Any) -> type[Task]:
    """The task whose `Config` a config is.

    Raises:
        UserError: it belongs to none.
    """
    for kind in type(config).__mro__:
        if kind in BY_CONFIG:
            return BY_CONFIG[kind]
    raise UserError(f"{type(config).__name__} is not the settings of a task: give task= the Config of a task.")


def network_of(task: type[Task], config: Any) -> tuple[str, Any] | None:
    """Name and architecture of a network's config; None if it is not one of the task's networks."""
    architecture = getattr(config, "architecture", None)  # of code of the user's own
    if architecture is not None and task.own_network is not None:
        return architecture.reference, architecture
    return next(((n, network) for n, network in task.networks.items() if type(config) is network.Config), None)


def network_config(task: type[Task], name: str) -> Any:
    """The default settings of one of the task's networks, or of code of the user's own: `my.py:Net`, or a reference.

    Raises:
        UserError: there is no such network, or the task takes no code.
    """
    if name in task.networks:
        return task.networks[name].Config()
    if not (own.is_spoken(name) or own.is_reference(name)):
        raise unknown("network", name[:60], task.networks, "A network of your own is FILE.py:NAME.")
    if task.own_network is None:
        raise UserError(
            f"network={own.bare(name)}: networks of your own are for recipes that draw pictures from noise, such as "
            f"images; the task {task.name} has {', '.join(task.networks)}."
        )
    return task.own_network(own.given(name) if own.is_spoken(name) else name).Config()


def recipes_of(task: type[Task]) -> dict[str, Callable[[], Experiment]]:
    """The task's recipes by name; those of a module are its public functions, with '-' for '_'."""
    recipes: ModuleType | dict[str, Callable[[], Experiment]] = task.recipes
    if isinstance(recipes, dict):
        return recipes
    functions = {n: f for n, f in vars(recipes).items() if inspect.isfunction(f) and f.__module__ == recipes.__name__}
    return {n.replace("_", "-"): f for n, f in functions.items() if not n.startswith("_")}


def build(task: type[Task], config: Any, spec: Any) -> tuple[nn.Module, nn.Module]:
    """A new generator and discriminator, initialised from torch's global random numbers.

    Raises:
        UserError: the architecture is not one of the task's, or cannot make samples of this shape.
    """
    entry = network_of(task, config)
    if entry is None:
        raise UserError(f"{type(config).__name__} is not the settings of a network for the task {task.name}.")
    if is_own(config):
        return entry[1].pair(spec, config)
    return entry[1].Generator(spec, config), entry[1].Discriminator(spec, config)


def is_own(config: Any) -> bool:
    """Are these the settings of a network of the user's own?"""
    return hasattr(config, "architecture")


__all__ = ["Dataset", "Task", "build", "is_own", "network_config", "network_of", "recipes_of", "task_of"]
