"""The contract of a task: what the loop, the report, the command line and the studio know of it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.core.samples import Dataset, Preview
from ganvas.training.batches import Batch, Batches
from ganvas.training.studio import Part

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

BY_CONFIG: dict[type[Any], type[Task]] = {}


class Task(ABC):
    """Two networks and the losses by which they contest, and all else that only this task knows.

    The loop calls `discriminator_loss` and then `generator_loss` with the same batch, in that order; a dictionary of
    losses has the entry 'total', of which the loop takes the gradient, and others that it only logs.

    Whatever is large stands in other files of the task's folder and is named here by a `core.later.Later`.
    """

    name: ClassVar[str]  # as in `registry.TASKS`
    Config: ClassVar[type[Any]]  # its settings, a frozen dataclass of `config.knob`
    Data: ClassVar[Any]  # the settings of the data: see `core.samples.DataConfig`
    Spec: ClassVar[Any]  # the shape of its samples: see `core.samples.Spec`
    networks: ClassVar[
        dict[str, Any]
    ]  # by name, each with Config, Generator(spec, config), Discriminator(spec, config)
    recipes: ClassVar[Any] = {}  # by name functions that give an Experiment; or a module: all its public functions
    Model: ClassVar[Any]  # the class of trained models: see `core.model.TrainedModel`
    report: ClassVar[Any] = None  # what the report says of it: see `report.page.Part`
    evaluate: ClassVar[Any] = None  # how its models are measured: see `metrics.figures.Evaluate`
    measures_beside: ClassVar[str] = ""  # a module that measures a model in a process beside a training; may be none
    studio: ClassVar[Any] = Part()  # what the web studio shows of it: see `training.studio.Part`
    checks: ClassVar[str] = "discriminator-accuracy"  # the name in metrics.jsonl of what `check` finds
    next_steps: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    """What people may do with a model: a title, and the words of the command after `ganvas`; '{place}' is the run."""
    usage: ClassVar[str] = "is of another kind"
    """What a model of this task is for, where it was given to a command of another: '{file} {usage}.'"""

    generator: nn.Module
    discriminator: nn.Module
    learned: dict[str, nn.Module]  # what `finish` has learned, by name: part of the model from then on
    findings: dict[str, Any]  # what it found out, for the model's card
    dials: dict[str, Tensor]  # what it sets by itself as the training goes; part of a snapshot

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "Config" in vars(cls):
            BY_CONFIG[cls.Config] = cls

    # Before a training

    @classmethod
    @abstractmethod
    def of(cls, generator: nn.Module, discriminator: nn.Module, spec: Any, config: Any, network: Any) -> Task:
        """The task with these networks and its config; `network`: the networks' own."""

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        """Raise a UserError where settings of unlike sections do not go together."""
        return

    @classmethod
    def ready(cls, experiment: Experiment) -> None:
        """Raise a UserError where something is still to be named before the data can be read."""
        return

    @classmethod
    def network_spec(cls, spec: Any, config: Any) -> Any:
        """The shape that the networks are made for, where the data has this one.

        Raises:
            UserError: they do not go together.
        """
        return spec

    @classmethod
    def smoke(cls, config: Any, images: int) -> Any:
        """The config for a training of so few images that it only shows that everything works."""
        return config

    @classmethod
    def extras(cls, spec: Any, tensors: dict[str, Tensor]) -> dict[str, nn.Module]:
        """The networks that `finish` had learned and that a model file holds, by name, without their weights."""
        return {}

    @classmethod
    def check_card(cls, card: dict[str, Any]) -> None:
        """Raise a UserError where entries of a model's card that only this task writes are amiss."""
        return

    # The training

    @abstractmethod
    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The discriminator's loss on a batch of real samples and as many generated; None where it does not learn."""

    @abstractmethod
    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The generator's loss; None where it pauses in this step."""

    @abstractmethod
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        """The discriminator's accuracy ('real', 'fake') on these real samples and as many generated ones.

        Empty where there is no discriminator. Neither network's mode (training or evaluation) is changed.
        """

    def heed(self, logged: dict[str, Tensor]) -> None:
        """Take note of what a step logged, means over all processes."""
        return

    def adapt(self, generator: nn.Module, train: Batch, held_out: Batch, images: int) -> dict[str, Tensor]:
        """Set the dials anew, `images` images after the last time, by some training and held-out samples.

        `generator` draws for people. Returns what is logged.
        """
        return {}

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        """What is to be learned once the training is over, a step at a time, equal for equal seeds; mostly nothing.

        `run` holds the previews of many moments. Yields what a person should know ('': nothing).
        """
        yield from ()

    # What people see

    @abstractmethod
    def check(self, generator: nn.Module, batches: Batches, preview: Any) -> dict[str, float]:
        """Figures that are worth a look beside each `preview`; both networks are in evaluation mode."""

    @abstractmethod
    def preview(self, generator: nn.Module, batches: Batches) -> Preview:
        """Fixed samples of `generator`, the same latents at every moment."""

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        """What `check` found, in a sentence."""
        return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def task_of(config: Any) -> type[Task]:
    """The task that a config belongs to.

    Raises:
        UserError: it belongs to none.
    """
    for kind in type(config).__mro__:
        if kind in BY_CONFIG:
            return BY_CONFIG[kind]
    raise UserError(f"{type(config).__name__} is no task's settings: give task= the Config of a task.")


def network_of(task: type[Task], config: Any) -> tuple[str, Any] | None:
    """The name and the architecture that a network's config belongs to; None where it is none of the task's."""
    return next(((n, network) for n, network in task.networks.items() if type(config) is network.Config), None)


def recipes_of(task: type[Task]) -> dict[str, Callable[[], Experiment]]:
    """The task's recipes by name: of a module its public functions, in order, with '-' for '_'."""
    found: ModuleType | dict[str, Callable[[], Experiment]] = task.recipes
    if isinstance(found, dict):
        return found
    functions = {n: f for n, f in vars(found).items() if inspect.isfunction(f) and f.__module__ == found.__name__}
    return {n.replace("_", "-"): f for n, f in functions.items() if not n.startswith("_")}


def build(task: type[Task], config: Any, spec: Any) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator with fresh weights, from torch's global random numbers.

    Raises:
        UserError: the architecture is none of the task's, or cannot draw samples of this shape.
    """
    found = network_of(task, config)
    if found is None:
        raise UserError(f"{type(config).__name__} is no network's settings for the task {task.name}.")
    return found[1].Generator(spec, config), found[1].Discriminator(spec, config)


__all__ = ["Dataset", "Task", "build", "network_of", "recipes_of", "task_of"]
