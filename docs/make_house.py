"""Draw docs/images/house.svg, the floors of the code and what imports what; `--check` says whether it is up to date.

The floors and the imports are those of tests/test_floors.py. Needs nothing but Python.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "house.svg"
WIDTH, LEFT, GAP, BETWEEN = 1200, 34, 14, 58  # pixels: of all, of the floors' numbers, between boxes, between floors
PAD, LINE, CHARACTER = 10, 15, 5.8  # inside a box; from line to line; the mean width of a character
TASKS, GROUND = "tasks", "core"
STYLE = """
:root { --paper: #fff; --box: #f4f2ee; --edge: #b9b3a8; --ink: #23211d; --soft: #6b665d; --line: #3c6e9f; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --box: #23262c; --edge: #4a4f58; --ink: #eceae5; --soft: #a19c92; --line: #7fb0df; }
}
text { font: 11.5px system-ui, sans-serif; fill: var(--ink); }
.title { font-weight: 600; font-size: 13px; }
.soft { fill: var(--soft); }
.count { font-size: 10.5px; fill: var(--line); text-anchor: middle; paint-order: stroke; stroke: var(--paper); }
.count { stroke-width: 3px; }
.box { fill: var(--box); stroke: var(--edge); }
.arrow { fill: none; stroke: var(--line); stroke-linecap: round; opacity: .5; }
.head { fill: var(--line); }
"""


@dataclass
class Box:
    """A folder (or a single file) of a floor."""

    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)  # class and text
    files: list[str] = field(default_factory=list)
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def floors() -> Any:
    """tests/test_floors.py: its floors, files and what each file imports."""
    sys.path.insert(0, str(ROOT / "tests"))
    return importlib.import_module("test_floors")


def box_of(name: str) -> str:
    """The box that a file belongs to: 'images.data.idx' -> 'images', 'tasks.restore.unet' -> 'tasks/restore'."""
    parts = name.split(".")
    return "/".join(parts[:2]) if parts[0] == TASKS and len(parts) > 1 else parts[0]


def wrapped(words: list[str], width: float) -> list[str]:
    """Words in lines of so many pixels."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}{' ' if lines[-1][-1:] in '/' else ' · '}{word}".strip()
        if lines[-1] and len(longer) * CHARACTER > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def write_lines(box: Box) -> None:
    """The box's text for its width: its name, its files, and those of its folders below."""
    is_folder = any("." in name.removeprefix(box.name.replace("/", ".")) for name in box.files)
    box.lines = [("title", f"{box.name}/" if is_folder else f"{box.name}.py")]
    groups: dict[str, list[str]] = {"": []}
    for name in box.files:
        rest = name.split(".")[box.name.count("/") + 1 :]
        if rest and not is_package(name):
            groups.setdefault(rest[0] if len(rest) > 1 else "", []).append(rest[-1])
    for folder, names in groups.items():
        words = [f"{folder}/", *names] if folder else names
        box.lines += [("soft" if folder else "", line) for line in wrapped(words, box.width - 2 * PAD) if line]
    box.height = 2 * PAD + LINE * len(box.lines)


def is_package(name: str) -> bool:
    return (ROOT / "src" / "ganvas" / name.replace(".", "/")).is_dir()


def place(house: Any) -> list[list[Box]]:
    """The boxes of all floors, the highest first."""
    boxes: dict[str, Box] = {}
    for name in house.FILES:
        if name != TASKS:
            boxes.setdefault(box_of(name), Box(box_of(name))).files.append(name)
    rows = []
    for names in reversed(house.FLOORS):
        rows.append([box for folder in names for name, box in boxes.items() if name.split("/")[0] == folder])
    y = 30.0
    for row in rows:
        free = WIDTH - LEFT - GAP * len(row)
        shares = [max(5, len(box.files)) ** 0.7 for box in row]
        x = float(LEFT)
        for box, share in zip(row, shares, strict=True):
            box.x, box.y, box.width = x, y, free * share / sum(shares)
            if len(box.files) == 1:
                box.width = min(box.width, 170)
            x += box.width + GAP
            write_lines(box)
        y += max(box.height for box in row) + BETWEEN
    return rows


def counts(house: Any) -> Counter[tuple[str, str]]:
    """How many imports lead from the files of one box to those of another."""
    pairs = ((box_of(a), box_of(b)) for a in house.FILES for b in house.known(a))
    return Counter((a, b) for a, b in pairs if a != b and TASKS not in (a, b))


def spread(box: Box, number: int, of: int) -> float:
    """Where the arrow of this number meets the box's edge."""
    return box.x + box.width * (number + 1) / (of + 1)


def arrows(boxes: dict[str, Box], found: Counter[tuple[str, str]]) -> str:
    """All arrows, behind the boxes, and the counts at their heads."""
    drawn, heads = [], []
    edges = [edge for edge in found if edge[0] in boxes and edge[1] in boxes]
    for source, target in sorted(edges):
        upper, lower = boxes[source], boxes[target]
        out = sorted((b for a, b in edges if a == source), key=lambda b: (boxes[b].middle, boxes[b].y))
        into = sorted((a for a, b in edges if b == target), key=lambda a: (boxes[a].middle, boxes[a].y))
        x1, y1 = spread(upper, out.index(target), len(out)), upper.y + upper.height
        x2, y2 = spread(lower, into.index(source), len(into)), lower.y
        bend = max(24.0, min(90.0, (y2 - y1) / 2))
        number = found[source, target]
        title = f"<title>{escape(source)} to {escape(target)}: {number}</title>"
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend - 8:.1f} {x2:.1f} {y2 - 7:.1f}"
        drawn.append(f'<path class="arrow" stroke-width="{min(4.5, 0.8 + number / 14):.1f}" d="{path}">{title}</path>')
        heads.append(f'<path class="head" d="M{x2 - 3.5:.1f} {y2 - 7:.1f}h7l-3.5 6.5z"/>')
        heads.append(f'<text class="count" x="{x2:.1f}" y="{y2 - 11:.1f}">{number}</text>')
    return "\n".join([*drawn, *heads])


def picture() -> str:
    """The whole SVG."""
    house = floors()
    rows = place(house)
    boxes = {box.name: box for row in rows for box in row}
    found = counts(house)
    parts = []
    for number, row in enumerate(reversed(rows), start=1):
        parts.append(f'<text class="title soft" x="8" y="{row[0].y + PAD + 11:.1f}">{number}</text>')
        for box in row:
            parts.append(
                f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
                'rx="6"/>'
            )
            for i, (style, line) in enumerate(box.lines):
                y = box.y + PAD + 11 + i * LINE
                parts.append(f'<text class="{style}" x="{box.x + PAD:.1f}" y="{y:.1f}">{escape(line)}</text>')
    height = max(box.y + box.height for box in rows[-1]) + 34
    total, between = sum(len(house.known(name)) for name in house.FILES), sum(found.values())
    about = (
        f"{len(house.FILES)} files, {total} imports between them; the {between} from one box to another lead down. "
        "An arrow's number is how many."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="The floors of Ganvas">\n<style>{STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="var(--paper)"/>\n{arrows(boxes, found)}\n'
        + "\n".join(parts)
        + f'\n<text class="soft" x="{LEFT}" y="{height - 12:.0f}">{about}</text>\n</svg>\n'
    )


if __name__ == "__main__":
    if "--check" in sys.argv:
        if not PICTURE.is_file() or PICTURE.read_text() != picture():
            sys.exit("docs/images/house.svg is not up to date: run make generated")
    else:
        PICTURE.write_text(picture())
