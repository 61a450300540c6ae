"""Printed tables and sentences about a detector and an expanded data set."""

from __future__ import annotations

import math
import statistics

from rich.table import Table
from rich.text import Text

from ganvas.core.terminal import Console, say, say_json
from ganvas.core.text import one_line
from ganvas.metrics.show import spread
from ganvas.tasks.generate.detect.detector import Detector, Report
from ganvas.tasks.generate.detect_files import Detected
from ganvas.tasks.generate.expand import Lesson, conclusion


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


def show_lessons(lessons: list[Lesson]) -> None:
    """Print how well a classifier learns from real images, new ones and both, as a table and a sentence."""
    table = Table(box=None, pad_edge=False)
    for head in ("images", "real alone", "new alone", "both", "gain", "the new ones"):
        table.add_column(head, justify="left" if head == "the new ones" else "right", no_wrap=True)
    for lesson in lessons:
        shown = []
        for values in (lesson.real, lesson.synthetic, lesson.both, lesson.gains):
            by = statistics.stdev(values) if len(values) > 1 else math.nan
            shown.append(spread(statistics.fmean(values), by, True))
        table.add_row(f"{lesson.size:,}", *shown, lesson.verdict)
    repeats = f"{len(lessons[0].real)} repeats (± standard deviation)"
    say(f"\nAccuracy on held-out images of a small classifier, {repeats}\n")
    Console().print(table)
    say(
        f"\n{conclusion(lessons)}\nThe generator itself has learned from all of the training images: with fewer real "
        "ones this is what its pictures add\nfor someone who has the generator and only these."
    )
