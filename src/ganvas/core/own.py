"""Code of the user's own: a recipe, a network or a loss in a Python file, or one that a program hands over.

Settings and model files keep a reference, `my.py:Net#1f2e3d4c5b6a7980`: the file, the class or function in it, and the
beginning of the file's SHA-256. What a reference names is run only if this process was given it: as the setting of a
training, by `--code FILE`, or by `ganvas.load(..., code=...)`. A file that a run or a model merely names is never run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ganvas.core.errors import UserError, first_line, unknown
from ganvas.core.files import make_folder, place, read_bytes, write_whole
from ganvas.core.text import command

CODE = "GANVAS_CODE"  # names the files that may be run, for the processes that this one starts
FOLDER = "code"  # of a run: copies of the files that it was begun with
LARGEST = 10_000_000  # bytes of a file
PROGRAM = "program"  # in place of a file, for what has none, such as a class in a notebook
SPOKEN = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)")
REFERENCE = re.compile(r"(?P<file>[^/\\:#]{1,100}):(?P<name>[A-Za-z_]\w{0,99})#(?P<digest>[0-9a-f]{16})")


class NotGiven(UserError):
    """A network or a loss whose code this process was not given, or was given another version of."""


@dataclass(frozen=True)
class Code:
    """A class or function of the user's own, and the text that it is from ('' where there is none)."""

    reference: str
    value: Callable[..., Any]
    text: bytes = b""

    @property
    def called(self) -> str:
        """The name for people, without the digest: 'my.py:Net'."""
        return bare(self.reference)


_KNOWN: dict[str, Code] = {}  # by reference: what this process was given
_BY_NAME: dict[str, Callable[..., Any]] = {}  # what a program gave for whichever version a model names


def is_reference(text: object) -> bool:
    """Is this a reference to code, as settings and model files keep it?"""
    return isinstance(text, str) and REFERENCE.fullmatch(text) is not None


def is_spoken(text: object) -> bool:
    """Is this code as people name it, `my.py:Net`?"""
    return isinstance(text, str) and SPOKEN.fullmatch(text) is not None


def bare(reference: str) -> str:
    """A reference without its digest."""
    return reference.partition("#")[0]


def digest(text: bytes) -> str:
    """What a reference says of a file: it is another one for another version."""
    return hashlib.sha256(text).hexdigest()[:16]


def run_file(path: Path, text: bytes) -> ModuleType:
    """The module that a Python file makes.

    Raises:
        UserError: the file's code fails.
    """
    name = f"ganvas_code_{path.stem}_{digest(str(path.resolve()).encode() + text)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"There is no file {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as dataclasses in it need
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise UserError(f"{path} fails with {type(error).__name__}: {error} (--debug shows where).") from error
    return module


def attribute(spoken: str) -> tuple[Callable[..., Any], bytes]:
    """The class or function that `my.py:Net` names, and the text of the file, which is run for it.

    Raises:
        UserError: there is no such file, class or function, or the file's code fails.
    """
    file, _, name = spoken.rpartition(":")
    path = place(file)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    text = read_bytes(path, LARGEST)
    module = run_file(path, text)
    value = getattr(module, name, None)
    if value is None or not callable(value):
        names = [n for n, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == module.__name__]
        raise unknown(f"class or function in {path}", name, names)
    return value, text


def given(spoken: str) -> str:
    """Run the file that the user names for a setting (`my.py:Net`), and give the reference to what it names.

    Raises:
        UserError: as `attribute`.
    """
    value, text = attribute(spoken)
    path = place(spoken.rpartition(":")[0])
    allow(path)
    return _keep(f"{path.name}:{spoken.rpartition(':')[2]}", value, text)


def handed(value: Callable[..., Any]) -> str:
    """The reference to a class or function that a program hands over."""
    name = getattr(value, "__name__", type(value).__name__)
    name = name if name.isidentifier() else "function"
    file = None
    try:
        file = inspect.getsourcefile(value)
        text = inspect.getsource(value).encode()
    except (TypeError, OSError):
        text = b""
    module = sys.modules.get(getattr(value, "__module__", ""))
    whole = Path(file) if file else Path()
    if whole.is_file() and getattr(module, name, None) is value and getattr(module, "__file__", None):
        return _keep(f"{whole.name}:{name}", value, read_bytes(whole, LARGEST))
    return _keep(f"{PROGRAM}:{name}", value, text)


def _keep(called: str, value: Callable[..., Any], text: bytes) -> str:
    reference = f"{called}#{digest(text or called.encode())}"
    if not is_reference(reference):
        raise UserError(f"{called}: the names of such a file and function may have 100 characters at most.")
    _KNOWN[reference] = Code(reference, value, text)
    return reference


def allow(path: str | os.PathLike[str]) -> None:
    """Let a file be run, by this process and those that it starts, where a model refers to this version of it.

    Raises:
        UserError: there is no such file.
    """
    file = place(path)
    if not file.is_file():
        raise UserError(f"There is no file {file}.")
    text = str(file.absolute())
    os.environ[CODE] = os.pathsep.join(dict.fromkeys([*_allowed(), text]))


def trust(code: Any) -> None:
    """Let this process run code: a file (`my.py`), a class or a function, or a list of these.

    A class or function is used for any model that refers to one of its name, whatever version.

    Raises:
        UserError: there is no such file, or it is something else.
    """
    for one in code if isinstance(code, list | tuple) else [code]:
        if isinstance(one, str | os.PathLike):
            text = os.fspath(one)
            allow(SPOKEN.fullmatch(text)["file"] if is_spoken(text) else text)  # pyright: ignore[reportOptionalSubscript]
        elif callable(one):
            _BY_NAME[getattr(one, "__name__", type(one).__name__)] = one
        else:
            raise UserError(f"code={type(one).__name__}: give a file, a class or a function.")


def _allowed() -> list[str]:
    return [name for name in os.environ.get(CODE, "").split(os.pathsep) if name]


def find(reference: str, near: Path | None = None) -> Code:
    """What a reference names, if this process was given it.

    Args:
        near: the folder of the run or model that has the reference.

    Raises:
        NotGiven: it was not, or another version; the message says the way out.
        UserError: its file fails.
    """
    if reference in _KNOWN:
        return _KNOWN[reference]
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise UserError(f"{reference[:60]!r} is not a reference to code.")
    others = []
    for path in map(Path, _allowed()):
        try:
            text = read_bytes(path, LARGEST)
        except UserError:  # it is gone by now
            continue
        if digest(text) == match["digest"]:
            _keep(f"{match['file']}:{match['name']}", attribute(f"{path}:{match['name']}")[0], text)
            return _KNOWN[reference]
        if path.name == match["file"]:
            others.append(path)
    if match["name"] in _BY_NAME:
        return Code(reference, _BY_NAME[match["name"]])
    raise _not_given(match, others, near)


def _not_given(match: re.Match[str], others: Iterable[Path], near: Path | None) -> NotGiven:
    called, file = f"{match['file']}:{match['name']}", match["file"]
    if file == PROGRAM:
        return NotGiven(
            f"This needs {match['name']}, code that only a Python program had. Give it there: "
            f"code={match['name']} for ganvas.load, or the same settings as before for a training."
        )
    copy = next((p for p in (near / FOLDER / file,) if p.is_file()), None) if near is not None else None
    way = f"--code {command(copy or Path('FOLDER') / file)} (in Python: code=)"
    for path in others:
        return NotGiven(f"{path} is not the version of {called} that this was trained with. Name that version: {way}.")
    where = f" {copy} is a copy." if copy else ""
    return NotGiven(
        f"This needs {called}, code that is not part of Ganvas, and Ganvas runs no code that you did not name.{where} "
        f"If you trust it: {way}."
    )


def keep_copies(references: Iterable[str], folder: Path) -> None:
    """Write the files of these references into a run's folder, where there are none yet.

    Raises:
        UserError: one cannot be written.
    """
    for code in (_KNOWN[reference] for reference in references if reference in _KNOWN):
        file = code.called.partition(":")[0]
        path = folder / FOLDER / (file if file != PROGRAM else f"{code.called.rpartition(':')[2]}.txt")
        if code.text and not path.exists():
            make_folder(path.parent)
            write_whole(path, code.text)


def message(error: Exception) -> str:
    """What went wrong in code of the user's own, in a line."""
    return f"{type(error).__name__}: {first_line(error)[:300]}"
