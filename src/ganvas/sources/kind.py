"""What kind of file is looked for in a folder or an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


def suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


@dataclass(frozen=True)
class Kind:
    """A kind of file, and the words for it in messages.

    `others` says what to do about files of suffixes that are of the kind and cannot be read: suffixes by a sentence's
    end.
    """

    noun: str  # 'pictures'
    singular: str  # 'picture'
    tests: str  # what those of a test folder are called: 'test images'
    trained: str  # and the others: 'training images'
    suffixes: frozenset[str]
    most_bytes: int  # of a file, or of a member of an archive
    examples: str  # '.png or .jpg'
    others: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...] = ()  # names of columns of a table that hold the names of such files
    numbers: tuple[str, ...] = ()  # likewise, where their values do name files

    def has(self, name: str) -> bool:
        """Does this name have a suffix of the kind?"""
        return suffix(name) in self.suffixes

    def many(self, count: int) -> str:
        """'1 picture', '2,000 pictures'."""
        return f"{count:,} {self.singular if count == 1 else self.noun}"

    def advice(self) -> dict[str, str]:
        """By suffix, what to do about files that cannot be read."""
        return {s: how for how, suffixes in self.others.items() for s in suffixes if s not in self.suffixes}
