"""The report of a run that trains a generator."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.report import curves, diagnosis, markup
from ganvas.report.charts import chart
from ganvas.report.page import Part, figure_rows, model_card
from ganvas.report.quantities import GENERAL, Quantity, Rows, group, number
from ganvas.tasks.generate.detect.detector import why_none_in
from ganvas.training.losses import LOSSES, Objective

QUANTITIES = {
    "frechet": Quantity(
        "Frechet distance", ".3g", "how far features of generated images are from those of held-out real ones"
    ),
    "real": Quantity("Frechet distance of real images", ".3g", "the same for other real images"),
    "diversity": Quantity(
        "Diversity", ".2f", "spread of 100 generated images relative to 100 real ones; near 1 is good"
    ),
}


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """Which network is ahead, the metrics of `ganvas evaluate`, the curves, and the latest values."""
    checks = [row for row in run.rows(run.metrics) if row.get("metric") == diagnosis.CHECK]
    objective = LOSSES.get(str(group(card, "task").get("loss")))
    return [
        _balance(rows, checks),
        *_measured(run),
        *_no_detector(run),
        *_curves(rows, objective),
        *_latest(rows, checks),
    ]


def _balance(rows: Rows, checks: Rows) -> Markup:
    intro = (
        "Two networks play against each other: the forger (generator, G) draws images from noise; the expert "
        "(discriminator, D) says which images are real and which are forged. Each learns from the other while neither "
        "wins."
    )
    verdict = markup.verdict(diagnosis.headline(rows, checks), diagnosis.remarks(rows, checks))
    return markup.section("Is the training balanced?", [verdict], intro)


def _curves(rows: Rows, objective: Objective | None) -> list[Markup]:
    guess = objective.guess if objective else None
    cards = [
        curves.losses(rows, objective, mark=(guess, "an expert that guesses") if guess else None),
        curves.accuracy(rows, objective),
        curves.verdicts(rows, objective),
        curves.speed(rows),
    ]
    return [markup.section("The curves", cards)] if any(cards) else []


def _latest(rows: Rows, checks: Rows) -> list[Markup]:
    """The last entry of the log, and the diversity of the last check."""
    latest = {
        **(rows[-1] if rows else {}),
        **diagnosis.columns(rows),
        "diversity": checks[-1].get("diversity") if checks else None,
    }
    lines = figure_rows(latest, {**GENERAL, **QUANTITIES})
    where = (
        f"At {rows[-1]['images']:,.0f} images: averages since the previous log entry, accuracy over the last fifth"
        if rows
        else "The latest check"
    )
    return [markup.section("The latest values", [markup.table(lines, where, soft=True)])] if lines else []


def _measured(run: Run) -> list[Markup]:
    """The metrics of `ganvas evaluate`: the newest value of each, and the distance over the training."""
    rows = run.figures()
    newest = {str(row["metric"]): row for row in rows}  # some may hold only the reason why there is no value
    newest = [row for row in newest.values() if number(row, "value") is not None]
    rows = [row for row in rows if number(row, "value") is not None]
    if not newest:
        return []
    lines = []
    for row in newest:
        form = "{:.1%}" if row.get("share") else "{:.4g}"
        value, floor = (form.format(v) if (v := number(row, key)) is not None else "" for key in ("value", "floor"))
        lines.append((str(row.get("title")), value, floor, str(row.get("better"))))
    protocol = rows[-1]["protocol"]
    note = (
        "Real: what other real images get by the same code. "
        f"{protocol.get('count'):,} pictures after {rows[-1]['images']:,} images, features of "
        f"{protocol.get('extractor')}."
    )
    table = markup.table(lines, heads=("Metric", "Generated", "Real", "Better"), note=note, soft=True)
    return [markup.section("How good are the pictures?", [table, _distances(rows)])]


def _distances(rows: Rows) -> Markup:
    """The Frechet distance over the training, for the number of pictures that was measured most often."""
    rows = [row for row in rows if row["metric"] == "frechet"]
    counts = [row["protocol"].get("count") for row in rows]
    if not counts:
        return Markup()
    count = max(set(counts), key=counts.count)
    points = {
        row["images"]: {"images": row["images"], "frechet": row["value"], "real": row["floor"]}
        for row in rows  # for each model its newest value
        if row["protocol"].get("count") == count
    }
    if len(points) < 2:
        return Markup()
    title = f"Frechet distance ({count:,} pictures)"
    return chart(list(points.values()), ("frechet", "real"), title, None, None, quantities=QUANTITIES)


def _no_detector(run: Run) -> list[Markup]:
    """Why a finished training has no detector."""
    card = model_card(run)
    if not card.get("finished") or "detector" in card:
        return []
    return [markup.section("No detector", [], f"{why_none_in(card)}.")]


PART = Part(
    sections,
    title="From noise to pictures",
    rule="The noise behind a cell stays the same.",
    by_class="One class per row.",
    before="Before the training: noise",
    empty="There is no picture yet.",
    samples="images",
    shape={"size": "pixels per side", "channels": "channels"},
)
