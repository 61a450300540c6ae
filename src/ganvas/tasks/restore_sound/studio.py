"""What the web studio shows of models that restore sounds."""

from __future__ import annotations

from ganvas.report.diagnosis import Rows, number
from ganvas.training.studio import Best, Chart, Curve, Diagram, Part, Tile


def remarks(rows: Rows, checks: Rows) -> list[str]:
    """Remarks on the last check."""
    check = next((c for c in reversed(checks) if c.get("metric") == "fidelity"), None)
    if check is None:
        return ["The first results appear with the first spectrograms."]
    sdr, before = number(check, "sdr"), number(check, "sdr_damaged")
    if sdr is None or before is None:
        return []
    return [f"Restored sounds are at {sdr:.1f} dB, noisy ones at {before:.1f} dB: higher is closer to the clean ones."]


PART = Part(
    name="restore-sound",
    best=Best("fidelity", "sdr", "SDR", " dB"),
    remarks=remarks,
    question="How well does it restore?",
    contest=lambda task: bool(number(task, "lively")),
    charts=(
        Chart("SDR of training sounds, dB", (Curve("sdr", "SDR", "--held"),), "Higher is closer to the clean sounds."),
    ),
    compared=(*Part.compared, ("sdr", "SDR of training sounds, dB")),
    tiles=(Tile("SDR, held out", "{sdr} dB (noisy {sdr_damaged})"),),
    diagram=Diagram(
        "noisy",
        "Restorer",
        "restored sounds",
        "clean sounds",
        "Noisy sounds go into the restorer (generator), which must come close to the clean ones. If lively is above "
        "0, an expert (discriminator) also says whether they sound clean.",
    ),
    samples="sounds",
    made="restored",
    source=("Sounds", "a folder of clean sounds"),
    preview="From noisy to restored",
    before="Before the training.",
)
