"""Printed tables and sentences about a detector."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ganvas.core.terminal import Console, say, say_json
from ganvas.core.text import one_line
from ganvas.tasks.generate.detect.detector import Detector, Report
from ganvas.tasks.generate.detect_files import Detected


def show_verdicts(detected: list[Detected], detector: Detector | None, alarm: float, as_json: bool) -> None:
    """Print one row for each image: its probability of being real, and the verdict."""
    if as_json:
        for d in detected:
            row = {"file": str(d.path), "probability": round(d.verdict.probability, 4), "verdict": d.verdict.kind}
            say_json({**row, **({"converted": d.changes} if d.changes else {})})
        return
    table = Table(box=None, pad_edge=False)
    for head in ("image", "probability", "verdict", "converted"):
        table.add_column(head, justify="right" if head == "probability" else "left", overflow="fold")
    for d in detected:
        table.add_row(Text(one_line(d.path)), f"{d.verdict.probability:.1%}", d.verdict.kind, d.changes)
    Console().print(table)
    if detector is not None and detected:
        no, yes = detector.thresholds(alarm)
        say(f"\n'no' below {no:.1%}: this rejects {alarm:.1%} of real images. 'yes' from {yes:.1%} up.")


def show_report(report: Report, title: str) -> None:
    """Print how good a detector is, as a table."""
    say(
        f"{title}: {report.real:,} real images that no network has learned from. "
        f"Set to {report.alarm:.1%} false alarms, it rejects {report.false_alarm:.1%} of them.\n"
        f"Calibration error {report.calibration_error:.3f} (expected, 15 bins; half real images, half others).\n"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("compared with", "AUROC", "accepted", "pictures", "trained on similar ones"):
        table.add_column(head, justify="left" if head == "compared with" else "right")
    for r in report.rows:
        table.add_row(
            Text(one_line(r.name)), f"{r.auroc:.3f}", f"{r.passed:.1%}", f"{r.count:,}", "yes" if r.learned else "no"
        )
    Console().print(table)
    say(
        "\nAUROC: how often a real image scores higher than such a picture (0.5: it cannot tell).\n"
        "Its limits: pictures that resemble none of these; and other people's digits, or photographs, that were\n"
        "prepared differently may be rejected although they are real."
    )
