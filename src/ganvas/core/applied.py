"""Changing many files: where each result goes, that nothing is lost, and what the terminal shows meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganvas.core import naming
from ganvas.core.console import skipped
from ganvas.core.errors import UserError
from ganvas.core.files import check_free
from ganvas.core.progress import Doing, Written
from ganvas.core.terminal import Console
from ganvas.core.text import one_line


@dataclass(frozen=True)
class Applied:
    """A file was changed and written; `warnings`: what the user should know of it."""

    path: Path
    seconds: float
    warnings: tuple[str, ...]
    hole: str = ""  # what was treated as the hole, and its share of the whole


@dataclass(frozen=True)
class Failed:
    """A file was skipped; `why`: a sentence."""

    why: str


def places(
    paths: Sequence[Path],
    folder: Path,
    name: Callable[[Path], str],
    suffix: Callable[[Path], str],
    noun: str,
    beside: Callable[[str], str] | None = None,
) -> dict[Path, tuple[Path, str]]:
    """Where each file's result is written, and a note where its name is not the expected one.

    Those that keep their names come first; x.tif, which would become x.png too, is then x.tif.png.

    Args:
        name: the name of a file's result: that of the file, perhaps with another suffix.
        suffix: its suffix where the name is already used.
        noun: what one of the files is called.
        beside: the name of a second file that is written next to a result of this name.
    """
    wanted = {path: name(path) for path in paths}
    used: set[str] = set()
    targets: dict[Path, tuple[Path, str]] = {}
    for path in sorted(paths, key=lambda path: wanted[path] != path.name):
        chosen = wanted[path]
        if naming.key(chosen) in used:
            chosen = naming.unused(chosen if chosen == path.name else f"{path.name}{suffix(path)}", used)
        note = (
            "" if chosen == wanted[path] else f"{path} is written as {chosen}: {wanted[path]} is another {noun}'s name."
        )
        targets[path] = (folder / chosen, note)
        used |= {naming.key(chosen)} | ({naming.key(beside(chosen))} if beside else set())
    return {path: targets[path] for path in paths}


def check_places(paths: Sequence[Path], written: Sequence[Path], force: bool, noun: str) -> None:
    """Make sure that nothing is overwritten unasked, and never a file that will be read.

    Args:
        paths: the files that are read.
        written: those that are written.
        noun: what many of them are called.

    Raises:
        UserError: a file that would be overwritten.
    """
    sources = {path.resolve() for path in paths} if force else set()
    for file in written:
        if file.resolve() in sources:
            raise UserError(f"{file} is one of the {noun} themselves. Choose another --out.")
        check_free(file, force=force, way="Choose another --out, or --force to overwrite it")


def watch(events: Iterator[Doing | Applied | Failed | Written]) -> int:
    """Show what is done to files; the exit code."""
    from ganvas.core.bars import Progressing

    broken, good = [], 0
    with Progressing(Console()) as progress:
        for event in events:
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Failed):
                broken.append(event.why)
            elif isinstance(event, Applied):
                good += 1
                hole = f"; filled: {event.hole}" if event.hole else ""
                progress.print(one_line(f"{event.path}  ({event.seconds:.1f} s{hole})"))
                for text in event.warnings:
                    progress.print(one_line(f"Warning: {text}"))
            else:
                progress.print(f"Before and after: {event.path}")
    return skipped(broken, good)


def at_least_one(command: str, paths: tuple[Path, ...], noun: str) -> tuple[Path, ...]:
    """The files that a command was given; `noun`: what one of them is called.

    Raises:
        UserError: there is none.
    """
    if not paths:
        raise UserError(f"Name at least one {noun}, or a folder: ganvas {command} MODEL FILES... --out DIR.")
    return paths
