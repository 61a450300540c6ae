"""Files: read within limits, parts that killed processes left, folders of one's own, text that is fit to be shown."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.text import one_line, printable


def test_only_regular_files_of_a_limited_size_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert files.read_bytes(path, 5) == b"12345"
    with pytest.raises(UserError, match=r"x has 5 bytes; such a file has 4 at most"):
        files.read_bytes(path, 4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: it is a pipe or a device, not a file"):
        files.read_bytes(tmp_path / "pipe", 5)
    with pytest.raises(UserError, match="/dev/zero: it is a pipe or a device"):
        files.read_bytes(Path("/dev/zero"), 5)
    with pytest.raises(UserError, match="it is a folder"):
        files.read_bytes(tmp_path, 5)
    with pytest.raises(UserError, match="does not exist"):
        files.read_bytes(tmp_path / "none", 5)
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(10**12)  # a hole: nothing of it may be read
    with pytest.raises(UserError, match=r"1,000,000,000,000 bytes"):
        files.read_bytes(tmp_path / "huge", 10**9)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 101, "1" * 10_000, '{"a": ', b"\xff", "nothing"])
def test_json_within_limits(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        files.parse_json(text)


def test_json_that_is_sane() -> None:
    assert files.parse_json(f'{{"a": [{2**64}, -1.5, null]}}') == {"a": [2**64, -1.5, None]}
    assert files.json_line("[" * 100_000) is None


def test_parts_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """One that is killed while it writes leaves a part; the next that writes there removes it."""
    code = """
import os, signal, sys
from pathlib import Path
from ganvas.core.files import part_of
with part_of(Path(sys.argv[1]), folder=sys.argv[2] == "folder") as part:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    living = tmp_path / f".other.{os.getppid()}.part"  # of a process that is at work
    strange = tmp_path / ".notes.part"  # the user's own
    living.write_bytes(b"")
    strange.write_bytes(b"")
    for kind in ("file", "folder"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "out"), kind], timeout=900)
        (left,) = tmp_path.glob(".out.*.part")
        assert left.is_dir() == (kind == "folder")
        with files.part_of(tmp_path / "new") as part:
            assert part.name == f".new.{os.getpid()}.part"
            assert {p.name for p in tmp_path.iterdir()} == {part.name, living.name, strange.name}
    assert {p.name for p in tmp_path.iterdir()} == {living.name, strange.name}


def test_a_part_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("as it was")
    (tmp_path / f".x.{os.getpid()}.part").symlink_to(tmp_path / "elsewhere")
    files.write_whole(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "new"
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "as it was"


def test_folders_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert files.cache_folder() == tmp_path / "cache" / "ganvas"
    assert files.state_folder() == tmp_path / "state" / "ganvas"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.cache_folder().is_relative_to(tmp_path)


def test_without_a_home_the_temporary_folder_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: no HOME, and a user whom the system does not know."""

    def unknown(_: int) -> None:
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    place = tmp_path / f"ganvas-{os.getuid()}"
    assert files.cache_folder() == place / "cache"
    assert files.state_folder() == place / "state"
    assert place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o777)  # anybody could have put things there
    with pytest.raises(UserError, match="not this user's own folder"):
        files.cache_folder()


def test_text_that_is_fit_to_be_shown() -> None:
    assert printable("größer 猫 🐱\n\ttab") == "größer 猫 🐱\n\ttab"
    assert printable("\x1b[31mred\x07\x9b\r") == "\\x1b[31mred\\x07\\x9b\\r"
    assert printable("a\u202eb\udce9") == "a\\u202eb\\udce9"
    assert one_line("a\nb\tc") == "a\\nb\\tc"
    printable("\ud800").encode()
