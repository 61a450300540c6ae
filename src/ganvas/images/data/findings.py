"""What was found in the user's pictures, in plain words, and a preview of how they would be cropped."""

from __future__ import annotations

import functools
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.files import free
from ganvas.core.text import counted, one_line
from ganvas.images import data, decode, sheets
from ganvas.images.data import Packing, depth, pack
from ganvas.images.data import survey as sv
from ganvas.images.data.pictures import PICTURES
from ganvas.images.data.survey import Mirror, Survey
from ganvas.images.data.uses import Amount, Use
from ganvas.images.decode import Shape
from ganvas.sources.findings import Finding, listed, of_classes, of_copies, some
from ganvas.sources.listing import Listing

NOUN = PICTURES.noun
RARE = 20  # a class with fewer pictures is not learned
PREVIEW, COLUMNS, SIDE = 12, 6, 128  # pictures of a preview, a row, pixels of each


@dataclass(frozen=True)
class Pictures:
    """What a check of pictures found: `shape` is the one a training would use, `preview` the sheet written.

    `findings` and `enough`, whether there are enough pictures, are by the names of the uses.
    """

    survey: Survey
    mirror: Mirror
    findings: dict[str, list[Finding]]
    enough: dict[str, bool]
    amount: Amount
    shape: Shape
    preview: Path | None


def look(source: str, uses: Mapping[str, Use], out: Path | None = None) -> Generator[Packing, None, Pictures]:
    """Examine pictures and change nothing: findings, whether they may be mirrored, a preview of how they are cropped.

    Args:
        source: what `ganvas.images.data.load` takes.
        uses: what the pictures may be wanted for, by name.
        out: where the preview is written; without it data-check.png, and only where pictures are not square.

    Raises:
        UserError: there are no pictures, or the preview cannot be written there.
    """
    place = files.place(source)
    sheet = out or free(Path("data-check.png"))
    if out is not None and place.is_dir() and sheet.resolve().is_relative_to(place.resolve()):
        raise UserError(f"--out {out} is in {source}, and nothing there is changed. Choose another place.")
    listing, found = listed(functools.partial(data.listed, source))
    shape, converted = yield from depth.measured(listing, pack.resolve(listing, Shape()))
    survey = yield from sv.survey(listing, shape.size, shape.depth)
    mirror = sv.mirror(survey.thumbs)
    same = [*found, *(Finding(2, note) for note in converted)]
    written = None
    if (out is not None or survey.oblong) and len(survey.thumbs):
        if place.is_dir() and sheet.resolve().is_relative_to(place.resolve()):
            same.append(Finding(2, "You are in the folder of the pictures: no preview was written.", "Use --out."))
        else:
            broken = {name for name, _ in survey.broken}
            readable = [i for i, name in enumerate(listing.names) if one_line(name) not in broken]
            preview(listing, survey.oblong or readable, sheet, shape.depth)
            written = sheet
    amount = amount_of(survey, shape)
    rows, enough = {}, {}
    for name, use in uses.items():
        enough[name], judged = use.judge(amount)
        rows[name] = sorted([*same, *judged, *_findings(survey, mirror, shape, use)], key=lambda f: f.level)
    return Pictures(survey, mirror, rows, enough, amount, shape, written)


def amount_of(survey: Survey, shape: Shape) -> Amount:
    """How much there is to learn from."""
    return Amount(survey.total - len(survey.broken), survey.sizes, shape.size, shape.channels, len(survey.classes))


def _findings(survey: Survey, mirror: Mirror, shape: Shape, use: Use) -> list[Finding]:
    """Findings in the order of the code; the caller sorts them by level."""
    rows = [
        *_of_files(survey),
        *_of_copies(survey),
        *_of_light(survey),
        *(of_classes(survey.classes, RARE, NOUN) if use.classes else ()),
        *_of_shapes(survey, shape, use),
    ]
    if use.mirror:
        rows += _of_mirror(mirror)
    if survey.looked < survey.total:
        rows.append(Finding(2, f"Only {survey.looked:,} of {survey.total:,} pictures were checked, evenly spread."))
    return rows


def _of_files(survey: Survey) -> list[Finding]:
    """Files that cannot be read."""
    broken, rows = len(survey.broken), []
    if broken:
        named = some([f"{name} ({why})" for name, why in survey.broken])
        text = f"{broken:,} of {survey.looked:,} files cannot be read: {named}."
        rows.append(Finding(0, text, "They are left out. Copy or download them again."))
    return rows


def _of_copies(survey: Survey) -> list[Finding]:
    """Pictures that occur more than once, exactly or nearly."""
    rows = of_copies(len(survey.thumbs), survey.duplicates, NOUN)
    if survey.near:
        near = some([" ~ ".join(names) for names in survey.near])
        text = f"{counted(len(survey.near), 'picture is a near-duplicate', 'pictures are near-duplicates')}: {near}."
        rows.append(Finding(1, text, "Look at some; remove those that add nothing."))
    return rows


def _of_mirror(mirror: Mirror) -> list[Finding]:
    """Whether pictures may be mirrored, by how well a small classifier tells them from mirrored ones."""
    shares = f"{mirror.accuracy:.0%} ± {mirror.error:.0%}"
    if mirror.verdict == "wrong":
        text = f"a classifier tells them apart {shares} of the time; guessing: 50%"
        return [Finding(1, f"Do not use mirror=true: mirrored pictures would look wrong ({text}).")]
    if mirror.verdict == "safe":
        text = (
            f"Mirroring is safe: a classifier tells pictures from mirrored ones {shares} of the time (guessing: 50%)."
        )
        return [Finding(2, text, "mirror=true doubles what there is to learn from.")]
    return []


def _of_light(survey: Survey) -> list[Finding]:
    """Pictures that are almost black or white: in most cases their values have a range other than 0 to 255."""
    good, rows = len(survey.thumbs), []
    for names, word, values in (
        (survey.dark, "black", f"above {sv.DARK}"),
        (survey.bright, "white", f"below {sv.BRIGHT}"),
    ):
        if names:
            text = f"{len(names):,} of {good:,} pictures are nearly {word}: none of their values is {values} of 255"
            todo = "Scale their values so that they go from 0 to 255, or remove these pictures."
            rows.append(Finding(int(2 * len(names) < good), f"{text}: {some(names)}.", todo))
    return rows


def _of_shapes(survey: Survey, shape: Shape, use: Use) -> list[Finding]:
    good = len(survey.thumbs)
    wide = sum(n for mode, n in survey.modes.items() if mode in decode.WIDE) if not any(shape.depth or ()) else 0
    cmyk, palette = survey.modes.get("CMYK", 0), survey.modes.get("P", 0)
    rare = {s: n for s, n in survey.suffixes.items() if s and s not in sv.USUAL}
    kinds = ", ".join(f"{n:,} {s}" for s, n in rare.items())
    other = ", ".join(f"{n:,} {s}" for s, n in sorted(survey.others.items(), key=lambda item: -item[1])[:5])
    all_grey = survey.grey == good and shape.channels == 3
    oblong = f"{len(survey.oblong):,} of {good:,} pictures are not square: each will be cropped to the centre square."
    tiny = (
        f"{counted(survey.tiny, 'picture is', 'pictures are')} smaller than {shape.size} pixels: scaled up and blurred."
    )
    see_through = (
        f"{counted(survey.transparent, 'picture has', 'pictures have')} transparent parts, which become white."
    )
    inks = f"{counted(cmyk, 'picture is', 'pictures are')} in printers' colours (CMYK): the conversion is rough."
    deep = f"{counted(wide, 'picture has', 'pictures have')} more than 8 bits a pixel: scaled to 8 by their own values."
    indexed = f"{counted(palette, 'picture has', 'pictures have')} a palette: converted to colour."
    turned = (
        f"{counted(survey.rotated, 'photograph was', 'photographs were')} taken with a rotated camera: set upright."
    )
    capitals = f"{counted(survey.upper_case, 'name ends', 'names end')} in capitals (.JPG): read like the others."
    rows = [
        (1, 0 if use.piece else len(survey.oblong), oblong, "fit=pad keeps the whole picture, with a border."),
        (1, 0 if use.piece else survey.tiny, tiny, "Remove them, or use a smaller size=N."),
        (1, all_grey, "All pictures are grey, though stored in colour.", "Train with channels=1: it is faster."),
        (2, survey.transparent, see_through, "channels=4 keeps the transparency."),
        (2, wide, deep, ""),
        (2, cmyk, inks, "Convert them yourself if colours matter."),
        (2, palette, indexed, ""),
        (2, survey.rotated, turned, ""),
        (2, survey.upper_case, capitals, ""),
        (2, len(rare), f"Less common file types: {kinds}. They are read, too; of animations only the first frame.", ""),
        (2, len(survey.others), f"Files that are not pictures are skipped: {other}.", ""),
    ]
    return [Finding(level, text, todo) for level, count, text, todo in rows if count]


def preview(listing: Listing, numbers: list[int], out: Path, depth: decode.Depth | None = None) -> None:
    """Write a sheet of some pictures: a row cropped to the centre square, below it the same ones padded.

    Raises:
        UserError: it cannot be written.
    """
    chosen = [numbers[i * len(numbers) // min(PREVIEW, len(numbers))] for i in range(min(PREVIEW, len(numbers)))]
    rows: dict[str, list[np.ndarray]] = {"crop": [], "pad": []}
    for content in listing.read(chosen):
        try:
            picture = decode.plain(decode.opened(content), SIDE, depth)
            both = {fit: decode.fitted(picture, Shape(SIDE, 3, fit)) for fit in rows}
        except Exception:  # a damaged one, which was reported already
            continue
        for fit, row in rows.items():
            row.append(both[fit])
    sheet = []
    for start in range(0, len(rows["crop"]), COLUMNS):
        for row in rows.values():
            part = row[start : start + COLUMNS]
            white = np.full((COLUMNS - len(part), 3, SIDE, SIDE), 255, np.uint8)
            sheet += [np.pad(p, ((0, 0), (2, 2), (2, 2)), constant_values=255) for p in [*part, *white]]
    sheets.save_grid(out, torch.from_numpy(np.stack(sheet)), COLUMNS)
