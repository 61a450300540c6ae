"""The commands that the documentation shows, and the files that they speak of."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import write_rows, write_sounds
from PIL import Image

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WRITTEN = {"cli.md", "log.md"}  # generated, or history
PAGES = sorted(p for p in [*DOCS.glob("*.md"), *DOCS.glob("howto/*.md")] if p.name not in WRITTEN)
ORDERS = ROOT / "examples" / "orders" / "README.md"
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>long|not run: [^\n]+) -->\n)?^```(?P<of>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
LEAD = re.compile(r"(?:torchrun .*?-m ganvas -- |ganvas )")


@dataclass(frozen=True)
class Command:
    """A command of a page: its words after `ganvas`, and the mark of its block: '', 'long', or 'not run: why'."""

    page: str
    line: int
    words: tuple[str, ...]
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {' '.join(self.words)}"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def lines(page: Path) -> Iterator[tuple[int, str, str]]:
    """The number, the text and the mark of each line that is typed: after `$ `, or all of a block without."""
    text = text_of(page)
    for block in FENCE.finditer(text):
        if block["of"] not in ("", "console"):
            continue
        body = block["body"].replace("\\\n", " ")
        first = text[: block.start("body")].count("\n") + 1
        prompts = any(line.startswith("$ ") for line in body.splitlines())
        for number, line in enumerate(body.splitlines(), first):
            if line.strip() and (line.startswith("$ ") or not prompts):
                yield number, line.removeprefix("$ ").strip(), block["mark"] or ""


def commands(page: Path) -> list[Command]:
    """The `ganvas` commands in a page's blocks, in their order."""
    found, name = [], page.relative_to(ROOT).as_posix()
    for number, line, mark in lines(page):
        if lead := LEAD.match(line):
            words = shlex.split(line[lead.end() :], comments=True)
            found.append(Command(name, number, tuple(words), mark))
    return found


def in_text(page: Path) -> list[Command]:
    """Those in the text of a page, as `ganvas ...`; often only the name of a command."""
    text = text_of(page)
    found = []
    for match in re.finditer(r"(?<!`)`ganvas ([^`\n]+)`", text):
        line = text[: match.start()].count("\n") + 1
        found.append(Command(page.relative_to(ROOT).as_posix(), line, tuple(shlex.split(match[1])), "text"))
    return found


def write_code(place: Path) -> None:
    """my.py, as the page on a network of one's own shows it, and the example with a recipe."""
    (text,) = re.findall(r"```python\n(from torch.*?)```", text_of(DOCS / "howto" / "own-recipe.md"), re.DOTALL)
    (place / "my.py").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "examples", place / "examples", dirs_exist_ok=True)


def write_data(place: Path) -> None:
    """The folders of pictures and sounds and the table that the README speaks of."""
    random = np.random.default_rng(0)
    for i in range(60):
        folder = place / "my-pictures" / ("cats", "dogs")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{i}.png")
    for name, light in (("faces", 0), ("emoji", 100)):
        (place / name).mkdir()
        for i in range(30):
            Image.fromarray(random.integers(light, light + 100, (16, 16, 3), np.uint8)).save(place / name / f"{i}.png")
    shutil.copytree(ROOT / "examples", place / "examples")
    shutil.copy(ROOT / "examples" / "photos" / "old.jpg", place)
    write_rows(place / "customers.csv", 600)
    (write_sounds(place / "drums") / "noise").rename(place / "drums" / "snare")


def write_more(place: Path) -> None:
    """What the pages speak of besides."""
    write_data(place)
    for name in ("pictures", "photos"):
        shutil.copytree(place / "my-pictures", place / name)
    shutil.copytree(place / "faces", place / "holiday")
    shutil.rmtree(place / "drums")
    for old, new in (("down", "kick"), ("noise", "snare")):  # enough of them to be measured
        shutil.copytree(write_sounds(place / "sounds", 90) / old, place / "drums" / new)
    shutil.copytree(place / "drums", place / "clean")
    sound = sorted((place / "drums").rglob("*.wav"))[0]
    (place / "new").mkdir()
    for name in ("mine.wav", "interview.flac", "new/1.wav"):
        shutil.copy(sound, place / name)
    (place / "interview.flac").unlink()
    _flac(sound, place / "interview.flac")
    digits = place / "digits"  # spoken, for `write`
    shutil.copytree(place / "sounds" / "up", digits / "6")
    for folder, name in zip(sorted(p for p in (place / "drums").iterdir() if p.is_dir()), "02", strict=False):
        shutil.copytree(folder, digits / name)
    random = np.random.default_rng(1)
    for name in ("mine.png", "yours.png", "my-digit.png", "more.png", "images/1.png"):
        (place / name).parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (28, 28), np.uint8)).save(place / name)
    Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).save(place / "holiday.jpg")
    plans = ("gold", "silver", "free")
    rows = [
        f"{i % 50 + 18},{'DE' if i % 3 else 'NL'},{plans[i % 7 % 3]},{'no' if i % 4 else 'yes'}" for i in range(600)
    ]
    for name, kept in (("customers.csv", rows), ("new.csv", rows[:50]), ("gaps.csv", [*rows[:50], ",NL,gold,no"])):
        (place / name).write_text("\n".join(["age,country,plan,churn", *kept]) + "\n")
    write_rows(place / "orders.csv", 200)
    write_code(place)


def _flac(sound: Path, place: Path) -> None:
    import soundfile

    waves, rate = soundfile.read(sound)
    soundfile.write(place, waves, rate)
