"""The quantities that a training logs, with titles and meanings; numbers and means from log rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from statistics import fmean
from typing import Any, NamedTuple

Rows = list[dict[str, Any]]

MOST = 1e100  # sums of such numbers are still finite


class Quantity(NamedTuple):
    """How a number of log.jsonl or metrics.jsonl is shown."""

    title: str
    form: str  # a format: '.3g'
    meaning: str


Quantities = Mapping[str, Quantity]

GENERAL: dict[str, Quantity] = {
    "loss_d": Quantity("Expert's loss", ".3g", "its error; low when it is right and sure"),
    "loss_g": Quantity("Forger's loss", ".3g", "its error; low when its forgeries pass for real"),
    "accuracy_real": Quantity("Accuracy, real", ".1%", "training images that the expert takes for real"),
    "accuracy_fake": Quantity("Accuracy, generated", ".1%", "forgeries that it recognises"),
    "accuracy_held_out": Quantity(
        "Accuracy, held-out", ".1%", "real images it never trained on that it takes for real"
    ),
    "d_real": Quantity("D(x)", ".3g", "its mean verdict on real images"),
    "d_fake": Quantity("D(G(z))", ".3g", "its mean verdict on forgeries"),
    "d_fake_after": Quantity("D(G(z)), after", ".3g", "the same once it has learned from the batch"),
    "r1": Quantity("R1", ".3g", "how steeply its verdict changes around real images (squared)"),
    "r2": Quantity("R2", ".3g", "the same around forgeries"),
    "gradient_penalty": Quantity("Gradient penalty", ".3g", "how far that steepness is from 1 (squared)"),
    "lr_g": Quantity("Learning rate, G", ".3g", "of the forger (generator)"),
    "lr_d": Quantity("Learning rate, D", ".3g", "of the expert (discriminator)"),
    "images_per_second": Quantity("Images a second", ",.0f", "real images shown to the expert"),
}
"""What every adversarial training may log; a task adds its own as `Task.quantities`."""


def worded(text: str, noun: str) -> str:
    """A text about images with another noun for them: of sounds, 'a training image' is 'a training sound'."""
    if noun == "images":
        return text
    plural, singular = noun, noun.removesuffix("s")
    words = {"images": plural, "pictures": plural, "image": singular, "picture": singular}
    whole = re.compile(r"\b(images?|pictures?)\b(?!=)", re.IGNORECASE)
    return whole.sub(lambda m: words[m[0].lower()].capitalize() if m[0][0].isupper() else words[m[0]], text)


def about(quantities: Quantities, noun: str) -> Quantities:
    """Quantities whose titles and meanings speak of samples of this noun: see `worded`."""
    return {k: Quantity(worded(q.title, noun), q.form, worded(q.meaning, noun)) for k, q in quantities.items()}


def number(row: Mapping[str, Any], key: str) -> float | None:
    """The value of a field; None where it is missing, not a number, or not measured (NaN, 10^100 and more)."""
    value = row.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST else None


def count(row: Mapping[str, Any], key: str) -> str:
    """A whole number as text, '10,000'; 'some' where there is none."""
    value = number(row, key)
    return "some" if value is None else f"{value:,.0f}"


def entries(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a field that holds a list; none where it holds no list."""
    value = row.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def series(rows: Rows, key: str) -> list[tuple[float, float]]:
    """(images seen, value) where there is a value."""
    return [(row["images"], value) for row in rows if (value := number(row, key)) is not None]


def mean(rows: Rows, key: str) -> float | None:
    """The mean of a field over the rows that have it; None where none has it."""
    values = [value for _, value in series(rows, key)]
    return fmean(values) if values else None


def group(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object within a card; an empty one where there is none."""
    value = card.get(name)
    return value if isinstance(value, dict) else {}
