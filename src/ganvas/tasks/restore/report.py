"""What a run's report says of a model that restores pictures."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.metrics import figures
from ganvas.report import curves, markup
from ganvas.report.charts import chart
from ganvas.report.page import Part, model_card
from ganvas.report.quantities import Quantity, Rows, count, entries, group, number
from ganvas.tasks.restore import signs
from ganvas.training.losses import LOSSES

QUANTITIES = {
    "psnr": Quantity("PSNR", ".2f", "of restored pieces, in dB; higher is nearer to the originals"),
    "psnr_damaged": Quantity("PSNR of the damaged", ".2f", "the same of the damaged pieces as they are"),
    "loss_pixel": Quantity("Pixel loss", ".3g", "mean distance of restored pixels from the originals, in a range of 2"),
}
COLUMNS = {"psnr": "PSNR, dB", "ssim": "SSIM", "frechet": "Frechet distance", "read": "Digits read"}


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How close the restored pictures are to the clean ones: results of `ganvas evaluate` and a curve."""
    lines = run.rows(run.metrics)
    checks = [row for row in lines if row.get("metric") == "fidelity" and number(row, "psnr") is not None]
    cards = [_evaluated(row) for row in [row for row in lines if row.get("metric") == "restoration"][-1:]]
    curve = chart(checks, ("psnr", "psnr_damaged"), "PSNR of held-out pieces, dB", None, None, quantities=QUANTITIES)
    text = (
        "How near the pieces are to the originals; the lower curve is the damaged input. 1 dB more is a fifth less of "
        "squared error. Good: it rises and then levels out. Blurred pictures can have a high PSNR: look at them."
    )
    cards.append(markup.explained(curve, text))
    config = group(card, "task")
    about = f"The damage: {config.get('degrade')}. Lively: {config.get('lively')}."
    model = model_card(run)
    if model.get("finished"):
        about += f" Other damage: {signs.describe(model)}."
    objective = LOSSES.get(str(config.get("loss")))
    return [markup.section("How near is it?", cards, about), *curves.discriminator(rows, objective)]


def _evaluated(row: dict[str, Any]) -> Markup:
    """The table of `ganvas evaluate`: how well the model and the classical methods restore."""
    answers = entries(row, "answers")
    known = [key for key in COLUMNS if any(number(answer, key) is not None for answer in answers)]
    cells = [[str(answer.get("name")), *(_cell(key, number(answer, key)) for key in known)] for answer in answers]
    notes = [
        f"{count(row, 'n')} held-out pieces of {count(row, 'size')} px of {row.get('data')}, damaged anew; "
        f"features of {row.get('extractor')}; after {row['images']:,} images.",
        *dict.fromkeys(str(answer.get("note") or "") for answer in answers),
    ]
    return markup.table(cells, heads=("What restores", *(COLUMNS[key] for key in known)), note=" ".join(notes).strip())


def _cell(key: str, value: float | None) -> str:
    if value is None or (key == "psnr" and value >= 100):
        return "-"
    return f"{value:.1%}" if key == "read" else f"{value:.2f}" if key == "psnr" else figures.number(value)


PART = Part(
    sections,
    title="From damaged to restored",
    name="Restored",
    rule="In rows of three: damaged, restored, original (held-out pieces, never trained on).",
    empty="No picture yet.",
    samples="images",
    shape={"size": "pixels a side", "channels": "channels"},
)
