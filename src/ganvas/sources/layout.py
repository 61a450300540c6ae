"""What the names in a folder say: litter, unsupported files, splits and classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from ganvas.core.text import one_line
from ganvas.sources import labels
from ganvas.sources.kind import Kind

TRAIN = ("train", "training")
TEST = ("test", "testing", "valid", "val", "validation", "eval", "dev", "held", "heldout", "holdout")
TEST += ("held-out", "held_out", "hold-out", "hold_out")
UNLABELLED = ("unlabeled", "unlabelled")  # folders that STL-10 and others have besides these
LITTER = {  # left by systems, network disks and programs, in lower case; names with a leading dot are litter too
    *("__macosx", "@eadir", "@recycle", "@recently-snapshot", "@sharebin", "@tmp", "#recycle", "#snapshot"),
    *("$recycle.bin", "recycler", "recycled", "system volume information", "lost+found", "lost.dir", "found.000"),
    *("network trash folder", "temporary items", "~snapshot", "__pycache__"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
}
NAMED = 5  # names in a note


def is_litter(part: str) -> bool:
    """Is this the name of a file or folder that is hidden, or was left by a system or a network disk?"""
    return part[:1] == "." or part.lower() in LITTER


def litter_in(name: str) -> str:
    """The first part of a path that is litter; '' if there is none."""
    return next((part for part in name.split("/") if is_litter(part)), "")


def some(names: Iterable[str]) -> str:
    """The first names of a list, safe to print."""
    all_ = list(names)
    return ", ".join(map(one_line, all_[:NAMED])) + (", ..." if len(all_) > NAMED else "")


def of_litter(names: Iterable[str]) -> list[str]:
    """A note that these folders were ignored although there are such files in them."""
    folders = sorted(dict.fromkeys(names))
    return [f"Skipped, because they are hidden or left behind by a system: {some(folders)}."] if folders else []


def of_kinds(suffixes: Counter[str], kind: Kind) -> tuple[list[str], Counter[str]]:
    """Notes on files of kinds that cannot be read, and the counts of all others."""
    notes, advice = [], kind.advice()
    for how in kind.others:
        counts = [f"{count:,} {s}" for s, count in suffixes.most_common() if advice.get(s) == how]
        if counts:
            notes.append(f"Left out, because Ganvas cannot read such files: {', '.join(counts)}. What to do: {how}.")
    return notes, Counter({s: count for s, count in suffixes.items() if s not in advice})


def split(names: Sequence[str], kind: Kind) -> tuple[list[int], list[bool] | None, list[list[str]], list[str]]:
    """Which files are used, which are for testing, the parts of the names that may be classes, and notes.

    One rule: if there are files in a folder with a name of TRAIN and in one next to it with a name of TEST, these are
    the splits, and everything next to them is ignored. They may be inside other folders, each the only one in its
    folder; or inside folders of classes, each of which has such splits and nothing else.

    Returns:
        numbers of the files that are used; for each of them whether it is for testing (None: no split was found);
        the parts of its path below the folders that are around everything and without its split; notes.
    """
    every = list(range(len(names)))
    parts = [name.split("/") for name in names]
    depth = 0
    while len(tops := {p[depth] for p in parts if len(p) > depth + 1}) == 1:
        low = next(iter(tops)).lower()
        if low in TRAIN + TEST:
            break
        depth += 1
    top_names = {top.lower() for top in tops}
    tested = bool(top_names & {*TRAIN} and top_names & {*TEST})
    if tested or (top_names & {*TRAIN} and top_names & {*UNLABELLED} and top_names <= {*TRAIN, *UNLABELLED}):
        known = [len(p) > depth + 1 and p[depth].lower() in TRAIN + TEST for p in parts]
        used = [i for i in every if known[i]]
        beside = Counter("/".join(parts[i][: depth + 1]) for i in every if not known[i])
        text = f"Skipped, because they are next to {some(sorted(t for t in tops if t.lower() in TRAIN + TEST))}"
        notes = [f"{text}: {sum(beside.values()):,} {kind.noun} ({some(beside)})."] if beside else []
        tests = [parts[i][depth].lower() in TEST for i in used] if tested else None
        return used, tests, _bare([parts[i][depth + 1 :] for i in used]), notes
    inner = [p[depth + 1].lower() if len(p) > depth + 2 else "" for p in parts]
    if len(tops) > 1 and {*inner} <= {*TRAIN, *TEST} and {*inner} & {*TRAIN} and {*inner} & {*TEST}:
        return every, [i in TEST for i in inner], [[p[depth], *p[depth + 2 :]] for p in parts], []
    return every, None, _bare(parts), []


def _bare(parts: list[list[str]]) -> list[list[str]]:
    """The paths without the folders that contain everything."""
    while all(len(p) > 1 for p in parts) and len({p[0] for p in parts}) == 1:
        parts = [p[1:] for p in parts]
    return parts


def classes(place: str, parts: list[list[str]], kind: Kind) -> tuple[list[str] | None, list[str]]:
    """The class of each file, from its folder; None if there are fewer than two such folders.

    Raises:
        UserError: two classes differ only in case.
    """
    folders = {p[0] for p in parts if len(p) > 1}
    loose = sum(len(p) == 1 for p in parts)
    if len(folders) < 2:
        return None, []
    if loose:
        return None, [
            f"{loose:,} {kind.noun} are next to the folders of classes in {place}: the labels are not used. Move these "
            f"{kind.noun} into a folder of their class."
        ]
    labels.check_names(place, folders)
    return [p[0] for p in parts], []


def empty_classes(
    folders: Iterable[str], names: Sequence[str], parts: Sequence[Sequence[str]], kind: Kind
) -> list[str]:
    """A note if folders next to those of the classes hold no files of the kind.

    Args:
        folders: all folders.
        names, parts: as `split` takes and returns them, for files whose class is their folder.
    """
    used = ["/".join(name.split("/")[: -len(part) + 1]) for name, part in zip(names, parts, strict=True)]
    around = {place.rpartition("/")[0] for place in used}
    filled = {*used} | {str(place) for name in {*used} for place in PurePosixPath(name).parents}
    empty = [f for f in folders if f and f.rpartition("/")[0] in around and f not in filled]
    return [f"Folders without {kind.noun} are not classes: {some(sorted(empty))}."] if empty else []
