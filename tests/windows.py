"""As much of Windows as this system can show to Ganvas: python windows.py LOG COMMAND... runs its commands so.

For the code of Ganvas (not for the libraries below it) `os.name` is 'nt', what `os` and `signal` have only on Unix is
missing, modules such as fcntl cannot be imported and there is no /proc. For everyone, a file that this process has
open or mapped is not replaced, renamed or removed, nor a folder with one in it, a file does not take the place of a
folder, and no name may have what Windows forbids. Each refusal is also a line of LOG, because callers may go on.
"""

from __future__ import annotations

import builtins
import fcntl
import importlib
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

ABSENT = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}
NOT_IN_OS = """
chown chroot fchdir fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp getsid
getuid initgroups killpg lchown lockf major makedev minor mkfifo mknod nice openpty pathconf pipe2 posix_fadvise
posix_fallocate posix_spawn pread preadv pwrite pwritev readv sched_getaffinity sched_setaffinity sched_yield
sendfile setgid setpgid setpriority setsid setuid statvfs sync sysconf tcgetpgrp ttyname uname wait wait3 wait4
writev O_NOFOLLOW O_NONBLOCK O_DIRECTORY O_CLOEXEC O_SYNC O_DIRECT WNOHANG
"""
NOT_IN_SIGNAL = """
SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGQUIT SIGCHLD SIGALRM SIGPIPE SIGSTOP SIGCONT SIGTSTP alarm setitimer pause
pthread_kill pthread_sigmask sigwait
"""
FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]$')
RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)


def from_ganvas() -> bool:
    """Is the code that asks Ganvas's own, two calls above?"""
    return str(sys._getframe(2).f_globals.get("__name__", "")).partition(".")[0] == "ganvas"


def class_of(missing: str, instead: dict[str, Any]) -> type[ModuleType]:
    absent = {*missing.split()}

    class Shown(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            if name in instead and from_ganvas():
                return instead[name]
            if name in absent and from_ganvas():
                raise AttributeError(f"Windows has no {name}")
            return super().__getattribute__(name)

    return Shown


class Msvcrt(ModuleType):
    LK_NBLCK = 2

    @staticmethod
    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def in_use() -> set[str]:
    """The files that this process has open or mapped."""
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{entry}"))
        except OSError:
            continue
    with os.fdopen(os.dup(MAPS), "rb") as file:
        file.seek(0)
        found |= {os.fsdecode(line.split(None, 5)[5].strip()) for line in file if b" /" in line}
    return found


def refuse(what: str, path: str) -> None:
    with os.fdopen(os.dup(LOG), "w", encoding="utf-8") as file:
        caller = next((f for f in frames() if "ganvas" in f.f_code.co_filename), None)
        at = f"{caller.f_code.co_filename}:{caller.f_lineno}" if caller else ""
        file.write(f"{what}: {path} {at}\n")
    raise PermissionError(13, f"as on Windows: {what}", path)


def frames() -> Any:
    frame = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def closed(path: Any) -> None:
    """Raise PermissionError if the file is open or mapped, or one below the folder."""
    place = os.path.join(os.path.realpath(os.path.dirname(os.fsdecode(path))), os.path.basename(os.fsdecode(path)))
    for one in in_use():
        if one == place or (os.path.isdir(place) and one.startswith(place + os.sep)):
            refuse("in use", one)


def named_well(path: Any) -> None:
    for part in Path(os.fsdecode(path)).parts:
        if part not in ("/", ".", "..") and (FORBIDDEN.search(part) or RESERVED.fullmatch(part)):
            refuse("no name", os.fsdecode(path))


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    path = arguments[0] if arguments else ""
    if event == "os.rename":
        closed(path)
        if os.path.lexists(arguments[1]):
            closed(arguments[1])
            if os.path.isdir(arguments[1]):
                refuse("a folder is there", os.fsdecode(arguments[1]))
        named_well(arguments[1])
    elif event in ("os.remove", "os.rmdir") and (len(arguments) < 2 or arguments[1] == -1):
        closed(path)
    elif event == "os.mkdir" or _makes(event, *arguments):
        named_well(path)


def _makes(event: str, path: Any = None, _: Any = None, flags: Any = None, *rest: Any) -> bool:
    return event == "open" and isinstance(path, str | bytes) and bool((flags or 0) & os.O_CREAT)


def install() -> None:
    """From now on this process shows Windows to Ganvas, which must not be imported yet."""
    import cyclopts
    import filelock
    import numpy
    import PIL.Image
    import torch

    del cyclopts, filelock, numpy, PIL, torch
    assert not any(name.partition(".")[0] == "ganvas" for name in sys.modules)
    usual, named = builtins.__import__, importlib.import_module
    fake = Msvcrt("msvcrt")

    def imported(name: str, globals: Any = None, *rest: Any, **more: Any) -> Any:
        if name in ABSENT and str((globals or {}).get("__name__", "")).startswith("ganvas"):
            raise ModuleNotFoundError(f"No module named '{name}'")
        return usual(name, globals, *rest, **more)

    def found(name: str, package: str | None = None) -> Any:
        if name == "msvcrt":
            return fake
        if name in ABSENT:
            raise ModuleNotFoundError(f"No module named '{name}'")
        return named(name, package)

    builtins.__import__, importlib.import_module = imported, found
    stops = {"SIGBREAK": signal.SIGUSR1, "CTRL_BREAK_EVENT": signal.SIGUSR1}
    for module, shown in ((os, class_of(NOT_IN_OS, {"name": "nt"})), (signal, class_of(NOT_IN_SIGNAL, stops))):
        setattr(module, "__class__", shown)  # noqa: B010
    from ganvas.core import processes
    from ganvas.core import run as runs

    processes.PROC, runs.LOCKS = Path("/no/proc"), Path("/no/locks")
    sys.addaudithook(hook)


def command(words: list[str]) -> int:
    """The exit code of a command of Ganvas, or of one of those below."""
    from ganvas.cli import main

    if words[0] in OWN:
        OWN[words[0]](*words[1:])
        return 0
    sys.argv = [sys.argv[0], *words]
    try:
        return int(main() or 0)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))


def stopped(*words: str) -> None:
    """Train until the first picture is there, and ask it to end as the studio does."""
    from ganvas.core.processes import ask_to_end

    folder = Path(words[words.index("--run") + 1])

    def ask() -> None:
        while not (folder / "samples" / "fakes_init.png").exists():
            time.sleep(0.01)
        ask_to_end(os.getpid())

    threading.Thread(target=ask, daemon=True).start()
    code = command([*words, "images=10M"])
    assert code == 128 + signal.SIGUSR1, code


def twice(folder: str) -> None:
    """One run is trained by one process, and who looks sees it."""
    import pytest

    from ganvas.core.errors import UserError
    from ganvas.core.run import Run

    Path(folder).mkdir(parents=True)
    run = Run(Path(folder))
    with run.locked():
        assert run.holder() == os.getpid()
        with pytest.raises(UserError, match="Another training is running"), run.locked():
            pass
    assert run.holder() is None


def refuses() -> None:
    """Is refused here what Windows refuses?"""
    with open("open", "w", encoding="utf-8") as file:
        for call in (lambda: os.replace("open", "other"), lambda: os.remove("open"), lambda: os.mkdir("con.txt"),
                     lambda: Path("a:b").write_text("", encoding="utf-8")):  # fmt: skip
            try:
                call()
            except PermissionError:
                continue
            raise AssertionError("it was not refused")
    os.remove(file.name)
    os.ftruncate(LOG, 0)


OWN = {"stopped": stopped, "twice": twice, "refuses": refuses}

if __name__ == "__main__":
    MAPS = os.open("/proc/self/maps", os.O_RDONLY)
    LOG = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    given = sys.argv[2:]
    install()
    for each in given:
        print("$", each, flush=True)
        if code := command(each.split()):
            sys.exit(code)
