"""Degradations that a restorer learns to undo, and plans that combine them.

A plan is written as text. Parts separated by `,` follow one another; parts joined by `+` are applied in an order that
is drawn anew for each picture (Zhang et al. 2021, "Designing a practical degradation model for deep blind image
super-resolution"): `blur:0-2+down:2,jpeg:60-95`. A part is a name with a value or a range, from which an
amount is drawn for each picture; a name alone has its usual range. A part that ends with `?` is done to every other
picture, by chance: `noise:0-50?`.

Nothing here imports torch, so that a wrong plan is refused at once. `degrade` applies them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from ganvas.core.errors import UserError, unknown

PAIRS = "pairs"  # the value of `degrade` where the user has the degraded pictures too
SOMETIMES = 0.5  # the share of pictures to which a part with a question mark is done
NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)"


class Degradation(NamedTuple):
    """A degradation: its usual range, the limits of that range, and a description with the amount's unit.

    `baselines`: the filters of `classical.FILTERS` that a trained restorer has to beat; for degradations that
    shrink or mark the pictures, bicubic enlargement or a smooth fill instead.
    """

    low: float
    high: float
    limits: tuple[float, float]
    about: str
    transparency: bool = False  # does it apply to a fourth channel too?
    baselines: tuple[str, ...] = ("median",)
    shrinks: bool = False  # are pictures made smaller, by the amount?
    marks: bool = False  # does it append a mask of missing pixels as a channel? Then it must come last


AVERAGING = ("median", "Gaussian", "bilateral", "non-local means")  # baselines against noise in every pixel
DEGRADATIONS = {
    "noise": Degradation(5, 50, (0, 255), "Gaussian noise, standard deviation in levels of 255", baselines=AVERAGING),
    "grain": Degradation(
        5, 50, (0, 255), "grey Gaussian noise, standard deviation in levels of 255", baselines=AVERAGING
    ),
    "poisson": Degradation(
        20, 200, (20, 10000), "photon noise, photons at white: fewer are worse", baselines=AVERAGING
    ),
    "jpeg": Degradation(10, 70, (1, 100), "JPEG compression, quality: lower is worse", baselines=AVERAGING),
    "blur": Degradation(0.5, 3, (0, 20), "Gaussian blur, standard deviation in pixels"),
    "down": Degradation(2, 2, (2, 4), "smaller by a whole factor, 2 or 4", True, (), shrinks=True),
    "rain": Degradation(5, 16, (0, 60), "rain, percent of the light that streaks cover"),
    "scratches": Degradation(10, 40, (0, 100), "scratches, how many on 256x256, as dense on other sizes"),
    "spots": Degradation(20, 150, (0, 1000), "dust and stains, how many on 256x256, as dense on other sizes"),
    "holes": Degradation(10, 40, (1, 90), "missing blocks and strokes, percent of the picture", True, (), marks=True),
}


@dataclass(frozen=True)
class Step:
    """A degradation by its name in DEGRADATIONS; each picture's amount is uniform in low..high.

    A picture gets it with the probability `chance`.
    """

    name: str
    low: float
    high: float
    chance: float = 1.0

    @property
    def kind(self) -> Degradation:
        return DEGRADATIONS[self.name]


@dataclass(frozen=True)
class Plan:
    """Groups of steps: the groups follow one another, the steps of a group come in an order drawn for each picture."""

    groups: tuple[tuple[Step, ...], ...]

    @property
    def steps(self) -> list[Step]:
        """The steps of all groups."""
        return [step for group in self.groups for step in group]

    @property
    def scale(self) -> int:
        """How many times smaller the pictures become; 1: they keep their size."""
        return math.prod(int(step.low) for step in self.steps if step.kind.shrinks)

    @property
    def masked(self) -> bool:
        """Do the pictures get a mask of what is missing as one more channel?"""
        return any(step.kind.marks for step in self.steps)

    @property
    def baselines(self) -> list[str]:
        """The classical filters that a restorer has to beat; none where pictures are enlarged or holes are filled."""
        if self.masked or self.scale > 1:
            return []
        names = {name for step in self.steps for name in step.kind.baselines} or {"median"}
        return [name for name in AVERAGING if name in names]


def parse(text: str) -> Plan:
    """Read a plan such as `noise:5-50` or `blur:0-2+down:2,noise:0-10,jpeg:60-95`.

    Raises:
        UserError: an unknown name, an invalid range or one beyond the limits, or steps that cannot be combined.
    """
    if not text.strip():
        raise UserError(f"degrade='{text}' is empty; name a damage, such as noise:25, of: {', '.join(DEGRADATIONS)}.")
    plan = Plan(tuple(tuple(_step(part.strip(), text) for part in group.split("+")) for group in text.split(",")))
    if plan.scale > 4:
        raise UserError(f"degrade={text} makes pictures {plan.scale} times smaller; leave a down away: 4 is the most.")
    marking = [step for step in plan.steps if step.kind.marks]
    if marking and (len(marking) > 1 or plan.groups[-1] != tuple(marking) or plan.scale > 1):
        name = marking[0].name
        raise UserError(f"degrade={text}: {name} comes alone, such as {name}:25.")
    return plan


def plan_of(text: str) -> Plan:
    """The plan that the setting `degrade` stands for; an empty one for pairs, where the user has the damaged pictures.

    Raises:
        UserError: as `parse`.
    """
    return Plan(()) if text == PAIRS else parse(text)


def _step(part: str, text: str) -> Step:
    name, colon, amount = (piece.strip() for piece in part.removesuffix("?").partition(":"))
    chance = SOMETIMES if part.endswith("?") else 1.0
    if not name:
        raise UserError(f"degrade={text} has an empty part; remove the needless comma or plus sign.")
    if name not in DEGRADATIONS:
        raise unknown("damage", name, DEGRADATIONS)
    kind = DEGRADATIONS[name]
    if not colon:
        return _checked(Step(name, kind.low, kind.high, chance), part)
    usual = f"{name}:{kind.low:g}" + (f"-{kind.high:g}" if kind.high > kind.low else "")
    match = re.fullmatch(rf"{NUMBER}(?:\s*-\s*{NUMBER})?", amount)
    if match is None:
        raise UserError(f"degrade: '{part}' needs a number or low-high after the colon, such as {usual}.")
    low, high = float(match[1]), float(match[2] or match[1])
    if kind.shrinks and (low != high or low not in (2, 4)):
        raise UserError(
            f"degrade: '{part}' is not possible; pictures get smaller by a whole factor: {name}:2 or {name}:4."
        )
    if low > high:
        raise UserError(f"degrade: '{part}' begins above its end; write {name}:{high:g}-{low:g}.")
    least, most = kind.limits
    if low < least or high > most:
        raise UserError(
            f"degrade: '{part}' is not within {least:g} and {most:g}, the limits of {name}; usual is {usual}."
        )
    return _checked(Step(name, low, high, chance), part)


def _checked(step: Step, part: str) -> Step:
    """The step, if it can be left out where it is to be.

    Raises:
        UserError: it changes the size or marks what is missing, and may not be done to all pictures.
    """
    if step.chance < 1 and (step.kind.shrinks or step.kind.marks):
        raise UserError(f"degrade: '{part}' cannot be done to some pictures only; remove the question mark.")
    return step


def check(text: str) -> None:
    """Raise a UserError if this cannot be a value of the setting `degrade`."""
    if text != PAIRS:
        parse(text)
