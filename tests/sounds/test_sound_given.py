"""Recordings that a user hands over: folders, archives, single files, and the classes that tables and folders say."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganvas.core.errors import UserError
from ganvas.sounds import files
from ganvas.sounds.kind import SOUNDS
from ganvas.sources import given

RATE, CLASSES = 8_000, given.Classes(("7", "kick", "snare"))


def tones(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        wave = 0.5 * np.sin(2 * np.pi * (300 + 50 * i) * np.arange(800) / RATE)
        files.save(folder / name, wave.astype(np.float32), RATE)
    return folder


def classes(*places: Path) -> dict[str, str | None]:
    """By the end of the path, the class of each recording."""
    found = files.recordings(places, RATE, 2_048)
    return {f.path.relative_to(places[0]).as_posix(): CLASSES.of(f.names) for f in found.fitted}


def test_a_table_says_the_classes_of_a_folder_and_of_an_archive(tmp_path: Path) -> None:
    place = tones(tmp_path / "set", "a.wav", "b.wav", "snare/c.flac", "snare/d.wav")
    (place / "labels.csv").write_text("file_name,label\na.wav,kick\nb.wav,snare\nc.flac,kick\nd.wav,tom\n")
    expected = {"a.wav": "kick", "b.wav": "snare", "snare/c.flac": "kick", "snare/d.wav": None}
    assert classes(place) == expected
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for path in sorted(place.rglob("*.*")):
            file.write(path, path.relative_to(place))
    assert classes(tmp_path / "set.zip") == expected
    plain = files.recordings([place], RATE, 2_048, labelled=False)
    assert CLASSES.of(plain.fitted[0].names) is None


def test_a_table_may_name_some_of_the_files_and_others(tmp_path: Path) -> None:
    place = tones(tmp_path, "a.wav", "b.wav", "c.wav", "snare/d.wav")
    (place / "found.csv").write_text("file,class,like\nx/a.wav,kick,7\nb.wav,,7\ngone.wav,snare,7\n")
    assert classes(place) == {"a.wav": "kick", "b.wav": None, "c.wav": None, "snare/d.wav": "snare"}
    (place / "found.csv").write_text("file,class\na.wav,kick\na.wav,snare\n")
    with pytest.raises(UserError, match=r"a\.wav has two labels: 'kick'.*Remove one"):
        classes(place)


def test_a_table_whose_columns_are_not_clear_is_passed_over(tmp_path: Path) -> None:
    place = tones(tmp_path, "kick/a.wav", "b.wav")
    (place / "list.csv").write_text("file,speaker,room\na.wav,x,1\nb.wav,y,2\n")
    found = files.recordings([place], RATE, 2_048)
    assert "list.csv has the columns file, speaker, room" in found.notes[0]
    assert {f.path.name: CLASSES.of(f.names) for f in found.fitted} == {"a.wav": "kick", "b.wav": None}


def test_folders_that_are_called_like_a_class(tmp_path: Path) -> None:
    place = tones(tmp_path / "7", "take/a.wav", "kick/left/b.wav", "c.wav")
    assert classes(place) == {"take/a.wav": "7", "kick/left/b.wav": "kick", "c.wav": "7"}
    single = files.recordings([place / "c.wav"], RATE, 2_048)
    assert CLASSES.of(single.fitted[0].names) == "7"


def test_classes_whose_names_are_no_names_of_folders() -> None:
    classes = given.Classes(("a/b", "a_b", 'o\'k "q"', "gru\u0308n"))
    assert [classes.of([name]) for name in ("a/b", "a_b", "a_b-2", "o'k _q_", "grün", "a")] == [
        *("a/b", "a_b", "a/b", 'o\'k "q"', "gru\u0308n", None)
    ]


def test_links_and_odd_names(tmp_path: Path) -> None:
    names = ["sp ace.wav", "q'\".wav", "音☃.wav", "UPPER.WAV", "[red]{x}%s.wav"]
    place = tones(tmp_path / "set", *names)
    os.symlink(".", place / "again")
    os.symlink("loop.wav", place / "loop.wav")
    os.symlink(tones(tmp_path / "other", "far.wav"), place / "linked")
    (place / ".hidden").mkdir()
    tones(place / ".hidden", "x.wav")
    found = files.recordings([place, place / "sp ace.wav"], RATE, 2_048)
    assert {f.path.name for f in found.fitted} == {*names, "far.wav"}
    assert len(found.fitted) == len(names) + 1
    assert not found.broken
    text = " ".join(found.notes)
    assert all(words in text for words in (".hidden", "lead nowhere are skipped: loop.wav", "skipped: again"))


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, real = tones(tmp_path, "a/x.wav", "b/y.wav"), os.scandir

    def refused(path: Path) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    for read in (lambda: files.recordings([place], RATE, 2_048), lambda: files.gather([place])):
        with pytest.raises(UserError, match=r"Cannot read .*b: there is no permission"):
            read()


def test_archives_within_archives_and_broken_ones(tmp_path: Path) -> None:
    place = tones(tmp_path / "set", "a.wav")
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as file:
        file.write(place / "a.wav", "a.wav")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as file:
        file.write(tmp_path / "inner.zip", "inner.zip")
    with pytest.raises(UserError, match=r"outer.zip holds no sounds.* 1 .zip. What to do: unpack them"):
        files.recordings([tmp_path / "outer.zip"], RATE, 2_048)
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"x.zip is damaged, or no zip file"):
        files.recordings([tmp_path / "x.zip"], RATE, 2_048)
    with pytest.raises(UserError, match="a zip archive"):
        files.recording(tmp_path / "inner.zip", RATE, 2_048)


def test_what_cannot_be_read_in_an_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tones(tmp_path / "set", "a.wav")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.write(place / "a.wav", "x/a.wav")
        file.writestr("x/b.wav", b"\0" * 5_000)
    monkeypatch.setattr(given.files, "RATIO", 100)
    monkeypatch.setattr("ganvas.sources.archives.UNFOLDED", 10)
    found = given.look([tmp_path / "set.zip"], SOUNDS)
    assert [one.path.name for one in found.read()] == ["a.wav", "b.wav"]
    fitted, broken, _ = files.recordings([tmp_path / "set.zip"], RATE, 2_048)
    assert len(fitted) == 1
    assert str(tmp_path / "set.zip" / "x" / "b.wav") in broken[0]
