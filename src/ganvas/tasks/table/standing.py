"""How the training on a table is going, in plain words."""

from __future__ import annotations

import math
from typing import Any

from ganvas.report import diagnosis
from ganvas.report.quantities import Quantity, Rows, mean, number
from ganvas.training.best import best_check

QUANTITIES = {
    "nll": Quantity(
        "-log p, held-out",
        ".2f",
        "how improbable held-out rows are to the generator; falls while it learns what holds in general",
    ),
    "nll_train": Quantity("-log p, training", ".2f", "the same of training rows; far below the other: memorised"),
    "common": Quantity(
        "Columns in common, %",
        ".1f",
        "what the columns of drawn rows have in common with those of real ones: 100 less half of the summed "
        "differences of their bars",
    ),
    "common_real": Quantity("Columns in common, real rows, %", ".1f", "about what other real rows would have"),
    "real": Quantity("Expert on real rows", ".0%", "training rows that it takes for real; 50% is guessing"),
    "fake": Quantity("Expert on drawn rows", ".0%", "drawn rows that it recognises"),
    "held_out": Quantity("Expert on held-out rows", ".0%", "real rows that it never trained on and takes for real"),
}
LOGGED = {
    "loss_d": Quantity("Expert's loss", ".3g", "its error; low when it is right and sure"),
    "loss_g": Quantity("Generator's loss", ".3g", "its error in the adversarial phase"),
    "accuracy_real": Quantity("Real rows", ".1%", "training rows that the expert takes for real"),
    "accuracy_fake": Quantity("Drawn rows", ".1%", "drawn rows that it recognises"),
    "accuracy_held_out": Quantity("Held-out rows", ".1%", "real rows that it never trained on and takes for real"),
    "images_per_second": Quantity("Rows a second", ",.0f", "real rows that the networks have seen"),
}
CHECKS = "likelihood"  # the metric of the checks in metrics.jsonl
WIDE, TOO_WIDE = 0.5, 1.0  # more of -log p on held-out rows than on training ones: 1.6 and 2.7 times less probable
AS_GOOD = 0.05  # more of -log p than at its best with which weights count as the best: later ones have learned longer
RISING = 0.1  # more of -log p than at its best from which it counts as rising: what another 4,000 rows may give


def gap(figures: dict[str, Any]) -> float:
    """By how much training rows are more probable than held-out ones, in -log p a row; NaN where it is not known."""
    seen, held_out = number(figures, "nll_train"), number(figures, "nll")
    return math.nan if seen is None or held_out is None else held_out - seen


def describe(figures: dict[str, float]) -> str:
    """The figures of a check in a sentence or two."""
    parts = []
    between = gap(figures)
    if not math.isnan(between):
        held_out, seen = figures["nll"], figures["nll_train"]
        parts.append(f"-log p of a held-out row {held_out:.2f}, of a training row {seen:.2f}: {by_heart(between)}.")
    if (common := number(figures, "common")) is not None:
        parts.append(
            f"Columns have {common:.1f}% in common with those of real rows (other real rows about "
            f"{figures['common_real']:.1f}%)."
        )
    if (right := _right(figures)) is not None:
        parts.append(f"The expert is right on {100 * right:.0f} of 100 rows (50: guessing).")
    return " ".join(parts)


def by_heart(between: float) -> str:
    """What the gap between held-out and training rows means."""
    if between < WIDE:
        return "nothing is memorised"
    times = f"training rows are {math.exp(min(between, 20)):.1f} times as probable"
    return f"{times}, it begins to memorise them" if between < TOO_WIDE else f"{times}, it memorises them"


def headline(rows: Rows, checks: Rows) -> str:
    """How the training is going, in a sentence; '' where nothing is known yet."""
    found = remarks(rows, checks)
    return found[0][0] if found else ""


def limit(lowest: float) -> float:
    """The highest -log p with which weights are as good as those of the lowest."""
    return lowest + AS_GOOD


def remarks(rows: Rows, checks: Rows) -> list[tuple[str, str]]:
    """What there is to say, the most urgent first: a short sentence and a longer one with its numbers each."""
    checks = [check for check in checks if check.get("metric", CHECKS) == CHECKS and number(check, "nll") is not None]
    if not checks:
        return []
    last, found = checks[-1], []
    best = best_check(checks, "nll", limit)
    between, kept = gap(last), gap(best)
    if kept >= WIDE:
        which = "" if best is last else f"With the weights that were kept, from after {best['images']:,.0f} rows, "
        text = (
            f"{which}-log p is {best['nll']:.2f} on held-out rows and {best['nll_train']:.2f} on training rows: "
            f"{by_heart(kept)}."
        )
        much = kept >= TOO_WIDE
        advice = " A shorter training, more rows or a larger dropout= help." if much else ""
        short = "It memorises rows." if much else "It begins to memorise rows."
        found.append((3 if much else 1, short, text + advice))
    elif between >= WIDE:
        text = (
            f"-log p is {last['nll']:.2f} on held-out rows and {last['nll_train']:.2f} on training rows by now: "
            f"{by_heart(between)}. The weights from after {best['images']:,.0f} rows were kept, which did not: "
            f"{best['nll']:.2f} and {best['nll_train']:.2f}."
        )
        found.append((2, "The weights from before it memorised rows were kept.", text))
    worse = last["nll"] - best["nll"]
    if worse > RISING and number(last, "loss_g") is None and not _contests(rows):
        text = (
            f"-log p of held-out rows was {best['nll']:.2f} after {best['images']:,.0f} rows, whose weights were kept, "
            f"and is {last['nll']:.2f} now."
        )
        found.append((1, "Held-out rows become less probable again.", f"{text} A shorter training would be enough."))
    if (right := diagnosis.right(rows)) is not None and _contests(rows):
        found.append((0, *_contest(right.both)))
    elif not _contests(rows):
        text = f"-log p of held-out rows is {last['nll']:.2f}; it was {checks[0]['nll']:.2f} at the first check."
        found.append((0, "The generator learns from the rows alone; the adversarial phase comes later.", text))
    if between < WIDE:
        text = f"-log p is {last['nll']:.2f} on held-out rows and {last['nll_train']:.2f} on training rows"
        found.append(
            (0, "Nothing is memorised.", f"{text}: what it has learned from training rows holds for others as well.")
        )
    return [(short, text) for _, short, text in sorted(found, key=lambda entry: -entry[0])]


def _contests(rows: Rows) -> bool:
    """Whether the discriminator trains by now."""
    return any(number(row, "loss_d") is not None for row in rows[-5:])


def _contest(right: float) -> tuple[str, str]:
    share = f"{100 * right:.0f} of 100 rows"
    if right > 0.7:
        return (
            f"The expert is ahead: right on {share}.",
            f"In the adversarial phase the expert is right on {share}; 50 is guessing.",
        )
    more = "it hardly tells real rows from drawn ones" if right < 0.6 else "the generator still has something to learn"
    return (
        f"The adversarial phase is running: the expert is right on {share}.",
        f"The expert is right on {share}; 50 is guessing: {more}.",
    )


def _right(figures: dict[str, Any]) -> float | None:
    """The share of rows that the discriminator is right on."""
    found = [value for key in ("real", "fake") if (value := number(figures, key)) is not None]
    return mean([{"images": 0, "x": value} for value in found], "x") if len(found) == 2 else None
