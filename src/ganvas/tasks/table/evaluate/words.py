"""What the figures of a table mean, in plain words: for the terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol


class Read(Protocol):
    """A figure as it is read: `ganvas.metrics.figures.Figure`, or one of a report."""

    @property
    def value(self) -> float: ...
    @property
    def spread(self) -> float: ...
    @property
    def floor(self) -> float: ...


GUESSING = 0.02  # above the floor of an AUC: within what another seed gives
LEAKS = 0.05  # advantage of an attack on its floor from which training rows are in danger


def quality(figures: Mapping[str, Read]) -> list[str]:
    """Sentences on how good the rows are."""
    lines = []
    if f := _known(figures, "c2st-accuracy"):
        also = "" if math.isnan(f.floor) else f" With other real rows in place of the drawn ones: {f.floor * 100:.0f}."
        lines.append(
            f"A fresh expert that learns to tell drawn rows from real ones is right in {f.value * 100:.0f} of 100 "
            "cases; 50 "
            f"is guessing.{also}"
        )
    if f := _known(figures, "c2st"):
        lines.append(told_apart(f.value, f.floor))
    if f := _known(figures, "tstr"):
        lines.append(
            f"What boosted trees learn from drawn rows predicts {f.value:.0%} as well as what they learn from as many "
            "real ones, over "
            f"all columns that can be predicted (other real rows: {f.floor:.0%})."
        )
    if (f := _known(figures, "coverage")) and (g := _known(figures, "precision")):
        lines.append(
            f"{f.value:.0%} of the real rows have a drawn one close by (other real rows: {f.floor:.0%}), and "
            f"{g.value:.0%} "
            f"of the drawn rows are close to a real one ({g.floor:.0%})."
        )
    if f := _known(figures, "impossible"):
        lines.append(
            "No drawn cell is impossible."
            if not f.value
            else f"{f.value:,.0f} drawn cells are impossible: this is an error."
        )
    if f := _known(figures, "broken-rules"):
        lines.append("Every drawn row keeps the rules." if not f.value else f"Rules are broken {f.value:,.0f} times.")
        if f.floor > 0:
            lines[-1] += (
                f" Held-out rows break them {f.floor:,.0f} times: combinations that so few rows have are not drawn."
            )
    return lines


def told_apart(value: float, floor: float) -> str:
    """What the AUC of a fresh expert means."""
    above = value - (0.5 if math.isnan(floor) else floor)
    if above <= GUESSING:
        return "It tells them apart no better than real rows from real rows."
    words = (
        "hardly" if above <= 0.1 else "somewhat" if above <= 0.2 else "clearly" if above <= 0.35 else "nearly always"
    )
    return (
        f"It can {words} tell them apart: given a drawn and a real row, it picks the real one {value:.0%} of the time."
    )


def privacy(figures: Mapping[str, Read]) -> list[str]:
    """Sentences on whether drawn rows give training rows away."""
    lines = []
    if f := _known(figures, "nearer-training"):
        low, high = 0.5 - 3 * max(f.spread, 0.005), 0.5 + 3 * max(f.spread, 0.005)
        meaning = (
            "as it should be" if low <= f.value <= high else "they lean towards training rows" if f.value > high else ""
        )
        text = (
            f"{f.value:.0%} of the drawn rows are nearer to a training row than to a held-out row that was never seen"
        )
        lines.append(f"{text}; 50% means no difference{': ' + meaning if meaning else ''}.")
    if f := _known(figures, "copies"):
        lines.append(
            f"{f.value:.1%} of the drawn rows are exactly in the training data; of the held-out rows, which "
            "nothing copied, "
            f"{f.floor:.1%} are: {_beyond(f.value - f.floor)}."
        )
    if f := _known(figures, "repeats"):
        lines.append(f"{f.value:.1%} of the drawn rows repeat another one; of as many real rows {f.floor:.1%}.")
    for name, how in (
        ("membership-distance", "who only has the drawn rows"),
        ("membership-likelihood", "who has the model itself"),
    ):
        if f := _known(figures, name):
            right = 50 + 50 * f.value
            lines.append(
                f"An attacker {how}, and asks whether a certain row was among the training rows, is right in "
                f"{right:.0f} of "
                f"100 cases; 50 is guessing{_danger(f)}."
            )
    return lines


def _beyond(more: float) -> str:
    if more <= 0.001:
        return "no more than by chance"
    return f"{more:.1%} more than by chance" if more <= 0.03 else f"{more:.1%} more than by chance, which is a lot"


def _danger(attack: Read) -> str:
    """What to do where an attack gains more than chance does, beyond two standard errors."""
    chance = max(0.0, 0.0 if math.isnan(attack.floor) else attack.floor)
    error = 0.0 if math.isnan(attack.spread) else attack.spread
    if attack.value - chance - 2 * error <= LEAKS:
        return ""
    return ". That is a leak: train for a shorter time, on more rows, or with more dropout"


def _known(figures: Mapping[str, Read], name: str) -> Read | None:
    """The figure of this name, if it has a value."""
    found = figures.get(name)
    return None if found is None or math.isnan(found.value) else found
