"""report.html: the contents of a run's folder on one page, in a single file that needs no network or other files."""

from __future__ import annotations

import base64
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from ganvas.core import checkpoint, registry
from ganvas.core.errors import UserError
from ganvas.core.files import read_bytes, write_whole
from ganvas.core.run import Run
from ganvas.report import curves, markup
from ganvas.report.quantities import GENERAL, Quantities, Quantity, Rows, group, number

if TYPE_CHECKING:
    from ganvas.training.task import Task

PICTURES, BYTES = 40, 12_000_000  # previews in the slider, and their total size, at most
STRIPS, HEARD = 5, 6_000_000  # strips of sound over the training, and bytes of all strips, at most
WIDTH = 560  # CSS pixels of a preview
SHOWN = (".png", ".svg")  # files of previews that a page can show
CSS = (markup.TEMPLATES / "report.css").read_text(encoding="utf-8")
SCRIPT = (markup.TEMPLATES / "report.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Part:
    """A task's part of the report of a run, in addition to what all tasks share.

    The report shows the previews over time, if they are PNG or SVG files, then the sections.
    """

    sections: Callable[[Run, dict[str, Any], Rows], list[Markup]]  # from the run, its card and its log
    title: str = "Over the training"  # of the section with the previews
    name: str = "Generated"  # above the newest preview
    rule: str = ""  # a sentence on how to read a preview
    by_class: str = ""  # the same for previews of labelled samples, generated and real
    before: str = "Before the training"  # below the first preview
    empty: str = ""  # a sentence shown while there is no preview; if empty, there is no section then
    samples: str = "samples"  # what is generated
    seen: str = "images"  # what the training sees
    strip: str = ""  # what a strip of sound that comes with a preview, a WAV file, plays; '': there are none
    shape: Mapping[str, str] = field(default_factory=dict)  # entries of the card's 'spec' and their titles; none: all


class Image(NamedTuple):
    """A picture inside the page."""

    source: str
    width: int  # of its place at most, in CSS pixels
    enlarged: bool


class Shown(NamedTuple):
    """A preview and the time it was made, as text."""

    when: str
    image: Image


class Strip(NamedTuple):
    """A strip of sound to play, inside the page, and the time it was made, as text."""

    when: str
    source: str


def write(run: Run) -> None:
    """Write report.html from the files in the run's folder; what is missing there is left out.

    Raises:
        UserError: the file cannot be written.
    """
    card = _card(run)
    task = _task(card)
    part = plain_part("", {}) if task is None else task.report or plain_part(task.checks, task.quantities)
    if parts := _parts(card):
        part = (task.report_parts if task else None) or plain_part("", {})
    rows = [row for row in run.rows() if number(row, "images") is not None]
    page = markup.render(
        "page.html",
        css=Markup(CSS),
        script=Markup(SCRIPT),
        name=run.folder.resolve().name,
        part=part,
        by_class=part.by_class if card.get("classes") else "",
        film=_film(run, part),
        real=next(filter(None, (_image(run.samples / f"reals{suffix}") for suffix in SHOWN)), None),
        strips=_strips(run, part),
        sections=part.sections(run, card, rows),
        remarks=run.remarks(),
        steps=_steps(run, card, task),
        settings=_settings(run, card, part),
        **(_status_of_parts(run, parts, card) if parts else _status(card, rows, part.seen)),
    )
    write_whole(run.report, page + "\n")


def plain_part(checks: str, quantities: Quantities) -> Part:
    """The part for a task without its own: the curves, and the last check.

    Args:
        checks: the name of the checks in metrics.jsonl.
        quantities: what the task logs besides `GENERAL`.
    """

    def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
        charts = [curves.losses(rows, None), curves.accuracy(rows, None), curves.speed(rows)]
        parts = [markup.section("The curves", charts)] if any(charts) else []
        last = next((row for row in reversed(run.rows(run.metrics)) if row.get("metric") == checks), {})
        lines = figure_rows(last, {**_unnamed(last), **GENERAL, **quantities})
        if lines:
            caption = f"After {last['images']:,.0f} images"
            parts.append(markup.section("The last check", [markup.table(lines, caption, soft=True)]))
        return parts

    return Part(sections)


def _unnamed(row: dict[str, Any]) -> Quantities:
    """The numbers in a check's row without their own title."""
    known = {"images", "n", *GENERAL}
    return {key: Quantity(key, ".4g", "") for key in row if key not in known}


def figure_rows(row: dict[str, Any], quantities: Quantities) -> list[tuple[str, str, str]]:
    """Title, value and meaning of each quantity that a row has."""
    return [
        (quantity.title, format(value, quantity.form), quantity.meaning)
        for key, quantity in quantities.items()
        if (value := number(row, key)) is not None
    ]


def model_card(run: Run) -> dict[str, Any]:
    """The card of the newest model, or nothing where it cannot be read."""
    try:
        return checkpoint.head(run.model)
    except UserError:
        return {}


def _task(card: dict[str, Any]) -> type[Task] | None:
    """The task that a card names (the first one where it names none); None where there is no such task."""
    name = group(card, "task").get("name")
    try:
        return registry.first() if name is None else registry.find(str(name))
    except UserError:
        return None


def _parts(card: dict[str, Any]) -> list[str]:
    """The folders of a training in parts; none where it is not one."""
    names = card.get("parts")
    return [str(name) for name in names] if isinstance(names, list) else []


def _status_of_parts(run: Run, parts: list[str], card: dict[str, Any]) -> dict[str, Any]:
    """As `_status`, of a training in parts."""
    done = sum(Run(run.folder / name).is_finished() for name in parts)
    state = "All parts are trained." if done == len(parts) else f"{done:,} of {len(parts):,} parts are trained."
    return {"tiles": {"parts": f"{len(parts):,}"}, "share": 100 * done // len(parts), "about": _about(card, state)}


def _about(card: dict[str, Any], state: str) -> str:
    return f"Recipe {card.get('recipe') or 'not known'}. {state} Written {datetime.now():%Y-%m-%d %H:%M}."


def _status(card: dict[str, Any], rows: Rows, noun: str) -> dict[str, Any]:
    """The progress of the run: a sentence, a share in percent (None: not known), and numbers by title."""
    last = rows[-1] if rows else {"images": 0}
    seen, total = last["images"], number(group(card, "training"), "images") or 0
    tiles, state, share = {f"{noun} seen": f"{seen:,.0f}"}, "", None
    if total > 0:
        tiles[f"{noun} seen"] += f" of {total:,.0f}"
        share = min(100, math.floor(100 * seen / total))
        state = "This run is complete." if share == 100 else f"{share}% of the run is done."
    forms: dict[str, tuple[str, Callable[[float], str]]] = {
        "epoch": ("epochs", "{:,.4g}".format),
        "seconds": ("training time", _duration),
        "images_per_second": (f"{noun} a second", "{:,.0f}".format),
    }
    for key, (title, form) in forms.items():
        if (value := number(last, key)) is not None:
            tiles[title] = form(value)
    return {"tiles": tiles, "share": share, "about": _about(card, state)}


def _film(run: Run, part: Part) -> list[Shown]:
    """The previews over time, the oldest first; the page has a slider, and without scripts shows them all."""
    film: list[Shown] = []
    for seen, path in _spread(next(filter(None, map(run.previews, SHOWN)), [])):
        if (image := _image(path)) is not None:
            film.append(Shown(_when(seen, path, part), image))
    return film


def _when(seen: int, path: Path, part: Part) -> str:
    if path.stem == "fakes_init":
        return part.before
    return f"After {seen:,} {part.seen}" if seen else f"After fewer than 1,000 {part.seen}"


def _strips(run: Run, part: Part) -> list[Strip]:
    """The strips of some moments, the oldest first, and that of the real samples; none if the newest is too long."""
    if not part.strip:
        return []
    real = run.samples / "reals.wav"
    left = HEARD - (real.stat().st_size if real.is_file() else 0)
    chosen = _spread(run.previews(".wav"), STRIPS, left)
    moments = [(_when(seen, path, part), path) for seen, path in chosen] + [(f"Real {part.samples}", real)]
    strips, left = [], HEARD
    for when, path in reversed(moments):  # the real and the newest ones first, the others as far as there is room
        if (data := _wave(path, left)) is not None:
            left -= len(data)
            strips.append(Strip(when, f"data:audio/wav;base64,{base64.b64encode(data).decode()}"))
    return strips[::-1]


def _wave(path: Path, most: int) -> bytes | None:
    """A WAV file of at most so many bytes; None where there is none."""
    try:
        data = read_bytes(path, most)
    except UserError:
        return None
    return data if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else None


def _steps(run: Run, card: dict[str, Any], task: type[Task] | None) -> list[tuple[str, str]]:
    """The next steps: a text, and the arguments of `ganvas`."""
    place = _home(str(run.folder))
    place = "~/" + shlex.quote(place[2:]) if place.startswith("~/") else shlex.quote(place)
    total = number(group(card, "training"), "images")
    steps = [
        ("Resume after an interruption:", f"resume {place}"),
        ("Train longer:", f"resume {place} images={f'{2 * total:.0f}' if total else '2M'}"),
    ]
    uses = () if task is None else task.next_for_parts if _parts(card) else task.next_steps
    for text, arguments in uses:
        steps.append((text, " ".join(place if word == "{place}" else shlex.quote(word) for word in arguments)))
    return steps


def _settings(run: Run, card: dict[str, Any], part: Part) -> Markup:
    """All settings, the samples and the machine as tables."""
    tables = {title: values for title, values in card.items() if isinstance(values, dict) and title != "spec"}
    spec, mark = group(card, "spec"), str(card.get("fingerprint", ""))[:12]
    about = {"name": card.get("data_name"), "licence": card.get("licence"), "classes": card.get("classes")}
    about |= {title: spec.get(key) for key, title in (part.shape or {str(key): str(key) for key in spec}).items()}
    about |= {"fingerprint": mark}
    tables[f"the {part.samples}"] = {key: value for key, value in about.items() if value}
    tables["machine"] = group(model_card(run), "machine")
    cards = [
        markup.table([(str(key), _text(value)) for key, value in values.items()], title.capitalize())
        for title, values in tables.items()
        if values
    ]
    return markup.section("The exact settings", cards) if cards else Markup()


def _card(run: Run) -> dict[str, Any]:
    """experiment.json, or nothing where it cannot be read."""
    try:
        return run.settings()
    except UserError:
        return {}


def _spread(pictures: list[tuple[int, Path]], most: int = PICTURES, room: int | None = None) -> list[tuple[int, Path]]:
    """Up to `most` of them, evenly spaced in log(images), including both ends.

    Args:
        room: their bytes at most, beyond both ends; None: BYTES.
    """
    room = BYTES if room is None else room
    count = max(2, min(most, int(room / fmean([path.stat().st_size or 1 for _, path in pictures] or [1]))))
    if len(pictures) <= count:
        return pictures
    chosen = [0]
    for i in range(1, count - 1):
        target = math.expm1(math.log1p(pictures[-1][0]) * i / (count - 1))
        ahead = range(chosen[-1] + 1, len(pictures) - (count - 1 - i))
        chosen.append(min(ahead, key=lambda j: abs(pictures[j][0] - target)))
    return [pictures[j] for j in [*chosen, -1]]


def _image(path: Path) -> Image | None:
    """A PNG, shown at a whole multiple of its size where that fits, or an SVG; None where there is no such file."""
    try:
        data = read_bytes(path, BYTES)
    except UserError:
        return None
    if path.suffix == ".svg":  # as an image it can neither run scripts nor load anything
        return Image(f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}", WIDTH, False)
    if not data.startswith(b"\x89PNG") or len(data) < 24:
        return None
    width = max(1, int.from_bytes(data[16:20], "big"))
    scale = max(1, WIDTH // width)
    return Image(f"data:image/png;base64,{base64.b64encode(data).decode()}", scale * width, scale > 1)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, int):  # True and False too
        return str(value).lower() if isinstance(value, bool) else f"{value:,}"
    return _home(str(value))


def _home(text: str) -> str:
    """A path with ~ for the home folder, whose name would identify its owner."""
    try:
        home = f"{Path.home()}/"
    except RuntimeError:  # this user has no home folder
        return text
    return "~/" + text.removeprefix(home) if text.startswith(home) else text


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if seconds >= 100 else f"{seconds:.0f} s"
