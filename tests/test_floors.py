"""Imports go down only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganvas

SOURCE = Path(ganvas.__file__).parent
FLOORS = [  # lowest first; a floor's files do not know each other, except those of one package
    ["errors", "processes", "text"],
    ["files", "config", "seeds", "events", "distributed", "spec", "damages", "naming", "terminal"],
    ["images", "losses", "augment", "degrade", "classical", "ema", "checkpoint", "fitting", "cache", "locate", "rows"],
    ["data", "networks", "networks.dropout", "run", "metrics"],
    ["strangers", "pictures", "originals"],
    ["selection", "figures", "detection", "holes"],
    ["tasks", "tasks.base", "tasks.generate", "tasks.restore", "tasks.translate", "background", "reference"],
    ["trainer", "sample", "doctor"],
    [
        "training",
        "sources",
        "charts",
        "outputs",
        "restoring",
        "lettering",
        "walks",
        "inversion",
        "cards",
        "finetuning",
    ],
    ["restored", "translating"],
    ["translated", "exporting", "loading"],
    ["report", "hub"],
    ["evaluation", "modes", "inspection"],
    ["experiment", "expanding", "judging", "mending", "weighing"],
    ["recipes"],
    ["api"],
    ["display", "checking"],
    ["tables"],
    [
        "studio",
        *(
            f"studio.{name}"
            for name in (
                "app",
                "asking",
                "events",
                "games",
                "guard",
                "jobs",
                "loaded",
                "models",
                "patience",
                "places",
                "runs",
                "state",
                "stopping",
                "tasks",
                "watching",
                "working",
            )
        ),
    ],
    [
        "cli",
        *(f"cli.{name}" for name in ("app", "data", "drawing", "measuring", "mending", "studio", "training", "using")),
    ],
    ["__init__", "__main__"],
]
NETWORKS = {"classic_dcgan", "classic_mlp", "dcgan", "pyramid", "shuffle", "translator", "unet"}
METRICS = {
    "colours",
    "copies",
    "damage",
    "digits",
    "distances",
    "efficientnet",
    "enough",
    "expert",
    "extractors",
    "fidelity",
    "neighbours",
}
DATA = {
    "archives",
    "arrays",
    "batches",
    "checks",
    "depth",
    "idx",
    "label_arrays",
    "labelling",
    "layout",
    "listing",
    "matching",
    "npz",
    "pack",
    "photos",
    "sets",
    "stored",
    "survey",
}
FLOORS[3] += [f"data.{name}" for name in sorted(DATA)]
FLOORS[3] += [f"networks.{name}" for name in sorted(NETWORKS)] + [f"metrics.{name}" for name in sorted(METRICS)]
PACKAGES = {"cli", "data", "networks", "studio", "tasks", "metrics"}
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1]) if parts[-1] == "__init__" and len(parts) > 1 else ".".join(parts)


FILES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without those that only a type checker sees."""
    yield node
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            for other in child.orelse:  # pyright: ignore[reportAttributeAccessIssue]
                yield from walk(other)
        else:
            yield from walk(child)


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
    """The files of Ganvas among imported names: 'ganvas.data.idx.read' -> 'data.idx'."""
    found = set()
    for name in names:
        if name.split(".")[0] == "ganvas":
            rest = name.removeprefix("ganvas").removeprefix(".")
            while rest and rest not in FLOOR:
                rest = rest.rpartition(".")[0]
            found.add(rest or "__init__")
    return found


def tree(name: str) -> ast.AST:
    return ast.parse(FILES[name].read_text())


def may_import(importer: str, imported: str) -> bool:
    if FLOOR[imported] != FLOOR[importer]:
        return FLOOR[imported] < FLOOR[importer]
    package = importer.split(".")[0]
    return importer != imported and package in PACKAGES and imported.split(".")[0] == package


def test_every_file_has_a_floor() -> None:
    assert set(FILES) == set(FLOOR)


def test_no_floor_is_listed_twice() -> None:
    assert sum(map(len, FLOORS)) == len(FLOOR)


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down_only(name: str) -> None:
    found = inside(imports(tree(name)) - {"ganvas.__version__"})
    assert {other for other in found if not may_import(name, other)} == set()


def test_the_walker_sees_what_it_must() -> None:
    code = """
import ganvas.data.idx
from ganvas import losses as l, networks
from ganvas.networks import shuffle
from ganvas.config import knob
if TYPE_CHECKING:
    from ganvas.api import train
else:
    from ganvas.run import Run
def f():
    from ganvas import cli
    import torch.optim
"""
    found = imports(ast.parse(code))
    assert inside(found) == {"data.idx", "losses", "networks", "networks.shuffle", "config", "run", "cli"}
    assert "torch.optim" in found


def test_what_may_import_what() -> None:
    assert may_import("training", "data")
    assert may_import("networks", "networks.shuffle")
    assert may_import("tasks.generate", "tasks.base")
    assert not may_import("data", "training")
    assert not may_import("data", "run")
    assert not may_import("images", "losses")
    assert not may_import("cli", "__init__")


@pytest.mark.parametrize("name", [n for n in FILES if n.split(".")[0] == "networks"])
def test_networks_know_no_losses_and_no_optimisers(name: str) -> None:
    found = imports(tree(name))
    assert "losses" not in inside(found)
    assert not {n for n in found if n.startswith("torch.optim")}
    assert "optim" not in {n.attr for n in ast.walk(tree(name)) if isinstance(n, ast.Attribute)}


@pytest.mark.parametrize("name", [n for n in FILES if n.split(".")[0] == "tasks"])
def test_tasks_know_no_networks(name: str) -> None:
    assert not {n for n in inside(imports(tree(name))) if n.split(".")[0] == "networks"}


WORDS = {"images", "few"}  # recipes whose names are words of any text


def test_the_loop_knows_no_task_recipe_or_network_by_name() -> None:
    from ganvas.networks import NETWORKS as TABLE
    from ganvas.recipes import RECIPES
    from ganvas.tasks import TASKS

    classes = {task.__name__ for task in TASKS.values()}
    modules = {f"tasks.{name}" for name in TASKS} | {f"networks.{n}" for n in NETWORKS}
    text = FILES["training"].read_text()
    strings = {n.value for n in ast.walk(tree("training")) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    assert not {name for name in classes | modules if name in text}
    assert not strings & ({*RECIPES, *TASKS, *TABLE} - WORDS | {name.replace("_", "-") for name in NETWORKS})
    assert not {n for n in (*RECIPES, *TABLE) if n in text and n not in WORDS}


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys, ganvas.cli; print(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=900)
    assert done.stdout.strip() == "[]", done.stderr
