"""Visitors of a studio: those with the view-only link may watch and play, and nothing else; players have names."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ganvas as command

pytest.importorskip("fastapi")
import test_studio
from test_studio import OWN, Served, answer, quick_workers, welcome  # noqa: F401

from ganvas import cli
from ganvas.studio import app
from ganvas.studio.app import create
from ganvas.studio.games import BOARD, PICTURES, Games, board
from ganvas.studio.security import Security

pytestmark = pytest.mark.long
FULL, VIEW = "the token of the owner", "the token of visitors"
HOST = {"host": "studio.example"}
ALLOWED = """
GET / | GET /health | GET /api/visitor
GET /static/{name} | GET /static/toy/{name} | GET /static/tasks/{task}/{name} | GET /static/ort/{name}
GET /api/runs | GET /api/runs/{name} | GET /api/runs/{name}/together | GET /api/runs/{name}/remarks
GET /api/runs/{name}/samples/{file} | GET /api/runs/{name}/report | GET /api/runs/{name}/events
GET /api/runs/{name}/model | GET /api/runs/{name}/generator.onnx | GET /api/latents
POST /api/runs/{name}/sheet | POST /api/runs/{name}/zip | POST /api/runs/{name}/point | POST /api/runs/{name}/map
POST /api/runs/{name}/write | POST /api/runs/{name}/judge | POST /api/runs/{name}/mend | POST /api/runs/{name}/restore
GET /api/runs/{name}/game | POST /api/runs/{name}/game | POST /api/games/{number} | GET /api/games/{number}/expert
POST /api/runs/{name}/rows | POST /api/runs/{name}/rows/file | POST /api/runs/{name}/odd | POST /api/runs/{name}/fill
POST /api/runs/{name}/sounds | POST /api/runs/{name}/sounds/between | POST /api/runs/{name}/sounds/at
POST /api/runs/{name}/sounds/judge | GET /api/runs/{name}/sounds/games | POST /api/runs/{name}/sounds/game
POST /api/sounds/games/{number}
"""


@pytest.fixture(scope="module")
def studio(quick_workers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:  # noqa: F811
    place = tmp_path_factory.mktemp("visited")
    (place / "runs").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_studio, "create", functools.partial(create, view=VIEW))
        served = Served(place / "runs", place, FULL)
    yield served
    served.close()


def guarded() -> Security:
    return Security(welcome, FULL, VIEW)


def entry(token: str) -> dict[str, str]:
    """The headers of a visitor who came with a link."""
    status, headers, _ = answer(guarded(), path="/", headers=HOST, query=f"token={token.replace(' ', '+')}")
    assert (status, headers["location"]) == (303, "/")
    return {**HOST, "cookie": headers["set-cookie"].partition(";")[0]}


def test_every_address_is_closed_to_visitors_but_those_that_are_named(tmp_path: Path) -> None:
    visitor, owner = entry(VIEW), entry(FULL)
    opened, asked = set(), 0
    for route in create(tmp_path, tmp_path, FULL, VIEW).routes:
        path = re.sub(r"\{\w+\}", "x", route.path)  # pyright: ignore[reportAttributeAccessIssue]
        for method in route.methods - {"HEAD"}:  # pyright: ignore[reportAttributeAccessIssue]
            asked += 1
            own = {"x-ganvas": "1"} if method != "GET" else {}
            assert answer(guarded(), method, path, {**owner, **own})[0] == 200
            status, _, content = answer(guarded(), method, path, {**visitor, **own})
            assert status in (200, 403)
            if status == 200:
                opened.add(f"{method} {route.path}")  # pyright: ignore[reportAttributeAccessIssue]
            else:
                assert b"This link is for watching and playing" in content
    assert asked > 45
    assert opened == set(re.split(r" \| |\n", ALLOWED.strip()))


@pytest.mark.parametrize(
    "path", ["/api/runs/a/delete", "/api/train", "/api/runs/a/game/../delete", "/api/runs/a/b/game"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_else_is_open_to_visitors(method: str, path: str) -> None:
    assert answer(guarded(), method, path, {**entry(VIEW), "x-ganvas": "1"})[0] == 403
    bearer = {**HOST, "authorization": f"Bearer {VIEW}", "x-ganvas": "1"}
    assert answer(guarded(), method, path, bearer)[0] == 403


def test_a_visitor_becomes_no_owner() -> None:
    visitor = entry(VIEW)
    for query in ("token=wrong", "token=", f"token=wrong&token={VIEW.replace(' ', '+')}"):
        status, headers, _ = answer(guarded(), path="/", headers=visitor, query=query)
        assert status in (200, 303)
        cookie = headers.get("set-cookie", visitor["cookie"]).partition(";")[0]
        assert cookie == visitor["cookie"] != entry(FULL)["cookie"]
    assert answer(guarded(), "POST", "/api/train", {**visitor, "origin": "http://studio.example"})[0] == 403
    # playing, too, is possible from the studio's own page alone
    assert answer(guarded(), "POST", "/api/runs/x/game", visitor)[0] == 403
    # without a token for the owner the second opens nothing
    assert answer(Security(welcome, None, VIEW), headers=HOST, query=f"token={VIEW}")[0] == 403
    assert answer(Security(welcome, FULL), headers=visitor)[0] == 401


def test_a_visitor_plays_and_the_owner_sees_the_link(studio: Served) -> None:
    visitor, owner = ({"Authorization": f"Bearer {token}"} for token in (VIEW, FULL))
    assert json.loads(studio.ask("/api/visitor", headers=owner)[2]) == {
        "view": False,
        "link": "/?token=the%20token%20of%20visitors",
    }
    assert json.loads(studio.ask("/api/visitor", headers=visitor)[2]) == {"view": True, "link": None}
    assert studio.ask("/api/visitor")[0] == 401
    status, _, content = studio.ask("/api/runs/%40mnist/write", {"text": "7"}, visitor)
    assert (status, content[:4]) == (200, b"\x89PNG")
    for path, body in (("/api/train", {"recipe": "mnist"}), ("/api/runs/%40mnist/page", {}), ("/api/data", None)):
        assert studio.ask(path, body, visitor)[0] == 403


def test_the_board_has_the_best_game_of_each_name(tmp_path: Path) -> None:
    games, real = Games(tmp_path), [True] * 10 + [False] * 10

    def play(name: str, right: int, run: str = "@mnist") -> dict[str, Any]:
        answers = [is_real if i < right else not is_real for i, is_real in enumerate(real)]
        return games.end(games.begin(run, 0, real), answers, name)["all"]

    play("Ada", 12)
    play("", PICTURES)
    play("  Bob\n\x1b[2J ", 15)
    play("Ada", 17)
    shown = play("Eve", 19, "other")["board"]
    assert shown == [{"name": "Eve", "you": 19, "games": 1}]
    assert games.all("@mnist")["board"] == [
        {"name": "Ada", "you": 17, "games": 2},
        {"name": "Bob\\n\\x1b[2J", "you": 15, "games": 1},
    ]
    rows = [{"run": "a", "you": 1, "fooled": 0, "name": name} for name in (*map(str, range(30)), 7, None, ["x"])]
    assert len(board(rows)) == BOARD


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"GANVAS_VIEW_TOKEN": "short"}, "GANVAS_VIEW_TOKEN has fewer than 16 characters"),
        ({"GANVAS_VIEW_TOKEN": "x" * 16, "GANVAS_TOKEN": "x" * 16}, "are the same"),
    ],
)
def test_poor_tokens_are_refused(
    given: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    done = command("studio", "--host", "0.0.0.0", cwd=tmp_path)
    assert (done.returncode, message in done.stderr) == (2, True)


@pytest.mark.parametrize(("given", "links"), [({}, 2), ({"GANVAS_TOKEN": FULL}, 0), ({"GANVAS_VIEW_TOKEN": VIEW}, 1)])
def test_the_links_are_printed_but_no_token_that_was_given(
    given: dict[str, str],
    links: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(app, "create", lambda *arguments: opened.append(arguments))
    monkeypatch.setattr(app, "serve", lambda *_: True)
    for name in ("GANVAS_TOKEN", "GANVAS_VIEW_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    words = ["studio", "--host", "0.0.0.0", "--runs", str(tmp_path / "runs"), "--data", str(tmp_path)]
    assert cli.app(words, result_action="return_value") == 0
    ((_, _, token, view),) = opened
    text = capsys.readouterr().out
    assert text.count("?token=") == links
    assert (f"?token={token}" in text) is ("GANVAS_TOKEN" not in given)
    assert (f"?token={view}" in text) is (not given)
    assert token != view
