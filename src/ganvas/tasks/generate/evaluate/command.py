"""`ganvas evaluate` of a model that draws pictures, or of pictures in files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ganvas.core import distributed
from ganvas.core.console import is_first
from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say
from ganvas.metrics.show import Measuring
from ganvas.tasks.generate.evaluate import evaluate as evaluation
from ganvas.training.evaluate import Options

INTERRUPTED = 130  # the exit code of a command that Ctrl-C stops


def evaluate(source: Path, options: Options) -> int:
    """Measure and print the metrics; returns the exit code. See `evaluation.evaluate`.

    Raises:
        UserError: as in `evaluation.evaluate`, or an option of another task.
    """
    if options.against:
        raise UserError("--against is for models that restore pictures. To compare others: ganvas compare RUN RUN.")
    if options.to is not None:
        raise UserError("--to needs --data, and a model that translates one set of pictures into another.")
    events = evaluation.evaluate(
        source,
        options.metrics,
        options.extractor,
        options.count,
        options.split,
        options.seed,
        options.repeats,
        data=options.data,
        out=options.out,
        time_limit=options.time_limit,
    )
    display = Measuring(Console(quiet=not is_first()), "pictures", "real images")
    try:
        with distributed.joined(), display, contextlib.closing(events):
            for event in events:
                display.show(event)
    except KeyboardInterrupt:
        if not display.figures:
            raise
        display.table(str(source))
        count = len(display.figures)
        say(f"Stopped after {count} metric{'s' * (count > 1)}.", error=True)
        return INTERRUPTED
    if is_first():
        display.table(str(source))
    return 0
