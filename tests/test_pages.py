"""The commands that the pages of docs/ show: each can be typed so, and each is run, some only by `make test-all`."""

from __future__ import annotations

import functools
import re
import runpy
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import small_mnist
from command import ganvas
from shown import ORDERS, PAGES, ROOT, Command, commands, in_text, lines, write_code, write_more

from ganvas.cli import early
from ganvas.core import config, head, own
from ganvas.core.console import VERBS, app, as_settings, ready_for, task_among, tasks_with
from ganvas.core.errors import UserError
from ganvas.images.data import DATASETS, survey
from ganvas.training import forecast

ALL = [*PAGES, ROOT / "README.md", ORDERS]
TASKS = {  # of the runs that the pages speak of; others draw pictures
    "runs/denoise": "restore",
    "runs/emoji": "translate",
    "runs/customers": "table",
    "runs/shop": "table",
    "runs/shop/orders": "table",
    "runs/shop/customers": "table",
    "runs/drums": "sound",
    "runs/digits": "sound",
    "runs/cleaner": "restore-sound",
}
COMMANDS = [command for page in ALL for command in commands(page)]
MENTIONED = [command for page in ALL for command in in_text(page)]
OTHERS = [(page.name, number, line) for page in ALL for number, line, _ in lines(page) if "ganvas -- " not in line]


def task_of(word: Any) -> str:
    known = str(word).startswith(("runs/", "RUN", "OTHER_RUN")) or str(word) == "mnist"
    return TASKS.get(str(word), "generate" if known else "")


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reader")
    write_code(place)
    return place


@pytest.fixture(autouse=True)
def of_a_reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files and runs are there, where no command is run."""
    monkeypatch.setenv(own.CODE, "")  # --code, here or in a run
    if "place" in request.fixturenames:
        return
    monkeypatch.chdir(request.getfixturevalue("code"))
    monkeypatch.setattr(head, "task_of", task_of)
    monkeypatch.setattr(early, "there", lambda *_: None)
    for name in early.JUDGED:
        monkeypatch.setitem(early.JUDGED, name, lambda _: None)
    monkeypatch.setitem(early.CHECKS, "resume", lambda given: early.check_settings("mnist", settings_of(given)))
    for name in ("data check", "data pack"):
        monkeypatch.setitem(early.CHECKS, name, of_data)


def settings_of(given: dict[str, Any]) -> dict[str, str]:
    return as_settings(tuple(given.get("settings", ())))


def of_data(given: dict[str, Any]) -> None:
    known = {config.plain(key) for section in early.names()["sections"].values() for key in section}
    assert not settings_of(given).keys() - known


def parse(words: tuple[str, ...]) -> None:
    """Read the words as the command line does; all that `early` knows of recipes, settings and values is checked."""
    checked = early.checked(early.without_code(words))
    if checked[0] in VERBS:
        tasks = tasks_with(checked[0])
        task, model = task_among(checked[1:]), []
        if not task and (ready := ready_for(checked[0], checked[1:])):
            task, model = ready[0], [ready[1]]
        assert task in tasks, f"ganvas {checked[0]} is not for models of the task {task}"
        checked = [checked[0], task, *model, *checked[1:]]
    app.parse_args(checked, print_error=False, exit_on_error=False)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_can_be_typed_so(command: Command) -> None:
    parse(command.words)


@pytest.mark.parametrize("command", MENTIONED, ids=str)
def test_a_command_in_the_text_is_there(command: Command) -> None:
    here, words = app, [*command.words]
    while words and not words[0].startswith("-") and words[0] in list(here):
        here = here[words.pop(0)]
    assert here is not app or "--help" in words, f"there is no command {command.words[0]}"
    if "--help" not in words and ("=" in " ".join(words) or "--" in " ".join(words) or len(words) > 1):
        try:
            parse(command.words)
        except UserError as error:  # in a sentence the model may be left out
            if "Which model?" not in str(error):
                raise


@pytest.mark.parametrize(
    "words",
    [
        "train mnist network=my.py:Nett",
        "resume RUN --code mi.py",
        "train mnits",
        "train mnist lr=1",
        "sample RUN --cuont 3",
        "restore runs/drums x --out y",
    ],
)
def test_a_wrong_command_would_be_found(words: str) -> None:
    with pytest.raises(Exception, match=r"Nett|mi.py|mnits|lr|cuont|task sound"):
        parse(tuple(words.split()))


def test_other_lines_name_what_there_is() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = [extra for page in ALL for names in re.findall(r"pip install '(?:\.|ganvas)\[([^]]+)\]'", page.read_text())
             for extra in names.split(",")]  # fmt: skip
    assert named
    assert not {*named} - {*extras}
    made = [line.split()[1] for _, _, line in OTHERS if line.startswith("make ")]
    assert made
    assert not {*made} - {*targets}


def test_each_block_is_run_or_marked() -> None:
    marks = {command.mark for command in COMMANDS}
    assert {"", "long"} <= marks


# Running them: a page's commands one after the other, in a folder with what it speaks of

RUNS = {  # what a page needs and does not train itself
    "docs/tutorial.md": ["train mnist --run runs/00000-mnist"],
    "docs/howto/use.md": ["train mnist --run runs/00000-mnist", "train mnist --run runs/00001-mnist seed=1"],
    "docs/howto/measure.md": [
        "train mnist --run runs/00000-mnist",
        "train mnist --run runs/00001-mnist seed=1",
        "evaluate runs/00001-mnist --count 60",
    ],
    "docs/howto/sound.md": ["train sound --data digits --run runs/digits images=160"],
}
NAMES = {"RUN": "runs/00000-mnist", "OTHER_RUN": "runs/00001-mnist"}
QUICK = {"RUN": "mnist", "runs/00000-mnist": "mnist"}  # a model that comes with Ganvas
SHORT = {"evaluate": ["--count", "60"], "walk": ["--frames", "4"]}
ELSEWHERE = ("studio", "push")  # one does not end, one uploads: test_deploy.py and test_export.py


def shortened(command: Command) -> list[str]:
    words = [NAMES.get(word, word) for word in command.words]
    if words[0] == "train":
        return [*words, "--smoke", *(["images=48"] if words[1] == "translate" else [])]
    for number, word in enumerate(words[:-1]):
        if word == "--count":
            words[number + 1] = str(min(60, int(words[number + 1])))
    more = SHORT.get(words[0], [])
    return words if not more or more[0] in words or task_of(words[1]) != "generate" else [*words, *more]


def run(words: list[str], place: Path) -> None:
    done = ganvas(*words, cwd=place)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr or done.stdout}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(DATASETS, "mnist", small_mnist.small)
    monkeypatch.setattr(survey, "mirror", functools.partial(survey.mirror, steps=2))
    monkeypatch.setattr(forecast, "SECONDS", 0.05)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_more(tmp_path)
    return tmp_path


QUICKLY = [command for command in COMMANDS if not command.mark and command.page.startswith("docs/")]


def test_the_quick_commands_run(place: Path) -> None:
    assert len(QUICKLY) > 4
    for command in QUICKLY:
        if command.words[0] not in ELSEWHERE:
            run([QUICK.get(word, word) for word in shortened(command)], place)


@pytest.mark.slow
@pytest.mark.parametrize("page", [*(p for p in PAGES if "long" in {c.mark for c in commands(p)}), ORDERS], ids=str)
def test_the_commands_of_a_page_run(page: Path, place: Path) -> None:
    name = page.relative_to(ROOT).as_posix()
    shop = runpy.run_path(str(ORDERS.parent / "make_shop.py"))
    shop["write"](place / "shop.db", shop["make"](200))
    for line in RUNS.get(name, []):
        run([*line.split(), *(["--smoke"] if line.startswith("train") else [])], place)
    for command in commands(page):
        if not command.mark.startswith("not run") and command.words[0] not in ELSEWHERE:
            run(shortened(command), place)
