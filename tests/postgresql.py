"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


class Server:
    """A PostgreSQL server with a folder of its own, as the user postgres if this is root, who may not run it."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self.folder, self.bin, self.user = folder, bin_, None
        if os.geteuid() == 0:
            import pwd

            self.user = pwd.getpwnam("postgres")
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.run("initdb", "-D", "data", "-U", "me", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C")
        self.start()

    def run(self, program: str, *arguments: str) -> None:
        as_user = {} if self.user is None else {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [self.bin / program, *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=120, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **as_user,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    @property
    def address(self) -> str:
        return f"postgresql://me:s3cret@127.0.0.1:{self.port}/postgres"


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs as long as the context lasts; skips the test, and says why, where there can be none."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    bin_ = programs()
    if bin_ is None:
        pytest.skip("PostgreSQL is not installed: Debian's package postgresql has it")
    if os.geteuid() == 0:
        pwd = pytest.importorskip("pwd")
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="ganvas-pg-"))  # pytest's folders are closed to other users
    folder.chmod(0o755)
    started = Server(folder, bin_)
    try:
        yield started
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            started.stop()
        shutil.rmtree(folder, ignore_errors=True)
