"""Code of the user's own: a recipe, a network or a loss in a Python file, or one that a program hands over.

Settings and model files keep a reference, `my.py:Net#1f2e3d4c5b6a7980`: the file, the class or function in it, and the
beginning of the file's SHA-256. What a reference names is run only if this process was given it: as the setting of a
training, by `--code FILE`, or by `ganvas.load(..., code=...)`. A file that a run or a model merely names is never run.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
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

CODE = "GANVAS_CODE"  # a JSON list: names the files that may be run, for the processes that this one starts
FOLDER = "code"  # of a run: copies of the files that it was begun with
LARGEST = 10_000_000  # bytes of a file
PROGRAM = "program"  # in place of a file, for what has none, such as a class in a notebook
DYNAMIC = {"*", "__getattr__", "exec", "globals", "setattr", "vars"}  # may make names that a file does not show
SPOKEN = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)")
FILE = r"program|[^/\\:#\x00-\x1f\x7f-\x9f\u2028-\u202e]{1,97}\.py"  # without what would change how a line looks
REFERENCE = re.compile(rf"(?P<file>{FILE}):(?P<name>[A-Za-z_]\w{{0,99}})#(?P<digest>[0-9a-f]{{16}})")


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
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # as dataclasses in it need
    try:
        code = compile(text, str(path), "exec", dont_inherit=True)  # this text: __pycache__ may hold another
        exec(code, vars(module))
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        if isinstance(error, ModuleNotFoundError):
            raise UserError(
                f"{path} imports {error.name}, which is not installed: put that code into {path.name} (a run keeps "
                "only this file), or install it as a package."
            ) from error
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
    return _named(run_file(path, text), path, name), text


def _named(module: ModuleType, path: Path, name: str) -> Callable[..., Any]:
    value = getattr(module, name, None)
    if value is None or not callable(value):
        names = [n for n, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == module.__name__]
        raise no_such(path, name, names)
    return value


def check_spoken(spoken: str) -> None:
    """Check what a look at the text of a file tells of `my.py:Net`; the file is not run.

    Raises:
        UserError: there is no such file, or certainly no such class or function in it.
    """
    file, _, name = spoken.rpartition(":")
    path = place(file)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        tree = ast.parse(read_bytes(path, LARGEST))
    except (SyntaxError, ValueError, RecursionError):  # said where it is run
        return
    bound, made = set[str](), list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(node.name)
            made += [node.name] if node in tree.body else []
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name):
            bound.add(node.id)
    if name not in bound and not bound & DYNAMIC:
        raise no_such(path, name, made)


def no_such(path: Path, name: str, names: Iterable[str]) -> UserError:
    """The error for a class or function that a file does not have; `names` are those that it has."""
    if not (names := [*names]):
        return UserError(f"{path} has no class or function '{name}', nor any other.")
    return unknown("class or function", name, names, start=f"{path} has no")


def given(spoken: str) -> str:
    """Run the file that the user names for a setting (`my.py:Net`), and give the reference to what it names.

    Raises:
        UserError: as `attribute`.
    """
    value, text = attribute(spoken)
    path = place(spoken.rpartition(":")[0])
    _check_home(path, spoken.rpartition(":")[2], value)
    allow(path)
    return _keep(f"{path.name}:{spoken.rpartition(':')[2]}", value, text)


def _check_home(path: Path, name: str, value: Callable[..., Any]) -> None:
    """Raise a UserError if a file only imports what it is named for: a model must not choose among all of Python."""
    home = getattr(value, "__module__", None) if isinstance(value, type) or inspect.isroutine(value) else None
    if home is not None and not home.startswith(f"ganvas_code_{path.stem}_"):
        raise UserError(
            f"{path} only imports {name} (from {home}), and what is imported is not compared with a model's version: "
            f"write a class or a function in {path.name} that uses it, or name its own file."
        )


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
    if (
        whole.suffix == ".py"
        and whole.is_file()
        and getattr(module, name, None) is value
        and getattr(module, "__file__", None)
    ):
        is_alone = not getattr(module, "__package__", "")  # else it may import from its package
        if is_alone and getattr(module, "__name__", "") != "__main__":  # a program that runs would begin again
            allow(whole)
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
    os.environ[CODE] = json.dumps([*dict.fromkeys([*_allowed(), text])])


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


def is_only_here(reference: str) -> bool:
    """Was this code given to this process in a way that the processes that it starts cannot use, such as a class?"""
    if reference not in _KNOWN:
        return False
    return not any(_has(path, reference.partition("#")[2]) for path in map(Path, _allowed()))


def _allowed() -> list[str]:
    try:
        names = json.loads(os.environ.get(CODE) or "[]")
    except ValueError:
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


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
    match, source = _source(reference, near)
    if source is None:
        return Code(reference, _BY_NAME[match["name"]])
    path, text = source
    value = _named(run_file(path, text), path, match["name"])
    _check_home(path, match["name"], value)
    _keep(f"{match['file']}:{match['name']}", value, text)
    return _KNOWN[reference]


def check_given(references: Iterable[object], near: Path | None = None) -> None:
    """Check that this process was given what these refer to (what is not a reference is left out); nothing is run.

    Raises:
        NotGiven: as `find`.
    """
    for reference in references:
        if isinstance(reference, str) and is_reference(reference) and reference not in _KNOWN:
            _source(reference, near)


def _source(reference: str, near: Path | None) -> tuple[re.Match[str], tuple[Path, bytes] | None]:
    """The parts of a reference, and the file with its text that was given for it; None: a class or function was."""
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
            return match, (path, text)
        if path.name == match["file"]:
            others.append(path)
    if match["name"] in _BY_NAME:
        return match, None
    raise _not_given(match, others, near)


def _not_given(match: re.Match[str], others: Iterable[Path], near: Path | None) -> NotGiven:
    called, file = f"{match['file']}:{match['name']}", match["file"]
    if file == PROGRAM:
        return NotGiven(
            f"This needs {match['name']}, code that only a Python program had. Give it there: "
            f"code={match['name']} for ganvas.load, or the same settings as before for a training."
        )
    copy = None if near is None else near / FOLDER / file
    if copy is not None and not _has(copy, match["digest"]):
        copy = None
    where = f" {copy} is a copy." if copy else ""
    option = f"--code {command(copy or Path('FOLDER') / file)} (in Python: code=)"
    way = f"If you trust {'it' if copy else 'that file'}: {option}."
    for path in others:
        return NotGiven(
            f"{path} is not the version of {called} that this was trained with.{where} "
            f"Name that version, if you trust it: {option}."
        )
    return NotGiven(
        f"This needs {called}, code that is not part of Ganvas, and Ganvas runs no code that you did not name.{where} "
        f"{way}"
    )


def _has(path: Path, wanted: str) -> bool:
    """Is there a file with this digest?"""
    try:
        return path.is_file() and digest(read_bytes(path, LARGEST)) == wanted
    except (UserError, OSError):
        return False


def keep_copies(references: Iterable[str], folder: Path) -> None:
    """Write the files of these references into a run's folder, where there are none yet.

    What this process starts may run a copy of a file that was named: the file itself may be edited meanwhile.

    Raises:
        UserError: one cannot be written.
    """
    for code in (_KNOWN[reference] for reference in references if reference in _KNOWN):
        file = code.called.partition(":")[0]
        path = folder / FOLDER / (file if file != PROGRAM else f"{code.called.rpartition(':')[2]}.txt")
        if code.text and not path.exists():
            make_folder(path.parent)
            write_whole(path, code.text)
        named = any(Path(other).name == file for other in _allowed())
        if named and path.is_file() and read_bytes(path, LARGEST) == code.text:
            allow(path)


def message(error: Exception) -> str:
    """What went wrong in code of the user's own, in a line."""
    return f"{type(error).__name__}: {first_line(error)[:300]}"
