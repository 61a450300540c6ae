"""report.html placeholder"""
from __future__ import annotations
from ganvas.files import write_whole
from ganvas.run import Run


def write(run: Run) -> None:
    """Write report.html from what the run's folder holds."""
    write_whole(run.report, "<!doctype html><title>Ganvas</title>")
