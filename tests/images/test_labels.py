"""Tables of labels: the forms that spreadsheets and scripts write, what is doubtful, what is no table at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganvas.core.errors import UserError
from ganvas.images.data import pictures
from ganvas.sources import labels as labelling
from ganvas.sources.listing import Listing

NAMES = [f"{i:02}.png" for i in range(12)]
KINDS = ["disc" if i % 2 else "square" for i in range(12)]
ROWS = list(zip(NAMES, KINDS, strict=True))


def folder(place: Path, names: list[str] = NAMES) -> Path:
    """Files with the names of pictures: a listing does not look into them."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"")
    return place


def text(rows: list[tuple[str, str]] = ROWS, head: tuple[str, str] = ("file_name", "label"), mark: str = ",") -> str:
    return "".join(mark.join(row) + "\n" for row in [head, *rows])


def labels(images: Listing) -> list[str]:
    return [label for _, label in sorted(zip(images.names, images.labels or [], strict=True))]


@pytest.mark.parametrize(
    "content",
    [
        text().replace("\n", "\r\n").encode(),
        text().replace("\n", "\r").encode(),
        text(mark=";").encode("utf-8-sig"),
        b"sep=;\r\n" + text(mark=";").replace("\n", "\r\n").encode(),
        text(mark="\t").encode("utf-16"),
        b"\xfe\xff" + text().encode("utf-16-be"),
        text(mark="|").encode(),
        text([(name[:-4], kind) for name, kind in ROWS], ("id", "breed")).encode(),
        text([(name[:-3] + "JPG", kind) for name, kind in ROWS], ("img", "target")).encode(),
        text([("C:\\Users\\me\\" + name, kind) for name, kind in ROWS], ("Image-ID", "Class Name")).encode(),
        text([("https://there/x/" + name.upper(), kind) for name, kind in ROWS], ("path", "y")).encode(),
        text([(name, f'  "{kind}" ') for name, kind in ROWS], (" File Name ", " LABEL ")).encode(),
        text(ROWS, ("Datei", "Art")).encode(),
        (text() + "\n\n,,\n" + text(ROWS[:1], ROWS[0]) + "\n").encode(),
        "\n".join(map(",".join, ROWS)).encode(),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, content: bytes) -> None:
    (folder(tmp_path) / "table.csv").write_bytes(content)
    assert labels(pictures.find(tmp_path)) == KINDS


def test_another_code_page_is_read_and_said(tmp_path: Path) -> None:
    rows = [(name, "Möwe" if i % 2 else "Wal") for i, name in enumerate(NAMES)]
    (folder(tmp_path) / "table.csv").write_bytes(text(rows).encode("cp1252"))
    images = pictures.find(tmp_path)
    assert set(labels(images)) == {"Möwe", "Wal"}
    assert "is not in UTF-8: it is read as Windows-1252" in images.notes[0]


@pytest.mark.parametrize(
    "content",
    [
        {"labels": list(map(list, ROWS))},
        {"labels": dict(ROWS)},
        dict(ROWS),
        list(map(list, ROWS)),
        [{"file_name": name, "label": kind} for name, kind in ROWS],
        {"labels": [[name, kind == "disc"] for name, kind in ROWS]},
        {"labels": [[name, float(kind == "disc")] for name, kind in ROWS]},
        {"labels": [[name, [0, 1] if kind == "disc" else [1.0, 0]] for name, kind in ROWS]},
    ],
)
def test_the_forms_of_dataset_json(tmp_path: Path, content: object) -> None:
    (folder(tmp_path) / "dataset.json").write_text(json.dumps(content))
    classes = labels(pictures.find(tmp_path))
    assert len(set(classes)) == 2
    assert set(classes) <= {"disc", "square", "0", "1", "True", "False"}
    assert all((kind == "disc") == (label in ("disc", "1", "True")) for kind, label in zip(KINDS, classes, strict=True))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("dataset.json", '{"labels": [["00.png", 0],]}', r"dataset.json is damaged.*\(line 1, column"),
        ("dataset.json", '{"labels":' + "[" * 100_000, "nested too deep"),
        ("dataset.json", '{"labels": [["00.png", ' + "1" * 5_000 + "]]}", "a number of 5000 digits"),
        ("dataset.json", '{"labels": [["00.png", [1, 1]]]}', r"entry 1: the label \[1, 1\] is a list"),
        ("dataset.json", '{"labels": [["00.png", []]]}', r"entry 1: the label \[\] is a list"),
        ("dataset.json", '{"labels": [["00.png", {}]]}', "entry 1: the label is an object"),
        ("dataset.json", '{"labels": [["00.png"]]}', r"entry 1 is \[.00.png.\]; a file name and a label"),
        ("dataset.json", '{"labels": [["00.png", null]]}', "entry 1 lacks its file or its label"),
        ("dataset.json", '{"labels": 5}', "has no labels; a list is needed"),
        ("dataset.json", "5", "has no labels; a list is needed"),
        ("metadata.jsonl", '{"file_name": "00.png", "label": 1}\n{"file', "line 2, column"),
        ("metadata.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("metadata.jsonl", b"\xff", "it is not text"),
        ("t.csv", text() + "00.png,disc\n", r"00.png has two labels: 'square' \(.*line 2\) and 'disc' \(.*line 14\)"),
        ("t.csv", text() + "\n00.png,\n", "line 15 lacks its file_name or its label"),
        ("t.csv", text() + "00.png,square,round\n", "line 14 has more cells than the heading"),
        ("t.csv", text() + f"00.png,{'x' * 300}\n", "the label has 300 characters"),
        ("t.csv", text() + f'00.png,"{"x" * 200_000}"\n', r"is damaged: field larger than field limit .*line 14"),
        ("t.csv", text() + "gone.png,disc\nlost.png,disc\n", r"names 2 files .*first: gone.png, line 14\)"),
        ("t.csv", text(ROWS[:-1]), "1 picture has no label in t.csv"),
        ("t.csv", text().replace(",", ",\0"), "zero bytes"),
        ("t.csv", text() + "\x1b]0;x.png,disc\n", r"first: \\x1b]0;x.png, line 14"),
    ],
)  # fmt: skip
def test_doubtful_lines_are_named(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    (folder(tmp_path) / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=words):
        pictures.find(tmp_path)
    assert len(pictures.find(tmp_path, labelled=False).names) == 12


def test_files_are_found_by_their_path_before_their_name(tmp_path: Path) -> None:
    names = [f"{kind}/{i}.png" for kind in ("a", "b") for i in range(6)]
    folder(tmp_path, names)
    rows = [(f"x\\{name.upper()}", name[0]) for name in names]
    (tmp_path / "table.csv").write_text(text(rows))
    assert labels(pictures.find(tmp_path)) == [name[0] for name in names]
    (tmp_path / "table.csv").write_text(text([(name[2:], name[0]) for name in names]))
    with pytest.raises(UserError, match=r"line 2: 0.png may be a/0.png or b/0.png. Write the path"):
        pictures.find(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("history.csv", "epoch,loss\n1,0.5\n", "names none of these pictures; its columns are epoch, loss"),
        ("empty.csv", "", "it is empty"),
        ("head.csv", "file_name,label\n", "it has a heading but no lines"),
        ("odd.csv", "epoch,loss\n1," + "9" * 200_000, "field larger than field limit"),
        (
            "metadata.jsonl",
            '{"file_name": "0.png", "text": "a cat"}\n',
            "its column 'text' holds captions, not classes",
        ),
        ("dataset.json", '{"name": "mine", "version": 2}', "it names none of these pictures"),
        ("sizes.csv", "file,width,height\na/0.png,5,7\na/1.png,7,7\n", "has the columns file, width, height; one of"),
    ],
)
def test_what_is_no_table_of_labels_is_passed_over(tmp_path: Path, name: str, content: str, text: str) -> None:
    folder(tmp_path, [f"{kind}/{i}.png" for kind in ("a", "b") for i in range(6)])
    (tmp_path / name).write_text(content)
    images = pictures.find(tmp_path)
    assert set(labels(images)) == {"a", "b"}
    assert text in images.notes[0]
    assert f"{tmp_path}/{name} " in images.notes[0]


def test_a_table_may_name_pictures_that_are_passed_over(tmp_path: Path) -> None:
    names = [f"{place}/{i}.png" for place in ("train", "test", "unlabeled") for i in range(4)]
    folder(tmp_path, names)
    rows = [(name, "ab"[i % 2]) for i, name in enumerate(names)]
    (tmp_path / "table.csv").write_text(text(rows))
    images = pictures.find(tmp_path)
    assert len(images.names) == 8
    assert set(labels(images)) == {"a", "b"}


def test_a_contest_leaves_its_test_images_without_labels(tmp_path: Path) -> None:
    names = [f"{place}/{i:02}.jpg" for place, some in (("train", range(8)), ("test", range(8, 12))) for i in some]
    folder(tmp_path, names)
    (tmp_path / "labels.csv").write_text(text([(f"{i:02}", "ab"[i % 2]) for i in range(8)], ("id", "breed")))
    (tmp_path / "sample_submission.csv").write_text("id,a,b\n" + "".join(f"{i:02},0.5,0.5\n" for i in range(8, 12)))
    images = pictures.find(tmp_path)
    assert labels(images) == ["a", "b"] * 4
    assert images.tests is None
    assert "4 test images without a label in labels.csv are left out." in images.notes
    assert "sample_submission.csv has the columns id, a, b" in images.notes[-1]
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(UserError, match=r"sample_submission\.csv has the columns id, a, b; one of label"):
        pictures.find(tmp_path)


def test_a_table_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder(tmp_path) / "table.csv").write_text(text())
    monkeypatch.setattr(labelling, "LARGEST", 50)
    images = pictures.find(tmp_path)
    assert images.labels is None
    assert images.notes == ("Too large for tables of labels, so skipped: table.csv.",)
