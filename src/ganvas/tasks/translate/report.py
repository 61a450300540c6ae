"""The report's sections for a model that turns pictures of one kind into another."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.metrics import figures
from ganvas.report import curves, markup
from ganvas.report.charts import chart
from ganvas.report.page import Part
from ganvas.report.quantities import Quantity, Rows, count, entries, group, number
from ganvas.training.losses import LOSSES

QUANTITIES = {
    "loss_cycle": Quantity(
        "There and back", ".3g", "mean distance of pixels after the way there and back, in a range of 2"
    ),
    "loss_identity": Quantity("Left alone", ".3g", "the same of pictures that are of the wanted kind already"),
    "cycle_a": Quantity("A, to B and back", ".1f", "PSNR in dB of held-out pictures translated there and back"),
    "cycle_b": Quantity("B, to A and back", ".1f", "the same in the other direction"),
    "middle_b": Quantity(
        "In the middle", ".2f", "rank correlation of mean colours of inputs and outputs, central part"
    ),
    "border_b": Quantity("At the border", ".2f", "the same at the border"),
}
COLUMNS = {
    "frechet": "Frechet distance",
    "middle": "Colours follow: middle",
    "border": "border",
    "cycle": "There and back, dB",
}


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How close the pictures are to the wanted kind, what they keep of the input, and the discriminator."""
    lines = run.rows(run.metrics)
    checks = [row for row in lines if row.get("metric") == "round-trip"]
    cards = [_evaluated(row) for row in [row for row in lines if row.get("metric") == "translation"][-1:]]
    cycle = chart(checks, ("cycle_a", "cycle_b"), "There and back, dB", None, None, quantities=QUANTITIES)
    text = (
        f"How closely held-out pictures match the originals after both translations: A ({card.get('data_name')}) and B "
        f"({card.get('other_name')}). It rises as the networks learn; if the other kind cannot hold all that a "
        "picture shows it levels out early."
    )
    cards.append(markup.explained(cycle, text))
    mark = (0, "not at all")
    colours = chart(
        checks, ("middle_b", "border_b"), "Do colours follow the input?", (-1, 1), mark, quantities=QUANTITIES
    )
    text = "Rank correlation of the mean colours of A and of its translation; 1: the order of all pictures is kept."
    cards.append(markup.explained(colours, text))
    lost = chart(rows, ("loss_cycle", "loss_identity"), "What is lost on the way", None, None, quantities=QUANTITIES)
    text = (
        "Mean distance of pixels, in a range of 2: of pictures translated there and back, and of pictures of the other "
        "kind that should have been left alone."
    )
    cards.append(markup.explained(lost, text))
    objective = LOSSES.get(str(group(card, "task").get("loss")))
    title = "Is it the other kind, and still the same?"
    return [markup.section(title, cards), *curves.discriminator(rows, objective)]


def _evaluated(row: dict[str, Any]) -> Markup:
    """The table of `ganvas evaluate`."""
    ways = entries(row, "ways")
    known = [key for key in COLUMNS if any(number(way, key) is not None for way in ways)]
    cells = [
        [f"To {way.get('to')}: {way.get('name')}", *(cell(key, number(way, key)) for key in known)] for way in ways
    ]
    both = row["n"] if isinstance(row.get("n"), list) else []
    counts = " and ".join(count({"n": n}, "n") for n in both)
    notes = [
        f"{counts} held-out pictures; features of {row.get('extractor')}; after {row['images']:,} images.",
        *dict.fromkeys(str(way.get("note") or "") for way in ways),
    ]
    return markup.table(cells, heads=("", *(COLUMNS[key] for key in known)), note=" ".join(notes).strip())


def cell(key: str, value: float | None) -> str:
    """A figure of a column as text."""
    if value is None or value != value:
        return "-"
    return (
        f"{value:.1f}" if key == "cycle" else f"{value:.2f}" if key in ("middle", "border") else figures.number(value)
    )


PART = Part(
    sections,
    title="From one kind to the other",
    name="Translated",
    rule="Rows of three from the top: held-out pictures of one kind, translated, and translated back.",
    empty="No pictures yet.",
    samples="images",
    shape={"size": "pixels a side", "channels": "channels"},
)
