"""You against the machine: open games, and the results of all games played on this machine."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.files import json_line, make_folder, write_whole
from ganvas.core.rows import append
from ganvas.core.text import one_line
from ganvas.metrics import two_sample
from ganvas.studio.contents import read, size

PICTURES = 20  # of a game, half of them real
OPEN = 200  # games that are kept in memory; the oldest are dropped
NAME = 30  # characters of a player's name, at most
BOARD = 10  # names on the board of a run
KEPT = 4_000_000  # bytes of the newest results that are counted


@dataclass
class Game:
    """A game that was dealt: of which run after how many images, which pictures are real, and whether it is over."""

    run: str
    images: int
    real: list[bool]
    mark: str
    seed: int
    over: bool = False


class Games:
    """The newest games in memory, results in a file of JSON lines.

    Args:
        home: the folder of that file.
        old_home: the folder where earlier versions kept it, below the runs; it is only read.
    """

    def __init__(self, home: Path, old_home: Path | None = None) -> None:
        self.file = home / "games.jsonl"
        self.files = [self.file] if old_home is None else [old_home / "games.jsonl", self.file]
        self.open: dict[str, Game] = {}
        self.lock = threading.Lock()

    def begin(self, run: str, images: int, real: list[bool], mark: str = "", seed: int = 0) -> str:
        """Keep a game's solution until the player answers; returns the game's number.

        Args:
            mark, seed: the model's mark, and the seed of the game, for the expert's answer.
        """
        number = secrets.token_urlsafe(12)
        with self.lock:
            while len(self.open) >= OPEN:
                del self.open[next(iter(self.open))]
            self.open[number] = Game(run, images, real, mark, seed)
        return number

    def end(self, number: str, answers: list[bool], name: str = "") -> dict[str, Any]:
        """The result of a game: the player's score, the solution, and how often people were fooled on this machine.

        Args:
            answers: for each picture whether the player takes it for real.
            name: what the player wants to be called on the board; '': not on it.

        Raises:
            UserError: there is no such game, or not any longer, or the result cannot be kept.
        """
        with self.lock:
            game = self.open.get(number)
            if game is None or game.over:
                raise UserError("This game is over. Start a new one.")
            row: dict[str, Any] = {
                "run": game.run,
                "images": game.images,
                "you": sum(a == b for a, b in zip(answers, game.real, strict=True)),
                "fooled": sum(a and not b for a, b in zip(answers, game.real, strict=True)),
            }
            if shown := " ".join(one_line(name[:NAME]).split()):
                row["name"] = shown
            make_folder(self.file.parent)
            append(self.file, row)
            game.over = True
            return {**row, "real": game.real, "of": PICTURES, "all": self.all(game.run)}

    def over(self, number: str) -> Game:
        """A game that the player has answered.

        Raises:
            UserError: there is no such game, or not any longer, or it is not over.
        """
        with self.lock:
            game = self.open.get(number)
        if game is None or not game.over:
            raise UserError("The expert answers after you: submit your answer first, or start a new game.")
        return game

    def all(self, run: str) -> dict[str, Any]:
        """Over all games of a run: how often generated pictures were taken for real, with a 95% interval.

        `board`: the names of the best players, each with its best game (`you`: pictures that were right) and its games.
        """
        rows = [r for r in self.rows() if r.get("run") == run]
        shown = len(rows) * (PICTURES // 2)
        fooled = sum(r["fooled"] for r in rows)
        low, high = interval(fooled, shown)
        right = sum(r["you"] for r in rows)
        figures = {"games": len(rows), "shown": shown, "fooled": fooled, "low": low, "high": high, "right": right}
        return {**figures, "board": board(rows)}

    def moved(self, run: str, to: str | None) -> None:
        """Give the results of a run another name; None: they are removed, as the run was."""
        with self.lock:
            if not self.file.is_file():
                return
            lines = [json_line(line) for line in read(self.file, 0, size(self.file)).split(b"\n")]
            kept = [row if row.get("run") != run else {**row, "run": to} for row in lines if row is not None]
            write_whole(self.file, "".join(json.dumps(row) + "\n" for row in kept if row.get("run") is not None))

    def rows(self) -> list[dict[str, Any]]:
        """All results; invalid lines are skipped."""
        lines = (line for path in self.files for line in read(path, max(0, size(path) - KEPT), KEPT).split(b"\n"))
        return [row for row in map(json_line, lines) if row is not None and _is_result(row)]


def board(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best games of the players who gave a name, the best first."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = row.get("name")
        if isinstance(name, str) and name:
            entry = best.setdefault(name[:NAME], {"name": one_line(name[:NAME]), "you": 0, "games": 0})
            entry["you"], entry["games"] = max(entry["you"], row["you"]), entry["games"] + 1
    return sorted(best.values(), key=lambda entry: -entry["you"])[:BOARD]


def _is_result(row: dict[str, Any]) -> bool:
    you, fooled = row.get("you"), row.get("fooled")
    return type(you) is int and type(fooled) is int and 0 <= you <= PICTURES and 0 <= fooled <= PICTURES // 2


def interval(count: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share; 0 to 1 where nothing was counted."""
    if not total:
        return 0.0, 1.0
    low, high = two_sample.interval(count / total, total)
    return max(0.0, low), min(1.0, high)
