"""Commands of several tasks: each has its own of the same name, and the model says which is meant."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganvas import cli
from ganvas.core import console, head
from ganvas.core.errors import UserError


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, object, int]]]:
    """Two tasks with a command `juggle`, and which models are theirs."""
    seen: list[tuple[str, object, int]] = []
    monkeypatch.setattr(head, "task_of", lambda path: {"a.run": "circus", "b.run": "street"}.get(str(path), ""))

    @console.verb("circus", help="Juggle.", instead={"--knives": "throw balls"})
    def juggle(model: Path, *, balls: int = 3) -> int:
        """Juggle with balls.

        Parameters
        ----------
        model
            A run.
        balls
            How many balls.
        """
        seen.append(("circus", model, balls))
        return 0

    def street(model: Path, *hats: Path, knives: int = 2) -> int:
        """Juggle with knives, and hats."""
        seen.append(("street", model, knives + len(hats)))
        return 7

    street.__name__ = "juggle"
    console.verb("street")(street)
    yield seen
    cli.app._commands.pop("juggle")
    console.VERBS.pop("juggle")


def said(*words: str) -> object:
    return cli.app([*words], result_action="return_value")


def test_the_task_of_the_model_decides(called: list[tuple[str, object, int]]) -> None:
    assert said("juggle", "a.run", "--balls", "5") == 0
    assert said("juggle", "--knives", "4", "b.run", "top.hat") == 7
    assert said("juggle", "--balls=1", "no.run") == 0  # the first task's command says what is wrong with it
    assert called == [("circus", Path("a.run"), 5), ("street", Path("b.run"), 5), ("circus", Path("no.run"), 1)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("a.run", "--knives", "2"), "juggle --knives is for models of the task street, .* circus: throw balls."),
        (("--balls=2", "b.run"), "--balls is for models of the task circus, .* of the task street: leave it out."),
    ],
)
def test_options_of_another_task_are_refused_with_a_way_out(
    called: list[tuple[str, object, int]], words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        said("juggle", *words)
    assert called == []
    assert said("juggle", "no.run", "--knives", "3") == 7  # the first task that knows all options says what is wrong
    assert called == [("street", Path("no.run"), 3)]
    assert console.options_among(["a.run", "--balls=3", "--", "--knives"]) == {"--balls"}


@pytest.mark.parametrize(
    ("task", "words", "way"),
    [
        ("table", ("sample", "--class", "3"), 'say --where "COLUMN=VALUE"'),
        ("table", ("sample", "--seeds", "0-9"), "say --seed NUMBER"),
        ("table", ("detect", "--data", "x"), "name the rows"),
        ("table", ("restore", "x", "--mask=m.png"), "leave it out"),
        ("generate", ("sample", "--where", "a=b"), "say --class NAME"),
        ("generate", ("sample", "--seed", "1"), "say --seeds NUMBER --count NUMBER"),
        ("generate", ("expand", "--target", "x"), "all classes are enlarged equally"),
        ("sound", ("expand", "--rare", "x"), "all classes are enlarged alike"),
        ("restore", ("restore", "x", "--columns", "a"), "leave it out"),
    ],
)
def test_options_of_pictures_and_of_tables(
    monkeypatch: pytest.MonkeyPatch, task: str, words: tuple[str, ...], way: str
) -> None:
    monkeypatch.setattr(head, "task_of", lambda path: task if path == "a.run" else "")
    with pytest.raises(UserError, match=f"of the task {task}: {re.escape(way)}"):
        said(words[0], "a.run", *words[1:])


def test_help_is_of_all_tasks_or_of_the_models(
    called: list[tuple[str, object, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    said("juggle", "--help")
    shown = capsys.readouterr().out
    assert "task circus" in shown
    assert "--balls" in shown
    assert "--knives" in shown
    said("juggle", "b.run", "--help")
    shown = capsys.readouterr().out
    assert "--knives" in shown
    assert "--balls" not in shown
    assert called == []


def test_a_command_of_one_task_is_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    said("restore", "--help")
    assert "--mask-hole" in capsys.readouterr().out


def test_help_of_a_verb_imports_no_torch() -> None:
    call = "c.app(['sample', '--help'], result_action='return_value')"
    code = f"import sys, ganvas.cli as c; {call}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "--where" in done.stdout
    assert "--truncation" in done.stdout
