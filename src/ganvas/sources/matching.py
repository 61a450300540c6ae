"""Finding files by the names that a table gives them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection
from pathlib import PurePosixPath

from ganvas.sources.kind import Kind


class Names:
    """The names of files, which can be found by the texts of a table."""

    def __init__(self, kind: Kind, names: list[str], beside: Collection[str]) -> None:
        """`beside`: files that are not used, but may be named in tables."""
        self.kind = kind
        self.beside = frozenset(range(len(names), len(names) + len(beside)))
        self.names = [*names, *beside]
        self.exact = {name: i for i, name in enumerate(self.names)}
        self.indexes: dict[str, dict[str, list[int]]] = {}

    def find(self, below: PurePosixPath, text: str, whole: bool = False) -> list[int]:
        """The numbers of the files that a text may mean; only one if it is clear.

        A text can be a path (from the table's folder, or from the top), a file name, or a file name without suffix, in
        any case. Of several files with that name, those whose folders match the text best are returned.

        Args:
            whole: accept only paths and file names that match exactly.
        """
        clean = text.removeprefix("./")
        for path in (str(below / clean), clean):
            if path in self.exact:
                return [self.exact[path]]
        if "\\" in text:
            return self.find(below, text.replace("\\", "/"), whole)
        base = clean.rpartition("/")[2]
        stem, dot, ending = base.rpartition(".")
        tries = [("name", base)] if whole else [("name", base), ("stem", base)]
        if dot and "." + ending.lower() in self.kind.suffixes and not whole:
            tries.append(("stem", stem))
        if not whole:
            tries += [(f"{kind} in any case", key.casefold()) for kind, key in tries]
        for kind, key in tries:
            matches = self._index(kind).get(key, []) if key else []
            if matches:
                return matches if len(matches) == 1 else self._nearest(matches, clean)
        return []

    def _index(self, kind: str) -> dict[str, list[int]]:
        if kind not in self.indexes:
            index: dict[str, list[int]] = defaultdict(list)
            for i, name in enumerate(self.names):
                base = name.rpartition("/")[2]
                key = base.rpartition(".")[0] if kind.startswith("stem") else base
                index[key.casefold() if kind.endswith("case") else key].append(i)
            self.indexes[kind] = dict(index)
        return self.indexes[kind]

    def _nearest(self, numbers: list[int], text: str) -> list[int]:
        numbers = [i for i in numbers if i not in self.beside] or numbers
        folders = [part.casefold() for part in text.split("/")[-2::-1]]

        def agreeing(number: int) -> int:
            parents = [part.casefold() for part in self.names[number].split("/")[-2::-1]]
            pairs = zip(parents, folders, strict=False)
            return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))

        most = max(map(agreeing, numbers))
        return [i for i in numbers if agreeing(i) == most]
