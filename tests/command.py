"""The command line as tests call it: in this process, where it starts at once, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.cli import main as entry
from ganvas.core.console import app

COLUMNS = "100"
PROGRAM = str(Path(entry.__code__.co_filename).parent.parent / "__main__.py")  # as in `python -m ganvas`
Completed = subprocess.CompletedProcess[str]


def ganvas(*arguments: str, cwd: Path) -> Completed:
    """Run the command line in this process, with pipes for a terminal; the process is afterwards as it was.

    What a process has that this one cannot have (its signals, a closed output, torchrun) needs `process`.
    """
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with _as_it_was(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setenv("COLUMNS", COLUMNS)
        patch.setattr(app.error_console, "width", int(COLUMNS))  # it was made when the module was imported
        patch.setattr(sys, "argv", [PROGRAM, *arguments])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        code = _exit_code()
        for stream in {sys.stdout, sys.stderr} - set(streams):  # the null device of a call that could not write
            stream.close()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # pyright: ignore[reportAttributeAccessIssue]
    return subprocess.CompletedProcess([*arguments], code, out, err)


def _exit_code() -> int:
    """What Python makes of the end of `main`."""
    try:
        entry()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """One thread for torch, as a process with OMP_NUM_THREADS=1 has; all that a command may change is put back."""
    threads, handlers = torch.get_num_threads(), {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    environment, path, modules = dict(os.environ), [*sys.path], {*sys.modules}
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        for name in {*sys.modules} - modules:  # a recipe of the user's own, whose name another test may use
            if getattr(sys.modules[name], "__spec__", None) is None:
                del sys.modules[name]


def process(*arguments: str, cwd: Path) -> Completed:
    """Run the command line in its own process, some seconds more."""
    command, environment = [sys.executable, "-m", "ganvas", *arguments], {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["COLUMNS"] = COLUMNS
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900)
