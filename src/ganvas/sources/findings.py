"""What a check of files finds before a training, in plain words: what holds for files of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ganvas.core.errors import UserError
from ganvas.core.text import counted, one_line
from ganvas.sources.listing import Listing

MANY = 100  # classes above which labels tend to hurt
UNEVEN = 10  # times that the largest class may be larger than the smallest
SHOWN = 10  # classes in a list


@dataclass(frozen=True)
class Finding:
    """Something about the files, and what to do. level 0: a problem; 1: to think about; 2: good to know."""

    level: int
    text: str
    todo: str = ""


def listed(find: Callable[[bool], Listing]) -> tuple[Listing, list[Finding]]:
    """The files, without classes where their labels are wrong; and what is to be said of labels and files.

    Args:
        find: lists the files, with classes or without.

    Raises:
        UserError: there are no files.
    """
    wrong: list[Finding] = []
    try:
        listing = find(True)
    except UserError as error:
        listing = find(False)  # if the labels were not the problem, this raises the error again
        advice = "" if "labels=false" in str(error) else "Fix the labels, or train with labels=false."
        wrong.append(Finding(0, str(error), advice))
    return listing, [*wrong, *(Finding(1, note) for note in listing.notes)]


def some(names: Sequence[str]) -> str:
    """The first names of a list."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def of_copies(good: int, duplicates: Sequence[Sequence[str]], noun: str) -> list[Finding]:
    """Files that occur more than once.

    Args:
        good: how many files can be learned from.
        duplicates: names of files that are the same.
        noun: what they are called: 'pictures'.
    """
    copies = sum(len(names) - 1 for names in duplicates)
    if good > 1 and copies == good - 1:
        text = f"All {good:,} {noun} are the same: none can be held out, and there is nothing to learn."
        return [Finding(0, text, "Add others.")]
    if not copies:
        return []
    pairs = some([" = ".join(names[:2]) for names in duplicates])
    text = f"{counted(copies, 'file is a copy of another', 'files are copies of others')}: {pairs}."
    return [Finding(1, text, "Remove copies: what occurs twice is drawn twice as often.")]


def of_classes(classes: Mapping[str, int], rare: int, noun: str) -> list[Finding]:
    """Classes that are rare, uneven or many.

    Args:
        classes: how many files each has.
        rare: files below which a class is not learned.
        noun: what they are called: 'pictures'.
    """
    if not classes:
        return []
    counts = sorted(classes.items(), key=lambda item: item[1])
    (rarest, least), (commonest, most), rows = counts[0], counts[-1], []
    if least < rare:
        names = some([f"{name} ({n:,})" for name, n in counts if n < rare])
        text = f"Classes with too few {noun} to be learned: {names}."
        rows.append(Finding(1, text, f"Add {noun}, merge classes, or use labels=false."))
    elif most > UNEVEN * least:
        text = f"The classes are uneven: {commonest} has {most:,} {noun}, {rarest} {least:,}."
        rows.append(Finding(1, text, "The rare ones will be drawn less well; labels=false ignores the classes."))
    if len(counts) > MANY:
        text = f"{len(counts):,} classes are a lot."
        rows.append(Finding(1, text, f"If the folders are not classes of {noun}, use labels=false."))
    return rows


def told(findings: Sequence[Finding], classes: Mapping[str, int]) -> list[str]:
    """The largest classes, and the findings with advice, for people."""
    out = []
    if classes:
        top = sorted(classes.items(), key=lambda item: -item[1])[:SHOWN]
        names = ", ".join(f"{one_line(name)} {n:,}" for name, n in top) + (", ..." if len(classes) > SHOWN else "")
        out.append(f"Classes   {len(classes)}: {names}")
    out += ["", "Findings, the most important first"]
    marks = ("!", "-", " ")
    for finding in findings or [Finding(2, "No problems found.")]:
        out.append(f" {marks[finding.level]} {finding.text}" + (f" {finding.todo}" if finding.todo else ""))
    return out
