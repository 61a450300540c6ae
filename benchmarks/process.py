"""A program run to its end in its own process, on one thread, and what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

THREADS = "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"


class Cost(NamedTuple):
    """What it said, its CPU seconds (with those of its child processes), wall seconds, and MB at the peak."""

    said: str
    cpu: float
    wall: float
    memory: float


def run(words: list[str]) -> Cost:
    """Run a program.

    Raises:
        SystemExit: it failed.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        said.seek(0)
        errors.seek(0)
        process.returncode = os.waitstatus_to_exitcode(status)  # it is not waited for again
        if process.returncode:
            raise SystemExit(f"{words[0]} failed: {errors.read()[-3000:]}")
        unit = 1e6 if sys.platform == "darwin" else 1e3  # of ru_maxrss: bytes there, else kB
        wall = time.monotonic() - began
        return Cost(said.read(), usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit)
