"""The studio shows a training in several parts as one, with each part as a run below it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganvas.studio.index import RunNotFound, Runs


def card(folder: Path, images: int, **more: object) -> None:
    folder.mkdir(parents=True)
    entries = {"recipe": "table", "task": {"name": "table"}, "data": {"source": "sqlite:////somewhere/shop.db"}}
    (folder / "experiment.json").write_text(json.dumps({**entries, "training": {"images": images}, **more}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    card(tmp_path / "shop", 1_000, parts=["customers", "orders", "items"])
    for name, seen in (("customers", 500), ("orders", 200)):
        card(tmp_path / "shop" / name, 500)
        (tmp_path / "shop" / name / "log.jsonl").write_text(json.dumps({"images": seen, "seconds": 2.0}) + "\n")
    return tmp_path


def test_a_training_in_parts_is_one_card(root: Path) -> None:
    (shop,) = Runs(root).all()
    assert shop["error"] is None
    assert [part["name"] for part in shop["parts"]] == ["shop~customers", "shop~orders"]
    assert shop["waiting"] == ["items"]
    assert (shop["images"], shop["total"], shop["seconds"]) == (700, 2_000, 4.0)
    assert (shop["state"], shop["data"], shop["samples"]) == ("stopped", "shop.db", "rows")


def test_only_parts_are_found_below_it(root: Path) -> None:
    runs = Runs(root)
    assert runs.run("shop~orders").folder == root / "shop" / "orders"
    card(root / "other", 10)
    (root / "shop" / "link").symlink_to(root / "other")
    for name in ("shop~", "shop~..", "~shop", "shop~orders~x", "shop~items", "shop~link", "nothing~orders", "../shop"):
        with pytest.raises(RunNotFound):
            runs.run(name)
