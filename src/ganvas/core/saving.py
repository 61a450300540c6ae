"""Save many drawn samples, a portion at a time: a folder or a zip with a file a sample, or what a task makes of them.

Everything is written under a temporary name and then renamed, so that nothing half-written is left after a stop.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ganvas.core.errors import cannot
from ganvas.core.files import make_folder, part_of
from ganvas.core.naming import apart

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Portion:
    """Samples [n, ...] as they are written, their class numbers int64 [n] (None: no classes), and their seeds."""

    samples: Tensor
    labels: Tensor | None
    seeds: Sequence[int]


Classes = int | str | Sequence[int | str] | None
Add = Callable[[Portion], None]
Form = Callable[[list[Path]], AbstractContextManager[Add]]  # of the temporary files, what writes a portion into them


class Drawing(Protocol):
    """A model that draws samples of seeds and classes, some at a time."""

    def labels(self, classes: Classes, n: int) -> Tensor | None: ...

    def draw(self, numbers: Sequence[int], classes: Classes, truncation: float | None) -> Iterator[Tensor]: ...


def portions(
    model: Drawing,
    numbers: Sequence[int],
    classes: Classes = None,
    truncation: float | None = None,
    stored: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Portion]:
    """A model's samples of these seeds, a portion at a time; see its `draw`.

    Args:
        stored: what is done to samples before they are written.
    """
    labels, start = model.labels(classes, len(numbers)), 0
    for samples in model.draw(numbers, classes, truncation):
        end = start + len(samples)
        part = None if labels is None else labels[start:end]
        yield Portion(samples if stored is None else stored(samples), part, numbers[start:end])
        start = end


def ours(*suffixes: str) -> re.Pattern[str]:
    """The names of files that `a_file_each` writes with these suffixes, such as '.png'."""
    return re.compile(rf"seed-?\d+(-\d+)?({'|'.join(map(re.escape, suffixes))})")


def save(places: Sequence[Path], form: Form, portions: Iterable[Portion], folder: bool = False) -> Iterator[int]:
    """Write samples as they come; yields how many are written so far.

    Args:
        places: the files that are written together, or one folder; what is there is replaced.
        form: what writes, given as many temporary files or folders.
        folder: is it a folder?

    Raises:
        UserError: writing failed; nothing is left behind, and what was there is untouched.
    """
    make_folder(places[0].parent)
    try:
        with ExitStack() as stack:
            parts = [stack.enter_context(part_of(place, folder=folder)) for place in places]
            done = 0
            with form(parts) as add:
                for portion in portions:
                    add(portion)
                    done += len(portion.seeds)
                    yield done
            for part, place in zip(parts, places, strict=True):
                if part.is_dir() and place.is_dir():
                    shutil.rmtree(place)
                os.replace(part, place)
    except OSError as error:
        raise cannot("write", places[0], error) from error


def a_file_each(class_names: Sequence[str], suffix: str, encode: Callable[[Tensor], bytes]) -> Form:
    """The form of a folder, or of a zip where it is given a file: a file a sample, in the folder of its class.

    Args:
        encode: the bytes of a sample's file.
    """

    @contextmanager
    def form(parts: list[Path]) -> Iterator[Add]:
        folders, used = apart(class_names), Counter[str]()
        with _folder(parts[0]) if parts[0].is_dir() else _zip(parts[0]) as put:

            def add(portion: Portion) -> None:
                for sample, name in zip(portion.samples, _names(portion, folders, used), strict=True):
                    put(f"{name}{suffix}", encode(sample))

            yield add

    return form


def _names(portion: Portion, folders: Sequence[str], used: Counter[str]) -> Iterator[str]:
    """Each sample's path, within its class's folder; `used`: how often each name came before."""
    for i, number in enumerate(portion.seeds):
        name = f"seed{number:06d}"
        if portion.labels is not None:
            name = f"{folders[int(portion.labels[i])]}/{name}"
        used[name] += 1
        yield f"{name}-{used[name]}" if used[name] > 1 else name  # a seed that was asked for twice


@contextmanager
def _folder(part: Path) -> Iterator[Callable[[str, bytes], object]]:
    def put(name: str, content: bytes) -> None:
        path = part / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    yield put


@contextmanager
def _zip(part: Path) -> Iterator[Callable[[str, bytes], object]]:
    with zipfile.ZipFile(part, "w") as archive:
        yield archive.writestr
