"""The studio shows what was measured of all tables of a database together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("pandas")
from test_studio import Served
from test_studio_pages import CHROMIUM, browser, check_access, go, page, settled, tab  # noqa: F401
from test_studio_parts import card

from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, Protocol
from ganvas.tasks.table.several.evaluate import details
from ganvas.tasks.table.several.evaluate.metrics import METRICS

pytestmark = pytest.mark.long
ODD = "<img src=x onerror=alert(1)> -> customers"


def measure(folder: Path) -> None:
    """What `ganvas evaluate` leaves in a training's folder, with a name that is no plain word."""
    protocol = Protocol("none", "-", 90, "halves of the real parents", 0, 2, "none", "shop.db", "f")
    for name, metric in METRICS.items():
        figure = Figure(name, metric.title, 0.75, 0.02, 0.9, 0.01, metric.better, metric.share, protocol, 10)
        Run(folder).append(figure.row(), folder / "metrics.jsonl")
    key = dict.fromkeys(details.OF_KEYS, (0.61, 0.62))
    bars = {"labels": ["0", "1"], "real": [0.4, 0.6], "drawn": [0.5, 0.5], "kind": "number", "shape": 0.9, "floor": 1}
    maps = {"labels": [["a", "b"], ["c"]], "real": [[0.2], [0.8]], "drawn": [[0.4], [0.6]], "trend": 0.8, "floor": 0.9}
    found = {
        "shared": ["products"],
        "keys": [{**key, "name": ODD, "rows": 40, "none": [0.1, 0.2], "notes": [], "gives_away": [["total", 0.2]]}],
        "tables": [{"name": "customers", "rows": 50, "shape": [0.9, 0.91], "trend": None, "c2st": [0.5, 0.51]}],
        "counts": [{**bars, "name": ODD}, {**bars, "name": "short", "real": [1]}, None],
        "pairs": [{**maps, "names": ["total", ODD]}, {**maps, "names": ["x", "y"], "drawn": [[1, 1]]}],
        "worst": [{"names": ["total", ODD], "trend": 0.8, "floor": 0.9}],
        "wrong": {f"{ODD}: leads to no row": 3},
    }
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "database.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trainings of several tables."""
    root = tmp_path_factory.mktemp("together")
    for name in ("shop", "mart"):
        card(root / name, 1_000, parts=["customers", "orders", "items"])
        for part in ("customers", "orders"):
            card(root / name / part, 500)
    return root


@pytest.fixture(scope="module")
def studio(root: Path) -> Iterator[Served]:
    (root / "data").mkdir()
    served = Served(root, root / "data")
    yield served
    served.close()


def test_what_was_measured_of_all_tables_is_shown(root: Path, studio: Served) -> None:
    assert studio.get("/api/runs/shop/together") == {}
    before = studio.get("/api/runs/shop")["measured"]
    measure(root / "shop")
    assert studio.get("/api/runs/shop")["measured"] > before == 0
    found = studio.get("/api/runs/shop/together")
    assert any("are 75.0% alike, a mean over keys" in words for words in found["words"])
    tables = {table["title"]: table for table in found["tables"]}
    assert len(tables["Figures"]["rows"]) == len(METRICS)
    assert "the same products" in tables["Figures"]["note"]
    assert tables["Each key"]["rows"][0][:4] == [ODD, "40", "20.0% (real 10.0%)", "0.610 (0.620)"]
    assert [row[1] for row in tables["Each table"]["rows"]] == ["50", "-", "-"]
    assert tables["What is wrong in drawn rows"]["rows"] == [[f"{ODD}: leads to no row", "3"]]
    assert [chart["real"]["shares"] for chart in found["counts"]["charts"]] == [[0.4, 0.6]]  # without what is damaged
    assert [chart["names"] for chart in found["pairs"]["charts"]] == [["total", ODD]]
    file = root / "shop" / "evaluation" / "database.json"
    file.write_text("[3")
    assert [table["title"] for table in studio.get("/api/runs/shop/together")["tables"]] == ["Figures", "Each table"]
    assert studio.get("/api/runs/shop~orders/together") == {}
    assert studio.ask("/api/runs/none/together")[0] == 404


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or Chrome")
def test_the_page_of_several_tables(page: Any, root: Path, studio: Served) -> None:  # noqa: F811
    go(page, studio, "run/mart")
    settled(page)
    assert not page.locator(".film").is_visible()
    assert "ganvas evaluate" in page.inner_text("main")
    measure(root / "mart")  # is seen while the page is open
    page.wait_for_selector(".film table")
    check_access(page)
    assert page.locator(".film .columns:not(.wider) .column").count() == 1
    assert page.locator(".film .heat svg").count() == 2
    assert ODD in page.inner_text(".film")
    assert not page.evaluate("document.querySelectorAll('main img').length")
    page.set_viewport_size({"width": 360, "height": 700})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 362
