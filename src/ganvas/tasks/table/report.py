"""What a run's report says of a model of a table."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, number, readable
from ganvas.metrics.show import spread
from ganvas.report import markup
from ganvas.report.charts import chart
from ganvas.report.page import Part
from ganvas.report.quantities import Rows
from ganvas.report.quantities import number as known
from ganvas.tables import private
from ganvas.tasks.table import standing
from ganvas.tasks.table.evaluate import details, words
from ganvas.tasks.table.evaluate.metrics import METRICS
from ganvas.tasks.table.report_charts import PARTS, columns, number_of, pairs, safely, share_of

FIRST = "The adversarial phase is the last part of the training."
ACCURACY = (
    f"{FIRST} 50% is guessing; 100% leaves the generator little to learn from; good is between. Held-out rows are real "
    "ones that the expert never trained on: if it does much better on its training rows, it has memorised them."
)
LOSSES = (
    "Each network's error. They pull against each other: flat is good, falling is not the goal. How good the rows are "
    "cannot be read here."
)
SIGHT = {"private", "copies", "attack", "likelihood"}  # groups of figures that are about privacy


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How the training is going, how good the rows are, privacy, columns, pairs, curves."""
    checks = [row for row in run.rows(run.metrics) if row.get("metric") == standing.CHECKS]
    figures = {figure.metric: figure for figure in readable(run.figures()) if figure.metric in METRICS}
    found = details.read(run)
    return [
        PARTS.style(),
        *_standing(rows, checks),
        *_quality(run, figures, found),
        *_privacy(figures, private.told(card)),
        *columns(found),
        *pairs(found),
        *_curves(rows, checks),
    ]


def _standing(rows: Rows, checks: Rows) -> list[Markup]:
    remarks = standing.remarks(rows, checks)
    if not remarks:
        return []
    verdict = markup.verdict(remarks[0][0], [text for _, text in remarks])
    intro = (
        "The generator first learns from the real rows how probable each value is, given the others. Then it "
        "competes with an "
        "expert (the discriminator) that tells real rows from drawn ones, and learns to draw more often what "
        "the expert takes for real."
    )
    return [markup.section("How is the training going?", [verdict], intro)]


def _quality(run: Run, figures: dict[str, Figure], found: dict[str, Any]) -> list[Markup]:
    wanted = [f for f in figures.values() if METRICS[f.metric].group not in SIGHT]
    if not wanted:
        if not run.is_finished():
            return []
        text = (
            "Not measured yet. Run ganvas evaluate with this run's folder to add metrics, columns and pairs to "
            "this report."
        )
        return [markup.section("How good are the rows?", [], text)]
    newest = max(f.images for f in wanted)
    note = (
        f"{wanted[0].protocol.count:,} drawn rows against as many held-out ones of {wanted[0].protocol.data}, on which "
        "the networks did not train (they only decided which weights to keep); mean of "
        f"{wanted[0].protocol.repeats}, after {newest:,} rows of training. Real rows: what other real rows get "
        "with the same code; only by chance can anything be better."
    )
    cards = [_said(words.quality(figures)), _table(wanted, note), _wrong(found) + _away(found) + _targets(found)]
    return [markup.section("How good are the rows?", cards)]


def _said(lines: list[str], wide: bool = True) -> Markup:
    """Sentences, in a card as wide as the page or in one of two."""
    return PARTS.words(lines, wide) if lines else Markup()


def _table(figures: list[Figure], note: str) -> Markup:
    lines = []
    for f in figures:
        if f.note:
            lines.append((f.title, "-", "-", f"not measured: {f.note}"))
            continue
        best = (
            {"near": "like real rows", "higher": "high", "lower": "low"}[f.better]
            if f.better in ("near", "higher", "lower")
            else ""
        )
        lines.append(
            (f.title, spread(f.value, f.spread, f.share).replace(" ", "\u00a0"), number(f.floor, f.share), best)
        )
    return markup.table(lines, heads=("Metric", "Drawn rows", "Real rows", "Good is"), note=note, soft=True)


def _away(found: dict[str, Any]) -> Markup:
    """What gives drawn rows away."""

    def make() -> Markup:
        rows = [(str(name), f"{share_of(fall):.3f}") for name, fall in found["gives_away"]]
        note = "How much the fresh expert's AUC falls without a column: what still differs from the real rows."
        return markup.table(rows, "What gives drawn rows away", ("Column", "AUC less"), note) if rows else Markup()

    return safely(make)


def _targets(found: dict[str, Any]) -> Markup:
    def make() -> Markup:
        rows = [
            (str(t["column"]), str(t["measure"])[:10], *(f"{number_of(t[k]):.3f}" for k in ("drawn", "real", "floor")))
            for t in found["targets"]
        ]
        note = (
            "Boosted trees predict each column from the others: they learn from drawn rows, from as many real "
            "rows, or from as many "
            "other real rows, and are tested on held-out ones. AUC: 0.5 is guessing; R2 (of ranks): 0 is guessing."
        )
        if skipped := [str(name) for name in found.get("not_predicted", [])]:
            note += f" Cannot be predicted from the others even with real rows: {', '.join(skipped)}."
        heads = ("Column", "", "Drawn", "Real", "Other real")
        return markup.table(rows, "What can be learned from drawn rows", heads, note) if rows else Markup()

    return safely(make)


def _wrong(found: dict[str, Any]) -> Markup:
    """Impossible cells and broken rules, where there are any."""

    def make() -> Markup:
        wrong = {**dict(found.get("impossible", {})), **dict(found.get("rules", {}))}
        rows = [(str(what), f"{number_of(count):,.0f}") for what, count in wrong.items() if number_of(count) > 0]
        return markup.table(rows, "Impossible values and broken rules", ("What", "Times")) if rows else Markup()

    return safely(make)


def _privacy(figures: dict[str, Figure], promise: list[str]) -> list[Markup]:
    wanted = [f for f in figures.values() if METRICS[f.metric].group in SIGHT]
    if not wanted:
        return [markup.section("Privacy", [_said(promise)])] if promise else []
    note = (
        "Nearer to training rows: than to as many held-out ones; ties count half. What an attack gains is the "
        "share of training rows that it recognises, less the share of other rows that it takes for training "
        "rows: 0% is guessing, 100% knows all."
    )
    intro = (
        "Do drawn rows give away who was in the training data? Held-out rows, which cannot have "
        "been copied, show what happens by chance."
    )
    return [
        markup.section("Privacy", [_said([*promise, *words.privacy(figures)], wide=False), _table(wanted, note)], intro)
    ]


def _curves(rows: Rows, checks: Rows) -> list[Markup]:
    likelihood = chart(checks, ("nll", "nll_train"), "-log p of a row", None, None, "{:.2f}", standing.QUANTITIES)
    meaning = (
        "How improbable rows are to the generator; lower is better. Both curves fall together while it learns "
        "what holds in "
        "general. A widening gap, held-out rows above training rows, means that it memorises rows. In the "
        "adversarial phase both may rise a little: it then looks at whole rows."
    )
    cards = [
        markup.explained(likelihood, meaning),
        markup.explained(_accuracy(rows), ACCURACY),
        markup.explained(_drawn(rows, ("loss_d", "loss_g"), "Losses of the adversarial phase"), LOSSES),
        markup.explained(_speed(rows), "It does not affect the rows; a dip means that the computer was busy."),
    ]
    return [markup.section("The curves", cards)] if any(cards) else []


def _drawn(rows: Rows, keys: tuple[str, ...], title: str) -> Markup:
    return chart(rows, keys, title, None, None, quantities=standing.LOGGED)


def _accuracy(rows: Rows) -> Markup:
    contest = [row for row in rows if "loss_d" in row]  # before, the expert has not learned
    keys = ("accuracy_real", "accuracy_fake", "accuracy_held_out")
    return chart(contest, keys, "How often the expert is right", (0, 1), (0.5, "guessing"), "{:.0%}", standing.LOGGED)


def _speed(rows: Rows) -> Markup:
    ends = (0, max((known(row, "images_per_second") or 0 for row in rows), default=0))
    return chart(rows, ("images_per_second",), "Speed", ends, None, "{:,.0f}", standing.LOGGED)


PART = Part(
    sections,
    title="Over the training",
    name="Drawn rows",
    rule="One chart per column: bars are real rows, the line is drawn ones.",
    before="Before the training",
    empty="No preview yet.",
    samples="rows",
    seen="rows",
    shape={"rows": "rows"},
)
