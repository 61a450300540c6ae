"""`ganvas studio`."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ganvas.core.console import app
from ganvas.core.errors import UserError
from ganvas.core.files import cannot, make_folder, read_bytes, write_whole
from ganvas.core.terminal import say

PORT = 8_760
ADDRESS = "address"  # a file next to the lock; without the token
TOKENS = ("GANVAS_TOKEN", "GANVAS_VIEW_TOKEN")
LOCAL = ("127.0.0.1", "localhost", "::1")


@app.command
def studio(
    *, runs: Path = Path("runs"), data: Path = Path("."), host: str = "127.0.0.1", port: int | None = None
) -> int:
    """Open the studio: watch trainings live in the browser, draw, judge, play, restore.

    Only this machine can open it. With another --host, visitors need the token that is printed (or GANVAS_TOKEN's). A
    second token (or GANVAS_VIEW_TOKEN's) is for visitors who may watch and play, but change nothing.

    Parameters
    ----------
    runs
        The folder of the runs.
    data
        The folder with the pictures and tables that it may show and train on.
    host
        The address to listen on; 0.0.0.0 for all addresses of this machine.
    port
        The port. Default: $PORT, or 8760.
    """
    import secrets

    if not data.is_dir():
        raise UserError(f"There is no folder {data} (--data).")
    try:
        from ganvas.studio.app import create, serve
        from ganvas.studio.jobs import home_of
    except ImportError as error:
        raise UserError(f"The studio needs {error.name}: pip install 'ganvas[studio]'.") from error
    if port is None:
        text = os.environ.get("PORT", str(PORT))
        if not text.isdecimal():
            raise UserError(f"PORT={text} is not a number.")
        port = int(text)
    if not 0 < port < 65_536:
        raise UserError(f"--port {port}: choose one from 1 to 65535.")
    token = view = None
    if host not in LOCAL:
        token, view = (os.environ.get(name) or secrets.token_urlsafe(24) for name in TOKENS)
        for name, value in zip(TOKENS, (token, view), strict=True):
            if len(value) < 16:
                raise UserError(f"{name} has fewer than 16 characters: a guess would open the studio.")
        if token == view:
            raise UserError(f"{' and '.join(TOKENS)} are the same: choose two.")
    name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}/"
    told = [token is not None and not os.environ.get(name) for name in TOKENS]  # a log must not tell what was given
    url = f"{address}?token={token}" if told[0] else address
    more = f"For visitors who only watch and play: {address}?token={view}\n" if all(told) else ""
    make_folder(runs)
    home = home_of(runs)
    make_folder(home)
    with _locked(home, f"Another studio is open on {runs}/{_address_in(home)}. Close it, or choose other --runs."):
        write_whole(home / ADDRESS, address)
        say(
            f"Ganvas Studio: {url}\n{more}Runs in {runs}/, pictures in {data.resolve()}. "
            "Ctrl-C closes the studio; trainings continue.",
            flush=True,
        )
        if (runs / ".studio" / "jobs.json").exists():
            say(f"{runs / '.studio' / 'jobs.json'} is skipped: the queue is kept in {home}/ now.", flush=True)
        if not serve(create(runs, data, token, view), host, port):
            raise UserError(f"The studio cannot listen on {host}:{port}: is that in use? Choose another --port.")
    return 0


def _address_in(home: Path) -> str:
    """', at URL' where the studio that is open said its address, else ''."""
    try:
        text = read_bytes(home / ADDRESS, 300).decode()
    except (UserError, OSError, ValueError):
        return ""
    return f", at {text}" if re.fullmatch(r"http://[\w.:\[\]-]+/", text) else ""


@contextlib.contextmanager
def _locked(home: Path, refusal: str) -> Iterator[None]:
    """Lock the studio's queue and games; the system releases the lock when this process ends, however it ends.

    Raises:
        UserError: `refusal`, if another studio holds the lock; or the lock cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(home / "lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(refusal) from error
    except OSError as error:
        raise cannot("write", home / "lock", error) from error
    try:
        yield
    finally:
        lock.release()
