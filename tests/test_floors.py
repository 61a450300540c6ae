"""The house: imports go down only, there is no circle, and general code names no task."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganvas
from ganvas.core import registry

SOURCE = Path(ganvas.__file__).parent
FLOORS = [  # lowest first; the folders of one floor do not know each other
    ["core"],
    ["sources"],
    ["images", "metrics", "sounds", "tables"],
    ["networks", "report", "export"],
    ["training"],
    ["tasks"],
    ["api"],
    ["studio", "trained_run", "__init__"],
    ["cli"],
    ["__main__"],
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
GENERAL = ("core", "metrics", "report", "training")  # folders that know no task and no kind of sample


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def folder(name: str) -> str:
    return name.partition(".")[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without those that only a type checker sees."""
    left = [node]
    while left:
        node = left.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            left += child.orelse if is_type_checking(child) else [child]  # pyright: ignore[reportAttributeAccessIssue]


def imports(tree: ast.AST) -> set[str]:
    """Full names of what is imported anywhere in a file."""
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def inside(names: set[str]) -> set[str]:
    """The files of Ganvas among imported names: 'ganvas.images.data.idx.read' -> 'images.data.idx'."""
    found = set()
    for name in names - {"ganvas.__version__"}:
        if name.split(".")[0] == "ganvas":
            rest = name.removeprefix("ganvas").removeprefix(".")
            while rest and rest not in FILES:
                rest = rest.rpartition(".")[0]
            found.add(rest or "__init__")
    return found


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text())


def may_import(importer: str, imported: str) -> bool:
    here, there = folder(importer), folder(imported)
    if here == there == "tasks":  # a task does not know another
        return importer.split(".")[1] == imported.split(".")[1]
    return here == there or FLOOR[there] < FLOOR[here]


@functools.cache
def known(name: str) -> set[str]:
    """The files of Ganvas that a file imports: not read before a test asks, as each worker collects this file."""
    return inside(imports(tree(name))) - {name}


def test_every_folder_has_a_floor() -> None:
    assert {folder(name) for name in FILES} == set(FLOOR)
    assert sum(map(len, FLOORS)) == len(FLOOR)
    assert len(FLOORS) <= 10


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down_only(name: str) -> None:
    assert {other for other in known(name) if not may_import(name, other)} == set()


def test_there_is_no_circle() -> None:
    list(graphlib.TopologicalSorter({name: known(name) for name in FILES}).static_order())


def test_the_walker_sees_what_it_must() -> None:
    code = """
import ganvas.images.data.idx
from ganvas import images as l, networks
from ganvas.networks import shuffle
from ganvas.core.config import knob
if TYPE_CHECKING:
    from ganvas.api import train
else:
    from ganvas.core.run import Run
def f():
    from ganvas import cli
    import torch.optim
"""
    found = imports(ast.parse(code))
    there = {"images.data.idx", "images", "networks", "networks.shuffle", "core.config", "core.run", "cli"}
    assert inside(found) == there
    assert "torch.optim" in found


def test_what_may_import_what() -> None:
    assert may_import("training.loop", "images.data")
    assert may_import("networks", "networks.shuffle")
    assert may_import("tasks.restore.report", "tasks.restore.task")
    assert not may_import("tasks.restore.report", "tasks.generate.report")
    assert not may_import("images.data.pack", "training.loop")
    assert not may_import("images.tensors", "metrics")
    assert not may_import("cli.main", "__main__")


@pytest.mark.parametrize("name", [n for n in FILES if folder(n) == "networks"])
def test_networks_know_no_losses_and_no_optimisers(name: str) -> None:
    found = imports(tree(name))
    assert not {n for n in found if n.startswith("torch.optim")}
    assert "optim" not in {n.attr for n in ast.walk(tree(name)) if isinstance(n, ast.Attribute)}


def words(name: str) -> set[str]:
    """Every name, and every string that is one word, in a file."""
    found = {n.value for n in ast.walk(tree(name)) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    found |= {n.id for n in ast.walk(tree(name)) if isinstance(n, ast.Name)}
    return found | {n.attr for n in ast.walk(tree(name)) if isinstance(n, ast.Attribute)}


@pytest.mark.parametrize("name", [n for n in FILES if folder(n) in GENERAL])
def test_general_code_names_no_task_and_no_picture(name: str) -> None:
    tasks = {registry.find(task) for task in registry.names()}
    own = {task.name for task in tasks} | {task.__name__ for task in tasks} | {n for t in tasks for n in t.networks}
    assert not words(name) & (own - {"restore", "table"})  # a snapshot is restored, figures stand in a table
    text = FILES[name].read_text()
    assert not re.search(r"\[[NnBb], (C|channels), (H|size)", text), "a shape of pictures"
    assert not {n for n in known(name) if folder(n) in ("images", "tasks")}


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys, ganvas.cli; print(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=900)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", FILES)
def test_no_file_needs_the_extra_for_tables_when_it_is_imported(name: str) -> None:
    """Digits and photographs are trained without it; where it is needed and missing, a sentence says so."""
    extra = {"pandas", "pyarrow", "sqlalchemy", "sklearn", "lightgbm", "opacus"}
    loaded = [n for n in tree(name).body if isinstance(n, ast.Import | ast.ImportFrom)]
    named = {a.name for n in loaded if isinstance(n, ast.Import) for a in n.names}
    named |= {n.module or "" for n in loaded if isinstance(n, ast.ImportFrom) and not n.level}
    assert not {n.partition(".")[0] for n in named} & extra
