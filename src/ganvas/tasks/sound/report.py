"""The report of a run that draws sounds."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.report import curves, diagnosis, markup
from ganvas.report.page import Part, figure_rows
from ganvas.report.quantities import GENERAL, Quantity, Rows, about, group, number, worded
from ganvas.tasks.sound import faults
from ganvas.training.losses import LOSSES

NOUN = "sounds"
QUANTITIES = {
    "diversity": Quantity("Diversity", ".2f", "spread of 100 drawn sounds relative to 100 real ones; near 1 is good"),
    "silent": Quantity("Silent", ".1%", "drawn sounds that are never louder than 30 dB below the full scale"),
    "hum": Quantity("Hum", ".1%", "drawn sounds that hold one steady tone; real ones vary four times as much"),
    "hiss": Quantity("Hiss", ".1%", "drawn sounds that are noise without a shape"),
}
"""What `SoundTask.check` finds besides what all tasks check."""
FAULTS = "silent", "hum", "hiss"


def remarks(rows: Rows, checks: Rows) -> list[str]:
    """How the training is going, and what is wrong with the sounds: the most urgent first.

    Args:
        rows: lines of log.jsonl, oldest first.
        checks: lines of metrics.jsonl, oldest first; those of other metrics are ignored.
    """
    found, texts = _faults(_checks(checks)), diagnosis.remarks(rows, checks, NOUN)
    return [found, *texts] if found else texts


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """Which network is ahead, faults of the sounds, the metrics of `ganvas evaluate`, curves, the latest values."""
    checks = _checks(run.rows(run.metrics))
    objective = LOSSES.get(str(group(card, "task").get("loss")))
    guess = objective.guess if objective else None
    cards = [
        curves.losses(rows, objective, mark=(guess, "an expert that guesses") if guess else None),
        curves.accuracy(rows, objective),
        curves.verdicts(rows, objective),
        curves.speed(rows),
    ]
    drawn = [markup.section("The curves", cards)] if any(cards) else []
    return [
        _balance(rows, checks),
        *_measured(run),
        *(Markup(worded(str(section), NOUN)) for section in drawn),  # of escaped parts
        *_latest(rows, checks),
    ]


def _balance(rows: Rows, checks: Rows) -> Markup:
    intro = (
        "Two networks compete: the forger (generator, G) draws sounds from noise; the expert "
        "(discriminator, D) says which sounds are real and which are forged. Both work on spectrograms: time goes to "
        "the right, frequency upwards, and bright is loud."
    )
    short = _faults(checks) or diagnosis.headline(rows, checks, NOUN)
    verdict = markup.verdict(short, diagnosis.remarks(rows, checks, NOUN))
    return markup.section("Who is winning?", [verdict], intro)


def _checks(rows: Rows) -> Rows:
    return [row for row in rows if row.get("metric") == diagnosis.CHECK]


def _faults(checks: Rows) -> str:
    """What is wrong with the sounds of the last check; '': nothing is, or nothing is known."""
    last = checks[-1] if checks else {}
    return faults.sentence({key: number(last, key) for key in (*FAULTS, "diversity")})


def _measured(run: Run) -> list[Markup]:
    """The newest figure of each metric of `ganvas evaluate`, next to what real sounds get."""
    rows = {str(row["metric"]): row for row in run.figures() if number(row, "value") is not None}
    if not rows:
        return []
    lines = []
    for row in rows.values():
        form = "{:.1%}" if row.get("share") else "{:.4g}"
        value, floor = (form.format(v) if (v := number(row, key)) is not None else "" for key in ("value", "floor"))
        lines.append((str(row.get("title")), value, floor, str(row.get("better"))))
    newest = max(rows.values(), key=lambda row: row["images"])
    note = f"Real: what other real sounds get with the same code. The latest after {newest['images']:,.0f} sounds."
    table = markup.table(lines, heads=("Metric", "Drawn", "Real", "Better"), note=note, soft=True)
    return [markup.section("How good are the sounds?", [table])]


def _latest(rows: Rows, checks: Rows) -> list[Markup]:
    """The last line of the log, and what the last check found."""
    last = checks[-1] if checks else {}
    latest = {**(rows[-1] if rows else {}), **diagnosis.columns(rows), **{key: last.get(key) for key in QUANTITIES}}
    lines = figure_rows(latest, {**about(GENERAL, NOUN), **QUANTITIES})
    where = (
        f"At {rows[-1]['images']:,.0f} sounds: averages since the previous log entry, accuracy over the last fifth"
        if rows
        else "The latest check"
    )
    return [markup.section("The latest values", [markup.table(lines, where, soft=True)])] if lines else []


PART = Part(
    sections,
    title="From noise to sounds",
    name="Drawn",
    rule="Spectrograms: time goes to the right, frequency upwards; bright is loud. The noise behind a cell stays the "
    "same.",
    by_class="One class per row.",
    before="Before the training: noise",
    empty="No sounds yet.",
    samples=NOUN,
    seen=NOUN,
    strip="The first sound of each row, one after the other.",
    shape={"rate": "samples a second", "samples": "samples of a sound", "bands": "frequency bands"},
)
