"""How far and how fast a training is right now, for whoever watches the run's folder."""

from __future__ import annotations

import time
from collections import deque

from ganvas.core.run import Run

EVERY = 1.0  # seconds between two writings
KEPT = 10  # writings over which the speed is a mean


class Pace:
    """Writes the progress of a training once a second; nothing of it is part of the run's results."""

    def __init__(self, run: Run, images: int, count: int) -> None:
        """
        Args:
            images: seen when the training begins, or is resumed.
            count: of the training set, an epoch.
        """
        self.run, self.count = run, count
        self.moments = deque([(time.monotonic(), images)], maxlen=KEPT)
        self.due = 0.0

    def step(self, images: int, seconds: float, last: bool = False) -> None:
        """To be called after each step: with the images seen, and the seconds that the training has taken so far.

        Args:
            last: write it in any case.
        """
        now = time.monotonic()
        if not self.run.writes or (now < self.due and not last):
            return
        in_time = now < self.due + EVERY / 2  # then a step that comes a little late does not delay all others
        self.due = (self.due if in_time else now) + EVERY
        begun, before = self.moments[0]
        self.moments.append((now, images))
        self.run.save_progress(
            {
                "images": images,
                "epoch": round(images / self.count, 4),
                "seconds": round(seconds, 3),
                "images_per_second": round((images - before) / max(now - begun, 1e-9), 1),
            }
        )
