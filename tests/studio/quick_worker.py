"""What the workers of the tests' studios are forked from: it has imported all, and tries and learns for a short time.

No test of the studio asks how well: whether mirroring is safe, and how quick a training is, have tests of their own.
"""

from __future__ import annotations

import functools

import pandas  # noqa: F401  # for models of tables
import pyarrow.parquet  # noqa: F401

from ganvas.images.data import survey
from ganvas.metrics import two_sample
from ganvas.studio import requests  # noqa: F401  # with torch and all tasks
from ganvas.training.forecast import Trial

TRIED = 0.2  # seconds


_speed = Trial.speed
Trial.speed = lambda self, seconds=None: _speed(self, TRIED)
survey.mirror = functools.partial(survey.mirror, steps=20)
two_sample.STEPS = 20
