"""Printed tables and sentences about a detector."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ganvas.core.terminal import Console, say, say_json
from ganvas.core.text import one_line
from ganvas.tasks.generate.detect.detector import Detector, Report
from ganvas.tasks.generate.detect_files import Detected


def show_verdicts(detected: list[Detected], detector: Detector | None, alarm: float, as_json: bool) -> None:
    """Print one row for each image: its probability of being of the kind, and the verdict."""
    if as_json:
        for d in detected:
            row = {"file": str(d.path), "probability": round(d.verdict.probability, 4), "verdict": d.verdict.kind}
            say_json({**row, **({"converted": d.changes} if d.changes else {})})
        return
    table = Table(box=None, pad_edge=False)
    for head in ("image", "of the kind", "verdict", "converted"):
        table.add_column(head, justify="right" if head == "of the kind" else "left", overflow="fold")
    for d in detected:
        table.add_row(Text(one_line(d.path)), f"{d.verdict.probability:.1%}", d.verdict.kind, d.changes)
    Console().print(table)
    if detector is not None and detected:
        no, yes = detector.thresholds(alarm)
        say(f"\n'no' below {no:.1%}: so {alarm:.1%} of images of the kind are called. 'yes' from {yes:.1%} on.")


def show_report(report: Report, title: str) -> None:
    """Print how good a detector is, as a table."""
    say(
        f"{title}: {report.real:,} real images that nothing has learned from. "
        f"Asked for {report.alarm:.1%} false alarms, it calls {report.false_alarm:.1%} of them 'no'.\n"
        f"Calibration error {report.calibration_error:.3f} (expected, 15 bins; half real images, half others).\n"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("real images against", "AUROC", "let pass", "pictures", "others of this kind learned"):
        table.add_column(head, justify="left" if head == "real images against" else "right")
    for r in report.rows:
        table.add_row(
            Text(one_line(r.name)), f"{r.auroc:.3f}", f"{r.passed:.1%}", f"{r.count:,}", "yes" if r.learned else "no"
        )
    Console().print(table)
    say(
        "\nAUROC: how often a real image looks more like the kind than such a picture does (0.5: cannot tell).\n"
        "What the detector does not know: kinds of pictures that resemble none of these; and other people's digits,\n"
        "or photographs, that were prepared in another way may look strange to it though they are of the kind."
    )
