"""Files that a user hands over: single ones, folders and archives, and which classes they are given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from ganvas.core import files
from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.naming import apart
from ganvas.core.text import one_line
from ganvas.sources import labels, listing
from ganvas.sources.kind import Kind
from ganvas.sources.label_tables import Unclear


@dataclass(frozen=True)
class Given:
    """A file: its path (of an archive's member: the archive's path and the name in it), its bytes or the error why
    they cannot be read, and the names that may be its class, the likeliest first."""

    path: Path
    content: bytes | UserError
    names: tuple[str, ...]


class Classes:
    """Classes that files may be said to be of."""

    def __init__(self, names: Sequence[str]) -> None:
        folders = dict(zip(apart(names), names, strict=True))  # what their folders are called where they are written
        self.known = {normalize("NFC", text): name for text, name in {**folders, **{n: n for n in names}}.items()}

    def of(self, names: Sequence[str]) -> str | None:
        """The class that a file is given, by the names that may be its class; None: of none."""
        found = (self.known.get(normalize("NFC", name)) for name in names)
        return next((name for name in found if name is not None), None)


@dataclass
class Files:
    """Files that are not read yet, each once; `notes`: what was skipped or guessed."""

    kind: Kind
    paths: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    parts: list[tuple[listing.Inside | None, list[str], list[Path]]] = field(default_factory=list)

    def read(self) -> Iterator[Given]:
        """One file after the other."""
        for inside, names, paths in self.parts:
            contents = self._single(paths) if inside is None else inside.read(names)
            for path, content in zip(paths, contents, strict=True):
                if isinstance(content, Exception):
                    content = self._error(path, content)
                yield Given(path, content, self.paths[path])

    def _single(self, paths: list[Path]) -> Iterator[bytes | Exception]:
        for path in paths:
            try:
                yield files.read_bytes(path, self.kind.most_bytes)
            except UserError as error:
                yield error

    @staticmethod
    def _error(path: Path, error: Exception) -> UserError:
        """The error, with the file's path where it has none."""
        if isinstance(error, UserError) and str(path) in str(error):
            return error
        return UserError(f"Cannot read {path}: {first_line(error).removesuffix('.')}.")


def look(places: Sequence[str | os.PathLike[str]], kind: Kind, archives: bool = True, labelled: bool = True) -> Files:
    """The files at these paths, in these folders and archives; nothing is written to disk.

    The class of a file is what a table of labels in its folder or archive says, as for a training; else the first
    folder on the way to it that is called like a class. Other than for a training, tables may name files that are not
    there, and leave some out.

    Args:
        archives: are archives looked into?
        labelled: look for classes.

    Raises:
        UserError: there is no such place, it holds no file of the kind, a table of labels contradicts itself, or an
            archive is damaged.
    """
    found = Files(kind)
    for name in places:
        place = files.place(name)
        try:
            exists, is_folder = place.exists(), place.is_dir()
        except OSError as error:
            raise cannot("read", place, error) from error
        except ValueError as error:  # no path at all
            raise UserError(f"Cannot read {one_line(name)}: {first_line(error)}.") from error
        if not exists:
            raise UserError(f"There is no file or folder {place}.")
        if is_folder or (archives and listing.is_archive(place)):
            _add(found, place, labelled)
        elif place not in found.paths:
            found.paths[place] = (place.resolve().parent.name,)
            found.parts.append((None, [], [place]))
    return found


def _add(found: Files, place: Path, labelled: bool) -> None:
    """Add what is in a folder or an archive."""
    inside = listing.look(place, found.kind)
    found.notes += inside.notes
    stated = _stated(found, place, inside) if labelled else [None] * len(inside.wanted)
    around = listing.bare_name(place.resolve())
    names, paths = [], []
    for name, label in zip(inside.wanted, stated, strict=True):
        if (path := place / name) not in found.paths:
            found.paths[path] = (label,) if label is not None else (*name.split("/")[:-1], around)
            names.append(name)
            paths.append(path)
    found.parts.append((inside, names, paths))


def _stated(found: Files, place: Path, inside: listing.Inside) -> Sequence[str | None]:
    """The class of each file by the tables of labels."""
    tables, notes = listing.tables_in(inside)
    found.notes += notes
    try:
        stated = labels.from_tables(str(place), found.kind, inside.wanted, tables, partial=True)
    except Unclear as error:
        found.notes.append(f"Skipped: {error}")
        return [None] * len(inside.wanted)
    found.notes += stated.notes
    return stated.labels or [None] * len(inside.wanted)
