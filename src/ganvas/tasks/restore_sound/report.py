"""What a run's report says of a model that restores sounds."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.metrics import figures
from ganvas.report import curves, markup
from ganvas.report.charts import chart
from ganvas.report.page import Part
from ganvas.report.quantities import Quantity, Rows, count, entries, group, number, worded
from ganvas.training.losses import LOSSES

NOUN = "sounds"
QUANTITIES = {
    "sdr": Quantity("SDR", ".2f", "of restored sounds, in dB; higher is closer to the clean ones"),
    "sdr_damaged": Quantity("SDR of the noisy", ".2f", "the same of the noisy sounds, unchanged"),
    "lsd": Quantity("Spectral distance", ".2f", "between the spectra of restored and clean sounds, in dB"),
    "lsd_damaged": Quantity("Spectral distance of the noisy", ".2f", "the same of the noisy sounds, unchanged"),
    "loss_distance": Quantity("Distance", ".3g", "what the restorer learns to reduce"),
}
COLUMNS = {"ratio": "SNR, dB", "sdr": "SDR, dB", "lsd": "Spectral distance, dB", "clear": "Clear pitch"}


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How near the restored sounds are to the clean ones: results of `ganvas evaluate` and a curve."""
    lines = run.rows(run.metrics)
    checks = [row for row in lines if row.get("metric") == "fidelity" and number(row, "sdr") is not None]
    cards = [_evaluated(row) for row in [row for row in lines if row.get("metric") == "restoration"][-1:]]
    curve = chart(checks, ("sdr", "sdr_damaged"), "SDR of held-out sounds, dB", None, None, quantities=QUANTITIES)
    text = (
        "How much stronger the clean sound is than everything else in the restored one; the lower curve is the noisy "
        "input. Good: it rises and then levels out. Listen to them as well: metrics do not hear."
    )
    cards.append(markup.explained(curve, text))
    config = group(card, "task")
    about = f"The noise: {config.get('degrade')}. Lively: {config.get('lively')}."
    judged = curves.discriminator(rows, LOSSES.get(str(config.get("loss"))))
    return [
        markup.section("How close is it?", cards, about),
        *(Markup(worded(str(section), NOUN)) for section in judged),  # of escaped parts
    ]


def _evaluated(row: dict[str, Any]) -> Markup:
    """The table of `ganvas evaluate`: how well the model and the classical methods restore."""
    cells = [
        [str(answer.get("name")), *(_cell(key, number(answer, key)) for key in COLUMNS)]
        for answer in entries(row, "answers")
    ]
    note = (
        f"{count(row, 'n')} held-out sounds of {row.get('data')} with noise ({row.get('degrade')}, at these SNRs); "
        f"after {row['images']:,} sounds."
    )
    return markup.table(cells, heads=("method", *COLUMNS.values()), note=note)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if key == "clear" else figures.number(value) if key == "ratio" else f"{value:.2f}"


PART = Part(
    sections,
    title="From noisy to restored",
    name="Restored",
    rule="Rows of spectrograms, from the top: noisy, restored, clean sounds (held out, never trained on). Time goes to "
    "the right, frequency upwards; bright is loud.",
    empty="No sounds yet.",
    samples=NOUN,
    seen=NOUN,
    strip="Three sounds, each noisy, restored and clean.",
    shape={"rate": "samples a second", "samples": "samples of a sound", "window": "samples of a window"},
)
