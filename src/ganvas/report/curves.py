"""The curves of an adversarial training, each with its meaning and what a good one is like."""

from __future__ import annotations

from markupsafe import Markup

from ganvas.report import markup
from ganvas.report.charts import Mark, chart
from ganvas.report.diagnosis import Objective, explain
from ganvas.report.quantities import Rows, number


def losses(rows: Rows, objective: Objective | None, title: str = "Losses", mark: Mark = None) -> Markup:
    """Both networks' losses; empty where none was logged."""
    return markup.explained(chart(rows, ("loss_d", "loss_g"), title, None, mark), explain(objective)["losses"])


def accuracy(rows: Rows, objective: Objective | None) -> Markup:
    """How often the discriminator is right on real, generated and held-out samples; empty where it was not logged."""
    keys = ("accuracy_real", "accuracy_fake", "accuracy_held_out")
    curves = chart(rows, keys, "How often the expert is right", (0, 1), (0.5, "guessing"), "{:.0%}")
    return markup.explained(curves, explain(objective)["accuracy"])


def verdicts(rows: Rows, objective: Objective | None) -> Markup:
    """D(x) and D(G(z)); empty where they were not logged."""
    keys, title = ("d_real", "d_fake"), "The expert's verdicts"
    if objective is not None and objective.probability:
        curves = chart(rows, keys, title, (0, 1), (0.5, "undecided"))
    else:
        curves = chart(rows, keys, title, None, None)
    return markup.explained(curves, explain(objective)["verdicts"])


def speed(rows: Rows) -> Markup:
    """Images a second; empty where it was not logged."""
    ends = (0, max((number(row, "images_per_second") or 0 for row in rows), default=0))
    curves = chart(rows, ("images_per_second",), "Speed", ends, None, "{:,.0f}")
    return markup.explained(curves, explain(None)["speed"])


def discriminator(rows: Rows, objective: Objective | None) -> list[Markup]:
    """A section on the discriminator next to other losses; none where there was no discriminator."""
    if all(number(row, "loss_d") is None for row in rows):
        return []
    cards = [losses(rows, objective, "Losses"), accuracy(rows, objective)]
    return [markup.section("The expert", cards)]
