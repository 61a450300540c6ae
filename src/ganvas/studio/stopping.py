"""Stop a training from outside: its process is identified before it is sent a signal."""

from __future__ import annotations

import os
from pathlib import Path

from ganvas.core import processes
from ganvas.core.errors import UserError
from ganvas.core.processes import Described


def stop(pid: int, folder: Path) -> None:
    """Ask the `ganvas train` or `resume` that trains in a run's folder to save and to end.

    A process number from a file is not enough: files are copied, and numbers are reused when processes have ended.

    Args:
        pid: 0 where the system reports that the run is being trained, but not by which process.

    Raises:
        UserError: it is another process, part of another program or another user's, or the system cannot identify it.
    """
    if pid <= 0:
        raise UserError("This training is running where the studio cannot see it: stop it there.")
    try:
        process = processes.describe(pid)
        if process is None:
            raise UserError(f"This system does not say what process {pid} is: stop the training where it was started.")
        if not is_training(process, folder):
            # a notebook, for example, would be killed by the signal
            raise UserError("This training is part of another program, or trains in another folder: stop it there.")
        processes.ask_to_end(pid)
    except PermissionError as error:
        raise UserError("This training belongs to another user of this machine.") from error
    except (FileNotFoundError, ProcessLookupError) as error:
        raise UserError("This run is not being trained.") from error
    except OSError as error:  # Windows: it has a console of its own
        raise UserError("This training cannot be stopped from here: press Ctrl-C where it was started.") from error


def is_training(process: Described, folder: Path) -> bool:
    """Is this process a `ganvas train` or `resume` that names this folder, or that holds its lock?"""
    arguments = process.command
    names = [os.path.basename(x).removesuffix(".exe") for x in arguments]
    positions = range(len(arguments) - 1)
    start = next((i for i in positions if names[i] == "ganvas" and arguments[i + 1] in ("train", "resume")), None)
    if start is None:
        return False
    place = os.path.realpath(folder)
    paths = [path for x in arguments[start + 2 :] for path in (x, x.partition("=")[2]) if path]
    if any(os.path.isabs(path) and os.path.realpath(path) == place for path in paths):
        return True
    working_folder = process.folder()
    if any(os.path.realpath(os.path.join(working_folder, os.path.expanduser(path))) == place for path in paths):
        return True
    # `train` without --run makes a new folder, whose lock it holds open
    return os.path.join(place, ".lock") in map(os.path.realpath, process.open_files())
