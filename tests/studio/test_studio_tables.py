"""Tables in the studio: looked at before a training, watched, drawn from, judged, filled; with odd names and cells."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import quick

pytest.importorskip("fastapi")
pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
import pandas as pd
from test_studio import Served, quick_workers  # noqa: F401
from test_studio_pages import CHROMIUM, browser, check_access, go, page, settled, tab, until  # noqa: F401

from ganvas.studio import jobs
from ganvas.tables import write
from ganvas.tasks.table.model import load

pytestmark = pytest.mark.long
PLAN = "<b>plan</b>, of 'all'"
NAMES = ("<img src=x onerror=alert(1)>", 'a,"b"', "=1+1")
TABLE = "orders & <more>.csv"
WATCH = """() => {  // the page's width in each frame as soon as the window is narrow: charts follow a frame later
    window.narrow = [];
    const look = () => {
        if (innerWidth === 360) narrow.push(document.documentElement.scrollWidth);
        if (narrow.length < 20) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def rows(count: int = 600) -> Any:
    """Orders with a column and values that are no plain words."""
    random = np.random.default_rng(0)
    plan = random.choice(3, count, p=[0.6, 0.3, 0.1])
    days = np.datetime64("2025-01-01") + random.integers(0, 365, count)
    paid = [None if x < 0.1 else "yes" if p else "no" for x, p in zip(random.random(count), plan, strict=True)]
    price = np.round(random.gamma(4, 10, count) + 100 * plan, 2)
    entries = {"id": np.arange(count), PLAN: np.array(NAMES)[plan], "price": price, "day": days, "paid": paid}
    return pd.DataFrame(entries)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tables")
    (place / "data").mkdir()
    rows().to_csv(place / "data" / TABLE, index=False)
    experiment = quick("table", place / "data" / "none", steps=30)
    data = dataclasses.replace(experiment.data, source=str(place / "data" / TABLE))
    training = dataclasses.replace(experiment.training, sample_every=160)
    for _ in dataclasses.replace(experiment, data=data, training=training).run(place / "runs" / "orders"):
        pass
    return place


@pytest.fixture(scope="module")
def studio(place: Path, quick_workers: None) -> Iterator[Served]:  # noqa: F811
    served = Served(place / "runs", place / "data")
    yield served
    served.close()


def refused(studio: Served, path: str, body: Any) -> str:
    status, _, content = studio.ask(path, body)
    assert status == 400, content
    return json.loads(content)["detail"]


def test_what_is_drawn_is_what_the_command_line_draws(studio: Served, place: Path) -> None:
    model = load(place / "runs" / "orders")
    where = f'"{PLAN}"="{NAMES[2]}",price>=50'
    asked = {"count": 30, "seed": 3, "where": where}
    status, headers, content = studio.ask("/api/runs/orders/rows/file", {**asked, "form": "csv"})
    assert (status, headers["content-disposition"]) == (200, 'attachment; filename="rows.csv"')
    assert content == b"".join(write.csv_of(part, model.spec) for part in model.portions(30, 3, where))
    found = studio.post("/api/runs/orders/rows", asked)
    cells = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    assert found["columns"] == list(cells)
    assert [["" if c is None else c for c in row] for row in found["rows"]] == cells.to_numpy().tolist()
    assert set(cells[PLAN]) == {NAMES[2]}
    status, _, content = studio.ask("/api/runs/orders/rows/file", {**asked, "form": "parquet"})
    assert len(pd.read_parquet(io.BytesIO(content))) == 30
    assert "no column 'plan'" in refused(studio, "/api/runs/orders/rows", {**asked, "where": "plan=x"})
    assert "10,000" in refused(studio, "/api/runs/orders/rows", {"count": 10_001})
    assert "200,000" in refused(studio, "/api/runs/orders/rows/file", {"count": 200_001})
    described = studio.get("/api/runs/orders/model")["columns"]
    assert set(next(c for c in described if c["name"] == PLAN)["values"]) == set(NAMES)
    assert not {"A-00001", "1", "2"} & {v for c in described for v in c.get("values", [])}  # ids are nobody's business


def test_rows_of_ones_own_are_judged_and_filled(studio: Served) -> None:
    given = rows(4).astype(object)
    given.loc[1, "price"] = 9e6
    given.loc[2, PLAN] = None
    found = studio.post("/api/runs/orders/odd?alarm=0.1", given.to_csv(index=False).encode())
    assert [v["odd"] for v in found["verdicts"]][1:3] == ["yes", "yes"]
    assert [found["columns"][found["verdicts"][i]["column"]] for i in (1, 2)] == ["price", PLAN]
    assert found["verdicts"][2]["expected"] in NAMES
    assert found["rows"][0][2] == str(given["price"][0])
    filled = studio.post("/api/runs/orders/fill?times=4", given.to_csv(index=False).encode())
    (cell,) = [one for one in filled["filled"] if one["row"] == 2 and filled["columns"][one["column"]] == PLAN]
    assert len(cell["values"]) == 4
    assert set(cell["values"]) <= set(NAMES)
    many = pd.concat([given] * 600).to_csv(index=False).encode()
    assert (lambda all_: (len(all_["rows"]), all_["more"]))(studio.post("/api/runs/orders/odd", many)) == (2_000, True)
    for content, message in (
        (b"\n", "There are no rows"),
        (b"PAR1PAR1", "as CSV here"),
        (b"a,b\n1,2\n", "lack columns that the model learned"),
        (b"a,a\n1,2\n", "two columns"),
    ):
        text = refused(studio, "/api/runs/orders/odd", content)
        assert message in text
        assert "rows.csv" not in text  # nor a place of the studio's own
    assert "--alarm 1e-06" in refused(studio, "/api/runs/orders/odd?alarm=0.000001", given.to_csv().encode())


def test_a_table_is_looked_at_before_a_training(studio: Served, place: Path) -> None:
    assert TABLE in [entry["name"] for entry in studio.get("/api/data")["entries"]]
    found = studio.post("/api/data/check", {"path": TABLE, "settings": {"column.day": "category"}})
    kinds = {column["name"]: column["kind"] for column in found["columns"]}
    assert kinds == {"id": "id", PLAN: "category", "price": "number", "day": "category", "paid": "category"}
    assert (found["rows"], found["recipe"], found["script"]) == (600, "table", "/static/tasks/table/check.js")
    assert studio.ask(found["script"])[0] == 200
    secret = place / "secret.toml"
    secret.write_text("nobody may read this")
    for path, body in (
        ("/api/data/check", {"path": TABLE}),
        ("/api/train", {"recipe": "table", "data": TABLE}),
        ("/api/forecast", {"recipe": "table", "data": TABLE}),
    ):
        text = refused(studio, path, {**body, "settings": {"columns": str(secret)}})
        assert text == "columns cannot be set here."
    assert "postgresql" in refused(studio, "/api/train", {"recipe": "table", "data": "postgresql://localhost/x"})
    root, run = studio.app.state.studio.root, str(studio.app.state.studio.root / "a")
    words = ["train", "table", "--run", run, "--data", str(place / "data" / TABLE)]
    assert jobs.is_allowed(root, "train", "a", [*words, f"column.{PLAN}=category", "images=1k"])
    assert not jobs.is_allowed(root, "train", "a", [*words, f"columns={secret}"])
    assert not jobs.is_allowed(root, "train", "a", ["train", "mnist", "--run", run, "column.x=id"])
    listed = next(r for r in studio.get("/api/recipes") if r["name"] == "table")
    assert not {"columns", "kinds", "source"} & {entry["name"] for entry in listed["settings"]}


def test_moments_have_figures(studio: Served, place: Path) -> None:
    """Of real and drawn rows in the same bins; what is damaged is not handed out."""
    shown = studio.get("/api/runs/orders")
    assert (shown["part"]["samples"], shown["reals"]) == ("rows", True)
    files = []
    for kind, data, _ in studio.events("orders"):
        files += [data["file"].partition("?")[0]] if kind == "picture" else []
        if kind == "state":
            break
    assert files[0] == "fakes_init.json"
    real, drawn = (studio.get(f"/api/runs/orders/samples/{name}") for name in ("reals.json", files[-1]))
    assert [c["name"] for c in real["columns"]] == [PLAN, "price", "day", "paid"]
    for one, other in zip(real["columns"], drawn["columns"], strict=True):
        assert one["labels"][:3] == other["labels"][:3]
        assert sum(one["shares"]) + one["missing"] == pytest.approx(1, abs=1e-3)
    assert [p["of"] for p in real["pairs"]] == [p["of"] for p in drawn["pairs"]]
    broken = place / "runs" / "orders" / "samples" / "fakes_000777.json"
    broken.write_text("{not json")
    assert studio.ask("/api/runs/orders/samples/fakes_000777.json")[0] == 404
    broken.unlink()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or Chrome")
def test_the_pages_of_a_table(page: Any, studio: Served) -> None:  # noqa: F811
    """What a person does there, without an error, a word on pictures, or markup from a cell."""

    def used(selector: str) -> None:
        page.wait_for_selector(selector)
        settled(page)
        check_access(page)
        page.evaluate(WATCH)
        page.set_viewport_size({"width": 360, "height": 700})
        until(page, "narrow.length >= 20")
        assert page.evaluate("Math.max(...narrow)") <= 362
        assert not page.evaluate("/picture|image/i.test(document.querySelector('main').innerText)")
        assert not page.evaluate("document.querySelectorAll('main img, main b').length")
        page.set_viewport_size({"width": 1200, "height": 900})

    go(page, studio, "run/orders")
    used(".film .heat svg")
    assert page.locator(".film > div > .columns:not(.wider) .column").count() == 4
    page.locator("input[aria-label^='Time']").fill("0")
    until(page, "document.querySelector('.film').innerText.includes('Before the training')")
    page.select_option("#pair", "1")
    until(page, "document.querySelectorAll('.wider .column').length === 1")

    go(page, studio, "run/orders/rows")
    page.click("#add")
    page.select_option("select[aria-label='Column']", PLAN)
    page.fill("#value1", NAMES[1])
    page.click("#draw")
    until(page, f"[...document.querySelectorAll('.rows td:nth-child(3)')].every((c) => c.innerText === {NAMES[1]!r})")
    page.fill("#value1", "none such")
    page.click("#draw")
    until(page, "document.querySelector('.stack .error').innerText.includes('No row has')")
    assert [text[-17:] for text in page.wrong] == ["400 (Bad Request)"]  # of this alone
    page.wrong.clear()
    page.fill("#where", "")
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "orders.csv"
    used(".rows td")

    go(page, studio, "run/orders/judge")
    page.click("#example")
    until(page, "document.querySelector('#own').value.includes('price')")
    page.fill("#own", page.input_value("#own").splitlines()[0] + f"\n1,{NAMES[0]},abc,2025-01-01,\n")
    page.click("#judge")
    used("td.odd")
    page.click("#fill")
    used("td.filled")

    go(page, studio, "new?recipe=table&data=orders%20%26%20%3Cmore%3E.csv")
    page.select_option("select[aria-label='Kind of day']", "skip")
    until(page, "document.querySelector('summary').innerText.includes('1 changed')")
    check_access(page)
    go(page, studio)
    page.wait_for_selector(".sketch rect")
