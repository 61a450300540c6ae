"""The generator and the discriminator of a trained model, used on their own."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganvas import checkpoint, distributed, networks
from ganvas import config as cf
from ganvas import images as im
from ganvas.detection import Detector, probabilities, smallest_alarm, why_none_in
from ganvas.errors import UserError, first_line, unknown
from ganvas.locate import locate
from ganvas.selection import Selector, kept
from ganvas.spec import ImageSpec
from ganvas.tasks import TASKS

BATCH = 256  # pictures that are drawn at a time
NEEDED: dict[str, type] = {  # in a model's card
    "recipe": str,
    "images": int,
    "training": dict,
    "task": dict,
    "network": dict,
    "data": dict,
    "machine": dict,
    "data_name": str,
    "licence": str,
    "fingerprint": str,
    "classes": list,
}
PERHAPS: dict[str, type] = {
    "log": dict,
    "metrics": list,
    "other_name": str,
    "signs": dict,
    "detector": dict,
    "restoration": dict,
    "translation": dict,
}
OF_DATA: dict[str, type] = {"source": str, "to": str, "twins": str, "fit": str, "labels": bool, "linear": bool}
USES = {  # what a model of another task is for
    "generate": "draws pictures from noise: use `ganvas sample`, and `ganvas train denoise` for a model that mends",
    "restore": "mends pictures and draws none from noise: use `ganvas restore MODEL FILES... --out DIR`",
    "translate": "turns pictures into another kind: use `ganvas translate MODEL FILES... --to B --out DIR`",
}


@dataclass(frozen=True)
class Verdict:
    """How probable it is (0..1) that an image is of the kind that was trained on, and 'yes', 'no' or 'not sure'.

    The probability holds where as many images of this kind as others come.
    """

    probability: float
    kind: str


@dataclass(frozen=True)
class Model:
    """A trained pair of networks and the card that explains them."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    latent_dim: int
    class_names: tuple[str, ...]
    card: dict[str, Any]
    selector: Selector | None = None
    detector: Detector | None = None

    @torch.inference_mode()
    def sample(
        self,
        n: int = 16,
        classes: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        truncation: float | None = None,
    ) -> Tensor:
        """Draw n pictures: the seeds `seed`, `seed` + 1, ...

        Args:
            n: how many.
            classes: a class (its number or name) for all of them, or a list of n; None takes the classes in turn.
            seed: of the first picture; a seed and a class are one picture, however many are drawn with it.
            truncation: limit of the latent numbers (1 to 2 is usual): fewer odd pictures, less variety.

        Returns:
            float [n, C, H, W] in [-1, 1] on the CPU.

        Raises:
            UserError: a class that the model does not have, a list of another length than n, or a truncation of 0.
        """
        return torch.cat(
            [
                torch.empty(0, self.spec.channels, self.spec.size, self.spec.size),
                *self.draw(range(seed, seed + n), classes, truncation),
            ]
        )

    def draw(
        self,
        numbers: Sequence[int],
        classes: int | str | Sequence[int | str] | None = None,
        truncation: float | None = None,
    ) -> Iterator[Tensor]:
        """As `sample`, for any list of seeds, in portions of up to 256 pictures.

        Processes that work together (`distributed.joined`) draw a portion each, and the first of them gets all.

        Raises:
            UserError: a class or a truncation that there is not, or the generator draws values that are no numbers.
        """
        if truncation is not None and not truncation > 0:
            raise UserError(f"truncation is {truncation:g}; it must be above 0 (1 to 2 is usual; none: leave it out).")
        device = next(self.generator.parameters()).device
        labels = self.labels(classes, len(numbers))

        @torch.inference_mode()
        def portion(i: int) -> Tensor:
            y = None if labels is None else labels[i : i + BATCH].to(device)
            return kept(self.generator, self.selector, numbers[i : i + BATCH], self.latent_dim, y, truncation).cpu()

        done = 0
        for drawn in distributed.spread(range(0, len(numbers), BATCH), portion):
            bad = (~drawn.isfinite()).flatten(1).any(1).nonzero()[:, 0].tolist()
            if bad:
                seed = numbers[done + bad[0]]
                raise UserError(
                    f"{self.path} draws values that are not numbers (seed {seed}): its training went wrong."
                )
            done += len(drawn)
            yield drawn

    def pictures(
        self,
        numbers: Sequence[int],
        classes: int | str | Sequence[int | str] | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """As `draw`, all at once, in 8 bits: uint8 [n, C, H, W]."""
        return im.join(map(im.to_uint8, self.draw(numbers, classes, truncation)), self.spec.channels, self.spec.size)

    def detect(self, images: Tensor, alarm: float = 0.05) -> list[Verdict]:
        """Ask the discriminator whether images are of the kind that it was trained on.

        Args:
            images: uint8 [n, C, H, W], or float in [-1, 1] (rounded to 8 bits first).
            alarm: the share of images of this kind that may be called 'no' (0 to 0.5).

        Raises:
            UserError: images of another shape, an alarm rate out of range, or a model without a detector.
        """
        detector = self.detector_for(alarm)
        shape = (self.spec.channels, self.spec.size, self.spec.size)
        if tuple(images.shape[1:]) != shape:
            raise UserError(f"The images have the shape {tuple(images.shape[1:])}; {shape} is needed.")
        pixels = images if images.dtype == torch.uint8 else im.to_uint8(images)
        if not len(pixels):
            return []
        no, yes = detector.thresholds(alarm)
        found = probabilities(self.discriminator, detector, pixels).tolist()
        return [Verdict(p, "no" if p < no else "yes" if p >= yes else "not sure") for p in found]

    def detector_for(self, alarm: float) -> Detector:
        """The detector, where it can be asked with this false-alarm rate.

        Raises:
            UserError: the model has none, or the rate is out of range.
        """
        if self.detector is None:
            raise UserError(f"{self.path} has no detector: {self.no_detector}.")
        if not 0 < alarm <= 0.5:
            raise UserError(f"The false-alarm rate is {alarm:g}; it must be above 0 and at most 0.5.")
        if alarm < self.smallest_alarm:
            raise UserError(
                f"The false-alarm rate is {alarm:g}; the detector of {self.path} was calibrated on few real images and "
                f"can promise {math.ceil(1e4 * self.smallest_alarm) / 1e4:g} at best. Take that or a larger one."
            )
        return self.detector

    @property
    def no_detector(self) -> str:
        """Why there is no detector, without a full stop; empty where there is one."""
        return "" if self.detector is not None else why_none_in(self.card)

    @property
    def smallest_alarm(self) -> float:
        """The smallest false-alarm rate that the detector can promise; 0 where the card does not tell."""
        found = self.card.get("detector")
        counts = [found.get(key) for key in ("calibrated", "real")] if isinstance(found, dict) else []  # older: as many
        count = next((n for n in counts if type(n) is int and n > 0), None)
        return smallest_alarm(count) if count else 0.0

    def labels(self, classes: int | str | Sequence[int | str] | None, n: int) -> Tensor | None:
        """Class numbers int64 [n] for `classes` as `sample` takes them; None for a model without classes.

        Raises:
            UserError: a class that the model does not have, or a list of another length than n.
        """
        if not self.class_names:
            if classes is not None:
                raise UserError(f"{self.path} was trained without labels: it draws whatever it likes, no class.")
            return None
        if classes is None:
            return torch.arange(n) % len(self.class_names)
        if isinstance(classes, int | str):
            return torch.full((n,), self.class_number(classes))
        numbers = [self.class_number(c) for c in classes]
        if len(numbers) != n:
            raise UserError(f"{len(numbers)} classes were given for {n} pictures; give one class, or {n}.")
        return torch.tensor(numbers)

    def class_number(self, name: int | str) -> int:
        """The number of a class given by number or name.

        Raises:
            UserError: the model has no such class.
        """
        if str(name) in self.class_names:
            return self.class_names.index(str(name))
        if isinstance(name, int) and 0 <= name < len(self.class_names):
            return name
        raise unknown(f"class in {self.path.name}", str(name), self.class_names)


class Trained(Protocol):
    """A model of any task."""

    @property
    def path(self) -> Path: ...
    @property
    def generator(self) -> nn.Module: ...
    @property
    def discriminator(self) -> nn.Module: ...
    @property
    def spec(self) -> ImageSpec: ...
    @property
    def card(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Loaded:
    """A model file's networks with their weights, before anything is made of them."""

    path: Path
    parts: dict[str, nn.Module]
    spec: ImageSpec
    config: Any  # of the networks
    card: dict[str, Any]


def load(path: str | os.PathLike[str], device: str = "auto") -> Model:
    """Load a trained model from a run's folder, a model file or hf://user/name; nothing else is needed.

    Args:
        device: where to draw and judge; auto: a CUDA device where there is one, else the CPU.

    Raises:
        UserError: there is no such file, it is damaged, it was written by a newer version, or it draws nothing.
    """
    found = networks_of(path, "generate", device)
    parts, names = found.parts, tuple(found.card["classes"])
    selector, detector = parts.get("selector"), parts.get("detector")
    assert selector is None or isinstance(selector, Selector)
    assert detector is None or isinstance(detector, Detector)
    generator, discriminator, latent_dim = parts["generator"], parts["discriminator"], found.config.latent_dim
    return Model(found.path, generator, discriminator, found.spec, latent_dim, names, found.card, selector, detector)


def task_of(card: dict[str, Any]) -> str:
    """What a model of this card was trained to do."""
    return str(card["task"].get("name", "generate"))


def networks_of(path: str | os.PathLike[str], task: str, device: str = "auto") -> Loaded:
    """The networks of a model file that was trained for this task.

    Raises:
        UserError: as `load`; or the model is of another task.
    """
    if device == "auto":
        device = f"cuda:{distributed.local_rank()}" if torch.cuda.is_available() else "cpu"
    file = locate(path)
    tensors, card = checkpoint.load(file)
    _check(file, card)
    theirs = task_of(card)
    if theirs != task and theirs in USES and task in USES:
        raise UserError(f"{file} {USES[theirs]}.")
    try:
        _check_task(card, theirs)
        with torch.device("meta"):  # nothing is computed, and no card can ask for more memory than its file has
            parts, spec, config = _build(card, tensors)
        if len(card["classes"]) != spec.classes:
            raise UserError(f"it names {len(card['classes'])} classes and draws {spec.classes}.")
    except UserError as error:
        raise UserError(f"{file} describes no model that this Ganvas knows: {str(error)[:400]}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        told = first_line(error)[:400]
        raise UserError(f"{file} describes no network that this version of Ganvas knows ({told}).") from error
    strange = sorted({name.partition(".")[0] for name in tensors} - parts.keys())
    if strange:
        raise checkpoint.Damaged(f"{file} holds weights of no network that it describes ({strange[0][:40]} ...).")
    for name, network in parts.items():
        checkpoint.load_module(name, network, tensors, file)
        network.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Loaded(file, parts, spec, config, card)


def _check(file: Path, card: dict[str, Any]) -> None:
    """Make sure that a card has what a model's card has, each of its kind.

    Raises:
        UserError: it has not; it names the first that is amiss.
    """
    for name, kind in (NEEDED | PERHAPS).items():
        value = card.get(name)
        if value is None and name in PERHAPS:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            lacks = f"its card lacks {name}" if name not in card else f"{name} in its card is {str(value)[:40]}"
            raise UserError(f"{file} is no whole model: {lacks}.")
    if not all(isinstance(name, str) for name in card["classes"]):
        raise UserError(f"{file} is no whole model: its card lacks the names of its classes.")
    for name, kind in OF_DATA.items():
        if name in card["data"] and not isinstance(card["data"][name], kind):
            raise UserError(f"{file} is no whole model: {name} in its card is {str(card['data'][name])[:40]}.")
    ranges = (card.get("signs") or {}).values()
    if not all(isinstance(r, list) and len(r) == 2 and all(isinstance(v, int | float) for v in r) for r in ranges):
        raise UserError(f"{file} is no whole model: the signs of damage in its card are no ranges.")
    if not all(isinstance(row, dict) and isinstance(row.get("metric"), str) for row in card.get("metrics") or []):
        raise UserError(f"{file} is no whole model: the metrics in its card are no figures.")
    trained = card["training"]
    numbers = {"images": card["images"], "images of training": trained.get("images"), "seed": trained.get("seed")}
    for name, value in numbers.items():
        if type(value) is not int or not 0 <= value <= cf.LARGEST:
            raise UserError(f"{file} is no whole model: the {name} in its card is {str(value)[:40]}.")


def _check_task(card: dict[str, Any], name: str) -> None:
    """Check the task's settings, and put those that an older card lacks in.

    Raises:
        UserError: a task that there is not, or a setting of another type or out of range.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    kind = TASKS[name].Config
    known = {key: value for key, value in card["task"].items() if key in cf.types_of(kind)}  # others may have been once
    config = cf.from_dict(kind, known, "task")
    TASKS[name].takes(config)
    card["task"] = {**dataclasses.asdict(config), **card["task"]}


def _build(card: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, nn.Module], ImageSpec, Any]:
    """The networks that a card describes, without their weights; the kind of image; the networks' config."""
    spec, knobs = ImageSpec.from_dict(card.get("spec")), dict(card["network"])
    name = str(knobs.pop("name", ""))
    fitting = networks.BY_TASK[task_of(card)]
    if name not in fitting:
        raise unknown("network", name, fitting)
    config = cf.from_dict(fitting[name].Config, knobs, "network")
    generator, discriminator = networks.build(config, spec)
    parts: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    if any(name.startswith("selector.") for name in tensors):
        parts["selector"] = Selector(spec.channels, spec.size)
    if any(name.startswith("detector.") for name in tensors):
        parts["detector"] = Detector(len(tensors["detector.mean"]))
    return parts, spec, config
