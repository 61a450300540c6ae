"""The data doctor: it finds what was put there, and says it in words; the forecast; `ganvas data check`."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas import cli
from ganvas.api import RECIPES
from ganvas.core.errors import UserError
from ganvas.images import data, decode
from ganvas.images.data import pack, photos, survey
from ganvas.images.data.uses import Amount
from ganvas.images.decode import Shape
from ganvas.tasks.generate import data_check, data_use
from ganvas.tasks.generate.data_check import Checked, Recipes
from ganvas.tasks.generate.data_findings import findings
from ganvas.tasks.restore import data_use as restore_use
from ganvas.training import forecast

pytestmark = pytest.mark.long

MIRROR = functools.partial(survey.mirror, steps=30)  # by default it learns for longer


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(survey, "mirror", functools.partial(MIRROR, steps=2))
    monkeypatch.setattr(forecast, "SECONDS", 0.05)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def smooth(seed: int, side: int = 32, channels: int = 3) -> Image.Image:
    """A picture of a few large spots: no two seeds are alike."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, channels), np.uint8)
    return Image.fromarray(small[:, :, 0] if channels == 1 else small).resize((side, side), Image.Resampling.BILINEAR)


def folder(tmp_path: Path, count: int = 120, side: int = 32, channels: int = 3) -> Path:
    for i in range(count):
        path = tmp_path / "mine" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth(i, side, channels).save(path)
    return tmp_path / "mine"


def checked(source: Path | str, out: Path | None = None, recipes: Recipes = RECIPES) -> Checked:
    steps = data_check.check(str(source), out, recipes)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def texts(report: Checked) -> str:
    return "\n".join(f"{f.level} {f.text} {f.todo}" for f in report.findings)


def test_a_clean_set_has_no_problems(tmp_path: Path) -> None:
    report = checked(folder(tmp_path))
    assert not [f for f in report.findings if f.level < 2], texts(report)
    assert report.survey.classes == {"a": 60, "b": 60}
    assert report.survey.sides["short"] == [32, 32, 32]
    assert report.preview is None
    assert "Preview" not in "\n".join(findings(report, "mine", "ganvas train images --data mine"))
    assert list(Path.cwd().iterdir()) == []


def test_what_was_put_there_is_found(tmp_path: Path) -> None:
    place = folder(tmp_path, 130)
    (place / "a" / "0.png").write_bytes(b"no picture")
    (place / "a" / "twin.png").write_bytes((place / "b" / "1.png").read_bytes())
    near = np.asarray(Image.open(place / "b" / "3.png")).copy()
    near[:1, :2] //= 2
    Image.fromarray(near).save(place / "a" / "near.png")
    smooth(300).resize((60, 40)).save(place / "a" / "WIDE.JPG")
    smooth(301).resize((8, 8)).save(place / "a" / "tiny.png")
    smooth(302).convert("CMYK").save(place / "a" / "ink.tiff")
    smooth(303).convert("P").save(place / "a" / "palette.gif")
    clear = smooth(304).convert("RGBA")
    clear.putalpha(100)
    clear.save(place / "a" / "clear.png")
    Image.fromarray(np.asarray(smooth(305, channels=1)).astype(np.uint16) * 257).save(place / "a" / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth(306).save(place / "a" / "turned.jpg", exif=exif)
    (place / "c").mkdir()
    smooth(307).save(place / "c" / "only.png")
    (place / "notes.txt").write_text("x")
    report = checked(place)
    printed = texts(report)
    for text in (
        "0 1 of 140 files cannot be read: a/0.png (it is not a picture).",
        "1 1 file is a copy of another: a/twin.png = b/1.png",
        "1 1 picture is a near-duplicate: b/3.png ~ a/near.png",
        "1 1 of 139 pictures are not square",
        "1 1 picture is smaller than 32 pixels",
        "1 Classes with too few pictures to be learned: c (1).",
        "2 1 picture has transparent parts",
        "2 1 picture has more than 8 bits a pixel: values of 0 to 65,535 became 0 to 255.",
        "2 1 picture is in printers' colours",
        "2 1 picture has a palette",
        "2 1 photograph was taken with a rotated camera",
        "2 1 name ends in capitals",
        "1 .tiff",
        "skipped: 1 .txt",
    ):
        assert text in printed, printed
    assert [f.level for f in report.findings] == sorted(f.level for f in report.findings)
    assert report.preview == Path("data-check.png")
    with Image.open("data-check.png") as sheet:
        assert sheet.size == (6 * 132, 2 * 132)


def test_files_cut_short_at_any_place_are_named_and_not_fatal() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, suffixes in (("PNG", exif), ("JPEG", exif), ("WEBP", exif), ("GIF", None), ("TIFF", None), ("BMP", None)):
        buffer = io.BytesIO()
        more = {} if suffixes is None else {"exif": suffixes}
        smooth(1, 12).save(buffer, kind, **more)
        content = buffer.getvalue()
        parts: list[bytes | np.ndarray | Exception] = [content[:n] for n in range(len(content))]
        entries = survey._examine(range(len(parts)), parts)
        broken = pack._converted(range(len(parts)), parts, Shape(8, 3))[2]["broken"]
        assert sum(bool(entry.why) for entry in entries) > len(parts) // 3
        assert {str(entry.number) for entry in entries if not entry.why} >= {str(n) for n in range(len(parts))} - {
            *broken
        }
        assert all("broken" in photos._decoded(range(1), [part], 3)[0] for part in parts[: len(parts) // 3])


def test_whatever_pillow_raises_is_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path)
    smooth(500).resize((40, 20)).save(place / "a" / "wide.png")

    def refuse(picture: Image.Image, shape: Shape) -> np.ndarray:
        if picture.width != picture.height:
            raise MemoryError("too much")
        return fitted(picture, shape)

    fitted = decode.fitted
    monkeypatch.setattr(decode, "fitted", refuse)
    report = checked(place, tmp_path / "here" / "x.png")
    assert report.survey.broken == [("a/wide.png", "too much")]
    assert report.preview == tmp_path / "here" / "x.png"
    assert "a/wide.png (too much)" in data.load(str(place)).notes[0]


def test_names_that_are_no_text_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder(tmp_path, 6)
    for name in (b"\x1b[31m.png", b"caf\xe9.png", b"new\nline.png"):
        with open(os.path.join(os.fsencode(place), b"a", name), "wb") as file:
            file.write(b"no picture")
    shutil.copytree(place / "b", os.path.join(os.fsencode(place), b"c\xe9").decode("utf-8", "surrogateescape"))
    assert cli.app(["data", "check", str(place), "--out", "x.png"], result_action="return_value") == 0
    printed = capsys.readouterr().out
    assert printed.encode()
    for text in ("a/\\x1b[31m.png (it is not a picture)", "a/caf\\udce9.png (", "a/new\\nline.png (", "c\\udce9 3"):
        assert text in printed
    assert json.dumps(checked(place).to_dict(), ensure_ascii=False).encode()


def test_nothing_but_damaged_files(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / f"{i}.png").write_bytes(b"no picture")
    report = checked(tmp_path / "mine", tmp_path / "here" / "x.png")
    assert len(report.survey.broken) == 3
    assert report.preview is None
    assert findings(report, "mine", "ganvas")


def test_copies_of_one_picture_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for i in range(40):
        Image.new("RGB", (16, 16), (9, 9, 9)).save(tmp_path / "mine" / f"{i}.png")
    assert "0 All 40 pictures are the same: none can be held out" in texts(checked(tmp_path / "mine"))
    for shape in (Shape(16, 3), Shape(8, 3, "pieces")):
        with pytest.raises(UserError, match="mine: all 40 pictures are the same"):
            data.load(str(tmp_path / "mine"), shape)
    np.savez(tmp_path / "x.npz", images=np.zeros((40, 8, 8), np.uint8))
    with pytest.raises(UserError, match="all 40 pictures are the same"):
        data.load(str(tmp_path / "x.npz"))


def test_labels_that_do_not_fit_are_a_finding(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "labels.csv").write_text("file,label\na/0.png,x\na/0.png,y\n")
    report = checked(place)
    assert report.findings[0].level == 0
    assert "a/0.png has two labels: 'x'" in report.findings[0].text
    assert report.survey.classes == {}


def test_few_grey_and_uneven(tmp_path: Path) -> None:
    place = folder(tmp_path, 60)
    for path in place.rglob("*.png"):
        Image.open(path).convert("L").convert("RGB").save(path)
    printed = texts(checked(place))
    assert "0 60 pictures are too few" in printed
    assert "All pictures are grey, though stored in colour" in printed
    for i in range(1000, 1280):
        smooth(i, 12).save(place / "a" / f"{i}.png")
    assert "The classes are uneven: a has 310 pictures, b 30" in texts(checked(place))


def test_large_sets_are_looked_at_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "MOST_DECODED", 40)
    place = folder(tmp_path)
    report = checked(place)
    assert "2 Only 40 of 120 pictures were checked, evenly spread." in texts(report)
    (place / "a" / "0.png").write_bytes(b"no picture")  # the first is one of those looked at
    assert checked(place).survey.broken == [("a/0.png", "it is not a picture")]


# -------------------- mirror


def test_pictures_that_look_one_way_are_not_to_be_mirrored() -> None:
    random = np.random.default_rng(0)
    thumbs = random.integers(0, 100, (300, 3, 32, 32)).astype(np.uint8)
    assert MIRROR(torch.from_numpy(thumbs)).verdict == "safe"
    thumbs[:, :, 8:24, 2:14] += 100
    result = MIRROR(torch.from_numpy(thumbs))
    assert result.verdict == "wrong"
    assert result.accuracy > 0.95
    assert result.pictures == 100
    assert MIRROR(torch.from_numpy(thumbs[:90]), steps=5).verdict == "unknown"
    symmetric = np.concatenate([thumbs, thumbs[..., ::-1]], -1)[..., ::2]
    assert MIRROR(torch.from_numpy((symmetric // 2 + symmetric[..., ::-1] // 2).copy()), steps=5).accuracy == 0.5


def test_near_duplicates() -> None:
    random = torch.Generator().manual_seed(0)
    thumbs = torch.randint(0, 256, (50, 3, 5, 5), generator=random).float()
    thumbs = torch.nn.functional.interpolate(thumbs, (32, 32)).to(torch.uint8)
    thumbs[40] = (thumbs[7].float() * 0.99).to(torch.uint8)
    assert survey.near(thumbs) == survey.near(thumbs, portion=7) == [(40, 7)]


# -------------------- forecast and command


def test_the_recipe_that_fits(tmp_path: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = checked(folder(tmp_path))
    assert small.forecast.recipe == "few"
    assert small.forecast.pack_bytes == 120 * 3 * 32 * 32
    recipes = {**RECIPES, "few": RECIPES["classic-mlp"]}
    timed = checked(tmp_path / "mine", recipes=recipes).forecast
    assert timed.images_per_second > 0
    assert timed.images == RECIPES["classic-mlp"]().training.images
    assert not timed.note
    monkeypatch.setattr(data_use, "FEW", 100)
    assert checked(tmp_path / "mine").forecast.recipe == "images"
    for i in range(130):
        path = tmp_path / "digits" / "01"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth(i, 28, 1).save(path)
    assert checked(tmp_path / "digits").forecast.recipe == "mnist"
    assert checked(blobs).survey.tests == 100


def test_nothing_is_written_into_the_pictures_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path)
    smooth(300).resize((60, 40)).save(place / "a" / "wide.png")
    before = sorted(place.rglob("*"))
    with pytest.raises(UserError, match="nothing there is changed"):
        checked(place, place / "sheet.png")
    monkeypatch.chdir(place)
    assert "no preview was written" in texts(checked("."))
    assert sorted(place.rglob("*")) == before


def test_words_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder(tmp_path, 60)
    report = checked(place, Path("sheet.png"))
    printed = "\n".join(findings(report, "mine", "ganvas train images --data mine"))
    for text in (
        "60 pictures in mine",
        "60 PNG; 60 RGB",
        "a 30, b 30",
        "Preview sheet.png",
        "recipe few, 32 pixels, colour",
    ):
        assert text in printed
    assert cli.app(["data", "check", str(place), "--json"], result_action="return_value") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["total"] == 60
    assert card["mirror"]["verdict"] in ("safe", "wrong", "unknown")
    assert card["forecast"]["recipe"] == "few"
    assert {"level", "text", "todo"} == set(card["findings"][0])


def test_packs_and_names_are_checked_too(tmp_path: Path) -> None:
    for _ in data.pack_into(str(folder(tmp_path)), tmp_path / "pack", Shape()):
        pass
    report = checked(tmp_path / "pack")
    assert report.survey.total == 120
    assert report.survey.classes == {"a": 60, "b": 60}


# -------------------- what for


def test_what_is_found_depends_on_what_the_pictures_are_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "photos"
    for i in range(6):
        path = place / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth(i, 900).crop((0, 0, 900, 850)).save(path)
    arguments = ["data", "check", str(place), "--json", "--out", "sheet.png", "--force"]
    assert cli.app(arguments, result_action="return_value") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["purpose"] == "restore"  # a few large ones are enough for this alone
    assert {name: one["enough"] for name, one in card["purposes"].items()} == {
        "generate": False,
        "restore": True,
        "translate": False,
    }
    assert (card["forecast"]["recipe"], card["forecast"]["size"], card["forecast"]["classes"]) == ("denoise", 64, 0)
    found = {name: [f["text"] for f in one["findings"]] for name, one in card["purposes"].items()}
    assert found["restore"][0].startswith("6 pictures with 1,092 pieces of 64 pixels: enough")
    assert found["generate"][0] == "6 pictures are too few: the network would memorise them."
    assert any("not square" in text for text in found["generate"])
    assert not any("not square" in text or "Classes" in text for text in found["restore"])
    assert any("2 classes are ignored" in text for text in found["translate"])
    assert cli.app([*arguments[:3], "--for", "translate"], result_action="return_value") == 0
    printed = capsys.readouterr().out
    assert "(--for translate); enough for restore; too few for generate, translate" in printed
    assert "train translate --data" in printed
    assert "--to OTHER-KIND" in printed
    judges = data_use.USE.judge, restore_use.USE.judge
    digits = Amount(70_000, [(28, 28)] * 20, 28, 1, 10)
    assert [judge(digits)[0] for judge in judges] == [True, True]  # small ones are learned as wholes
    with pytest.raises(UserError, match=r"There is no purpose 'drawing'. Valid: generate, restore, translate."):
        cli.app(["data", "check", str(place), "--for", "drawing"], result_action="return_value")
