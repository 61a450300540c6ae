"""`ganvas data check`, `ganvas data pack` and `ganvas data cache`: the user's own images."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from ganvas.core.console import Force, app, as_settings, command
from ganvas.core.terminal import Console, say, say_json

if TYPE_CHECKING:
    from ganvas.core.progress import Counted

T = TypeVar("T")
PACKED = ("size", "channels", "fit", "linear", "labels")  # the settings of a pack
data = App(name="data", help="Check your own images, tables or sounds before a training, and prepare images once.")
app.command(data)


@data.command
def check(
    path: str,
    *settings: str,
    json: Annotated[bool, Parameter(negative=())] = False,
    columns: Path | None = None,
    out: Path | None = None,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    force: Force = False,
) -> int:
    """Show what is in your data and what would harm a training. Changes nothing.

    Parameters
    ----------
    path
        A folder of pictures or sounds (a sub-folder per class), a .zip or .tar; for pictures also an .npz file, IDX
        files or a pack; or a table: a CSV or Parquet file, or a database, such as sqlite:///shop.db.
    settings
        For tables and sounds: settings of the training's data, such as table=orders column.zip=category missing=none,
        or rate=22050 seconds=2.
    json
        Print everything as one JSON object.
    columns
        For tables: a new file, columns.toml, with the type of each column; edit it and train with it.
    out
        A file for the sheet that compares cropped with padded pictures. Default: data-check.png, only if some pictures
        are not square. For sounds: a PNG of their spectrograms. Default: none.
    for_
        What the pictures are for: generate (new ones like them), restore or translate (into another type). Default: the
        first for which there are enough.
    force
        Overwrite existing files.
    """
    from ganvas import api
    from ganvas.core import registry
    from ganvas.core.errors import UserError, unknown
    from ganvas.core.files import check_free
    from ganvas.tasks.generate.data_findings import findings

    for place in (out, columns):
        if place is not None:
            check_free(place, force=force)
    task = next((t for t in registry.importable() if t.check_data is not None and t.Data.takes(path)), None)
    if task is not None:
        if for_ is not None:
            raise UserError(f"{path}: --for is for pictures. Leave it out.")
        files = {"--columns": columns, "--out": out}
        file = files.pop(task.check_writes)
        if other := next((option for option, place in files.items() if place is not None), None):
            raise UserError(f"{path}: {other} is for other data. Here {task.check_writes} names a file.")
        lines, found = _with_progress(task.check_data(path, as_settings(settings), file), "looking at the data")
        if json:
            say_json(found)
        else:
            say("\n".join(lines))
        return 0
    if settings or columns is not None:
        raise UserError(f"{path} is not a table: settings are for tables and sounds, --columns is for tables.")
    if for_ is not None and for_ not in api.uses():
        raise unknown("purpose", for_, api.uses())
    checked = _with_progress(api.check_data(path, out, for_), "looking at pictures")
    if json:
        say_json(checked.to_dict())
    else:
        more = checked.purposes[checked.purpose].more
        say("\n".join(findings(checked, path, command("train", checked.forecast.recipe, "--data", path, *more))))
    return 0


@data.command
def pack(path: str, out: Path, *settings: str) -> int:
    """Decode and scale pictures once, into a folder that any training uses with --data. Resumes where it stopped.

    A training does this by itself, in the cache. Make a pack yourself to keep it, or for another machine.

    Parameters
    ----------
    path
        Pictures in any form that `ganvas data check` accepts.
    out
        The new folder.
    settings
        size=64 (pixels per side), channels=3 (1 grey, 4 with transparency), fit=pad (or crop), linear=true,
        labels=false.
    """
    import dataclasses

    from ganvas.core import config
    from ganvas.core.errors import UserError, unknown
    from ganvas.core.files import place as file_place
    from ganvas.images import data as datasets
    from ganvas.images.data.config import DataConfig

    types, chosen = config.types_of(DataConfig), DataConfig(path)
    for key, text in as_settings(settings).items():
        if key not in PACKED:
            raise unknown("setting", key, PACKED)
        chosen = dataclasses.replace(chosen, **{key: config.parse(text, types[key], key)})
    config.check(chosen)
    if chosen.fit == "pieces":
        raise UserError("fit=pieces: a pack holds whole pictures. Choose fit=crop or fit=pad.")
    steps = datasets.pack_into(path, file_place(out), chosen.shape(), chosen.labels)
    packed = _with_progress(steps, "converting pictures")
    for note in packed.notes:
        say(note)
    spec, counts = packed.spec, (len(packed.train.images), len(packed.held_out.images))
    say(
        f"{out}: {counts[0]:,} pictures to train on and {counts[1]:,} held out, {spec.size}x{spec.size} pixels, "
        f"{spec.channels} channels, {spec.classes or 'no'} classes.\n\n"
        f"Next:\n  {command('train', 'images', '--data', out)}"
    )
    return 0


@data.command
def cache(*, clear: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Show what Ganvas keeps in your cache. When it is full, the entries unused for longest are removed.

    Parameters
    ----------
    clear
        Remove everything except what a training is using. It is made again when needed.
    """
    from ganvas.core import cache as caches
    from ganvas.core.text import one_line

    entries = caches.entries()
    noun = "entry" if len(entries) == 1 else "entries"
    if clear:
        left = [entry for entry in entries if not caches.remove(entry.place)]
        freed = sum(entry.bytes for entry in entries) - sum(entry.bytes for entry in left)
        say(f"Removed {len(entries) - len(left):,} of {len(entries):,} {noun} from the cache, {freed / 1e6:,.0f} MB.")
        for entry in left:
            say(f"  in use: {one_line(entry)}")
        return 0
    for entry in reversed(entries):
        say(f"{one_line(entry)}\n  {one_line(entry.place)}")
    total = sum(entry.bytes for entry in entries)
    say(f"{total / 1e6:,.0f} MB in {len(entries):,} {noun}; the cache may take up to {caches.limit() / 1e9:,.1f} GB.")
    say(f"Empty it with:\n  {command('data', 'cache', '--clear')}" if entries else "It is empty.")
    return 0


def _with_progress(steps: Generator[Counted, None, T], text: str) -> T:
    """Show a progress bar while the steps run; returns the generator's result."""
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=None)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            progress.update(task, completed=step.done, total=step.total)
