"""Folders as they come: links, splits, litter, kinds of files that are not read; nothing vanishes without a word."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from ganvas.core.errors import UserError
from ganvas.images.data import pictures
from ganvas.images.decode import SUFFIXES
from ganvas.sources.listing import Listing
from ganvas.studio.state import Studio


def fill(place: Path, *names: str) -> Path:
    """Files with these names: a listing does not look into them."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"")
    return place


def both(place: Path, *folders: str, count: int = 3) -> Path:
    return fill(place, *(f"{folder}/{i}.png" for folder in folders for i in range(count)))


def kinds(images: Listing) -> dict[str, int]:
    return dict(Counter(images.labels or []))


def zipped(place: Path) -> Path:
    with zipfile.ZipFile(place.with_suffix(".zip"), "w") as file:
        for path in sorted(p for p in place.rglob("*") if p.is_file()):
            file.write(path, path.relative_to(place))
    return place.with_suffix(".zip")


def test_classes_that_are_links_are_classes(tmp_path: Path) -> None:
    both(tmp_path / "store", "cats", "dogs/deep")
    both(tmp_path / "mine", "birds")
    (tmp_path / "mine" / "cats").symlink_to("../store/cats")
    (tmp_path / "mine" / "dogs").symlink_to(tmp_path / "store" / "dogs")
    (tmp_path / "mine" / "birds" / "9.png").symlink_to(tmp_path / "store" / "cats" / "0.png")
    images = pictures.find(tmp_path / "mine")
    assert kinds(images) == {"birds": 4, "cats": 3, "dogs": 3}
    assert images.notes == ()


def test_links_in_a_circle_and_to_nowhere(tmp_path: Path) -> None:
    place = both(tmp_path / "mine", "a", "b")
    (place / "me").symlink_to(".")
    (place / "a" / "up").symlink_to(tmp_path)  # around it all
    (place / "a-again").symlink_to("a")
    (place / "first").symlink_to("second")
    (place / "second").symlink_to("first")
    (place / "gone.png").symlink_to("nowhere.png")
    (place / "lost").symlink_to("/no/such/folder")
    images = pictures.find(place)
    assert kinds(images) == {"a": 3, "b": 3}
    assert images.notes == (
        "Links that lead nowhere are skipped: first, gone.png, lost, second.",
        "Links to folders that are read already, or that contain these, are skipped: a-again, a/up, me.",
    )


@pytest.mark.parametrize("around", ["", "deep/"])
@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ([], None),
        (["preview.png"], "next to {}test, {}train: 1 pictures ({}preview.png)"),
        (["unlabeled/0.png", "unlabeled/1.png"], "2 pictures ({}unlabeled)"),
        (["extra/x/0.png", "0.jpg"], "2 pictures ({}0.jpg, {}extra)"),
    ],
)
def test_what_lies_beside_the_splits_is_passed_over(
    tmp_path: Path, around: str, beside: list[str], words: str | None
) -> None:
    place = both(tmp_path / "x", *(f"{around}{split}/{kind}" for split in ("train", "test") for kind in "ab"))
    fill(place, *(around + name for name in beside))
    for source in (place, zipped(place)):
        images = pictures.find(source)
        assert kinds(images) == {"a": 6, "b": 6}
        assert images.tests is not None
        tests = {name for name, test in zip(images.names, images.tests, strict=True) if test}
        assert tests == {f"{around}test/{kind}/{i}.png" for kind in "ab" for i in range(3)}
        if words is None:
            assert images.notes == ()
        else:
            assert words.replace("{}test, {}train", "test, train").replace("{}", around) in images.notes[0]
        assert sum(pictures.find(source, labelled=False).tests or []) == 6


@pytest.mark.parametrize(
    ("folders", "tests", "classes"),
    [
        (["a/train", "a/test", "b/train", "b/val"], 6, {"a": 6, "b": 6}),
        (["train/a", "train/b", "val/a", "test/b"], 6, {"a": 6, "b": 6}),
        (["train/images/a", "train/images/b", "test/images/a"], 3, {"a": 6, "b": 3}),
        (["train/a", "train/b"], None, {"a": 3, "b": 3}),
        (["train/a", "train/b", "unlabeled"], None, {"a": 3, "b": 3}),
        (["train", "car", "bus"], None, {"train": 3, "car": 3, "bus": 3}),
        (["train", "test"], 3, {}),
        (["a/train", "a/test", "b/more"], None, {"a": 6, "b": 3}),
        (["test/a", "test/b"], None, {"a": 3, "b": 3}),
    ],
)
def test_where_splits_are(tmp_path: Path, folders: list[str], tests: int | None, classes: dict[str, int]) -> None:
    images = pictures.find(both(tmp_path, *folders))
    assert (None if images.tests is None else sum(images.tests)) == tests
    assert kinds(images) == classes


def test_litter_makes_no_classes(tmp_path: Path) -> None:
    place = both(tmp_path / "x", "a", "b", "$RECYCLE.BIN/S-1-5", "@eaDir/a", "a/.thumbnails", "#Recycle")
    both(place, "System Volume Information", ".Trash-1000/files", "b/@eaDir", "lost+found", "__MACOSX/a", ".hidden")
    fill(place, "Thumbs.db", "a/desktop.ini", "a/._0.png", ".git/config")
    for source in (place, zipped(place)):
        images = pictures.find(source)
        assert kinds(images) == {"a": 3, "b": 3}
        assert images.other_suffixes == ()
        (note,) = images.notes
        assert note.startswith("Skipped, because they are hidden or left behind by a system: #Recycle, $RECYCLE.BIN,")
        assert ".git" not in note


def test_litter_that_may_not_be_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both(tmp_path, "a", "b", "lost+found")
    scan = os.scandir

    def refuse(path: Path | str) -> object:
        if Path(path).name == "lost+found":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert kinds(pictures.find(tmp_path)) == {"a": 3, "b": 3}


def test_folders_without_pictures_are_named(tmp_path: Path) -> None:
    both(tmp_path, "a", "b/anna")
    (tmp_path / "c" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "berta").mkdir()
    assert pictures.find(tmp_path).notes == ("Folders without pictures are not classes: c.",)


def test_kinds_of_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "a.HEIC", "b.heic", "c.CR2", "d.dng", "e.mp4", "f.psd", "g.txt", "h.zip")
    images = pictures.find(tmp_path)
    notes = "\n".join(images.notes)
    for text in (
        "1 .cr2, 1 .dng. What to do: develop",
        "1 .mp4. What to do: extract",
        "1 .psd. What to do: save",
        "1 .zip",
    ):
        assert text in notes
    assert ("2 .heic. What to do: pip install 'ganvas[heif]'." in notes) == (".heic" not in SUFFIXES)
    assert images.other_suffixes == ((".txt", 1),)
    (tmp_path / "1.png").unlink()
    for path in tmp_path.glob("*.[hH]*"):
        path.unlink()
    with pytest.raises(UserError, match=r"holds no pictures: it has 1 .txt.*Left out.* 1 .mp4"):
        pictures.find(tmp_path)


def test_names_without_an_ending(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{i:032x}" for i in range(4)))
    with pytest.raises(UserError, match=r"4 .none.*Pictures are recognised by their file suffix"):
        pictures.find(tmp_path)


def test_names_in_notes_are_fit_to_be_shown(tmp_path: Path) -> None:
    both(tmp_path, "train", "test")
    fill(tmp_path, "\x1b[31mred.png")
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.png"), "wb"):
        pass
    (note,) = pictures.find(tmp_path).notes
    assert note.encode()
    assert "\x1b" not in note


def test_a_pipe_among_the_pictures_is_not_waited_for(tmp_path: Path) -> None:
    fill(tmp_path, "1.png")
    os.mkfifo(tmp_path / "2.png")
    images = pictures.find(tmp_path)
    assert "is a pipe or a device" in str(next(images.read([1])))


def test_no_suffix_is_both_read_and_refused() -> None:
    assert not {*pictures.PICTURES.advice()} & SUFFIXES


def test_no_link_leads_out_of_the_studio_s_folder_by_way_of_another(tmp_path: Path) -> None:
    """Folders that links lead to are read: so the studio looks into them before it lets a folder be read."""
    both(tmp_path / "secret", "a")
    root = both(tmp_path / "root", "mine/a", "aside")
    (root / "mine" / "b").symlink_to(root / "aside")
    (root / "aside" / "back").symlink_to(root / "mine")  # a circle
    studio = Studio(root, root)
    try:
        assert kinds(pictures.find(Path(studio.source("mine")))) == {"a": 3, "b": 3}
        (root / "aside" / "out").symlink_to(tmp_path / "secret")
        with pytest.raises(UserError, match="out is a link that leads out of root/"):
            studio.source("mine")
    finally:
        studio.close()
